import { type Condition, conditionOf } from '@stillpoint/api/meta/condition'
import { snapshotFinalizer } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { elapsedMs } from './format.ts'
import { receiptIn } from './freeze-facts.ts'

export { type SnapshotStep, snapshotSteps } from './snapshot-steps.ts'

/** How good something is. Never shown by colour alone. */
export type Tone = 'success' | 'danger' | 'warning' | 'info' | 'neutral'

export interface ShownSnapshotStatus {
  /** The API's own word where it has one. */
  label: string
  tone: Tone
  phase: 'Succeeded' | 'Failed' | 'InProgress' | 'Deleting' | 'Unknown' | 'Pending'
  /** What it waits for, or what went wrong. */
  reason?: string | undefined
  /** Something is still being done about it. */
  running: boolean
  /** How long it has been in this state, in milliseconds; of a running one, how long it has taken. */
  sinceMs?: number | undefined
}

/** A fresh snapshot without a status after that time has no controller that looks at it. */
const unseenMs = 10_000

/** What a snapshot's status says to a person. Green only when a virtual machine can be restored from it. */
export function snapshotStatus(snapshot: VirtualMachineSnapshot, now: Date): ShownSnapshotStatus {
  const { metadata, status } = snapshot
  const since = (time: string | null | undefined) => elapsedMs(time, now)
  const progressing = conditionOf(snapshot.status?.conditions, 'Progressing')
  const phase = status?.phase
  if (metadata.deletionTimestamp !== undefined || phase === 'Deleting')
    return {
      label: 'Deleting',
      tone: 'info',
      phase: 'Deleting',
      reason: whyStillThere(snapshot, progressing),
      running: true,
      sinceMs: since(metadata.deletionTimestamp ?? progressing?.lastTransitionTime),
    }
  const ageMs = since(metadata.creationTimestamp)
  if (!phase) {
    const unseen = (ageMs ?? 0) > unseenMs
    const reason = unseen ? 'No controller has taken it up yet: is the snapshot controller running?' : undefined
    return { label: 'Pending', tone: 'neutral', phase: 'Pending', reason, running: true, sinceMs: ageMs }
  }
  if (phase === 'InProgress') {
    const reason = status?.error?.message ?? whatIsDone(progressing)
    const stuck = status?.error !== undefined || progressing?.reason === 'Source does not exist'
    return { label: phase, tone: stuck ? 'warning' : 'info', phase, reason, running: true, sinceMs: ageMs }
  }
  if (phase === 'Failed') {
    const failed = conditionOf(snapshot.status?.conditions, 'Failure')?.lastTransitionTime
    return {
      label: phase,
      tone: 'danger',
      phase,
      reason: whyFailed(snapshot),
      running: false,
      sinceMs: since(failed ?? status?.error?.time),
    }
  }
  if (phase === 'Succeeded') {
    if (status?.readyToUse === true)
      return { label: phase, tone: 'success', phase, running: false, sinceMs: since(status.creationTime) }
    const error = status?.error?.message
    return {
      label: 'Succeeded, not ready',
      tone: 'warning',
      phase,
      reason: error ?? 'Its volume snapshots are not ready to use yet',
      running: error === undefined,
      sinceMs: since(conditionOf(snapshot.status?.conditions, 'Ready')?.lastTransitionTime ?? status?.creationTime),
    }
  }
  return {
    label: phase === 'Unknown' ? phase : `Unknown (${phase})`,
    tone: 'warning',
    phase: 'Unknown',
    reason: status?.error?.message ?? progressing?.reason,
    running: false,
    sinceMs: ageMs,
  }
}

/** The value of the filter "Status" that finds a snapshot; one that is being deleted is found by none. */
export function filterStatusOf(snapshot: VirtualMachineSnapshot): 'Failed' | 'InProgress' | 'Succeeded' | undefined {
  const phase = snapshot.metadata.deletionTimestamp === undefined ? snapshot.status?.phase || 'InProgress' : undefined
  return phase === 'Failed' || phase === 'InProgress' || phase === 'Succeeded' ? phase : undefined
}

/** Reasons of `Progressing` that say no more than the phase does. */
const saysNothing = new Set([
  'Source locked and operation in progress',
  'Operation complete',
  'Operation failed',
  'In error state',
  'VM snapshot is deleting',
])

function whatIsDone(progressing: Condition | undefined): string | undefined {
  const { reason } = progressing ?? {}
  if (!reason || saysNothing.has(reason)) return undefined
  if (reason === 'Source does not exist') return 'The virtual machine does not exist'
  if (reason === 'Source not locked') return 'Waits for the virtual machine'
  const [, waits] = /^Source not locked (?:source )?(.+)$/.exec(reason) ?? []
  if (waits === undefined) return reason
  // Snapshots and restores that are in the way are named by themselves; the VM before them says nothing.
  const shown = waits.replace(/^[^\s/]+\/[^\s/]+ (?=(?:snapshot|restore) ")/, '')
  return `Waits: ${shown.startsWith('is ') ? 'the virtual machine ' : ''}${shown}`
}

function whyStillThere({ metadata, status }: VirtualMachineSnapshot, progressing: Condition | undefined): string {
  const told = status?.error?.message ?? whatIsDone(progressing)
  if (told !== undefined) return told
  const finalizers = metadata.finalizers ?? []
  const others = finalizers.filter((finalizer) => finalizer !== snapshotFinalizer)
  if (finalizers.length > others.length) return 'Waits until its data is deleted and no restore reads it any more'
  return others.length > 0 ? `Waits for ${others.join(', ')}` : 'Waits for the server'
}

/** The receipt has the most: also what was waited for when the time was over. */
function whyFailed(snapshot: VirtualMachineSnapshot): string {
  const failure = conditionOf(snapshot.status?.conditions, 'Failure')?.reason
  const error = snapshot.status?.error?.message
  const why = receiptIn(snapshot)?.reason ?? failure
  if (why === undefined) return error ?? 'No reason was given'
  return error === undefined || why.includes(error) ? why : `${why}: ${error}`
}
