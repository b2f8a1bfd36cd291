import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import type { ObservedClaim, RestoreObserved } from '../restore-plan.ts'
import type { ObservedRunState } from '../start-plan.ts'

// What the plans of a restore look at, in the middle of one: its target is off and locked, its claim is bound.

export const entry = { volumeName: 'root', persistentVolumeClaim: 'new', volumeSnapshotName: 'vs' }
export const waiting = [{ type: 'Progressing', status: 'True' as const, reason: 'x' }]
export const planned = { complete: false, conditions: waiting, restores: [entry] }

export function restore(
  status: VirtualMachineRestore['status'],
  { spec, metadata }: { spec?: object; metadata?: object } = {},
): VirtualMachineRestore {
  return {
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineRestore',
    metadata: {
      name: 'back',
      namespace: 'ns',
      uid: 'uid',
      creationTimestamp: '2026-01-01T00:00:00Z',
      finalizers: ['snapshot.kubevirt.io/vmrestore-protection'],
      ownerReferences: [{ apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'vm', uid: 'vm-uid' }],
      ...metadata,
    },
    spec: {
      target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'vm' },
      virtualMachineSnapshotName: 'snap',
      targetReadinessPolicy: 'WaitGracePeriod',
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  }
}

export const target = {
  name: 'vm',
  switched: false,
  running: false,
  stopping: false,
  restoreInProgress: 'back' as string | undefined,
  snapshotInProgress: undefined as string | undefined,
  deleting: false,
  fenced: false,
  run: { strategy: 'Manual', startAsked: false, ended: false, startedHere: false, made: undefined } as ObservedRunState,
}
export const bound: ObservedClaim = {
  entry,
  claim: 'ours',
  phase: 'Bound',
  waitsForConsumer: false,
  volumeSnapshot: true,
  usedByTarget: true,
}
export const base: RestoreObserved = {
  now: new Date('2026-01-01T00:01:00Z'),
  restore: restore(planned),
  target,
  snapshotProblem: undefined,
  sourceName: 'vm',
  volumes: { entries: [entry] },
  claims: [bound],
  dataVolumes: [],
  obsolete: [],
  toHandOver: 0,
  toDelete: 0,
  halfMade: 0,
  retained: [],
  pods: { count: 0, claims: [] },
  history: undefined,
  startNotBefore: undefined,
}
