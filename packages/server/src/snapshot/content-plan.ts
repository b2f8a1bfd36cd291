import { type FreezeReport, thawOwed } from '@stillpoint/api/snapshot/freeze-report'
import type { Consistency } from '@stillpoint/api/snapshot/keys'

//   announced ─→ freeze ─→ all VolumeSnapshots at once ─→ all cut ─→ thaw ─→ settle ─→ maintain
//                  └ fails: again, at most 3 times in 20 s ─→ cut unfrozen (or refuse, when Required)
//                  └ another holds it: again, for 60 s ─→ likewise
//   a restart in between: thaw first ─→ all cut? settle : discard what was cut ─→ a new attempt
//   deleted, or its snapshot ends: thaw ─→ finalizer gone

/** How long the guest's own timer keeps a freeze that nobody ends. */
export const leaseMs = 30_000
const freezeTries = 3
const freezePatienceMs = 20_000
const freezeRetryMs = 2_000
/** Another holder's lease ends by itself; most are shorter than this. */
const busyPatienceMs = 60_000
/** A set cut in part is cut again as a whole, but not for ever. */
const setAttempts = 3
/** An agent that does not answer cannot confirm a thaw; by now the guest's own timer has long run out. */
const confirmPatienceMs = 60_000

export interface ObservedGuest {
  uid: string
  /** Its phase is not yet Succeeded or Failed. */
  alive: boolean
  paused: boolean
  agent: boolean
  reportsFrozen: boolean
}

export interface ObservedVolume {
  name: string
  /** The VolumeSnapshot, when there is one. */
  found: { attempt: number; cutMs: number | undefined; deleting: boolean } | undefined
}

export interface ContentObserved {
  nowMs: number
  deleting: boolean
  finalizer: boolean
  /** `status.creationTime` is set. */
  created: boolean
  /** active: may cut. ending: deleted, failed or out of time. */
  snapshot: 'active' | 'ending' | 'gone'
  locked: boolean
  consistency: Consistency
  guest: ObservedGuest | undefined
  report: FreezeReport | undefined
  /** This process announced the attempt and has not begun it: nothing was asked of the guest yet. */
  fresh: boolean
  volumes: readonly ObservedVolume[]
}

export type Quiesce = { freeze: true } | { freeze: false; guest: FreezeReport['guest']; unfrozen?: string }

export type ContentStep =
  | { do: 'thaw' }
  | { do: 'closeReport'; end: 'guest-gone' | 'unconfirmed' }
  | { do: 'releaseContent' }
  | { do: 'discard'; volumes: string[] }
  | { do: 'reopen'; attempt: number }
  | { do: 'refuse'; why: string }
  | { do: 'cut'; attempt: number; quiesce: Quiesce }
  | { do: 'settle'; held: boolean | undefined }
  /** Bring the status up to date, look again when something changes. */
  | { do: 'wait'; recheckMs?: number }

/** Decides the one next step of a snapshot content. A thaw that is owed comes before everything. */
export function planContent(observed: ContentObserved): ContentStep {
  const { report, guest, volumes, nowMs } = observed
  let parked = false
  if (thawOwed(report) && !observed.fresh && report !== undefined) {
    if (guest === undefined || guest.uid !== report.vmiUid || !guest.alive)
      return { do: 'closeReport', end: 'guest-gone' }
    // A paused guest can neither answer nor move; the thaw is done as soon as it runs again.
    if (!guest.paused) {
      const patience = Date.parse(report.asked ?? '') + confirmPatienceMs
      if (!guest.reportsFrozen && nowMs > patience) return { do: 'closeReport', end: 'unconfirmed' }
      return { do: 'thaw' }
    }
    parked = true
  }
  if (observed.deleting) return observed.finalizer && !parked ? { do: 'releaseContent' } : { do: 'wait' }
  if (observed.created || report?.refused !== undefined) return { do: 'wait' }

  const attempt = report?.attempt ?? 1
  const ofAttempt = (volume: ObservedVolume): boolean => volume.found?.attempt === attempt && !volume.found.deleting
  if (volumes.every((volume) => ofAttempt(volume) && volume.found?.cutMs !== undefined))
    return planSettled(observed, attempt, parked)
  if (observed.snapshot !== 'active' || !observed.locked || parked) return { do: 'wait' }

  // Volume snapshots of an earlier attempt are another point in time, and their names are needed.
  if (volumes.some(({ found }) => found?.deleting)) return { do: 'wait' }
  const stale = volumes.filter(({ found }) => found !== undefined && found.attempt !== attempt).map(({ name }) => name)
  if (stale.length > 0) return { do: 'discard', volumes: stale }

  const missing = volumes.some(({ found }) => found === undefined)
  if (report?.asked !== undefined && !observed.fresh) return planAgain(observed, report, missing)
  return missing ? planCut(observed, attempt) : { do: 'wait' }
}

