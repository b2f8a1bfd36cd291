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
export const cleanupStateLabel = 'restore.kubevirt.io/cleanup-backend-pvc'

/** Ours, on a PersistentVolume whose claim is replaced in place: `<namespace>/<restore>/<restore UID>`. */
export const retainedForAnnotation = 'restore.stillpoint.dev/retained-for'
/** Ours, with it: the reclaim policy of the volume before. */
export const retainedPolicyAnnotation = 'restore.stillpoint.dev/reclaim-policy'
/** Ours, with it: the claim as it was, as JSON. */
export const retainedClaimAnnotation = 'restore.stillpoint.dev/claim'

/** Ours, on a VirtualMachine while a restore is being undone: the UID of that restore. */
export const undoingAnnotation = 'restore.stillpoint.dev/undoing'

/** Ours, on VolumeSnapshots: members of one set are cut at one instant. Value: `<set id>/<number of members>`. */
export const cutSetAnnotation = 'snapshot.stillpoint.dev/cut-set'
/** Ours, on a VirtualMachineSnapshot: `Preferred` (default), `Required` or `CrashConsistent`. */
export const consistencyAnnotation = 'snapshot.stillpoint.dev/consistency'
export const consistencies = ['Preferred', 'Required', 'CrashConsistent'] as const
export type Consistency = (typeof consistencies)[number]
/** Ours, on a snapshot content: what was measured around the freeze, as JSON (kind `FreezeReport`). */
export const freezeReportAnnotation = 'snapshot.stillpoint.dev/freeze-report'

/** Ours, on a finished VirtualMachineSnapshot: how it came about, as JSON (schema `receipt`). */
export const receiptAnnotation = 'snapshot.stillpoint.dev/receipt'

/** Ours, on a VirtualMachineSnapshot, a label: how it came to be taken. */
export const originLabel = 'snapshot.stillpoint.dev/origin'
export const origins = ['manual', 'schedule', 'before-restore'] as const
export type Origin = (typeof origins)[number]
/** Ours, on a VirtualMachineSnapshot: when it is deleted by itself, RFC 3339. */
export const expiresAtAnnotation = 'snapshot.stillpoint.dev/expires-at'
/** Ours, on a VirtualMachineSnapshot, as a label or an annotation, `true`: it is not deleted by itself. */
export const lockedKey = 'snapshot.stillpoint.dev/locked'
/** Ours, on a VirtualMachineSnapshot: when it was restored and into what, as JSON (`RestoredEntry[]`). It outlives the restores. */
export const restoredAnnotation = 'snapshot.stillpoint.dev/restored'
/** Ours, on a VirtualMachineRestore, `true`: its target is started when it is complete. */
export const startTargetAnnotation = 'restore.stillpoint.dev/start-target'
/** Ours, on a VirtualMachineRestore: the snapshot of the state it replaces, which is what it can be undone with. */
export const beforeRestoreAnnotation = 'restore.stillpoint.dev/before-snapshot'
/** Ours, on a VirtualMachineRestore that starts its target: the run strategy the target had before it was stopped. */
export const runStrategyAnnotation = 'restore.stillpoint.dev/run-strategy'
/** Ours, on a VirtualMachineRestore: since when its target is started again, RFC 3339. It is not started another time. */
export const startedAnnotation = 'restore.stillpoint.dev/started'
/** Ours, on a VirtualMachineRestore: why its target was not started although that was asked for. As final as `started`. */
export const notStartedAnnotation = 'restore.stillpoint.dev/not-started'
/** Ours, on a VirtualMachine, written with its run strategy: the UID of the restore that has started it. */
export const startedByAnnotation = 'restore.stillpoint.dev/started-by'

/** Ours, on a snapshot content, `true`: the VM keeps persistent TPM or EFI state because its preference asks for it. */
export const preferredStateAnnotation = 'snapshot.stillpoint.dev/persistent-state-preferred'
/** Ours, on a snapshot content: volumes the guest had and the VM's definition had not, as JSON. */
export const extraVolumesAnnotation = 'snapshot.stillpoint.dev/extra-volumes'

/** A volume of an `extra-volumes` annotation; `claim`: it stood on a claim, so it might have been included. */
export interface ExtraVolume {
  name: string
  claim: boolean
}
export function parseExtraVolumes(text: string | undefined): ExtraVolume[] {
  if (text === undefined) return []
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value.filter(isExtraVolume) : []
  } catch {
    return []
  }
}
function isExtraVolume(value: unknown): value is ExtraVolume {
  const { name, claim } = (value ?? {}) as Partial<Record<keyof ExtraVolume, unknown>>
  return typeof name === 'string' && name !== '' && typeof claim === 'boolean'
}
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
