// (no claim) ─→ create-claim ─→ claims/ and fills/ work on it ─→ claim bound and filled: Succeeded
// (claim of somebody else) ─→ adopt, where that is allowed ─→ as above
// (refused: the specification, or for good while filling) ─→ Failed
//
// A DataVolume that has succeeded never makes a claim again: an empty disk in place of a lost one helps nobody.

import type { Condition } from '@stillpoint/api/meta/condition'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'

export type SourceKind = 'blank' | 'http' | 'upload' | 'pvc' | 'snapshot'

export interface ObservedFill {
  phase: string
  ready: boolean
  progress: string
  restarts: number
  /** Why it does not run at the moment. */
  failure?: string
}

export interface ObservedClaim {
  name: string
  owner: 'this' | 'none' | 'another'
  /** The claim itself says that a DataVolume of this name may have it. */
  offered: boolean
  phase: 'Pending' | 'Bound' | 'Lost'
  deleting: boolean
  /** Nothing happens to it before somebody uses it. */
  waitsForConsumer: boolean
  /** What its provisioning waits for. */
  waitsFor?: string
  fill?: ObservedFill
}

export interface Observed {
  name: string
  deleting: boolean
  phase?: string
  /** What fills the volume, or why the specification cannot be followed. */
  source: { kind: SourceKind } | { refused: string }
  allowsAdoption: boolean
  /** Somebody else makes the claim, complete with its content. */
  prePopulated: boolean
  claim?: ObservedClaim
  /** The claim to create; looked at only where there is none. */
  wanted: { claim: PersistentVolumeClaim } | { wait: string } | { refused: string }
}

export interface Report {
  phase: string
  progress: string
  restartCount: number
  claimName?: string
  conditions: Pick<Condition, 'type' | 'status' | 'reason' | 'message'>[]
  event?: { type: 'Normal' | 'Warning'; reason: string; message: string }
}

export interface Plan {
  step?: { do: 'create-claim'; claim: PersistentVolumeClaim } | { do: 'adopt' }
  report?: Report
}

const filledPhases: Record<SourceKind, { phase: string; succeeded: string }> = {
  blank: { phase: 'Pending', succeeded: 'ImportSucceeded' },
  http: { phase: 'ImportScheduled', succeeded: 'ImportSucceeded' },
  upload: { phase: 'UploadScheduled', succeeded: 'UploadSucceeded' },
  pvc: { phase: 'CSICloneInProgress', succeeded: 'CloneSucceeded' },
  snapshot: { phase: 'CloneFromSnapshotSourceInProgress', succeeded: 'CloneSucceeded' },
}

/** Decides what to do for a DataVolume and what its status says. */
export function plan(observed: Observed): Plan {
  const { claim, deleting, name } = observed
  if (deleting) return {}
  if (!claim) return withoutClaim(observed)
  if (claim.owner !== 'this') {
    const allowed = claim.owner === 'none' && (claim.offered || observed.allowsAdoption || observed.prePopulated)
    if (allowed && !claim.deleting) return { step: { do: 'adopt' } }
    const message = claim.deleting
      ? `PVC ${claim.name} is being deleted`
      : `PVC ${claim.name} exists and does not belong to DataVolume ${name}; ` +
        `set cdi.kubevirt.io/allowClaimAdoption: "true" to take it over, or choose another name`
    return { report: notValid(observed, message) }
  }
  return { report: withClaim(observed, claim) }
}

function withoutClaim({ phase, prePopulated, source, wanted, name }: Observed): Plan {
  const none = { status: 'False', reason: 'NotFound', message: 'No PVC found' } as const
  if (phase === 'Succeeded' || prePopulated)
    return {
      report: report(phase === 'Succeeded' ? 'Succeeded' : 'Pending', {
        bound: none,
        ready: prePopulated ? { ...none, message: `waiting for PVC ${name}, which is made elsewhere` } : none,
        running: stopped,
      }),
    }
  const refused = 'refused' in source ? source.refused : 'refused' in wanted ? wanted.refused : undefined
  if (refused !== undefined) return { report: failed(refused, none) }
  if ('wait' in wanted)
    return {
      report: report('kind' in source && source.kind === 'pvc' ? 'CloneScheduled' : 'Pending', {
        bound: none,
        ready: { status: 'False', reason: 'Pending', message: wanted.wait },
        running: { status: 'False', reason: 'Pending', message: wanted.wait },
        event: { type: 'Normal', reason: 'Pending', message: wanted.wait },
      }),
    }
  return 'claim' in wanted ? { step: { do: 'create-claim', claim: wanted.claim } } : {}
}

