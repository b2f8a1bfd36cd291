import { conditionOf } from '@stillpoint/api/meta/condition'
import { restoreFinalizer } from '@stillpoint/api/snapshot/keys'
import type { ReadinessPolicy, VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { hasFinalizer } from '../controller/finalizers.ts'
import type { PlannedVolumes, RestoreEntry } from './restored-volumes.ts'
import { type ObservedRunState, planStart, type StartStep, strategyToNote } from './start-plan.ts'

//   initialise ─→ own ─→ target ready ─→ snapshot ready ─→ lock ─→ plan volumes ─→ claims ─→ bound
//     ─→ DataVolumes ─→ target switched ─→ hand over ─→ old disks deleted ─→ unlock ─→ complete ─→ start, history
//   deleted, or failed, before the switch ─→ what was replaced in place comes back
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

/** A volume that is kept because its claim was replaced in place, or is about to be. */
export interface ObservedRetained {
  volume: string
  /** What there is now under the name of the old claim. back: the old one, on this volume. */
  claim: 'absent' | 'ours' | 'deleting' | 'other' | 'back'
  /** Nobody but a claim of the old name can have it. */
  reserved: boolean
  /** The old claim belonged to a DataVolume or a VM that is no more: made again, it would be collected at once. */
  ownerGone: boolean
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
        /** Says that this restore is being undone. */
        fenced: boolean
        run: ObservedRunState
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
  retained: readonly ObservedRetained[]
  /** Claims of the target, and how many pods hold one of them. */
  pods: { count: number; claims: readonly string[] }
  /** What the snapshot is to say of its restores, where it does not say it yet. */
  history: string | undefined
  /** A start was refused, and is not tried again before. */
  startNotBefore: Date | undefined
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
  | { do: 'record'; history: string }
  | StartStep
  | { do: 'discard' }
  /** Around what is undone while the target is locked. */
  | { do: 'fence' }
  | { do: 'unfence' }
  /** Undoing a replacement in place, a volume at a time. */
  | { do: 'removeRestored'; volume: string }
  | { do: 'rebind'; volume: string }
  | { do: 'claimAgain'; volume: string }
  | { do: 'releaseRolledBack'; volume: string }
  /** Volumes that served as the way back; `keepData`: nothing else is known to hold what is on them. */
  | { do: 'releaseRetained'; volumes: readonly string[]; keepData: boolean }
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
  const bound =
    status?.restores !== undefined && observed.claims.every(({ claim, phase }) => claim === 'ours' && phase === 'Bound')
  const clearable = bound && observed.toDelete + observed.retained.length > 0
  if (metadata.deletionTimestamp !== undefined) return planDeletion(observed, { bound, clearable })
  if (status?.conditions === undefined) return { do: 'initialise' }
  const held = target?.restoreInProgress === metadata.name
  if (conditionOf(status.conditions, 'Failure')?.status === 'True')
    return planUndo(observed) ?? (held ? { do: 'unlock' } : (planStart(observed) ?? { do: 'wait' }))
  if (status.complete) return held ? { do: 'unlock' } : planAfterwards(observed, clearable)
  if (!hasFinalizer(restore, restoreFinalizer) || (target !== undefined && !metadata.ownerReferences?.length))
    return { do: 'own' }

  // Its owner was the VM it was to restore. What it made belongs to that one and goes with it, as it does itself.
  if (target === undefined && metadata.ownerReferences?.some(({ kind }) => kind === 'VirtualMachine'))
    return { do: 'problem', text: `VirtualMachine ${restore.spec.target.name} was deleted; this restore goes with it` }

  if (target?.switched) {
    // The list was lost after it had been used; names are derived, so it is made again as it was.
    if (status.restores === undefined && observed.volumes !== undefined && 'entries' in observed.volumes)
      return { do: 'planVolumes', entries: observed.volumes.entries }
    if (observed.toHandOver > 0) return { do: 'handOver' }
    if (clearable) return { do: 'deleteObsolete' }
    return held ? { do: 'unlock' } : { do: 'complete' }
  }
  // One that was started just before it was locked must be unlocked: nobody could stop it.
  if (target?.running) return held ? { do: 'unlock' } : planReadiness(observed)
  const problem = whyNotNow(observed)
  if (problem !== undefined) return { do: 'problem', text: problem }
  if (target !== undefined && !held) return { do: 'lock' }
  return planVolumesAndTarget(observed)
}

/** What is owed when all is done. A start that has to wait keeps nothing else waiting. */
function planAfterwards(observed: RestoreObserved, clearable: boolean): RestoreStep {
  const start = planStart(observed)
  if (start !== undefined && start.do !== 'waitToStart') return start
  if (observed.history !== undefined) return { do: 'record', history: observed.history }
  // With storage that binds at the first start the new disks are proven only then; the old ones go last.
  return clearable ? { do: 'deleteObsolete' } : (start ?? { do: 'wait' })
}

function planReadiness(observed: RestoreObserved): RestoreStep {
  const { restore, target, now } = observed
  const policy = restore.spec.targetReadinessPolicy
  if (policy === 'FailImmediate')
    return { do: 'fail', reason: 'Restore target VMI must be powered off before restore operation' }
  // A guest is not stopped for a restore that could not be done then.
  const problem = policy === 'StopTarget' ? whyNotNow(observed) : undefined
  if (problem !== undefined) return { do: 'problem', text: problem }
  if (policy === 'StopTarget') {
    if (target?.stopping) return { do: 'waitForTarget', policy }
    const strategy = strategyToNote(observed)
    return strategy === undefined ? { do: 'stopTarget' } : { do: 'noteStrategy', strategy }
  }
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

function whyNotNow({ restore, target, snapshotProblem, sourceName, pods }: RestoreObserved): string | undefined {
  if (snapshotProblem !== undefined) return snapshotProblem
  if (target === undefined) return undefined
  if (target.name !== sourceName)
    return 'restore source and restore target are different but restore target already exists'
  const { restoreInProgress, snapshotInProgress } = target
  if (restoreInProgress && restoreInProgress !== restore.metadata.name)
    return `vm restore ${restoreInProgress} in progress`
  if (snapshotInProgress) return `vm snapshot ${snapshotInProgress} in progress`
  if (target.deleting) return `VirtualMachine ${target.name} is being deleted`
  return pods.count > 0
    ? `restore target ${target.name} is offline but ${pods.count} pods using PVCs [${pods.claims.join(' ')}]`
    : undefined
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
function planDeletion(
  observed: RestoreObserved,
  { bound, clearable }: { bound: boolean; clearable: boolean },
): RestoreStep {
  const { restore, target, halfMade, retained, toHandOver } = observed
  if (!hasFinalizer(restore, restoreFinalizer)) return { do: 'wait' }
  const { conditions, complete } = restore.status ?? {}
  if (conditionOf(conditions, 'Progressing')?.reason !== deletingReason) return { do: 'writeDeleting' }
  if (target?.switched && toHandOver > 0) return { do: 'handOver' }
  const through = complete === true || target?.switched === true
  const undo = through ? undefined : planUndo(observed)
  if (undo !== undefined) return undo
  // First, because it makes a switch that is still on its way a conflict: what is discarded must not be stood on.
  if (target?.restoreInProgress === restore.metadata.name) return { do: 'unlock' }
  if (!through && halfMade > 0) return { do: 'discard' }
  if (retained.length > 0) {
    const isNeeded = target !== undefined && !target.deleting && !bound
    return { do: 'releaseRetained', volumes: retained.map(({ volume }) => volume), keepData: isNeeded }
  }
  if (target?.switched && clearable) return { do: 'deleteObsolete' }
  if (observed.history !== undefined) return { do: 'record', history: observed.history }
  return planStart(observed) ?? { do: 'removeFinalizer' }
}

/** What is to be undone before the target may be used again; undefined: nothing. */
function planUndo(observed: RestoreObserved): RestoreStep | undefined {
  const { target, retained } = observed
  if (target?.switched) return undefined
  // Makes a switch that is still on its way a conflict; the lock has to stay meanwhile.
  if (retained.length > 0 && target !== undefined && !target.fenced) return { do: 'fence' }
  if (retained.length > 0) return planRollback(observed)
  return target?.fenced ? { do: 'unfence' } : undefined
}

/** Puts the old claims back onto the volumes that were kept for that. */
function planRollback({ retained }: RestoreObserved): RestoreStep {
  for (const { volume, claim, reserved, ownerGone } of retained) {
    if (claim === 'ours') return { do: 'removeRestored', volume }
    if (claim === 'back') return { do: 'releaseRolledBack', volume }
    if (claim === 'absent' && ownerGone) return { do: 'releaseRetained', volumes: [volume], keepData: false }
    if (claim === 'absent') return reserved ? { do: 'claimAgain', volume } : { do: 'rebind', volume }
    // Somebody else has taken the name: nothing of it is ours to touch, and the volume is kept.
    if (claim === 'other') return { do: 'releaseRetained', volumes: [volume], keepData: true }
  }
  return { do: 'wait' }
}
