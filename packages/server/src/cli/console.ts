import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import { connectionFromKubeconfig } from '../kube/kubeconfig.ts'
import { Transport } from '../kube/transport.ts'
import { dataDirOf, isHeld, ownerOf } from './data-dir.ts'

export interface ConsoleLinkOptions {
  dataDir?: string
  open: boolean
  tlsCert?: string
  tlsKey?: string
  useKubeconfigIdentity?: boolean
}

/** Prints a one-time link to the console of the server that runs on a data directory, and opens it in a browser. */
export async function consoleLink(options: ConsoleLinkOptions): Promise<void> {
  if (options.tlsCert !== undefined || options.tlsKey !== undefined || options.useKubeconfigIdentity)
    throw new Error('--tls-cert, --tls-key and --use-kubeconfig-identity need --kubeconfig FILE')
  const dir = dataDirOf(options.dataDir)
  if (!isHeld(dir))
    throw new Error(`no server runs on ${dir}; start it with 'stillpoint up', or name another one with --data-dir`)
  const owner = ownerOf(dir)
  if (!owner) throw new Error(`the server of ${dir} is still starting; try again in a moment`)
  const connection = await connectionFromKubeconfig(join(dir, 'kubeconfig'))
  const transport = new Transport({ ...connection, server: owner.url })
  try {
    const { url } = (await transport.request({ method: 'POST', path: '/auth/links' })) as { url: string }
    say(`console  ${url}`)
    say('good once, for ten minutes')
    if (options.open) openBrowser(url)
  } catch (error) {
    if (isNotFound(error)) throw new Error(`the server of ${dir} was started without the role console`)
    throw error
  } finally {
    transport.close()
  }
}

/** Shows an address in the user's browser, where there is a screen to show it on. */
export function openBrowser(url: string): void {
  if (!process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return
  const browser = spawn('xdg-open', [url], { stdio: 'ignore', detached: true })
  browser.on('error', () => say('no browser could be opened (xdg-open is missing): open the address yourself'))
  browser.unref()
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
