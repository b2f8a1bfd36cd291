import type { VirtualMachineRestore, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { restoreState } from './restore-list.ts'

/** A disk as a restore makes it. */
export interface RestoredVolume {
  name: string
  /** Its claim when the snapshot was taken; undefined when that is not known any more. */
  from: string | undefined
  /** Its claim now. */
  to: string
  dataVolume: string | undefined
  /** What its data comes from. */
  volumeSnapshot: string
}

/** The disks of a restore; none before their names are settled. */
export function restoredVolumes(
  { status }: VirtualMachineRestore,
  content: VirtualMachineSnapshotContent | undefined,
): RestoredVolume[] {
  const captured = new Map(
    content?.spec.volumeBackups?.map(({ volumeName, persistentVolumeClaim }) => [
      volumeName,
      persistentVolumeClaim.metadata?.name,
    ]),
  )
  return (status?.restores ?? []).map(({ volumeName, persistentVolumeClaim, volumeSnapshotName, dataVolumeName }) => {
    const from = captured.get(volumeName)
    return {
      name: volumeName,
      from: typeof from === 'string' ? from : undefined,
      to: persistentVolumeClaim,
      dataVolume: dataVolumeName,
      volumeSnapshot: volumeSnapshotName,
    }
  })
}

/** Why a restore shows no disks. */
export function whyNoVolumes(restore: VirtualMachineRestore): string {
  switch (restoreState(restore)) {
    case 'complete':
      return 'There was no disk in the snapshot.'
    case 'failed':
      return 'It failed before it began with the disks.'
    case 'at-work':
      return 'They are settled when the virtual machine is off and the snapshot is ready.'
  }
}
