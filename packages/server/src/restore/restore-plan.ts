import { conditionOf } from '@stillpoint/api/meta/condition'
import { restoreFinalizer } from '@stillpoint/api/snapshot/keys'
import type { ReadinessPolicy, VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { hasFinalizer } from '../controller/finalizers.ts'
import type { PlannedVolumes, RestoreEntry } from './restored-volumes.ts'

//   initialise ─→ own ─→ target ready ─→ snapshot ready ─→ lock ─→ plan volumes ─→ claims ─→ bound
//     ─→ DataVolumes ─→ target switched ─→ hand over ─→ old disks deleted ─→ unlock ─→ complete
//   deleted before the switch ─→ half-made claims removed ─→ unlock ─→ finalizer gone
//   whatever a person must settle: told in the conditions, looked at again when something changes

export const graceMs = 300_000

export interface ObservedClaim {
  entry: RestoreEntry
  /** ours: made by this restore. other: of that name, and not made by it. */
  claim: 'absent' | 'other' | 'ours' | 'deleting'
  phase: string
  /** The storage class binds only when a consumer comes; undefined when the class is missing. */
  waitsForConsumer: boolean | undefined
  volumeSnapshot: boolean
  /** The target stands on a claim of that name now. */
  usedByTarget: boolean
}

export interface RestoreObserved {
  now: Date
  restore: VirtualMachineRestore
  target:
    | {
        name: string
        /** Carries this restore's mark: its definition is the restored one. */
        switched: boolean
        running: boolean
        stopping: boolean
        restoreInProgress: string | undefined
        snapshotInProgress: string | undefined
        deleting: boolean
      }
    | undefined
  /** Why the snapshot cannot be restored from now. */
  snapshotProblem: string | undefined
  /** Name of the VM that was snapshotted. */
  sourceName: string | undefined
  volumes: PlannedVolumes | undefined
  claims: readonly ObservedClaim[]
  /** DataVolumes of the restored definition that have to exist before the target does. */
  dataVolumes: readonly { name: string; settled: boolean; missing: boolean }[]
  /** DataVolumes of the target's templates that the restored definition has no more. */
  obsolete: readonly string[]
  /** Claims and revisions the new owner has not got yet. */
  toHandOver: number
  /** Old disks that still exist although they are to go. */
  toDelete: number
  /** Objects made by this restore that nothing stands on, to be removed when it is given up. */
  halfMade: number
}

export type RestoreStep =
  | { do: 'initialise' }
  | { do: 'own' }
  | { do: 'waitForTarget'; policy: ReadinessPolicy; recheckMs?: number }
  | { do: 'stopTarget' }
  | { do: 'fail'; reason: string }
  /** Not terminal: shown, and tried again. */
  | { do: 'problem'; text: string }
  | { do: 'lock' }
  | { do: 'planVolumes'; entries: RestoreEntry[] }
  | { do: 'createClaims'; entries: RestoreEntry[] }
  | { do: 'replaceClaim'; entry: RestoreEntry }
  | { do: 'createDataVolumes'; names: string[] }
  | { do: 'noteObsolete'; names: string[] }
  | { do: 'switchTarget' }
  | { do: 'handOver' }
  | { do: 'deleteObsolete' }
  | { do: 'unlock' }
  | { do: 'complete' }
  | { do: 'discard' }
  | { do: 'writeDeleting' }
  | { do: 'removeFinalizer' }
  | { do: 'wait'; progressing?: string; ready?: string }

export const waitingForPvcs = { progressing: 'Creating new PVCs', ready: 'Waiting for new PVCs' }
export const waitingForTarget = { progressing: 'Updating target spec', ready: 'Waiting for target update' }
export const deletingReason = 'VM restore is deleting'

/** Decides the one next step of a restore. */
export function planRestore(observed: RestoreObserved): RestoreStep {
  const { restore, target } = observed
  const { status, metadata } = restore
  if (metadata.deletionTimestamp !== undefined) return planDeletion(observed)
  if (status?.conditions === undefined) return { do: 'initialise' }
  const held = target?.restoreInProgress === metadata.name
  if (conditionOf(status.conditions, 'Failure')?.status === 'True') return held ? { do: 'unlock' } : { do: 'wait' }
  const bound = observed.claims.every(({ claim, phase }) => claim === 'ours' && phase === 'Bound')
  const clearable = bound && observed.toDelete > 0
  if (status.complete) {
    if (held) return { do: 'unlock' }
    // With storage that binds at the first start the new disks are proven only then; the old ones go last.
    return clearable ? { do: 'deleteObsolete' } : { do: 'wait' }
  }
  if (!hasFinalizer(restore, restoreFinalizer) || (target !== undefined && !metadata.ownerReferences?.length))
    return { do: 'own' }

  if (target?.switched) {
    if (observed.toHandOver > 0) return { do: 'handOver' }
    if (clearable) return { do: 'deleteObsolete' }
    return held ? { do: 'unlock' } : { do: 'complete' }
  }
  if (target?.running) return planReadiness(observed)
  const problem = whyNotNow(observed)
  if (problem !== undefined) return { do: 'problem', text: problem }
  if (target !== undefined && !held) return { do: 'lock' }
  return planVolumesAndTarget(observed)
}

function planReadiness({ restore, target, now }: RestoreObserved): RestoreStep {
  const policy = restore.spec.targetReadinessPolicy
  if (policy === 'FailImmediate')
    return { do: 'fail', reason: 'Restore target VMI must be powered off before restore operation' }
  if (policy === 'StopTarget') return target?.stopping ? { do: 'waitForTarget', policy } : { do: 'stopTarget' }
  if (policy === 'WaitEventually') return { do: 'waitForTarget', policy }
  const endMs = Date.parse(restore.metadata.creationTimestamp ?? '') + graceMs
  const leftMs = endMs - now.getTime()
  if (leftMs < 0)
    return {
      do: 'fail',
      reason: 'Restore target failed to be ready within 5m0s. Please power off the target VM before attempting restore',
    }
  return { do: 'waitForTarget', policy, recheckMs: leftMs + 1 }
}

function whyNotNow({ restore, target, snapshotProblem, sourceName }: RestoreObserved): string | undefined {
  if (snapshotProblem !== undefined) return snapshotProblem
  if (target === undefined) return undefined
  if (target.name !== sourceName)
    return 'restore source and restore target are different but restore target already exists'
  const { restoreInProgress, snapshotInProgress } = target
  if (restoreInProgress && restoreInProgress !== restore.metadata.name)
    return `vm restore ${restoreInProgress} in progress`
  if (snapshotInProgress) return `vm snapshot ${snapshotInProgress} in progress`
  return target.deleting ? `VirtualMachine ${target.name} is being deleted` : undefined
}

function planVolumesAndTarget(observed: RestoreObserved): RestoreStep {
  const { restore, volumes, claims, dataVolumes, obsolete, target } = observed
  if (restore.status?.restores === undefined) {
    if (volumes === undefined) return { do: 'problem', text: 'the snapshot content holds no VM definition' }
    return 'refused' in volumes
      ? { do: 'fail', reason: volumes.refused }
      : { do: 'planVolumes', entries: volumes.entries }
  }
  const orphaned = claims.find(({ claim, volumeSnapshot }) => claim !== 'ours' && !volumeSnapshot)
  // Before anything is taken away in its place.
  if (orphaned) return { do: 'problem', text: `missing volumeSnapshot ${orphaned.entry.volumeSnapshotName}` }
  const inPlace = restore.spec.volumeRestorePolicy === 'InPlace'
  const other = claims.find(({ claim }) => claim === 'other')
  if (other) {
    // Looked at again, because the claim may have come after the plan was made.
    const { persistentVolumeClaim, volumeName } = other.entry
    const claim = `PVC ${persistentVolumeClaim} for volume ${volumeName}`
    if (!inPlace)
      return { do: 'fail', reason: `${claim} exists and does not belong to this restore; choose another name` }
    return other.usedByTarget
      ? { do: 'replaceClaim', entry: other.entry }
      : { do: 'fail', reason: `${claim} is not used by the target VM, so it is not replaced` }
  }
  const absent = claims.filter(({ claim }) => claim === 'absent').map(({ entry }) => entry)
  if (absent.length > 0) return { do: 'createClaims', entries: absent }
  for (const { entry, claim, phase, waitsForConsumer } of claims) {
    const key = `${restore.metadata.namespace}/${entry.persistentVolumeClaim}`
    if (claim === 'deleting') return { do: 'wait', ...waitingForPvcs }
    if (phase === 'Bound') continue
    if (phase !== 'Pending') return { do: 'problem', text: `PVC ${key} in status "${phase}"` }
    if (waitsForConsumer === undefined) return { do: 'problem', text: `storage class of PVC ${key} does not exist` }
    if (!waitsForConsumer) return { do: 'wait', ...waitingForPvcs }
  }
  const missing = dataVolumes.filter((dataVolume) => dataVolume.missing).map(({ name }) => name)
  if (missing.length > 0) return { do: 'createDataVolumes', names: missing }
  if (dataVolumes.some(({ settled }) => !settled)) return { do: 'wait', ...waitingForTarget }
  const noted = restore.status.deletedDataVolumes
  if (target !== undefined && obsolete.some((name) => !noted?.includes(name)))
    return { do: 'noteObsolete', names: [...new Set([...(noted ?? []), ...obsolete])] }
  return { do: 'switchTarget' }
}

/** Given up before the target was switched, everything half made goes; afterwards the new disks are the VM's. */
function planDeletion({ restore, target, halfMade, toHandOver }: RestoreObserved): RestoreStep {
  if (!hasFinalizer(restore, restoreFinalizer)) return { do: 'wait' }
  const { conditions, complete } = restore.status ?? {}
  if (conditionOf(conditions, 'Progressing')?.reason !== deletingReason) return { do: 'writeDeleting' }
  if (!complete && target?.switched !== true && halfMade > 0) return { do: 'discard' }
  if (target?.switched && toHandOver > 0) return { do: 'handOver' }
  if (target?.restoreInProgress === restore.metadata.name) return { do: 'unlock' }
  return { do: 'removeFinalizer' }
}
