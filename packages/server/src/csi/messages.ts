/**
 * The CSI messages we use, in the form the proto loader is told to give them (`proto.ts`): camelCase, 64-bit integers
 * as numbers, enums by name, absent messages as null when they come from the wire.
 */

export interface Timestamp {
  seconds: number
  nanos: number
}

export interface ContentSource {
  snapshot?: { snapshotId: string } | null
  volume?: { volumeId: string } | null
}

export interface Volume {
  volumeId: string
  capacityBytes: number
  volumeContext?: Record<string, string>
  contentSource?: ContentSource | null
}

export interface Snapshot {
  snapshotId: string
  sourceVolumeId: string
  sizeBytes: number
  creationTime: Timestamp | null
  readyToUse: boolean
  groupSnapshotId: string
}

export interface GroupSnapshot {
  groupSnapshotId: string
  snapshots: Snapshot[]
  creationTime: Timestamp | null
  readyToUse: boolean
}

export interface VolumeCapability {
  block?: Record<string, never> | null
  mount?: { fsType?: string; mountFlags?: string[]; volumeMountGroup?: string } | null
  accessMode?: { mode: string } | null
}

export interface CapacityRange {
  requiredBytes: number
  limitBytes: number
}

export interface CreateVolumeRequest {
  name: string
  capacityRange?: CapacityRange | null
  volumeCapabilities: VolumeCapability[]
  parameters: Record<string, string>
  volumeContentSource?: ContentSource | null
}

export interface ValidateVolumeCapabilitiesRequest {
  volumeId: string
  volumeCapabilities: VolumeCapability[]
  parameters: Record<string, string>
}

export interface Page {
  maxEntries: number
  startingToken: string
}

export interface ListSnapshotsRequest extends Page {
  sourceVolumeId: string
  snapshotId: string
}

export interface NodePublishVolumeRequest {
  volumeId: string
  targetPath: string
  volumeCapability?: VolumeCapability | null
  readonly: boolean
}

/** One capability in a list of them: the wire wraps the name twice. */
export interface RpcCapability {
  rpc?: { type: string } | null
}

/** The instant a CSI timestamp names, to the millisecond. */
export function toDate({ seconds, nanos }: Timestamp): Date {
  return new Date(seconds * 1000 + Math.floor(nanos / 1e6))
}
