import type { ClonePhase, VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { cloneFinalizer } from '@stillpoint/api/clone/names'
import type { Obstacle } from '@stillpoint/api/clone/rules'
import { hasFinalizer } from '../controller/finalizers.ts'

//   finalizer ─→ source fit ─→ snapshot made: SnapshotInProgress ─→ ready, content whole ─→ restore made
//     ─→ RestoreInProgress ─→ complete: CreatingTargetVM ─→ VM there: Succeeded
//     ─→ every claim bound ─→ restore and own snapshot deleted ─→ finalizer gone
//   a snapshot as source: begins at "ready, content whole"
//   what may heal (no source, disks that cannot be snapshotted) ─→ Pending, looked at again when it changes
//   what cannot ─→ Failed ─→ restore given up ─→ own snapshot deleted ─→ finalizer gone
//   deleted ─→ the same; a snapshot that disks of the target still need is left to the target
//   Succeeded, target deleted ─→ clone deleted

export interface CloneObserved {
  clone: VirtualMachineClone
  targetName: string
  snapshotName: string
  restoreName: string
  source:
    | { kind: 'unsupported' }
    | { kind: 'snapshot' }
    /** `obstacle`: why it cannot be snapshotted whole. */
    | { kind: 'vm'; exists: boolean; obstacle: Obstacle | undefined }
  snapshot:
    | {
        /** Made for this clone, and to go with it. */
        own: boolean
        deleting: boolean
        failed: string | undefined
        /** Why a VM cannot be made from it now. */
        problem: string | undefined
        /** Why no whole copy can be made from it; judged when it can be restored from. */
        obstacle: Obstacle | undefined
      }
    | undefined
  restore:
    | {
        deleting: boolean
        complete: boolean
        /** Why it will not go on by itself. */
        failed: string | undefined
        /** Why it does not go on now. */
        problem: string | undefined
      }
    | undefined
  /** The VM of the target's name; `ours` when this clone made it. */
  target: { ours: boolean } | undefined
  /** Claims of the copy that still have to be filled from the snapshot. */
  unbound: readonly string[]
}

export interface Report {
  phase?: ClonePhase
  /** null: cleared. */
  snapshotName?: string | null
  restoreName?: string | null
  targetName?: string
  state: 'Still processing' | 'Pending' | 'Ready' | 'Failed'
  message?: string
  event?: { type: 'Normal' | 'Warning'; reason: string; text: string }
}

export type CloneStep =
  | { do: 'addFinalizer' }
  | { do: 'report'; report: Report }
  | { do: 'createSnapshot' }
  | { do: 'createRestore' }
  | { do: 'deleteRestore' }
  | { do: 'deleteSnapshot' }
  | { do: 'leaveSnapshot' }
  /** Deletes what was only needed on the way, and then tells. */
  | { do: 'tidy'; report: Report }
  | { do: 'removeFinalizer' }
  | { do: 'deleteClone' }
  | { do: 'wait' }

/** Decides the one next step of a clone. */
export function planClone(observed: CloneObserved): CloneStep {
  const { clone, targetName, target, restore } = observed
  const phase = clone.status?.phase
  if (clone.metadata.deletionTimestamp !== undefined || phase === 'Failed') return planEnd(observed)
  if (phase === 'Succeeded') return planAfterwards(observed)
  if (!hasFinalizer(clone, cloneFinalizer)) return { do: 'addFinalizer' }
  // Before anything is taken, and again before anything is restored: another's VM is never touched.
  if (target !== undefined && !target.ours)
    return fail('TargetExists', `VirtualMachine ${targetName} exists already, and this clone did not make it`)
  if (phase === 'CreatingTargetVM') return planTarget(observed)
  // A target that stands proves its restore, even one that somebody has deleted since.
  if (restore === undefined ? target !== undefined : restore.complete)
    return inPhase(observed, 'CreatingTargetVM', {
      event: {
        type: 'Normal',
        reason: 'RestoreReady',
        text: `VirtualMachineRestore ${observed.restoreName} is complete`,
      },
    })
  return restore === undefined ? planSnapshot(observed) : planRestore(observed, restore)
}

function planSnapshot(observed: CloneObserved): CloneStep {
  const { clone, snapshotName, restoreName, source, snapshot } = observed
  if (clone.status?.restoreName)
    return fail('RestoreDeleted', `VirtualMachineRestore ${restoreName} was deleted before it was complete`)
  if (snapshot === undefined) {
    if (clone.status?.snapshotName) return snapshotDeleted(snapshotName)
    return planSource(observed)
  }
  if (snapshot.deleting) return snapshotDeleted(snapshotName)
  if (snapshot.failed !== undefined)
    return fail('SnapshotFailed', `VirtualMachineSnapshot ${snapshotName} failed: ${snapshot.failed}`)
  if (snapshot.problem !== undefined) {
    const created = source.kind === 'vm' && !clone.status?.snapshotName
    return inPhase(observed, 'SnapshotInProgress', {
      message: snapshot.problem,
      ...(created
        ? {
            event: {
              type: 'Normal',
              reason: 'SnapshotCreated',
              text: `VirtualMachineSnapshot ${snapshotName} created`,
            },
          }
        : {}),
    })
  }
  if (snapshot.obstacle !== undefined) return stopAt(snapshot.obstacle)
  return { do: 'createRestore' }
}

function planSource({ clone, source }: CloneObserved): CloneStep {
  const { kind, name } = clone.spec.source
  if (source.kind === 'unsupported') return fail('SourceNotSupported', `a ${kind} cannot be cloned`)
  if (source.kind === 'snapshot' || !source.exists)
    return stopAt({ event: 'SourceDoesNotExist', text: `${kind} ${name} does not exist`, final: false })
  return source.obstacle === undefined ? { do: 'createSnapshot' } : stopAt(source.obstacle)
}

function planRestore(
  observed: CloneObserved,
  { deleting, failed, problem }: NonNullable<CloneObserved['restore']>,
): CloneStep {
  const { restoreName, snapshotName, snapshot, target, clone } = observed
  const restore = `VirtualMachineRestore ${restoreName}`
  if (failed !== undefined) return fail('RestoreFailed', `${restore} failed: ${failed}`)
  if (deleting) return fail('RestoreDeleted', `${restore} was deleted before it was complete`)
  // One that is going away and cannot be restored from any more waits for the restore, and that would wait for it.
  const lost = snapshot === undefined || (snapshot.deleting && snapshot.problem !== undefined)
  if (lost && target === undefined) return snapshotDeleted(snapshotName)
  return inPhase(observed, 'RestoreInProgress', {
    restoreName,
    ...(problem === undefined ? {} : { message: problem }),
    ...(clone.status?.restoreName
      ? {}
      : { event: { type: 'Normal', reason: 'RestoreCreated', text: `${restore} created` } }),
  })
}

function planTarget({ targetName, target, unbound, snapshotName }: CloneObserved): CloneStep {
  const vm = `VirtualMachine ${targetName}`
  if (target === undefined) return fail('TargetDeleted', `${vm} was deleted before the clone was finished`)
  return {
    do: 'report',
    report: {
      phase: 'Succeeded',
      targetName,
      state: 'Ready',
      ...(unbound.length === 0
        ? {}
        : {
            message: `VirtualMachineSnapshot ${snapshotName} is needed until these claims are bound: ${unbound.join(', ')}`,
          }),
      event: { type: 'Normal', reason: 'TargetVMCreated', text: `${vm} created` },
    },
  }
}

function planAfterwards({ clone, target, unbound }: CloneObserved): CloneStep {
  if (target === undefined) return { do: 'deleteClone' }
  const { snapshotName, restoreName } = clone.status ?? {}
  if (!snapshotName && !restoreName)
    return hasFinalizer(clone, cloneFinalizer) ? { do: 'removeFinalizer' } : { do: 'wait' }
  if (unbound.length > 0) return { do: 'wait' }
  return {
    do: 'tidy',
    report: {
      snapshotName: null,
      restoreName: null,
      state: 'Ready',
      event: { type: 'Normal', reason: 'PVCBound', text: 'every restored PersistentVolumeClaim is bound' },
    },
  }
}

/** Given up, or failed. The restore goes first: while it is there it may still make something. */
function planEnd({ clone, restore, snapshot, target, unbound }: CloneObserved): CloneStep {
  if (!hasFinalizer(clone, cloneFinalizer)) return { do: 'wait' }
  if (restore !== undefined) return restore.deleting ? { do: 'wait' } : { do: 'deleteRestore' }
  if (snapshot?.own) {
    // The target was made, and its disks are filled when it starts: without the snapshot they never could be.
    if (target?.ours && unbound.length > 0) return { do: 'leaveSnapshot' }
    if (!snapshot.deleting) return { do: 'deleteSnapshot' }
  }
  return { do: 'removeFinalizer' }
}

function inPhase(
  { snapshot, snapshotName, restore, restoreName, targetName }: CloneObserved,
  phase: ClonePhase,
  more: Partial<Report> = {},
): CloneStep {
  return {
    do: 'report',
    report: {
      phase,
      state: 'Still processing',
      ...(snapshot === undefined ? {} : { snapshotName }),
      // Named again: what is not named is not tidied, and a status may have been lost.
      ...(phase === 'CreatingTargetVM' && restore !== undefined ? { restoreName } : {}),
      ...(phase === 'CreatingTargetVM' ? { targetName } : {}),
      ...more,
    },
  }
}

function stopAt({ event, text, final }: Obstacle): CloneStep {
  if (final) return fail(event, text)
  return {
    do: 'report',
    report: { state: 'Pending', message: text, event: { type: 'Warning', reason: event, text } },
  }
}

function snapshotDeleted(name: string): CloneStep {
  return fail('SnapshotDeleted', `VirtualMachineSnapshot ${name} was deleted before the clone was finished`)
}

export function fail(reason: string, text: string): CloneStep & { do: 'report' } {
  const event = { type: 'Warning', reason, text } as const
  const report = {
    phase: 'Failed',
    snapshotName: null,
    restoreName: null,
    state: 'Failed',
    message: text,
    event,
  } as const
  return { do: 'report', report }
}
