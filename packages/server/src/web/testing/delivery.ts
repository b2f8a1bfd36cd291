import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pino } from 'pino'
import type { ApiServerOptions } from '../../apiserver/api-server.ts'
import { Listener } from '../../apiserver/http/listener.ts'
import { loadCertificates } from '../../apiserver/pki/certificates.ts'
import { startTestServer, type TestServer } from '../../apiserver/testing/server.ts'
import type { Connection } from '../../kube/transport.ts'
import type { Backend } from '../backend.ts'
import { Console } from '../console.ts'
import { embeddedBackend } from '../embedded-backend.ts'
import { RemoteBackend } from '../remote-backend.ts'
import { whoIs } from '../who-is.ts'
import { makeDist } from './dist.ts'

/** A console with an API behind it, over TLS on a free port. */
export interface Delivery {
  url: string
  ca: string
  api: TestServer
  console: Console
  dist: string
  /** Of the API's administrator. */
  token: string
  /** The console's clock; it stands until it is moved. */
  clock: { now: Date }
  close(): Promise<void>
}

const log = pino({ level: 'silent' })
const names = ['console.example.com']

/** Both ways in which the console is delivered. */
export const deliveries: Readonly<
  Record<Backend['mode'], (api?: Partial<ApiServerOptions>, dist?: string) => Promise<Delivery>>
> = {
  embedded: async (extra = {}, dist) => {
    const clock = { now: new Date() }
    const folder = dist ?? (await makeDist())
    const reached = Promise.withResolvers<Connection>()
    let served: Console | undefined
    const api = await startTestServer({
      ...extra,
      front: (behind) => {
        served = new Console({
          backend: embeddedBackend({ api: behind, whoIs: async (identity) => whoIs(await reached.promise, identity) }),
          dist: folder,
          hosts: { listen: '127.0.0.1', names },
          secure: true,
          elsewhere: behind,
          now: () => clock.now,
          log,
        })
        return served
      },
    })
    if (!served) throw new Error('nothing stands before the API')
    const running = served
    reached.resolve({ ...reachable(api), authorize: () => ({}) })
    return {
      url: api.server.url,
      ca: api.server.ca,
      api,
      console: running,
      dist: folder,
      token: api.server.adminToken,
      clock,
      close: async () => {
        running.close()
        await api.close()
        await rm(dirname(folder), { recursive: true })
      },
    }
  },
  proxy: async (extra = {}, dist) => {
    const clock = { now: new Date() }
    const folder = dist ?? (await makeDist())
    const api = await startTestServer(extra)
    const served = new Console({
      backend: new RemoteBackend({
        ...reachable(api),
        authorize: () => ({ authorization: `Bearer ${api.server.adminToken}` }),
      }),
      dist: folder,
      hosts: { listen: '127.0.0.1', names },
      secure: true,
      now: () => clock.now,
      log,
    })
    const certificate = await loadCertificates(folder, '127.0.0.1', new Date())
    const listener = new Listener(served, certificate)
    const port = await listener.listen('127.0.0.1', 0)
    return {
      url: `https://127.0.0.1:${port}`,
      ca: certificate.ca,
      api,
      console: served,
      dist: folder,
      token: api.server.adminToken,
      clock,
      close: async () => {
        served.close()
        await listener.close()
        await api.close()
        await rm(dirname(folder), { recursive: true })
      },
    }
  },
}

function reachable({ server }: TestServer): Pick<Connection, 'server' | 'ca'> {
  return { server: server.url, ca: server.ca }
}
