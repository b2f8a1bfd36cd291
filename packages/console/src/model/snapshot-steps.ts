import { conditionOf, isTrue } from '@stillpoint/api/meta/condition'
import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { msOf } from './format.ts'
import { freezeFacts, receiptIn } from './freeze-facts.ts'

const stepNames = ['Preflight', 'Preparing', 'Freezing', 'Cut', 'Thawed', 'Finalizing', 'Ready'] as const

export interface SnapshotStep {
  name: (typeof stepNames)[number]
  /** `current` of a snapshot that failed: where it ended. */
  state: 'done' | 'current' | 'todo' | 'skipped'
  /** When it was done; of the current one, when it began. Milliseconds since 1970. */
  atMs?: number | undefined
  /** How long it took, or has taken so far. */
  tookMs?: number | undefined
}

interface Milestone {
  name: SnapshotStep['name']
  skipped?: boolean
  done: boolean
  endMs: number | undefined
}

/**
 * The way of a snapshot from its creation until it is ready, as far as conditions, freeze report and receipt tell.
 * A step is done when it, or one after it, has left a trace.
 */
export function snapshotSteps(
  snapshot: VirtualMachineSnapshot,
  content: VirtualMachineSnapshotContent | undefined,
  now: Date,
): SnapshotStep[] {
  const milestones = milestonesOf(snapshot, content)
  const lastDone = milestones.findLastIndex(({ done }) => done)
  const current = milestones.findIndex(({ skipped }, at) => at > lastDone && !skipped)
  const failed = snapshot.status?.phase === 'Failed'
  const endMs = failed ? msOf(conditionOf(snapshot.status?.conditions, 'Failure')?.lastTransitionTime) : now.getTime()
  let beganMs = msOf(snapshot.metadata.creationTimestamp)
  return milestones.map(({ name, skipped, done, endMs: doneMs }, at): SnapshotStep => {
    if (skipped && !done) return { name, state: 'skipped' }
    if (at <= lastDone) {
      const step: SnapshotStep = { name, state: 'done', atMs: doneMs, tookMs: between(beganMs, doneMs) }
      beganMs = doneMs
      return step
    }
    if (at === current) return { name, state: 'current', atMs: beganMs, tookMs: between(beganMs, endMs) }
    return { name, state: failed ? 'skipped' : 'todo' }
  })
}

function milestonesOf(
  snapshot: VirtualMachineSnapshot,
  content: VirtualMachineSnapshotContent | undefined,
): Milestone[] {
  const { status } = snapshot
  const conditions = status?.conditions
  const facts = freezeFacts(snapshot, content)
  const said = new Set(status?.sourceIndications?.map(({ indication }) => indication) ?? status?.indications)
  const progressing = conditionOf(conditions, 'Progressing')
  const lockedMs = progressing?.status === 'True' ? msOf(progressing.lastTransitionTime) : undefined
  const capturedMs = msOf(content?.metadata.creationTimestamp)
  const askedMs = msOf(facts?.asked)
  const frozenMs = msOf(facts?.frozen)
  const cutMs = msOf(facts?.cut) ?? lastCutMs(snapshot, content)
  const thawedMs = msOf(facts?.thawed)
  const succeeded = status?.phase === 'Succeeded'
  // A freeze that was asked for is undone even when it failed; until then it may have happened.
  const frozen = frozenMs !== undefined || said.has('GuestAgent')
  const unasked =
    facts === undefined ? succeeded || said.has('NoGuestAgent') : facts.guest !== 'agent' || facts.whyNot !== undefined
  const thawOwed = askedMs !== undefined && thawedMs === undefined && !succeeded
  const ready = status?.readyToUse === true
  const readyMs = isTrue(conditions, 'Ready') ? msOf(conditionOf(conditions, 'Ready')?.lastTransitionTime) : undefined
  return [
    {
      name: 'Preflight',
      done: lockedMs !== undefined || content !== undefined || succeeded,
      endMs: lockedMs ?? capturedMs,
    },
    { name: 'Preparing', done: askedMs !== undefined || facts !== undefined, endMs: askedMs ?? capturedMs },
    { name: 'Freezing', done: frozen, endMs: frozenMs, skipped: unasked && !thawOwed },
    { name: 'Cut', done: cutMs !== undefined || succeeded, endMs: cutMs },
    {
      name: 'Thawed',
      done: thawedMs !== undefined && frozen,
      endMs: thawedMs,
      skipped: !frozen && unasked && !thawOwed,
    },
    { name: 'Finalizing', done: succeeded, endMs: msOf(status?.creationTime) },
    { name: 'Ready', done: ready, endMs: readyMs },
  ]
}

/** When the last volume was cut; undefined while one is not. */
function lastCutMs(
  snapshot: VirtualMachineSnapshot,
  content: VirtualMachineSnapshotContent | undefined,
): number | undefined {
  const cuts =
    receiptIn(snapshot)?.volumes.map(({ cut }) => cut) ??
    (content?.spec.volumeBackups ?? []).map(
      ({ volumeSnapshotName: name }) =>
        content?.status?.volumeSnapshotStatus?.find(({ volumeSnapshotName }) => volumeSnapshotName === name)
          ?.creationTime,
    )
  const times = cuts.map(msOf)
  return times.length > 0 && times.every((time) => time !== undefined) ? Math.max(...times) : undefined
}

function between(fromMs: number | undefined, untilMs: number | undefined): number | undefined {
  return fromMs === undefined || untilMs === undefined ? undefined : Math.max(0, untilMs - fromMs)
}
