import { fileURLToPath } from 'node:url'
import type {
  GrpcObject,
  ServiceClientConstructor,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'

const services = ['Identity', 'Controller', 'GroupController', 'Node'] as const
export type ServiceName = (typeof services)[number]

/** gRPC with the four CSI services loaded. */
export interface Csi {
  grpc: typeof import('@grpc/grpc-js')
  clients: Record<ServiceName, ServiceClientConstructor>
  definitions: Record<ServiceName, ServiceDefinition<UntypedServiceImplementation>>
}

let loaded: Promise<Csi> | undefined

/** Loads gRPC and `csi.proto` at the first use, since a server without CSI volumes has no need to carry them. */
export function loadCsi(): Promise<Csi> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<Csi> {
  const [grpc, { load: loadProto }] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')])
  const definition = await loadProto(fileURLToPath(new URL('./csi.proto', import.meta.url)), {
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  })
  const v1 = (grpc.loadPackageDefinition(definition).csi as GrpcObject).v1 as GrpcObject
  const clientOf = (name: ServiceName) => v1[name] as ServiceClientConstructor
  const clients = Object.fromEntries(services.map((name) => [name, clientOf(name)])) as Csi['clients']
  const definitions = Object.fromEntries(services.map((name) => [name, clientOf(name).service])) as Csi['definitions']
  return { grpc, clients, definitions }
}
