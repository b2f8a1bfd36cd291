import { statfs } from 'node:fs/promises'
import { hostname } from 'node:os'
import type {
  CapacityRange,
  CreateVolumeRequest,
  ListSnapshotsRequest,
  NodePublishVolumeRequest,
  Page,
  Snapshot,
  Timestamp,
  ValidateVolumeCapabilitiesRequest,
  Volume,
  VolumeCapability,
} from '../csi/messages.ts'
import type { ServiceName } from '../csi/proto.ts'
import type { SnapshotRow, VolumeRow } from './catalogue.ts'
import type { NodePublisher } from './node-publisher.ts'
import { Refusal } from './refusal.ts'
import type { Group, Source, Store, VolumeRequest } from './store.ts'

export const driverName = 'layers.stillpoint.dev'

/** Answers one CSI call. What it throws becomes the status of the call. */
export type Handler = (request: never) => Promise<object> | object
export type Services = Record<ServiceName, Record<string, Handler>>

const accessModes = [
  'SINGLE_NODE_WRITER',
  'SINGLE_NODE_READER_ONLY',
  'SINGLE_NODE_SINGLE_WRITER',
  'SINGLE_NODE_MULTI_WRITER',
]
const maxNameBytes = 1024
// After a cut the caller thaws a guest; starting programs can wait until that is over.
const thawMs = 200

