import { parseQuantity } from '@stillpoint/api/meta/quantity'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { volumeSnapshotName } from '@stillpoint/api/snapshot/names'
import { retainsContent } from '@stillpoint/api/snapshot/rules'
import type { VolumeSnapshot, VolumeSnapshotContent } from '@stillpoint/api/storage/kinds'
import { bytes } from './format.ts'

/** What is known of the space that volume snapshots take; undefined: it may not be seen, or is not there yet. */
export interface StorageFacts {
  volumeSnapshots: readonly VolumeSnapshot[] | undefined
  contents: readonly VolumeSnapshotContent[] | undefined
  /** Bytes that only this snapshot needs, by the handle of the driver. */
  uniqueBytes: ReadonlyMap<string, number> | undefined
}

export interface SpaceFreed {
  /** Of that size volumes could be made from them: more cannot come back. */
  atMostBytes?: number
  /** What nothing else needs. Exact for one snapshot; several may share more with each other only. */
  atLeastBytes?: number
  snapshots: number
  /** How many volume snapshots are deleted. */
  volumeSnapshots: number
}

/** How much space comes back when these snapshots are deleted, as far as that can be told. */
export function spaceFreed(snapshots: readonly VirtualMachineSnapshot[], facts: StorageFacts): SpaceFreed | undefined {
  if (facts.volumeSnapshots === undefined) return undefined
  const prefixes = snapshots
    .filter((snapshot) => !retainsContent(snapshot) && snapshot.metadata.uid !== undefined)
    .map(({ metadata }) => ({ namespace: metadata.namespace, start: volumeSnapshotName(metadata.uid ?? '', '') }))
  const freed = facts.volumeSnapshots.filter(({ metadata }) =>
    prefixes.some(({ namespace, start }) => namespace === metadata.namespace && metadata.name.startsWith(start)),
  )
  const atMostBytes = sum(freed.map(({ status }) => sizeOf(status?.restoreSize)))
  const atLeastBytes = sum(freed.map((each) => uniqueOf(each, facts)))
  return {
    snapshots: snapshots.length,
    volumeSnapshots: freed.length,
    ...(atMostBytes === undefined ? {} : { atMostBytes }),
    ...(atLeastBytes === undefined ? {} : { atLeastBytes }),
  }
}

/** Undefined when one of them is not known: a part would be taken for the whole. */
function sum(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((total, value) => (total === undefined || value === undefined ? undefined : total + value), 0)
}

function sizeOf(quantity: string | number | undefined): number | undefined {
  return quantity === undefined ? undefined : parseQuantity(String(quantity))
}

function uniqueOf({ status }: VolumeSnapshot, { contents, uniqueBytes }: StorageFacts): number | undefined {
  const content = contents?.find(({ metadata }) => metadata.name === status?.boundVolumeSnapshotContentName)
  const handle = content?.status?.snapshotHandle
  return handle === undefined ? undefined : uniqueBytes?.get(handle)
}

/** How much comes back, in words; also that it is not known. */
export function spaceText(freed: SpaceFreed | undefined): string {
  if (freed === undefined) return 'How much space comes back is not known: you may not see the volume snapshots.'
  const { snapshots, volumeSnapshots, atLeastBytes: least, atMostBytes: most } = freed
  if (volumeSnapshots === 0) return 'No space comes back: there are no volume snapshots to delete.'
  if (least !== undefined) {
    const some = least === 0 ? 'Hardly any space comes back' : `${bytes(least)} of space come back`
    if (snapshots === 1) return `${some}; what else is in it, disks or other snapshots need as well.`
    return `At least ${bytes(least)} of space come back, and what these share with each other only.`
  }
  if (most === undefined) return 'How much space comes back is not known: the storage does not tell.'
  return `At most ${bytes(most)} of space come back. What disks and other snapshots share with it stays; how much that is cannot be seen.`
}

/** The bytes that only one snapshot needs, from the metrics of the server in Prometheus' text format. */
export function uniqueBytesIn(metrics: string): Map<string, number> {
  const series = metrics.matchAll(/^stillpoint_snapshot_unique_bytes\{id="([^"]*)"\} (\d+)$/gm)
  return new Map(Array.from(series, ([, id = '', count]) => [id, Number(count)]))
}
