import { expect, test } from 'vitest'
import type { ProvisioningRecord } from '../provisioning-record.ts'
import { type Observed, type ObservedClaim, plan, type Step } from './plan.ts'

const record: ProvisioningRecord = {
  driver: 'd',
  name: 'pvc-u',
  capacityBytes: 1,
  parameters: {},
  volumeMode: 'Block',
  reclaimPolicy: 'Delete',
}
const claim: ObservedClaim = {
  deleting: false,
  protected: true,
  className: 'c',
  bindCompleted: false,
  phase: 'Pending',
  capacityReported: false,
}
const recorded = { ...claim, record }
const named = { ...recorded, volumeName: 'pv' }
const bound: ObservedClaim = { ...named, bindCompleted: true, phase: 'Bound', capacityReported: true }
const ours = { name: 'pv', claimedBy: 'this' as const, deleting: false }
const base: Observed = { claim, users: [], wanted: { record }, fill: 'none' }
const { className: _, ...classless } = claim

const reserved = { ...ours, claimedBy: 'this-without-uid' as const }
const free = { ...ours, claimedBy: 'nobody' as const }
const unboundNamed = { ...claim, volumeName: 'pv' }

const cases: Record<string, [Partial<Observed>, Step]> = {
  'a volume that names the claim is taken': [
    { claim: unboundNamed, volume: { ...reserved, mismatch: 'too small' } },
    { do: 'take', volumeName: 'pv' },
  ],
  'a volume of nobody is taken when it fits': [
    { claim: unboundNamed, volume: free },
    { do: 'take', volumeName: 'pv' },
  ],
  'and not when it does not': [
    { claim: unboundNamed, volume: { ...free, mismatch: 'requested PV is too small' } },
    {
      do: 'wait',
      reason: 'VolumeMismatch',
      message: 'Cannot bind to requested volume "pv": requested PV is too small',
      warning: true,
    },
  ],
  'nor when its data is going': [
    { claim: unboundNamed, volume: { ...reserved, deleting: true } },
    { do: 'wait', reason: 'FailedBinding', message: 'volume "pv" is being deleted', warning: true },
  ],
  'a claim without a class gets the default one': [
    { claim: classless, defaultClass: 'standard' },
    { do: 'set-class', className: 'standard' },
  ],
  'what it waits for is said': [
    { wanted: { wait: { reason: 'ProvisioningFailed', message: 'm' } } },
    { do: 'wait', reason: 'ProvisioningFailed', message: 'm' },
  ],
  'the call is written down before it is made': [{}, { do: 'record', record }],
  'a recorded call is made': [{ claim: recorded }, { do: 'provision', record }],
  'and made again as it was, whatever is wanted now': [
    { claim: recorded, wanted: { wait: { reason: 'x', message: 'y' } } },
    { do: 'provision', record },
  ],
  'a volume that is still to be filled is not bound': [{ claim: recorded, fill: 'pending' }, { do: 'nothing' }],
  'a filled one is': [
    { claim: recorded, fill: 'done' },
    { do: 'provision', record },
  ],
  'a volume made for the claim is bound': [
    { claim: recorded, volume: ours },
    { do: 'bind', volumeName: 'pv' },
  ],
  'a bound claim is reported': [
    { claim: { ...bound, phase: 'Pending' }, volume: ours },
    { do: 'report', phase: 'Bound' },
  ],
  'and then left alone': [{ claim: bound, volume: ours }, { do: 'nothing' }],
  'a bound claim without its volume is lost': [{ claim: bound }, { do: 'report', phase: 'Lost' }],
  'a volume named by hand is reserved': [
    { claim: { ...claim, volumeName: 'pv' }, volume: { ...ours, claimedBy: 'nobody' } },
    { do: 'take', volumeName: 'pv' },
  ],
  'a volume of another is not taken': [
    { claim: { ...claim, volumeName: 'pv' }, volume: { ...ours, claimedBy: 'another' } },
    { do: 'wait', reason: 'FailedBinding', message: 'volume "pv" already bound to a different claim.', warning: true },
  ],
  'a deleted claim stays while it is used': [
    { claim: { ...bound, deleting: true }, volume: ours, users: ['VirtualMachineInstance vm'] },
    { do: 'wait', reason: 'VolumeInUse', message: 'is being deleted; still used by VirtualMachineInstance vm' },
  ],
  'and goes when it is not': [{ claim: { ...bound, deleting: true }, volume: ours }, { do: 'unprotect' }],
  'a volume that may have been made for a claim that was never bound is discarded': [
    { claim: { ...recorded, deleting: true } },
    { do: 'discard', record },
  ],
  'a deleted claim for which nothing was made goes at once': [
    { claim: { ...claim, deleting: true } },
    { do: 'unprotect' },
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, step]) => expect(plan({ ...base, ...given })).toEqual(step))
