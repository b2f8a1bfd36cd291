import type { CreatedVolume, GroupSnapshot, VolumeSnapshot } from '../../csi/client.ts'
import { CsiError } from '../../csi/csi-error.ts'
import type { VolumeDriver } from '../driver.ts'

interface Volume extends CreatedVolume {
  name: string
  request: string
  /** What a real disk would hold. */
  data: string
}
interface Snapshot extends VolumeSnapshot {
  name: string
  data: string
}

/** A CSI driver in memory that is as idempotent as CSI wants it, and counts what it is asked to make. */
export class MemoryDriver implements VolumeDriver {
  readonly volumes = new Map<string, Volume>()
  readonly snapshots = new Map<string, Snapshot>()
  readonly groups = new Map<string, GroupSnapshot & { sources: string }>()
  readonly published = new Map<string, string>()
  /** Calls that changed something, and those that only found it changed already. */
  readonly calls: string[] = []
  groupable = true
  /** Called before (`0`) and after (`1`) every effect; throws to crash there. */
  checkpoint: (name: string, at: 0 | 1) => void | Promise<void> = () => {}
  #next = 1

  async controllerCapabilities(): Promise<ReadonlySet<string>> {
    return new Set(['CREATE_DELETE_SNAPSHOT', ...(this.groupable ? ['CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT'] : [])])
  }

  async createVolume(request: Parameters<VolumeDriver['createVolume']>[0]): Promise<CreatedVolume> {
    await this.checkpoint('createVolume', 0)
    this.calls.push(`createVolume ${request.name}`)
    const text = JSON.stringify([request.capacityBytes, request.contentSource])
    let volume = [...this.volumes.values()].find(({ name }) => name === request.name)
    if (volume && volume.request !== text)
      throw new CsiError('ALREADY_EXISTS', 'CreateVolume', `${request.name} exists and is another`)
    if (!volume) {
      volume = {
        name: request.name,
        request: text,
        volumeId: `vol-${this.#next++}`,
        capacityBytes: request.capacityBytes,
        volumeContext: {},
        data: this.#dataOf(request.contentSource),
      }
      this.volumes.set(volume.volumeId, volume)
    }
    await this.checkpoint('createVolume', 1)
    return volume
  }

  async deleteVolume(volumeId: string): Promise<void> {
    await this.checkpoint('deleteVolume', 0)
    this.calls.push(`deleteVolume ${volumeId}`)
    this.volumes.delete(volumeId)
    await this.checkpoint('deleteVolume', 1)
  }

  async createSnapshot(request: { name: string; sourceVolumeId: string }): Promise<VolumeSnapshot> {
    await this.checkpoint('createSnapshot', 0)
    this.calls.push(`createSnapshot ${request.name}`)
    const found = [...this.snapshots.values()].find(({ name }) => name === request.name)
    const snapshot = found ?? this.#cut(request.name, request.sourceVolumeId, new Date())
    await this.checkpoint('createSnapshot', 1)
    return snapshot
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    await this.checkpoint('deleteSnapshot', 0)
    this.calls.push(`deleteSnapshot ${snapshotId}`)
    this.snapshots.delete(snapshotId)
    await this.checkpoint('deleteSnapshot', 1)
  }

  async listSnapshots(filter: { sourceVolumeId?: string; snapshotId?: string } = {}): Promise<VolumeSnapshot[]> {
    return [...this.snapshots.values()].filter(
      ({ snapshotId, sourceVolumeId }) =>
        (filter.snapshotId === undefined || filter.snapshotId === snapshotId) &&
        (filter.sourceVolumeId === undefined || filter.sourceVolumeId === sourceVolumeId),
    )
  }

  async createGroupSnapshot(request: { name: string; sourceVolumeIds: readonly string[] }): Promise<GroupSnapshot> {
    await this.checkpoint('createGroupSnapshot', 0)
    this.calls.push(`createGroupSnapshot ${request.name}`)
    const sources = request.sourceVolumeIds.toSorted().join()
    let group = this.groups.get(request.name)
    if (group && group.sources !== sources)
      throw new CsiError('ALREADY_EXISTS', 'CreateVolumeGroupSnapshot', `${request.name} exists with other volumes`)
    if (!group) {
      const at = new Date()
      for (const id of request.sourceVolumeIds)
        if (!this.volumes.has(id)) throw new CsiError('NOT_FOUND', 'CreateVolumeGroupSnapshot', `no volume ${id}`)
      const snapshots = request.sourceVolumeIds.map((id) => this.#cut(`${request.name}/${id}`, id, at))
      group = { groupSnapshotId: `group-${this.#next++}`, creationTime: at, readyToUse: true, snapshots, sources }
      this.groups.set(request.name, group)
    }
    await this.checkpoint('createGroupSnapshot', 1)
    return group
  }

  async nodePublish({ volumeId, targetPath }: { volumeId: string; targetPath: string }): Promise<void> {
    if (!this.volumes.has(volumeId)) throw new CsiError('NOT_FOUND', 'NodePublishVolume', `no volume ${volumeId}`)
    this.published.set(targetPath, volumeId)
  }

  async nodeUnpublish({ targetPath }: { targetPath: string }): Promise<void> {
    this.published.delete(targetPath)
  }

  #cut(name: string, sourceVolumeId: string, creationTime: Date): Snapshot {
    const source = this.volumes.get(sourceVolumeId)
    if (!source) throw new CsiError('NOT_FOUND', 'CreateSnapshot', `no volume ${sourceVolumeId}`)
    const snapshot: Snapshot = {
      name,
      snapshotId: `snap-${this.#next++}`,
      sourceVolumeId,
      sizeBytes: source.capacityBytes,
      creationTime,
      readyToUse: true,
      data: source.data,
    }
    this.snapshots.set(snapshot.snapshotId, snapshot)
    return snapshot
  }

  #dataOf(source: { snapshotId: string } | { volumeId: string } | undefined): string {
    if (!source) return ''
    const found = 'snapshotId' in source ? this.snapshots.get(source.snapshotId) : this.volumes.get(source.volumeId)
    if (!found) throw new CsiError('NOT_FOUND', 'CreateVolume', 'the source does not exist')
    return found.data
  }
}
