import { claimOf, type VirtualMachineSpec, type Volume } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'

/** What a restore does to each disk of a VM, by the names of its volumes. */
export interface RestoreEffect {
  /** Goes back to what the snapshot has. */
  replaced: string[]
  /** In the snapshot, and not in the VM any more: comes back. */
  returning: string[]
  /** Stays as it is, because the snapshot knows the disk and has no data of it. */
  untouched: string[]
  /** Added since. No disk of the VM any more; `deleted`: its data goes with it. */
  removed: { name: string; deleted: boolean }[]
}

/** What restoring a snapshot's content does to the VM as it is defined now; without a VM everything comes back. */
export function restoreEffect(
  spec: VirtualMachineSpec | undefined,
  { spec: { source, volumeBackups = [] } }: VirtualMachineSnapshotContent,
): RestoreEffect {
  const backed = new Set(volumeBackups.map(({ volumeName }) => volumeName))
  const captured = new Set(disksIn(source.virtualMachine?.spec).map(({ name }) => name))
  const present = disksIn(spec)
  const presentNames = new Set(present.map(({ name }) => name))
  const templates = new Set(spec?.dataVolumeTemplates?.map(({ metadata }) => metadata.name))
  return {
    replaced: [...backed].filter((name) => presentNames.has(name) || !captured.has(name)),
    returning: [...backed].filter((name) => !presentNames.has(name) && captured.has(name)),
    untouched: present.filter(({ name }) => captured.has(name) && !backed.has(name)).map(({ name }) => name),
    removed: present
      .filter(({ name }) => !captured.has(name) && !backed.has(name))
      // A DataVolume made with the VM is deleted when its template is no part of the VM any more.
      .map(({ name, dataVolume }) => ({ name, deleted: dataVolume !== undefined && templates.has(dataVolume.name) })),
  }
}

/** The volumes that stand on claims and are disks: a memory dump is dropped by a restore. */
function disksIn(spec: VirtualMachineSpec | undefined): Volume[] {
  return (spec?.template.spec.volumes ?? []).filter(
    (volume) => claimOf(volume) !== undefined && volume.memoryDump === undefined,
  )
}