/** The four CSI services over a store: they check requests and translate; the store decides. */
export function services(store: Store, publisher: NodePublisher, version: string): Services {
  const { catalogue, files } = store.context
  return {
    Identity: {
      GetPluginInfo: () => ({ name: driverName, vendorVersion: version }),
      GetPluginCapabilities: () => ({
        capabilities: [
          { service: { type: 'CONTROLLER_SERVICE' } },
          { service: { type: 'GROUP_CONTROLLER_SERVICE' } },
          { volumeExpansion: { type: 'ONLINE' } },
        ],
      }),
      Probe: () => ({ ready: { value: true } }),
    },

    Controller: {
      ControllerGetCapabilities: () => ({
        capabilities: [
          'CREATE_DELETE_VOLUME',
          'LIST_VOLUMES',
          'GET_CAPACITY',
          'CREATE_DELETE_SNAPSHOT',
          'LIST_SNAPSHOTS',
          'CLONE_VOLUME',
          'EXPAND_VOLUME',
        ].map((type) => ({ rpc: { type } })),
      }),

      CreateVolume: async (request: CreateVolumeRequest) => {
        required('name', request.name)
        const why = whyNotServed(request.volumeCapabilities)
        if (why) throw new Refusal('INVALID_ARGUMENT', why)
        const source = sourceOf(request)
        const wanted: VolumeRequest = { name: request.name, ...range(request.capacityRange), ...(source && { source }) }
        return { volume: volumeMessage(await store.createVolume(wanted)) }
      },

      DeleteVolume: async ({ volumeId }: { volumeId: string }) => {
        await store.deleteVolume(required('volume_id', volumeId))
        return {}
      },

      ValidateVolumeCapabilities: (request: ValidateVolumeCapabilitiesRequest) => {
        const { volumeId, volumeCapabilities, parameters } = request
        required('volume_id', volumeId)
        if (volumeCapabilities.length === 0) throw new Refusal('INVALID_ARGUMENT', 'volume_capabilities is empty')
        if (!catalogue.volume(volumeId)) throw new Refusal('NOT_FOUND', `there is no volume ${volumeId}`)
        const message = whyNotServed(volumeCapabilities)
        return message ? { message } : { confirmed: { volumeCapabilities, parameters } }
      },

      ListVolumes: (page: Page) => {
        const { after, limit } = paging(page)
        const { rows, nextToken } = pageOf(catalogue.volumes(after, limit + 1), limit)
        return { entries: rows.map((row) => ({ volume: volumeMessage(row) })), nextToken }
      },

      GetCapacity: async () => {
        const { bavail, bsize } = await statfs(files.folder)
        return { availableCapacity: bavail * bsize }
      },

      CreateSnapshot: async ({ name, sourceVolumeId }: { name: string; sourceVolumeId: string }) => {
        required('name', name)
        required('source_volume_id', sourceVolumeId)
        const snapshot = await store.createSnapshot(name, sourceVolumeId)
        publisher.prepareSoon(sourceVolumeId, thawMs)
        return { snapshot: snapshotMessage(snapshot) }
      },

      DeleteSnapshot: async ({ snapshotId }: { snapshotId: string }) => {
        await store.deleteSnapshot(required('snapshot_id', snapshotId))
        return {}
      },

      ListSnapshots: ({ sourceVolumeId, snapshotId, ...page }: ListSnapshotsRequest) => {
        const { after, limit } = paging(page)
        if (snapshotId !== '') {
          const snapshot = catalogue.snapshot(snapshotId)
          const matches = snapshot && (sourceVolumeId === '' || sourceVolumeId === snapshot.sourceVolume)
          return { entries: matches ? [{ snapshot: snapshotMessage(snapshot) }] : [] }
        }
        const volume = sourceVolumeId === '' ? {} : { volume: sourceVolumeId }
        const found = catalogue.snapshots({ ...volume, afterSeq: after, limit: limit + 1 })
        const { rows, nextToken } = pageOf(found, limit)
        return { entries: rows.map((row) => ({ snapshot: snapshotMessage(row) })), nextToken }
      },

      ControllerExpandVolume: async (request: { volumeId: string; capacityRange?: CapacityRange | null }) => {
        required('volume_id', request.volumeId)
        const { requiredBytes, limitBytes } = range(request.capacityRange)
        if (requiredBytes === undefined && limitBytes === undefined)
          throw new Refusal('INVALID_ARGUMENT', 'capacity_range is missing')
        const { size } = await store.expandVolume(request.volumeId, requiredBytes ?? 0, limitBytes)
        return { capacityBytes: size, nodeExpansionRequired: false }
      },
    },

    GroupController: {
      GroupControllerGetCapabilities: () => ({
        capabilities: [{ rpc: { type: 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT' } }],
      }),

      CreateVolumeGroupSnapshot: async ({ name, sourceVolumeIds }: { name: string; sourceVolumeIds: string[] }) => {
        required('name', name)
        if (sourceVolumeIds.length === 0) throw new Refusal('INVALID_ARGUMENT', 'source_volume_ids is empty')
        const group = await store.createGroup(name, sourceVolumeIds)
        for (const id of sourceVolumeIds) publisher.prepareSoon(id, thawMs)
        return { groupSnapshot: groupMessage(group) }
      },

      DeleteVolumeGroupSnapshot: async (request: { groupSnapshotId: string; snapshotIds: string[] }) => {
        required('group_snapshot_id', request.groupSnapshotId)
        const group = store.group(request.groupSnapshotId)
        if (group) onlyMembers(group, request.snapshotIds)
        await store.deleteGroup(request.groupSnapshotId)
        return {}
      },

      GetVolumeGroupSnapshot: (request: { groupSnapshotId: string; snapshotIds: string[] }) => {
        required('group_snapshot_id', request.groupSnapshotId)
        const group = store.group(request.groupSnapshotId)
        if (!group) throw new Refusal('NOT_FOUND', `there is no group snapshot ${request.groupSnapshotId}`)
        onlyMembers(group, request.snapshotIds)
        return { groupSnapshot: groupMessage(group) }
      },
    },

    Node: {
      NodeGetCapabilities: () => ({ capabilities: [] }),
      NodeGetInfo: () => ({ nodeId: hostname() }),

      NodePublishVolume: async (request: NodePublishVolumeRequest) => {
        const { volumeId, targetPath, volumeCapability, readonly } = request
        required('volume_id', volumeId)
        required('target_path', targetPath)
        if (!volumeCapability) throw new Refusal('INVALID_ARGUMENT', 'volume_capability is missing')
        const why = whyNotServed([volumeCapability])
        if (why) throw new Refusal('INVALID_ARGUMENT', why)
        await publisher.publish(volumeId, targetPath, readonly || readerOnly(volumeCapability))
        return {}
      },

      NodeUnpublishVolume: async ({ volumeId, targetPath }: { volumeId: string; targetPath: string }) => {
        required('volume_id', volumeId)
        required('target_path', targetPath)
        await publisher.unpublish(volumeId, targetPath)
        return {}
      },
    },
  }
}

function required(field: string, value: string): string {
  if (value === '') throw new Refusal('INVALID_ARGUMENT', `${field} is missing`)
  if (field === 'name' && Buffer.byteLength(value) > maxNameBytes)
    throw new Refusal('INVALID_ARGUMENT', `${field} has more than ${maxNameBytes} bytes`)
  return value
}

function range(range: CapacityRange | null | undefined): { requiredBytes?: number; limitBytes?: number } {
  const { requiredBytes = 0, limitBytes = 0 } = range ?? {}
  for (const [field, value] of Object.entries({ required_bytes: requiredBytes, limit_bytes: limitBytes }))
    if (!Number.isSafeInteger(value) || value < 0)
      throw new Refusal('OUT_OF_RANGE', `capacity_range.${field} ${value} is not a possible size`)
  return { ...(requiredBytes > 0 && { requiredBytes }), ...(limitBytes > 0 && { limitBytes }) }
}

function sourceOf({ volumeContentSource }: CreateVolumeRequest): Source | undefined {
  if (!volumeContentSource) return undefined
  const { snapshot, volume } = volumeContentSource
  if (snapshot) return { snapshotId: required('volume_content_source.snapshot.snapshot_id', snapshot.snapshotId) }
  if (volume) return { volumeId: required('volume_content_source.volume.volume_id', volume.volumeId) }
  throw new Refusal('INVALID_ARGUMENT', 'volume_content_source names neither a snapshot nor a volume')
}

function whyNotServed(capabilities: readonly VolumeCapability[]): string | undefined {
  if (capabilities.length === 0) return 'volume_capabilities is empty'
  for (const { block, mount, accessMode } of capabilities) {
    if (!block && !mount) return 'volume_capability: access_type is missing'
    const mode = accessMode?.mode ?? 'UNKNOWN'
    if (!accessModes.includes(mode))
      return `volume_capability: access mode ${mode} is not served; volumes live on one machine (${accessModes.join(', ')})`
  }
  return undefined
}

function readerOnly({ accessMode }: VolumeCapability): boolean {
  return accessMode?.mode === 'SINGLE_NODE_READER_ONLY'
}

function paging({ maxEntries, startingToken }: Page): { after: number; limit: number } {
  if (maxEntries < 0) throw new Refusal('INVALID_ARGUMENT', `max_entries ${maxEntries} is negative`)
  if (!/^\d{0,15}$/.test(startingToken))
    throw new Refusal('ABORTED', `starting_token ${startingToken} is none of ours; list from the beginning`)
  return { after: Number(startingToken), limit: maxEntries === 0 ? 10_000 : maxEntries }
}

/** The token is the last row's number in the order of creation, which stays valid when rows come and go. */
function pageOf<Row extends { seq: number }>(found: Row[], limit: number): { rows: Row[]; nextToken: string } {
  const rows = found.slice(0, limit)
  return { rows, nextToken: found.length > limit ? String(rows.at(-1)?.seq) : '' }
}

function onlyMembers({ group, snapshots }: Group, ids: readonly string[]): void {
  const stranger = ids.find((id) => !snapshots.some((snapshot) => snapshot.id === id))
  if (stranger !== undefined)
    throw new Refusal('INVALID_ARGUMENT', `snapshot_ids: ${stranger} is no member of ${group.id}`)
}

function timestamp(micros: number): Timestamp {
  return { seconds: Math.floor(micros / 1e6), nanos: (micros % 1e6) * 1000 }
}

function volumeMessage({ id, size, sourceKind, sourceId }: VolumeRow): Volume {
  const contentSource =
    sourceKind &&
    sourceId &&
    (sourceKind === 'snapshot' ? { snapshot: { snapshotId: sourceId } } : { volume: { volumeId: sourceId } })
  return { volumeId: id, capacityBytes: size, ...(contentSource && { contentSource }) }
}

function snapshotMessage({ id, sourceVolume, size, createdMicros, groupId }: SnapshotRow): Snapshot {
  return {
    snapshotId: id,
    sourceVolumeId: sourceVolume,
    sizeBytes: size,
    creationTime: timestamp(createdMicros),
    readyToUse: true,
    groupSnapshotId: groupId ?? '',
  }
}

function groupMessage({ group, snapshots }: Group) {
  return {
    groupSnapshotId: group.id,
    snapshots: snapshots.map(snapshotMessage),
    creationTime: timestamp(group.createdMicros),
    readyToUse: true,
  }
}
