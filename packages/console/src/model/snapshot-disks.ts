import { parseQuantity } from '@stillpoint/api/meta/quantity'
import type {
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
  VolumeBackup,
} from '@stillpoint/api/snapshot/kinds'
import { type Moment, msOf } from './format.ts'
import { receiptIn } from './freeze-facts.ts'
import { perObject } from './per-object.ts'

/** A disk that is in a snapshot. */
export interface SnapshotDisk {
  /** Name of the volume in the virtual machine. */
  name: string
  /** The claim it was. */
  claimName?: string | undefined
  storageClass?: string | undefined
  /** What the claim asked for. */
  sizeBytes?: number | undefined
  volumeSnapshotName?: string | undefined
  /** The instant whose data it holds, milliseconds since 1970, and how exact that is. */
  cutMs?: number | undefined
  precisionMs?: number | undefined
  /** Undefined when nothing is known of it. */
  readyToUse?: boolean | undefined
  error?: string | undefined
}

/** The disks of a snapshot: from its content, and with the instants of its receipt, which are the more exact. */
export function snapshotDisks(
  snapshot: VirtualMachineSnapshot,
  content: VirtualMachineSnapshotContent | undefined,
): SnapshotDisk[] {
  const cuts = new Map(receiptIn(snapshot)?.volumes.map((volume) => [volume.name, volume]))
  const disk = (name: string, backup?: VolumeBackup): SnapshotDisk => {
    const told = cuts.get(name)
    const volumeSnapshotName = backup?.volumeSnapshotName ?? told?.volumeSnapshotName
    const found = content?.status?.volumeSnapshotStatus?.find((each) => each.volumeSnapshotName === volumeSnapshotName)
    const claim = backup?.persistentVolumeClaim
    return {
      name,
      claimName: (claim?.metadata as { name?: string } | undefined)?.name,
      storageClass: claim?.spec?.storageClassName,
      sizeBytes: sizeOf(backup),
      volumeSnapshotName,
      cutMs: msOf(told?.cut as Moment | undefined) ?? msOf(found?.creationTime),
      precisionMs: told?.cut === undefined ? undefined : told.precisionMs,
      readyToUse: found?.readyToUse,
      error: found?.error?.message,
    }
  }
  const backups = content?.spec.volumeBackups
  if (backups !== undefined) return backups.map((backup) => disk(backup.volumeName, backup))
  const names = snapshot.status?.snapshotVolumes?.includedVolumes ?? [...cuts.keys()]
  return names.map((name) => disk(name))
}

/** What all disks of a content asked for together; undefined when one of them is not known. */
export const contentBytes = perObject(({ spec }: VirtualMachineSnapshotContent): number | undefined => {
  let sum = 0
  for (const backup of spec.volumeBackups ?? []) {
    const size = sizeOf(backup)
    if (size === undefined) return undefined
    sum += size
  }
  return sum
})

function sizeOf(backup: VolumeBackup | undefined): number | undefined {
  const text = backup?.persistentVolumeClaim.spec?.resources?.requests?.storage
  return text === undefined ? undefined : parseQuantity(String(text))
}
