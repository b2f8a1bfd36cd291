import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigMap, Secret } from '@stillpoint/api/core/config'
import { Event } from '@stillpoint/api/core/event'
import { Lease } from '@stillpoint/api/core/lease'
import { Namespace } from '@stillpoint/api/core/namespace'
import { rbacKinds } from '@stillpoint/api/core/rbac'
import { ServiceAccount } from '@stillpoint/api/core/service-account'
import { pino } from 'pino'
import { type ApiServer, type ApiServerOptions, startApiServer } from '../api-server.ts'
import { TestClient } from './client.ts'
import { Gadget, Widget } from './kinds.ts'

export interface TestServer {
  server: ApiServer
  client: TestClient
  dataDir: string
  /** Stops the server and starts it again on the same data. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** A real server with a few kinds, on a free port and its own directory. */
export async function startTestServer(extra: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stillpoint-apiserver-'))
  const start = () =>
    startApiServer({
      dataDir,
      listen: { host: '127.0.0.1', port: 0 },
      resources: [Namespace, ConfigMap, Secret, Event, Lease, ServiceAccount, ...rbacKinds, Widget, Gadget],
      subresources: new Map(),
      log: pino({ level: 'silent' }),
      ...extra,
    })
  const clientOf = (server: ApiServer) =>
    new TestClient({ url: server.url, ca: server.ca, token: server.controllerToken })
  const server = await start()
  const test: TestServer = {
    server,
    client: clientOf(server),
    dataDir,
    restart: async () => {
      await test.server.close()
      test.server = await start()
      test.client = clientOf(test.server)
    },
    close: async () => {
      await test.server.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
  return test
}
