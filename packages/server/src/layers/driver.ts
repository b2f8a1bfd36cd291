import { chmod, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ServerUnaryCall, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js'
import { codes } from '../csi/csi-error.ts'
import { loadCsi, type ServiceName } from '../csi/proto.ts'
import type { Account } from './account.ts'
import type { Log } from './context.ts'
import { NodePublisher } from './node-publisher.ts'
import { explain, Refusal } from './refusal.ts'
import { type Handler, services } from './services.ts'
import { Store, type StoreOptions } from './store.ts'

export { driverName } from './services.ts'

export interface DriverOptions {
  /** `unix:///path/to/socket`. An old socket there is replaced. */
  endpoint: string
  /** Where the store is, or is founded. One driver at a time has it. */
  dataDir: string
  log: Log
  /** The program, if it is not `qemu-img` on the path. */
  qemuImg?: string
  version?: string
}

export interface LayersDriver {
  endpoint: string
  /** Who holds how many bytes on disk. */
  account(): Promise<Account>
  /** Layers left in a chain only because one other stands on them. */
  mergeableLayers(): { layer: string; into: string }[]
  /** Resolves when the overlays for coming cuts that are being prepared are ready. */
  prepared(): Promise<void>
  close(): Promise<void>
}

const graceMs = 5_000

/** Opens the store, settles what a crash left in it, and serves CSI on a socket that only this user can reach. */
export async function startLayersDriver(
  options: DriverOptions,
  inject: Partial<StoreOptions> = {},
): Promise<LayersDriver> {
  const { endpoint, dataDir, log, qemuImg, version = '0.1.0' } = options
  const socket = socketPath(endpoint)
  const store = await Store.open({ ...inject, dataDir, log, ...(qemuImg !== undefined && { qemuImg }) })
  const publisher = new NodePublisher(store)
  const release = async () => {
    await publisher.close()
    await store.close()
  }
  try {
    const { grpc, definitions } = await loadCsi()
    const server = new grpc.Server()
    for (const [name, handlers] of Object.entries(services(store, publisher, version))) {
      const calls = Object.entries(handlers).map(([method, handler]) => [method, unary(method, handler, log)])
      server.addService(definitions[name as ServiceName], Object.fromEntries(calls) as UntypedServiceImplementation)
    }
    await listen(server, grpc.ServerCredentials.createInsecure(), socket)
    log.info({ endpoint, dataDir, directIo: store.context.directIo }, 'csi driver serves')
    return {
      endpoint,
      account: () => store.account(),
      mergeableLayers: () => store.mergeableLayers(),
      prepared: () => publisher.idle(),
      close: async () => {
        await rm(socket, { force: true })
        await shutDown(server)
        await release()
      },
    }
  } catch (error) {
    await release()
    throw error
  }
}

type GrpcServer = InstanceType<typeof import('@grpc/grpc-js')['Server']>

/** A socket has its access rights from the first moment: it is made in a folder of our own, then moved to its place. */
async function listen(
  server: GrpcServer,
  credentials: Parameters<GrpcServer['bindAsync']>[1],
  socket: string,
): Promise<void> {
  const folder = await mkdtemp(join(dirname(socket), '.csi-'))
  const hidden = join(folder, 's')
  try {
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix://${hidden}`, credentials, (error) => (error ? reject(error) : resolve())),
    )
    await chmod(hidden, 0o600)
    await rename(hidden, socket)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Lets calls end, for a while. */
async function shutDown(server: GrpcServer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(() => {
    server.forceShutdown()
    resolve()
  }, graceMs)
  server.tryShutdown(() => resolve())
  await promise
  clearTimeout(timer)
}

function unary(method: string, handler: Handler, log: Log) {
  return async (call: ServerUnaryCall<never, object>, reply: sendUnaryData<object>): Promise<void> => {
    try {
      reply(null, await handler(call.request))
    } catch (error) {
      const code = error instanceof Refusal ? error.code : 'INTERNAL'
      if (code === 'INTERNAL') log.error({ method, error: explain(error) }, 'csi call failed')
      else log.debug({ method, code, error: explain(error) }, 'csi call refused')
      reply({ code: codes.indexOf(code), details: explain(error) })
    }
  }
}

function socketPath(endpoint: string): string {
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(endpoint)?.[1]
  if (!path) throw new Error(`endpoint ${endpoint} is no unix:///path/to/socket`)
  return path
}
