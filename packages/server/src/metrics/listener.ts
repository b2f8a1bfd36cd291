import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Metrics, metricsContentType } from './metrics.ts'

export interface MetricsListener {
  /** `http://127.0.0.1:PORT/metrics` */
  url: string
  close(): Promise<void>
}

/** Serves `/metrics` over plain HTTP to whoever can reach the address: counts and names, nothing secret. */
export async function listenForMetrics(
  metrics: Metrics,
  { host, port }: { host: string; port: number },
): Promise<MetricsListener> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (path !== '/metrics') response.writeHead(404).end('metrics are at /metrics\n')
    else if (request.method !== 'GET') response.writeHead(405, { allow: 'GET' }).end('only GET\n')
    else
      metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': metricsContentType }).end(text),
        (error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))),
      )
  })
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new Error(`cannot serve metrics on ${host}:${port}; choose another --metrics-listen`, { cause })
  }
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}/metrics`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