function withClaim({ source, name }: Observed, claim: ObservedClaim): Report {
  const { fill } = claim
  const kind = 'kind' in source ? source.kind : 'blank'
  const facts = { claimName: claim.name, restartCount: fill?.restarts ?? 0 }
  const bound = boundCondition(claim)
  if (claim.phase === 'Lost') return { ...failed(`PVC ${claim.name} has lost its volume`, bound), ...facts }
  if (fill?.phase === 'Failed')
    return { ...failed(fill.failure ?? 'the volume could not be filled', bound, 'ImportFailed'), ...facts }
  if (claim.phase === 'Bound' && (!fill || fill.phase === 'Succeeded'))
    return report('Succeeded', {
      ...facts,
      progress: '100.0%',
      bound,
      ready: { status: 'True' },
      running: stopped,
      event: {
        type: 'Normal',
        reason: filledPhases[kind].succeeded,
        message: `PVC ${claim.name} is complete`,
      },
    })
  const ready = {
    status: 'False',
    reason: fill ? 'TransferRunning' : 'Pending',
    ...(claim.waitsFor === undefined ? {} : { message: claim.waitsFor }),
  } as const
  if (claim.waitsForConsumer)
    return report('PendingPopulation', { ...facts, bound, ready, running: { status: 'False', reason: 'Pending' } })
  const phase = fill ? phaseOfFill(kind, fill) : filledPhases[kind].phase
  return report(phase, {
    ...facts,
    progress: fill?.progress || 'N/A',
    bound,
    ready,
    running: runningCondition(kind, fill),
    event: { type: 'Normal', reason: phase, message: `PVC ${claim.name} of DataVolume ${name}: ${phase}` },
  })
}

function phaseOfFill(kind: SourceKind, { phase, ready }: ObservedFill): string {
  if (kind === 'upload') return ready || phase === 'Succeeded' ? 'UploadReady' : 'UploadScheduled'
  if (kind === 'http' && (phase === 'Running' || phase === 'Succeeded')) return 'ImportInProgress'
  return filledPhases[kind].phase
}

type Said = Omit<Condition, 'type'>
const stopped: Said = { status: 'False', reason: 'Completed' }

function runningCondition(kind: SourceKind, fill: ObservedFill | undefined): Said {
  if (fill?.failure !== undefined) return { status: 'False', reason: 'Error', message: fill.failure }
  if (fill?.phase === 'Running') return { status: 'True', reason: kind === 'upload' ? 'Pod is running' : 'Running' }
  return { status: 'False', reason: 'Pending' }
}

function boundCondition({ name, phase }: ObservedClaim): Said {
  return phase === 'Bound'
    ? { status: 'True', reason: 'Bound', message: `PVC ${name} Bound` }
    : { status: 'False', reason: phase === 'Lost' ? 'ClaimLost' : 'Pending', message: `PVC ${name} ${phase}` }
}

function failed(message: string, bound: Said, reason = 'Error'): Report {
  return report('Failed', {
    bound,
    ready: { status: 'False', reason: 'Error', message },
    running: { status: 'False', reason: 'Error', message },
    event: { type: 'Warning', reason, message },
  })
}

function notValid({ phase }: Observed, message: string): Report {
  return report(phase === 'Succeeded' ? 'Succeeded' : 'Pending', {
    bound: { status: 'False', reason: 'NotFound', message },
    ready: { status: 'False', reason: 'ErrClaimNotValid', message },
    running: { status: 'False', reason: 'Pending' },
    event: { type: 'Warning', reason: 'ErrClaimNotValid', message },
  })
}

function report(
  phase: string,
  facts: { bound: Said; running: Said; ready: Said } & Partial<Omit<Report, 'phase' | 'conditions'>>,
): Report {
  const { bound, running, ready, ...rest } = facts
  return {
    progress: 'N/A',
    restartCount: 0,
    ...rest,
    phase,
    conditions: [
      { type: 'Bound', ...bound },
      { type: 'Running', ...running },
      { type: 'Ready', ...ready },
    ],
  }
}
