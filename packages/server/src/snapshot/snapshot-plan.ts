import { isDeepStrictEqual } from 'node:util'
import type { FreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import { receiptAnnotation, snapshotFinalizer } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { parseReceipt, type Receipt } from '@stillpoint/api/snapshot/receipt'
import { deadlineOf, retainsContent } from '@stillpoint/api/snapshot/rules'
import { hasFinalizer } from '../controller/finalizers.ts'
import { type CutTime, receiptOf } from './receipt.ts'
import { deadlineExceeded, desiredStatus, type SnapshotStatus, verdictOf } from './snapshot-status.ts'
import type { LockState } from './source-lock.ts'

//   InProgress: finalizer ─→ status ─→ lock ─→ content ─→ (content: freeze, cut, thaw) ─→ receipt ─→ Succeeded ─→ unlock
//   deadline passed, nothing cut ─→ receipt ─→ Failed ─→ content deleted (content: thaw) ─→ unlock
//   deleted before the cut ─→ Deleting ─→ content deleted (content: thaw) ─→ unlock ─→ finalizer gone
//   deleted after ─→ (restores that read it end) ─→ content deleted or released ─→ finalizer gone

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
        report: FreezeReport | undefined
        cuts: readonly CutTime[]
      }
    | undefined
  /** Why there can be no content yet although the source is locked. */
  problem: string | undefined
  /** Restores that are at work with it. */
  usedBy: readonly string[]
}

export type SnapshotStep =
  | { do: 'addFinalizer' }
  | { do: 'writeStatus'; status: SnapshotStatus }
  | { do: 'writeReceipt'; receipt: Receipt }
  | { do: 'lock' }
  | { do: 'createContent' }
  | { do: 'deleteContent' }
  | { do: 'releaseContent' }
  | { do: 'unlock' }
  | { do: 'removeFinalizer' }
  | { do: 'holdDeletion'; usedBy: readonly string[] }
  | { do: 'wait'; recheckMs?: number }

/** A state that is over sooner is not worth a write. Creation times are whole seconds, so it may be one less. */
const quietMs = 1_500
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

  const receipt = receiptDue(observed)
  if (receipt !== undefined) return { do: 'writeReceipt', receipt }
  const status = desiredStatus(observed)
  const differs = !isDeepStrictEqual(status, snapshot.status)
  const passing = differs && observed.source?.lock === 'ours' && isPassing(observed, status)
  if (differs && !passing) return { do: 'writeStatus', status }

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
  if (content !== undefined) return untilDeadline(observed, passing ? quietMs : undefined)
  return observed.problem === undefined ? { do: 'createContent' } : untilDeadline(observed, unwatchedRecheckMs)
}

/** The receipt to write, if the snapshot ends now and its own does not say so yet. Once it has succeeded it stays. */
function receiptDue(observed: SnapshotObserved): Receipt | undefined {
  const { snapshot, source, content } = observed
  const { phase, why } = verdictOf(observed)
  if (phase !== 'Succeeded' && phase !== 'Failed') return undefined
  const old = snapshot.status?.phase
  // Of one that has failed, the thaw may still come in.
  if (old === phase && (phase === 'Succeeded' || content === undefined)) return undefined
  const captured = content?.object.spec.source.virtualMachine?.metadata as { uid?: string } | null | undefined
  const receipt = receiptOf({
    snapshot,
    sourceUid: captured?.uid ?? snapshot.status?.sourceUID ?? source?.uid,
    outcome: phase,
    reason: why === undefined ? undefined : failureOf(why, snapshot.status),
    report: content?.report,
    cuts: content?.cuts ?? [],
  })
  return isDeepStrictEqual(parseReceipt(snapshot.metadata.annotations?.[receiptAnnotation]), receipt)
    ? undefined
    : receipt
}

/** Why a snapshot failed, with what it was waiting for when the time was over. */
export function failureOf(why: string, old: SnapshotStatus | undefined): string {
  const waiting = old?.error?.message ?? old?.conditions?.find(({ type }) => type === 'Progressing')?.reason
  const isKnown = waiting === undefined || why !== deadlineExceeded || waiting === 'Operation failed'
  return isKnown ? why : `${why}; last: ${waiting}`
}

/** Only that the source is locked now is new, and the cut will be a matter of milliseconds. */
function isPassing(
  { snapshot, content, now }: SnapshotObserved,
  { conditions: _, ...status }: SnapshotStatus,
): boolean {
  if (snapshot.status === undefined) return false
  const { conditions: __, ...old } = snapshot.status
  if (status.phase !== 'InProgress' || status.error !== undefined || !isDeepStrictEqual(status, old)) return false
  const since = Date.parse(content?.object.metadata.creationTimestamp ?? now.toISOString())
  return now.getTime() - since < quietMs
}

/** The content goes unless it is ready and to be kept; the lock goes after it; the finalizer last. */
function planEnd(
  { snapshot, content, usedBy }: SnapshotObserved,
  { deleting, locked }: { deleting: boolean; locked: boolean },
): SnapshotStep {
  // A restore that has begun stands on this data, and its VM on the restore.
  if (snapshot.status?.phase === 'Succeeded' && usedBy.length > 0) return { do: 'holdDeletion', usedBy }
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
