// Finalizers, labels and annotations of snapshot.kubevirt.io and around it: spec snapshot-restore (a.7).

export const snapshotFinalizer = 'snapshot.kubevirt.io/vmsnapshot-protection'
export const contentFinalizer = 'snapshot.kubevirt.io/vmsnapshotcontent-protection'
export const sourceFinalizer = 'snapshot.kubevirt.io/snapshot-source-protection'
export const restoreFinalizer = 'snapshot.kubevirt.io/vmrestore-protection'

export const sourceVmNameLabel = 'snapshot.kubevirt.io/source-vm-name'
export const sourceVmNamespaceLabel = 'snapshot.kubevirt.io/source-vm-namespace'
export const restoredFromVmNameLabel = 'restore.kubevirt.io/source-vm-name'
export const restoredFromVmNamespaceLabel = 'restore.kubevirt.io/source-vm-namespace'

export const restoreNameAnnotation = 'restore.kubevirt.io/name'
export const lastRestoreUidAnnotation = 'restore.kubevirt.io/lastRestoreUID'
export const ownedByVmAnnotation = 'restore.kubevirt.io/owned-by-vm'
export const populatedForAnnotation = 'cdi.kubevirt.io/storage.populatedFor'
export const prePopulatedAnnotation = 'cdi.kubevirt.io/storage.prePopulated'
export const contentTypeAnnotation = 'cdi.kubevirt.io/storage.contentType'
export const allowClaimAdoptionAnnotation = 'cdi.kubevirt.io/allowClaimAdoption'
export const defaultSnapshotClassAnnotation = 'snapshot.storage.kubernetes.io/is-default-class'
export const persistentStateLabel = 'persistent-state-for'

/** Ours, on VolumeSnapshots: members of one set are cut at one instant. Value: `<set id>/<number of members>`. */
export const cutSetAnnotation = 'snapshot.stillpoint.dev/cut-set'
/** Ours, on a VirtualMachineSnapshot: `Preferred` (default), `Required` or `CrashConsistent`. */
export const consistencyAnnotation = 'snapshot.stillpoint.dev/consistency'
export const consistencies = ['Preferred', 'Required', 'CrashConsistent'] as const
export type Consistency = (typeof consistencies)[number]
/** Ours, on a snapshot content: what was measured around the freeze, as JSON (kind `FreezeReport`). */
export const freezeReportAnnotation = 'snapshot.stillpoint.dev/freeze-report'

/** Ours, the reason of a cause in a refused `freeze` or `unfreeze`: the guest is frozen on behalf of another. */
export const frozenByAnotherCause = 'FrozenByAnother'

/** How a `cut-set` annotation is written and read. */
export interface CutSet {
  id: string
  size: number
}
export function formatCutSet({ id, size }: CutSet): string {
  return `${id}/${size}`
}
export function parseCutSet(text: string | undefined): CutSet | undefined {
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]{0,252})\/([1-9]\d{0,2})$/.exec(text ?? '')
  return match?.[1] === undefined ? undefined : { id: match[1], size: Number(match[2]) }
}
