// Pending ─→ set-class ─→ record ─→ [filled by fills/] ─→ provision ─→ bind ─→ report: Bound
//                                                                             volume gone ─→ report: Lost
// deleting: used ─→ wait;  recorded but never bound ─→ discard;  ─→ unprotect (volumes/ does the rest)
//
// `record` writes the whole CreateVolume call into the claim before it is first made. Whatever happens to classes,
// snapshots and sources afterwards, the same call can be repeated: to find the volume, or to find it and delete it.

import type { ProvisioningRecord } from '../provisioning-record.ts'

export interface Wait {
  reason: string
  message: string
  warning?: boolean
}

export interface ObservedClaim {
  deleting: boolean
  protected: boolean
  className?: string
  volumeName?: string
  bindCompleted: boolean
  phase: 'Pending' | 'Bound' | 'Lost'
  capacityReported: boolean
  record?: ProvisioningRecord
}

export interface ObservedVolume {
  name: string
  /** Whose it is: this claim's, nobody's yet, or another's. */
  claimedBy: 'this' | 'this-without-uid' | 'nobody' | 'another'
  deleting: boolean
  /** Why the claim cannot be served by it. */
  mismatch?: string
}

export interface Observed {
  claim: ObservedClaim
  /** What still uses the claim, as `kind name`. */
  users: readonly string[]
  /** The cluster's default class. */
  defaultClass?: string
  /** What CreateVolume is to be called with, or what is waited for. Looked at only before there is a record. */
  wanted: { record: ProvisioningRecord } | { wait: Wait }
  /** Whether something is still to be written into the volume before anybody may see it. */
  fill: 'none' | 'pending' | 'done'
  volume?: ObservedVolume
}

export type Step =
  | { do: 'nothing' }
  | ({ do: 'wait' } & Wait)
  | { do: 'set-class'; className: string }
  | { do: 'record'; record: ProvisioningRecord }
  | { do: 'provision'; record: ProvisioningRecord }
  | { do: 'take'; volumeName: string }
  | { do: 'bind'; volumeName: string }
  | { do: 'report'; phase: 'Bound' | 'Lost' }
  | { do: 'discard'; record: ProvisioningRecord }
  | { do: 'unprotect' }

/** Decides the one next step for a claim. */
export function plan(observed: Observed): Step {
  const { claim, volume } = observed
  if (claim.deleting) return planDeletion(observed)
  if (claim.volumeName !== undefined) return planBound(observed, claim.volumeName)
  // Made for this claim before a crash, or by somebody's hand.
  if (volume?.claimedBy === 'this') return volume.deleting ? waitFor(volume) : { do: 'bind', volumeName: volume.name }
  if (claim.record) {
    if (observed.fill === 'pending') return { do: 'nothing' }
    return { do: 'provision', record: claim.record }
  }
  if (claim.className === undefined && observed.defaultClass !== undefined)
    return { do: 'set-class', className: observed.defaultClass }
  if ('wait' in observed.wanted) return { do: 'wait', ...observed.wanted.wait }
  return { do: 'record', record: observed.wanted.record }
}

function planBound({ claim, volume }: Observed, volumeName: string): Step {
  if (!volume)
    return claim.bindCompleted
      ? claim.phase === 'Lost'
        ? { do: 'nothing' }
        : { do: 'report', phase: 'Lost' }
      : { do: 'wait', reason: 'FailedBinding', message: `volume "${volumeName}" not found` }
  if (volume.claimedBy === 'another')
    return claim.bindCompleted && claim.phase !== 'Lost'
      ? { do: 'report', phase: 'Lost' }
      : {
          do: 'wait',
          reason: 'FailedBinding',
          message: `volume "${volumeName}" already bound to a different claim.`,
          warning: true,
        }
  if (volume.claimedBy !== 'this' && volume.deleting) return waitFor(volume)
  // One that names the claim was meant for it by a person.
  if (volume.claimedBy === 'nobody' && volume.mismatch !== undefined)
    return {
      do: 'wait',
      reason: 'VolumeMismatch',
      message: `Cannot bind to requested volume "${volumeName}": ${volume.mismatch}`,
      warning: true,
    }
  if (volume.claimedBy !== 'this') return { do: 'take', volumeName }
  if (!claim.bindCompleted) return { do: 'bind', volumeName }
  return claim.phase === 'Bound' && claim.capacityReported ? { do: 'nothing' } : { do: 'report', phase: 'Bound' }
}

function planDeletion({ claim, users, volume }: Observed): Step {
  if (!claim.protected) return { do: 'nothing' }
  if (users.length > 0)
    return { do: 'wait', reason: 'VolumeInUse', message: `is being deleted; still used by ${users.join(', ')}` }
  // With a volume object there is somebody who deletes the volume; without, nobody else knows of it.
  if (claim.record && !volume && !claim.bindCompleted) return { do: 'discard', record: claim.record }
  return { do: 'unprotect' }
}

function waitFor(volume: ObservedVolume): Step {
  return { do: 'wait', reason: 'FailedBinding', message: `volume "${volume.name}" is being deleted`, warning: true }
}
