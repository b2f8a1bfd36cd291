import type { Client, Metadata, ServiceError } from '@grpc/grpc-js'
import { CsiError, codeName } from './csi-error.ts'
import type {
  GroupSnapshot as GroupSnapshotMessage,
  RpcCapability,
  Snapshot as SnapshotMessage,
  Volume as VolumeMessage,
} from './messages.ts'
import { toDate } from './messages.ts'
import { loadCsi, type ServiceName } from './proto.ts'

export type VolumeMode = 'Block' | 'Filesystem'

export interface CreatedVolume {
  volumeId: string
  capacityBytes: number
  volumeContext: Record<string, string>
}

export interface VolumeSnapshot {
  snapshotId: string
  sourceVolumeId: string
  sizeBytes: number
  creationTime: Date
  readyToUse: boolean
  /** Set when the snapshot was cut as a member of a group. */
  groupSnapshotId?: string
}

export interface GroupSnapshot {
  groupSnapshotId: string
  creationTime: Date
  readyToUse: boolean
  snapshots: VolumeSnapshot[]
}

export interface ConnectOptions {
  /** Deadline of each call. A call may name its own. */
  timeoutMs: number
}

/**
 * A connection to one CSI driver. Every call ends within its deadline, with a result or a `CsiError`.
 * All calls that change something may be repeated with the same arguments: CSI makes them idempotent.
 */
export class CsiClient {
  readonly #endpoint: string
  readonly #timeoutMs: number
  #loading: Promise<Channels> | undefined
  #closed = false
  private constructor(endpoint: string, timeoutMs: number) {
    this.#endpoint = endpoint
    this.#timeoutMs = timeoutMs
  }

  /** A client of the driver at `unix:///path/to/socket`. It connects at the first call, and again when it must. */
  static connect(endpoint: string, { timeoutMs }: ConnectOptions): CsiClient {
    return new CsiClient(endpoint, timeoutMs)
  }

  /** The driver's name, as storage classes refer to it. Waits, within the deadline, for a driver that is starting. */
  async driverName(): Promise<string> {
    const { name } = await this.#call<{ name: string }>('Identity', 'GetPluginInfo', {}, { waitForReady: true })
    return name
  }

