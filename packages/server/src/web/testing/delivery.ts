import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ApiServerOptions } from '../../apiserver/api-server.ts'
import { loadCertificates } from '../../apiserver/pki/certificates.ts'
import { startTestServer, type TestServer } from '../../apiserver/testing/server.ts'
import type { Connection } from '../../kube/transport.ts'
import type { Backend } from '../backend.ts'
import { Console } from '../console.ts'
import { embeddedBackend } from '../embedded-backend.ts'
import { whoIs } from '../who-is.ts'
import { makeDist } from './dist.ts'
import { consoleDefaults, type Front, startFront } from './front.ts'

/** A console with an API behind it, over TLS on a free port. */
export interface Delivery extends Front {
  ca: string
  api: TestServer
  /** Of the API's administrator. */
  token: string
  /** The console's clock; it stands until it is moved. */
  clock: { now: Date }
}

interface Given {
  extra: Partial<ApiServerOptions>
  dist: string
  now: () => Date
}

type Delivered = Front & { ca: string; api: TestServer }

async function embedded({ extra, dist, now }: Given): Promise<Delivered> {
  const reached = Promise.withResolvers<Connection>()
  let served: Console | undefined
  const api = await startTestServer({
    ...extra,
    front: (behind) => {
      const backend = embeddedBackend({
        api: behind,
        whoIs: async (identity) => whoIs(await reached.promise, identity),
      })
      served = new Console({ ...consoleDefaults, backend, dist, now, secure: true, elsewhere: behind })
      return served
    },
  })
  if (!served) throw new Error('nothing stands before the API')
  reached.resolve(connectionTo(api))
  const { url, ca } = api.server
  return { url, ca, api, console: served, close: async () => served?.close() }
}

async function proxy({ extra, dist, now }: Given): Promise<Delivered> {
  const api = await startTestServer(extra)
  const { ca, ...certificate } = await loadCertificates(dist, '127.0.0.1', new Date())
  return { ...(await startFront(connectionTo(api), { dist, now, certificate })), ca, api }
}

/** Both ways in which the console is delivered. */
const deliveries: Readonly<Record<Backend['mode'], (given: Given) => Promise<Delivered>>> = { embedded, proxy }

export async function deliver(mode: Backend['mode'], extra: Partial<ApiServerOptions> = {}): Promise<Delivery> {
  const clock = { now: new Date() }
  const dist = await makeDist()
  const delivered = await deliveries[mode]({ extra, dist, now: () => clock.now })
  return {
    ...delivered,
    token: delivered.api.server.adminToken,
    clock,
    close: async () => {
      await delivered.close()
      await delivered.api.close()
      await rm(dirname(dist), { recursive: true })
    },
  }
}

function connectionTo({ server }: TestServer): Connection {
  return { server: server.url, ca: server.ca, authorize: () => ({}) }
}
