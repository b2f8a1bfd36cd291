import type { RunStrategy, VirtualMachineSpec } from '@stillpoint/api/kubevirt/kinds'
import {
  notStartedAnnotation,
  runStrategyAnnotation,
  startedAnnotation,
  startTargetAnnotation,
} from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import type { RestoreObserved, RestoreStep } from './restore-plan.ts'

//   start-target: "true"
//     StopTarget: run strategy noted ─→ stopped ─→ … ─→ complete, unlocked ─→ started ─→ marked: started
//     failed, or given up before the switch, unlocked: what was stopped is started again on its old disks ─→ marked
//     started, changed or restored again by somebody else ─→ left as it is ─→ marked
//     refused ─→ again, later and later ─→ marked: not-started

/** What the plan of the start looks at of the target, besides what every step does. */
export interface ObservedRunState {
  /** As the VM says it; `running` is Always or Halted. */
  strategy: string
  /** A start has been asked for and not been done yet. */
  startAsked: boolean
  /** Its guest has ended, and the instance is still there. */
  ended: boolean
  /** Its run strategy was set by this restore to start it. */
  startedHere: boolean
  /** This restore has made the VM; with the run strategy the snapshotted VM had. */
  made: { captured: string } | undefined
}

/** left: somebody else has taken the VM in hand. failed: a person has to start it. */
export type StartOutcome = 'started' | 'left' | 'failed'

export type StartStep =
  /** Before it is stopped: what it is to have afterwards. */
  | { do: 'noteStrategy'; strategy: string }
  /** `starts`: the VM is started by that alone. */
  | { do: 'setStrategy'; strategy: string; starts: boolean }
  | { do: 'requestStart' }
  /** The start is through for good. */
  | { do: 'settleStart'; outcome: StartOutcome; text: string }
  | { do: 'waitToStart'; recheckMs?: number }

const selfStarting: readonly string[] = ['Always', 'Once'] satisfies RunStrategy[]
const byRequest: readonly string[] = ['Manual', 'RerunOnFailure'] satisfies RunStrategy[]

/** How long a restore that is being deleted is held for a start that cannot be done yet. */
export const holdMs = 300_000
const firstRetryMs = 1_000
const longestRetryMs = 60_000
const refusalsAtMost = 8

/** Milliseconds to wait after the n-th refusal in a row; undefined: that was the last try. */
export function retryAfterRefusal(refusals: number): number | undefined {
  return refusals < refusalsAtMost ? Math.min(firstRetryMs * 2 ** (refusals - 1), longestRetryMs) : undefined
}

/** As the definition says it: a strategy we do not know is a strategy. */
export function strategyOf({ running, runStrategy }: VirtualMachineSpec): string {
  if (running !== undefined) return running ? 'Always' : 'Halted'
  return runStrategy ?? 'Halted'
}

/** The target is to be started afterwards, and it has not been decided yet what became of that. */
export function isStartOwed({ metadata: { annotations } }: VirtualMachineRestore): boolean {
  return (
    annotations?.[startTargetAnnotation] === 'true' &&
    annotations[startedAnnotation] === undefined &&
    annotations[notStartedAnnotation] === undefined
  )
}

/** The run strategy to be noted before the target is stopped; undefined: it is noted, or not needed. */
export function strategyToNote({ restore, target }: RestoreObserved): string | undefined {
  if (target === undefined || !isStartOwed(restore)) return undefined
  const { strategy } = target.run
  return restore.metadata.annotations?.[runStrategyAnnotation] === strategy ? undefined : strategy
}

/**
 * The next step towards a started target; undefined when there is nothing to do about it. For a restore that is through
 * or has been undone, and holds its target no more.
 */
export function planStart(observed: RestoreObserved): RestoreStep | undefined {
  const { restore, target, now } = observed
  if (target === undefined || target.deleting || !isStartOwed(restore)) return undefined
  const noted = restore.metadata.annotations?.[runStrategyAnnotation]
  const complete = restore.status?.complete === true
  // One that has failed or was given up starts what it has stopped, on the disks it had, and nothing else.
  if (!complete && (noted === undefined || target.switched)) return undefined
  if (complete && !target.switched) return leave('it was restored again, or replaced, meanwhile')
  if (target.run.startedHere) return started('it was started already')
  const step = planRunState(target, { observed, noted, complete })
  if (step.do !== 'waitToStart') return step
  const { deletionTimestamp } = restore.metadata
  const leftMs = deletionTimestamp === undefined ? undefined : Date.parse(deletionTimestamp) + holdMs - now.getTime()
  if (leftMs === undefined) return step
  if (leftMs <= 0) return { do: 'settleStart', outcome: 'failed', text: 'it could not be started in time' }
  return { do: 'waitToStart', recheckMs: Math.min(leftMs, step.recheckMs ?? leftMs) }
}

function planRunState(
  { running, stopping, run, restoreInProgress, snapshotInProgress }: NonNullable<RestoreObserved['target']>,
  {
    observed: { startNotBefore, now },
    noted,
    complete,
  }: { observed: RestoreObserved; noted: string | undefined; complete: boolean },
): StartStep {
  const { strategy } = run
  if (running && !stopping) return started('it runs already')
  // After a restore somebody else stops it; before, that was us.
  if (running && complete) return leave('somebody is stopping it')
  if (restoreInProgress || snapshotInProgress) return { do: 'waitToStart' }

  const waitMs = startNotBefore === undefined ? 0 : startNotBefore.getTime() - now.getTime()
  const act = (step: StartStep): StartStep => (waitMs > 0 ? { do: 'waitToStart', recheckMs: waitMs } : step)
  const wanted = noted ?? capturedOf(run) ?? (strategy === 'Halted' ? 'Always' : strategy)
  const starts = selfStarting.includes(wanted)
  if (strategy !== wanted) {
    // Halted is what a stop makes of those that start by themselves, and how a new VM is made.
    const isOurs = strategy === 'Halted' && (starts || run.made !== undefined)
    return isOurs ? act({ do: 'setStrategy', strategy: wanted, starts }) : leave(`its run strategy is ${strategy} now`)
  }
  if (strategy === 'Once' && run.ended) return leave('run strategy Once starts no guest that has ended')
  if (starts) return started(`run strategy ${strategy}`)
  if (!byRequest.includes(strategy)) return leave(`run strategy ${strategy} is not known`)
  if (run.startAsked) return started('a start is asked for')
  // A stop that is not through yet is in the way of a start, and so is a failed guest that is about to be run again.
  if (stopping || (strategy === 'RerunOnFailure' && run.ended)) return { do: 'waitToStart' }
  return act({ do: 'requestStart' })
}

/** The run strategy a VM that this restore has made had when it was snapshotted, if a guest ever starts under it. */
function capturedOf({ made }: ObservedRunState): string | undefined {
  return [...selfStarting, ...byRequest].find((strategy) => strategy === made?.captured)
}

function started(how: string): StartStep & { do: 'settleStart' } {
  return { do: 'settleStart', outcome: 'started', text: how }
}

function leave(why: string): StartStep & { do: 'settleStart' } {
  return { do: 'settleStart', outcome: 'left', text: why }
}
