import { readFile } from 'node:fs/promises'
import type { Connection } from './transport.ts'

/**
 * The connection a kubeconfig file describes (its current context). Exec plugins, client certificates and tokens
 * are all taken care of by the Kubernetes client library, loaded only here because it is large.
 */
export async function connectionFromKubeconfig(file: string): Promise<Connection> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new KubeconfigError(file, 'cannot be read; give the path of a kubeconfig file with --kubeconfig', { cause })
  })
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    config.loadFromString(text)
  } catch (cause) {
    throw new KubeconfigError(file, 'is not a kubeconfig file', { cause })
  }
  const cluster = config.getCurrentCluster()
  if (!cluster)
    throw new KubeconfigError(file, 'has no current-context that names a cluster; set one with kubectl config')
  const tls: { ca?: Buffer | string; cert?: Buffer | string; key?: Buffer | string } = {}
  await config.applyToHTTPSOptions(tls)
  return {
    server: cluster.server,
    ca: tls.ca?.toString(),
    cert: tls.cert?.toString(),
    key: tls.key?.toString(),
    insecureSkipTlsVerify: cluster.skipTLSVerify,
    authorize: async () => {
      const options: { headers?: Record<string, string>; auth?: string | undefined } = { headers: {} }
      await config.applyToHTTPSOptions(options)
      const headers = lowerCased(options.headers ?? {})
      if (options.auth !== undefined) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`
      return headers
    },
  }
}

export class KubeconfigError extends Error {
  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`kubeconfig ${file} ${problem}`, options)
    this.name = 'KubeconfigError'
  }
}

function lowerCased(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