/** Everything is cut. Where consistency is required, a freeze that is not known to have held is not good enough. */
function planSettled(
  { report, consistency, snapshot, locked }: ContentObserved,
  attempt: number,
  parked: boolean,
): ContentStep {
  const held = heldOf(report)
  if (consistency !== 'Required' || held !== false) return { do: 'settle', held }
  if (snapshot === 'active' && !locked && !parked) return { do: 'wait' }
  return snapshot === 'active' && !parked && attempt < setAttempts
    ? { do: 'reopen', attempt: attempt + 1 }
    : { do: 'refuse', why: refusal(report?.answer ?? 'the freeze is not known to have held until the last cut') }
}

/** What follows an attempt whose thaw is confirmed and that did not cut everything. */
function planAgain(observed: ContentObserved, report: FreezeReport, missing: boolean): ContentStep {
  const { nowMs, volumes, consistency } = observed
  const { attempt } = report
  if (report.unfrozen !== undefined)
    return missing
      ? { do: 'cut', attempt, quiesce: { freeze: false, guest: 'agent', unfrozen: report.unfrozen } }
      : { do: 'wait' }
  switch (report.end) {
    case 'freeze-failed': {
      const since = nowMs - Date.parse(report.firstAsked ?? report.asked ?? '')
      const isPatient = report.busy
        ? since < busyPatienceMs
        : (report.failedTries ?? 1) < freezeTries && since < freezePatienceMs
      if (isPatient) {
        const waitMs = Date.parse(report.thawed ?? '') + freezeRetryMs - nowMs
        return waitMs > 0 ? { do: 'wait', recheckMs: waitMs } : planCut(observed, attempt)
      }
      const why = report.answer ?? 'the guest agent refused to freeze'
      if (consistency === 'Required') return { do: 'refuse', why: refusal(why) }
      return { do: 'cut', attempt, quiesce: { freeze: false, guest: 'agent', unfrozen: why } }
    }
    case 'guest-gone':
    case 'interrupted':
    case 'unconfirmed':
    case 'deleted':
      // Whatever was made was made in a window that is over: all of them again, in a new one.
      return volumes.some(({ found }) => found !== undefined)
        ? { do: 'reopen', attempt: attempt + 1 }
        : planCut(observed, attempt)
    default:
      if (consistency === 'Required' && attempt >= setAttempts)
        return { do: 'refuse', why: refusal(report.answer ?? 'the volumes were not cut while the guest was frozen') }
      if ((missing || volumes.some(({ found }) => found?.cutMs !== undefined)) && attempt < setAttempts)
        return { do: 'reopen', attempt: attempt + 1 }
      if (consistency === 'Required') return { do: 'reopen', attempt: attempt + 1 }
      return missing ? { do: 'cut', attempt, quiesce: { freeze: false, guest: 'agent' } } : { do: 'wait' }
  }
}

function planCut({ guest, consistency }: ContentObserved, attempt: number): ContentStep {
  const decision = decideQuiesce(guest, consistency)
  return 'refuse' in decision ? { do: 'refuse', why: decision.refuse } : { do: 'cut', attempt, quiesce: decision }
}

/** Whether the guest is to be frozen for the cut, given how it is found. */
export function decideQuiesce(
  guest: ObservedGuest | undefined,
  consistency: Consistency,
): Quiesce | { refuse: string; guest: FreezeReport['guest'] } {
  if (guest === undefined || !guest.alive) return { freeze: false, guest: 'offline' }
  const found = guest.paused ? 'paused' : guest.agent ? 'agent' : 'no-agent'
  if (found === 'agent')
    return consistency === 'CrashConsistent' ? { freeze: false, guest: 'unused' } : { freeze: true }
  if (consistency !== 'Required') return { freeze: false, guest: found }
  const why = found === 'paused' ? 'the VM is paused' : 'no guest agent is connected; install qemu-guest-agent in it'
  return { refuse: refusal(why), guest: found }
}

function refusal(why: string): string {
  return `required consistency cannot be reached: ${why}`
}

/** Whether the freeze held until the last cut. */
function heldOf(report: FreezeReport | undefined): boolean | undefined {
  return report?.asked === undefined || report.unfrozen !== undefined ? undefined : (report.held ?? false)
}
