import { isDeepStrictEqual } from 'node:util'
import { snapshotFinalizer } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { deadlineOf, retainsContent } from '@stillpoint/api/snapshot/rules'
import { hasFinalizer } from '../controller/finalizers.ts'
import { desiredStatus, type SnapshotStatus, verdictOf } from './snapshot-status.ts'
import type { LockState } from './source-lock.ts'

//   InProgress: finalizer ─→ status ─→ lock ─→ content ─→ (content: freeze, cut, thaw) ─→ Succeeded ─→ unlock
//   deadline passed, nothing cut ─→ Failed ─→ content deleted (content: thaw) ─→ unlock
//   deleted before the cut ─→ Deleting ─→ content deleted (content: thaw) ─→ unlock ─→ finalizer gone
//   deleted after ─→ content deleted or released ─→ finalizer gone

export interface SnapshotObserved {
  now: Date
  snapshot: VirtualMachineSnapshot
  /** The VM of that name; undefined also when it is not the one that was captured. */
  source: { uid: string; lock: LockState; blocked: string | undefined } | undefined
  content:
    | {
        object: VirtualMachineSnapshotContent
        finalizer: boolean
        /** Every volume snapshot has its data. */
        cut: boolean
        /** The guest may be frozen, and its thaw does not have to wait for the lock to go. */
        thawOwed: boolean
        /** The thaw waits for a paused guest, which may only run again when the lock is gone. */
        parked: boolean
        refused: string | undefined
      }
    | undefined
  /** Why there can be no content yet although the source is locked. */
  problem: string | undefined
}

export type SnapshotStep =
  | { do: 'addFinalizer' }
  | { do: 'writeStatus'; status: SnapshotStatus }
  | { do: 'lock' }
  | { do: 'createContent' }
  | { do: 'deleteContent' }
  | { do: 'releaseContent' }
  | { do: 'unlock' }
  | { do: 'removeFinalizer' }
  | { do: 'wait'; recheckMs?: number }

/** Pods and revisions are not watched: what waits for them is looked at again. */
const unwatchedRecheckMs = 5_000
/** Timers cannot be longer than 24 days; waking once a day in vain costs nothing. */
const longestWaitMs = 86_400_000

/** Decides the one next step of a snapshot. */
export function planSnapshot(observed: SnapshotObserved): SnapshotStep {
  const { snapshot, source, content } = observed
  const deleting = snapshot.metadata.deletionTimestamp !== undefined
  const finalizer = hasFinalizer(snapshot, snapshotFinalizer)
  if (!finalizer) return deleting ? { do: 'wait' } : { do: 'addFinalizer' }

  const status = desiredStatus(observed)
  if (!isDeepStrictEqual(status, snapshot.status)) return { do: 'writeStatus', status }

  const { phase } = verdictOf(observed)
  const locked = source !== undefined && source.lock !== 'none'
  if (content?.parked) {
    if (locked) return { do: 'unlock' }
    if (phase === 'InProgress') return untilDeadline(observed)
  }
  if (deleting || phase === 'Failed') return planEnd(observed, { deleting, locked })
  if (phase === 'Succeeded') {
    // Only a thawed guest may be started, stopped and changed again.
    return locked && content?.thawOwed !== true ? { do: 'unlock' } : { do: 'wait' }
  }
  if (source === undefined) return untilDeadline(observed)
  if (source.lock !== 'ours') {
    if (source.blocked === undefined) return { do: 'lock' }
    return untilDeadline(observed, source.blocked.includes('pods using PVCs') ? unwatchedRecheckMs : undefined)
  }
  if (content !== undefined) return untilDeadline(observed)
  return observed.problem === undefined ? { do: 'createContent' } : untilDeadline(observed, unwatchedRecheckMs)
}

/** The content goes unless it is ready and to be kept; the lock goes after it; the finalizer last. */
function planEnd(
  { snapshot, content }: SnapshotObserved,
  { deleting, locked }: { deleting: boolean; locked: boolean },
): SnapshotStep {
  const kept = content !== undefined && retainsContent(snapshot) && content.object.status?.readyToUse === true
  if (content !== undefined && !kept) {
    if (content.object.metadata.deletionTimestamp === undefined) return { do: 'deleteContent' }
    // It goes only when the guest is thawed, and so does the lock.
    if (locked) return { do: 'wait' }
  }
  if (content?.thawOwed === true && locked) return { do: 'wait' }
  if (locked) return { do: 'unlock' }
  if (!deleting) return { do: 'wait' }
  return kept && content.finalizer ? { do: 'releaseContent' } : { do: 'removeFinalizer' }
}

function untilDeadline({ snapshot, now }: SnapshotObserved, recheckMs?: number): SnapshotStep {
  const deadline = deadlineOf(snapshot)
  const leftMs = deadline === undefined ? undefined : deadline - now.getTime()
  const times = [
    // When it has passed and all is cut, what is still to be done is watched.
    ...(leftMs === undefined ? [] : [leftMs > 0 ? leftMs + 1 : unwatchedRecheckMs]),
    ...(recheckMs === undefined ? [] : [recheckMs]),
  ]
  return times.length === 0 ? { do: 'wait' } : { do: 'wait', recheckMs: Math.min(...times, longestWaitMs) }
}
