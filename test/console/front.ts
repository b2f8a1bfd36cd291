import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root, type Server } from '../system/server.ts'

/** `stillpoint console` before the API of a server: plain HTTP, in a process of its own. */
export async function startFront({ kubeconfig }: Server): Promise<{ url: string; stop(): Promise<void> }> {
  const main = join(root, 'packages/server/src/main.ts')
  const args = [main, 'console', '--kubeconfig', kubeconfig, '--listen', '127.0.0.1:0', '--no-open']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  for await (const line of createInterface(child.stdout)) {
    const url = /is ready: (http:\/\/[^\s,]+)/.exec(line)?.[1]
    if (url !== undefined) return { url, stop }
  }
  throw new Error(`stillpoint console ended before it was ready: ${await ended}`)
}
