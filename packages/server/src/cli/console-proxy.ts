import { Listener } from '../apiserver/http/listener.ts'
import { connectionFromKubeconfig } from '../kube/kubeconfig.ts'
import { builtBundle } from '../web/bundle.ts'
import { Console } from '../web/console.ts'
import { linkUrl } from '../web/links.ts'
import { isLoopback } from '../web/own-hosts.ts'
import { RemoteBackend } from '../web/remote-backend.ts'
import { openBrowser, say } from './console.ts'
import { hostNames, parseListen } from './listen-address.ts'
import { loggerFor } from './logger.ts'
import { pairOf } from './pem-files.ts'
import { firstSignal } from './signals.ts'

export interface ConsoleProxyOptions {
  kubeconfig: string
  listen: string
  tlsCert?: string
  tlsKey?: string
  consoleHost: string[]
  useKubeconfigIdentity?: boolean
  open: boolean
  logLevel: string
}

/** Serves the web console before the API that a kubeconfig names, until a signal. */
export async function consoleProxy(options: ConsoleProxyOptions): Promise<void> {
  const stop = firstSignal('SIGTERM', 'SIGINT')
  const address = parseListen(options.listen, '--listen', 9_000)
  const certificate = await pairOf('--tls-cert', options.tlsCert, '--tls-key', options.tlsKey)
  if (!certificate && !isLoopback(address.host))
    throw new Error(
      `--listen ${options.listen} can be reached by others, who would read the session: add --tls-cert and --tls-key, or listen on 127.0.0.1`,
    )
  const connection = await connectionFromKubeconfig(options.kubeconfig)
  const served = new Console({
    backend: new RemoteBackend(connection),
    dist: builtBundle,
    hosts: { listen: address.host, names: hostNames(options.consoleHost) },
    secure: certificate !== undefined,
    now: () => new Date(),
    log: loggerFor(options.logLevel),
  })
  const listener = new Listener(served, certificate)
  try {
    const port = await listener.listen(address.host, address.port).catch((cause: unknown) => {
      throw new Error(`cannot listen on ${options.listen}; choose another --listen, or port 0 for a free one`, {
        cause,
      })
    })
    const host = isLoopback(address.host)
      ? 'localhost'
      : address.host.includes(':')
        ? `[${address.host}]`
        : address.host
    const origin = `${certificate ? 'https' : 'http'}://${host}:${port}`
    say(`stillpoint console is ready: ${origin}, before ${connection.server}`)
    if (options.useKubeconfigIdentity) {
      const url = linkUrl(origin, served.link({ kind: 'kubeconfig' }).code)
      say(`console  ${url}`)
      if (options.open) openBrowser(url)
    }
    await stop
  } finally {
    served.close()
    await listener.close()
  }
}