  /** Services beside the controller the driver offers, such as `GROUP_CONTROLLER_SERVICE`. */
  async pluginCapabilities(): Promise<ReadonlySet<string>> {
    const { capabilities } = await this.#call<{ capabilities: { service?: { type: string } | null }[] }>(
      'Identity',
      'GetPluginCapabilities',
      {},
    )
    return new Set(capabilities.flatMap(({ service }) => (service ? [service.type] : [])))
  }

  /** Whether the driver says it is ready to serve. A driver that does not say is ready. */
  async ready(): Promise<boolean> {
    const { ready } = await this.#call<{ ready: { value: boolean } | null }>('Identity', 'Probe', {})
    return ready?.value ?? true
  }

  /** Names such as `CREATE_DELETE_SNAPSHOT` and, from the group controller, `CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT`. */
  async controllerCapabilities(): Promise<ReadonlySet<string>> {
    type Answer = { capabilities: RpcCapability[] }
    const offered = await this.pluginCapabilities()
    const answers = [await this.#call<Answer>('Controller', 'ControllerGetCapabilities', {})]
    if (offered.has('GROUP_CONTROLLER_SERVICE'))
      answers.push(await this.#call<Answer>('GroupController', 'GroupControllerGetCapabilities', {}))
    return new Set(answers.flatMap((answer) => answer.capabilities.flatMap(({ rpc }) => (rpc ? [rpc.type] : []))))
  }

  async createVolume(request: {
    name: string
    capacityBytes: number
    contentSource?: { snapshotId: string } | { volumeId: string }
    parameters?: Record<string, string>
    volumeMode?: VolumeMode
    timeoutMs?: number
  }): Promise<CreatedVolume> {
    const { contentSource } = request
    const { volume } = await this.#call<{ volume: VolumeMessage | null }>(
      'Controller',
      'CreateVolume',
      {
        name: request.name,
        capacityRange: { requiredBytes: request.capacityBytes },
        volumeCapabilities: [capability(request.volumeMode ?? 'Block')],
        parameters: request.parameters ?? {},
        ...(contentSource && {
          volumeContentSource: 'snapshotId' in contentSource ? { snapshot: contentSource } : { volume: contentSource },
        }),
      },
      request,
    )
    if (!volume) throw new CsiError('INTERNAL', 'CreateVolume', 'the driver answered without a volume')
    return {
      volumeId: volume.volumeId,
      capacityBytes: volume.capacityBytes,
      volumeContext: volume.volumeContext ?? {},
    }
  }

  async deleteVolume(volumeId: string): Promise<void> {
    await this.#call('Controller', 'DeleteVolume', { volumeId })
  }

  /** Grows a volume; answers its new size and whether the node has to do its part as well. */
  async expandVolume(request: {
    volumeId: string
    capacityBytes: number
  }): Promise<{ capacityBytes: number; nodeExpansionRequired: boolean }> {
    const { volumeId, capacityBytes } = request
    return this.#call('Controller', 'ControllerExpandVolume', {
      volumeId,
      capacityRange: { requiredBytes: capacityBytes },
    })
  }

  /** Free bytes, as far as the driver knows. */
  async capacity(parameters: Record<string, string> = {}): Promise<number> {
    const { availableCapacity } = await this.#call<{ availableCapacity: number }>('Controller', 'GetCapacity', {
      parameters,
    })
    return availableCapacity
  }

  async listVolumes(): Promise<CreatedVolume[]> {
    const entries = await this.#pages<{ volume: VolumeMessage }>('Controller', 'ListVolumes', {})
    return entries.map(({ volume }) => ({
      volumeId: volume.volumeId,
      capacityBytes: volume.capacityBytes,
      volumeContext: volume.volumeContext ?? {},
    }))
  }

  async createSnapshot(request: {
    name: string
    sourceVolumeId: string
    parameters?: Record<string, string>
    timeoutMs?: number
  }): Promise<VolumeSnapshot> {
    const { name, sourceVolumeId, parameters = {} } = request
    const { snapshot } = await this.#call<{ snapshot: SnapshotMessage | null }>(
      'Controller',
      'CreateSnapshot',
      { name, sourceVolumeId, parameters },
      request,
    )
    if (!snapshot) throw new CsiError('INTERNAL', 'CreateSnapshot', 'the driver answered without a snapshot')
    return snapshotOf(snapshot)
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    await this.#call('Controller', 'DeleteSnapshot', { snapshotId })
  }

  /** All snapshots, or those of one volume, or the one with an id. */
  async listSnapshots(filter: { sourceVolumeId?: string; snapshotId?: string } = {}): Promise<VolumeSnapshot[]> {
    const entries = await this.#pages<{ snapshot: SnapshotMessage }>('Controller', 'ListSnapshots', filter)
    return entries.map(({ snapshot }) => snapshotOf(snapshot))
  }

  /** Cuts all volumes at one instant. Repeated with the same name and volumes it answers the same group. */
  async createGroupSnapshot(request: {
    name: string
    sourceVolumeIds: readonly string[]
    parameters?: Record<string, string>
    timeoutMs?: number
  }): Promise<GroupSnapshot> {
    const { name, sourceVolumeIds, parameters = {} } = request
    const { groupSnapshot } = await this.#call<{ groupSnapshot: GroupSnapshotMessage | null }>(
      'GroupController',
      'CreateVolumeGroupSnapshot',
      { name, sourceVolumeIds, parameters },
      request,
    )
    return groupOf(groupSnapshot, 'CreateVolumeGroupSnapshot')
  }

  async getGroupSnapshot(groupSnapshotId: string, snapshotIds: readonly string[]): Promise<GroupSnapshot> {
    const { groupSnapshot } = await this.#call<{ groupSnapshot: GroupSnapshotMessage | null }>(
      'GroupController',
      'GetVolumeGroupSnapshot',
      { groupSnapshotId, snapshotIds },
    )
    return groupOf(groupSnapshot, 'GetVolumeGroupSnapshot')
  }

  /** Deletes the group and its members, which CSI wants named. */
  async deleteGroupSnapshot(groupSnapshotId: string, snapshotIds: readonly string[]): Promise<void> {
    await this.#call('GroupController', 'DeleteVolumeGroupSnapshot', { groupSnapshotId, snapshotIds })
  }

  async nodePublish(request: {
    volumeId: string
    targetPath: string
    readonly?: boolean
    volumeMode?: VolumeMode
    volumeContext?: Record<string, string>
  }): Promise<void> {
    await this.#call('Node', 'NodePublishVolume', {
      volumeId: request.volumeId,
      targetPath: request.targetPath,
      volumeCapability: capability(request.volumeMode ?? 'Block'),
      readonly: request.readonly ?? false,
      volumeContext: request.volumeContext ?? {},
    })
  }

  /** Takes a publication back. A volume the driver does not know is published nowhere, so that is fine. */
  async nodeUnpublish({ volumeId, targetPath }: { volumeId: string; targetPath: string }): Promise<void> {
    try {
      await this.#call('Node', 'NodeUnpublishVolume', { volumeId, targetPath })
    } catch (error) {
      if (!(error instanceof CsiError) || error.code !== 'NOT_FOUND') throw error
    }
  }

  /** Ends the connection. Calls under way end with an error. */
  close(): void {
    this.#closed = true
    void this.#loading?.then(({ clients }) => {
      for (const client of Object.values(clients)) client.close()
    })
  }

  async #pages<Entry>(service: ServiceName, method: string, filter: object): Promise<Entry[]> {
    const all: Entry[] = []
    let startingToken = ''
    do {
      const page: { entries: Entry[]; nextToken: string } = await this.#call(service, method, {
        ...filter,
        maxEntries: 500,
        startingToken,
      })
      all.push(...page.entries)
      if (page.nextToken === startingToken && startingToken !== '')
        throw new CsiError('INTERNAL', method, `the driver repeats the page token ${startingToken}`)
      startingToken = page.nextToken
    } while (startingToken !== '')
    return all
  }

  async #call<Answer>(
    service: ServiceName,
    method: string,
    request: object,
    options: CallOptions = {},
  ): Promise<Answer> {
    const deadline = Date.now() + (options.timeoutMs ?? this.#timeoutMs)
    this.#loading ??= openChannels(this.#endpoint)
    const { clients, waiting } = await this.#loading
    if (this.#closed) throw new CsiError('CANCELLED', method, `the connection to ${this.#endpoint} is closed`)
    const client = clients[service] as Client & Record<string, UnaryCall<Answer>>
    const call = client[method]
    if (!call) throw new CsiError('UNIMPLEMENTED', method, `CSI has no method ${service}.${method}`)
    return new Promise<Answer>((resolve, reject) => {
      const done = (error: ServiceError | null, answer: Answer) => {
        if (error) reject(new CsiError(codeName(error.code), method, error.details, { cause: error }))
        else resolve(answer)
      }
      if (options.waitForReady) call.call(client, request, waiting, { deadline }, done)
      else call.call(client, request, { deadline }, done)
    })
  }
}

interface CallOptions {
  timeoutMs?: number
  waitForReady?: boolean
}

interface Channels {
  clients: Record<ServiceName, Client>
  /** Metadata that makes a call wait for a driver instead of failing at once. */
  waiting: Metadata
}

async function openChannels(endpoint: string): Promise<Channels> {
  const { grpc, clients } = await loadCsi()
  const credentials = grpc.credentials.createInsecure()
  const open = (name: ServiceName): Client =>
    new clients[name](endpoint, credentials, {
      // A driver that restarts is found again quickly; gRPC's own back-off grows to two minutes.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    })
  return {
    clients: {
      Identity: open('Identity'),
      Controller: open('Controller'),
      GroupController: open('GroupController'),
      Node: open('Node'),
    },
    waiting: new grpc.Metadata({ waitForReady: true }),
  }
}

interface UnaryCall<Answer> {
  call(client: Client, request: object, metadata: Metadata, options: CallDeadline, done: Done<Answer>): void
  call(client: Client, request: object, options: CallDeadline, done: Done<Answer>): void
}
type CallDeadline = { deadline: number }
type Done<Answer> = (error: ServiceError | null, answer: Answer) => void

function capability(mode: VolumeMode) {
  return { ...(mode === 'Block' ? { block: {} } : { mount: {} }), accessMode: { mode: 'SINGLE_NODE_WRITER' } }
}

function snapshotOf(message: SnapshotMessage): VolumeSnapshot {
  const { creationTime, groupSnapshotId, ...rest } = message
  if (!creationTime) throw new CsiError('INTERNAL', 'snapshot', `${message.snapshotId} has no creation time`)
  return { ...rest, creationTime: toDate(creationTime), ...(groupSnapshotId !== '' && { groupSnapshotId }) }
}

function groupOf(message: GroupSnapshotMessage | null, method: string): GroupSnapshot {
  if (!message?.creationTime) throw new CsiError('INTERNAL', method, 'the driver answered without a creation time')
  return { ...message, creationTime: toDate(message.creationTime), snapshots: message.snapshots.map(snapshotOf) }
}
