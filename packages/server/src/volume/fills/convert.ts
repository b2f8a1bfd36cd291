import { spawn } from 'node:child_process'
import { supportsDirectIo } from '../../qemu/direct-io.ts'
import type { FillTarget } from './target.ts'

export interface ConvertOptions {
  signal: AbortSignal
  onProgress(percent: number): void
}

const limitMs = 6 * 3_600_000
const memoryLimitBytes = 4 * 2 ** 30
const outputLimit = 4_000

/**
 * Copies an image that has been checked (`refuseReferences`) onto a volume, which must be at least as large, and
 * flushes it. Runs in a process of its own, with limits on memory and time.
 */
export async function convertImage(
  source: { path: string; format: 'raw' | 'qcow2' },
  target: FillTarget,
  { signal, onProgress }: ConvertOptions,
): Promise<void> {
  // The format is stated, and no backing file followed even if the image were replaced after the check.
  const from = `json:${JSON.stringify({
    driver: source.format,
    ...(source.format === 'qcow2' ? { backing: null } : {}),
    file: { driver: 'file', filename: source.path },
  })}`
  const cache = (await supportsDirectIo(target.path)) ? 'none' : 'writeback'
  await run(
    'prlimit',
    [
      `--as=${memoryLimitBytes}`,
      'qemu-img',
      'convert',
      '-p',
      '-n',
      ...(target.zeroed ? ['--target-is-zero'] : []),
      '-t',
      cache,
      '-O',
      target.format,
      from,
      target.path,
    ],
    signal,
    (text) => {
      const percent = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1]
      if (percent !== undefined) onProgress(Number(percent))
    },
  )
}

function run(program: string, args: string[], signal: AbortSignal, onOutput: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let complaint = ''
    let failure: Error | undefined
    child.stdout.on('data', (chunk: Buffer) => onOutput(chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-outputLimit)
    })
    child.once('error', (error) => {
      failure = error
      // Without a process there is no `close` to come.
      if (child.pid === undefined) reject(new Error(`run ${program}`, { cause: error }))
    })
    child.once('close', (code) => {
      if (signal.aborted) reject(signal.reason)
      else if (failure) reject(new Error(`${args[1]} ended after ${limitMs} ms`, { cause: failure }))
      else if (code === 0) resolve()
      else reject(new Error(`${args[1]}: ${complaint.trim() || `ended with ${code}`}`))
    })
  })
}
