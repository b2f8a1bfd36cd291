import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { restoredAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { volumeSnapshotName } from '@stillpoint/api/snapshot/names'
import { parseRestored, withRestored } from '@stillpoint/api/snapshot/restored'
import { rfc3339 } from '../controller/conditions.ts'
import { isMadeBy } from './restored-volumes.ts'

/**
 * The `restored` annotation of a snapshot with this restore in it, for one that has brought its target back. Undefined
 * when nothing is to be written: the restore is in it, or its snapshot is gone or going.
 */
export function historyToWrite({
  restore,
  snapshot,
  target,
  now,
}: {
  restore: VirtualMachineRestore
  snapshot: VirtualMachineSnapshot | undefined
  target: VirtualMachine | undefined
  now: Date
}): string | undefined {
  const { status, metadata, spec } = restore
  // One that is given up is through as well once its target stands on the new disks.
  const isThrough = status?.complete === true || (metadata.deletionTimestamp && target && isMadeBy(target, restore))
  if (!isThrough || snapshot === undefined || snapshot.metadata.deletionTimestamp !== undefined) return undefined
  if (!isRestoredFrom(restore, snapshot)) return undefined
  const targetUID =
    target !== undefined && isMadeBy(target, restore)
      ? target.metadata.uid
      : metadata.ownerReferences?.find(({ kind }) => kind === 'VirtualMachine')?.uid
  const entries = withRestored(parseRestored(snapshot.metadata.annotations?.[restoredAnnotation]), {
    time: status?.restoreTime ?? rfc3339(now),
    target: spec.target.name,
    ...(targetUID === undefined ? {} : { targetUID }),
    restore: metadata.name,
    restoreUID: uidOf(restore),
  })
  return entries === undefined ? undefined : JSON.stringify(entries)
}

/** Not another snapshot that has got the name since: the volumes say of which one they were cut. */
function isRestoredFrom({ status }: VirtualMachineRestore, { metadata }: VirtualMachineSnapshot): boolean {
  const [entry] = status?.restores ?? []
  if (entry !== undefined) return entry.volumeSnapshotName === volumeSnapshotName(metadata.uid ?? '', entry.volumeName)
  return Date.parse(metadata.creationTimestamp ?? '') <= Date.parse(status?.restoreTime ?? '')
}
