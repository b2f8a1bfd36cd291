import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { expect, test } from 'vitest'
import { type CloneObserved, type CloneStep, planClone, type Report } from './clone-plan.ts'

const finalizers = ['clone.stillpoint.dev/protection']

function clone(
  status: VirtualMachineClone['status'] = undefined,
  { metadata, source }: { metadata?: object; source?: object } = {},
): VirtualMachineClone {
  return {
    apiVersion: 'clone.kubevirt.io/v1beta1',
    kind: 'VirtualMachineClone',
    metadata: { name: 'c', namespace: 'ns', uid: 'uid', finalizers, ...metadata },
    spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'vm', ...source } },
    ...(status === undefined ? {} : { status }),
  }
}

const base: CloneObserved = {
  clone: clone(),
  targetName: 'copy',
  snapshotName: 'snap',
  restoreName: 'back',
  source: { kind: 'vm', exists: true, obstacle: undefined },
  snapshot: undefined,
  restore: undefined,
  target: undefined,
  unbound: [],
}
const snapshot = { own: true, deleting: false, failed: undefined, problem: undefined, obstacle: undefined }
const restore = { deleting: false, complete: false, failed: undefined, problem: undefined }
const fromSnapshot = { source: { kind: 'snapshot' } } as const
const snapshotSource = { source: { kind: 'VirtualMachineSnapshot', name: 'snap' } }
const ours = { ours: true }

const gone = { deletionTimestamp: '2026-01-01T00:00:00Z' }
const taking = { phase: 'SnapshotInProgress', snapshotName: 'snap' } as const
const restoring = { phase: 'RestoreInProgress', snapshotName: 'snap', restoreName: 'back' } as const
const making = { ...restoring, phase: 'CreatingTargetVM', targetName: 'copy' } as const
const succeeded = { ...making, phase: 'Succeeded' } as const
const tidied = { phase: 'Succeeded', targetName: 'copy' } as const
const failed = { phase: 'Failed' } as const

const event = (reason: string, text: string, type: 'Normal' | 'Warning' = 'Normal') => ({ type, reason, text })
const report = (given: Omit<Report, 'state'> & { state?: Report['state'] }): CloneStep => ({
  do: 'report',
  report: { state: 'Still processing', ...given },
})
const fails = (reason: string, message: string): CloneStep =>
  report({
    phase: 'Failed',
    state: 'Failed',
    snapshotName: null,
    restoreName: null,
    message,
    event: event(reason, message, 'Warning'),
  })
const pends = (reason: string, message: string): CloneStep =>
  report({ state: 'Pending', message, event: event(reason, message, 'Warning') })

const cases: Record<string, [Partial<CloneObserved>, CloneStep]> = {
  'has its finalizer before anything is made': [
    { clone: clone(undefined, { metadata: { finalizers: [] } }) },
    { do: 'addFinalizer' },
  ],
  'waits for a source that does not exist': [
    { source: { kind: 'vm', exists: false, obstacle: undefined } },
    pends('SourceDoesNotExist', 'VirtualMachine vm does not exist'),
  ],
  'waits for a snapshot that does not exist': [
    { ...fromSnapshot, clone: clone(undefined, snapshotSource) },
    pends('SourceDoesNotExist', 'VirtualMachineSnapshot snap does not exist'),
  ],
  'waits at an obstacle that may go': [
    { source: { kind: 'vm', exists: true, obstacle: { event: 'E', text: 'why', final: false } } },
    pends('E', 'why'),
  ],
  'fails at an obstacle that never goes': [
    { source: { kind: 'vm', exists: true, obstacle: { event: 'E', text: 'why', final: true } } },
    fails('E', 'why'),
  ],
  'fails where no admission refused the kind of the source': [
    { source: { kind: 'unsupported' }, clone: clone(undefined, { source: { kind: 'Pod' } }) },
    fails('SourceNotSupported', 'a Pod cannot be cloned'),
  ],
  'never touches a VM it did not make': [
    { target: { ours: false } },
    fails('TargetExists', 'VirtualMachine copy exists already, and this clone did not make it'),
  ],
  'nor when it comes while the restore is under way': [
    { clone: clone(restoring), snapshot, restore, target: { ours: false } },
    fails('TargetExists', 'VirtualMachine copy exists already, and this clone did not make it'),
  ],
  'takes a snapshot': [{}, { do: 'createSnapshot' }],
  'tells that it has taken one, and what it waits for': [
    { snapshot: { ...snapshot, problem: 'not ready' } },
    report({
      phase: 'SnapshotInProgress',
      snapshotName: 'snap',
      message: 'not ready',
      event: event('SnapshotCreated', 'VirtualMachineSnapshot snap created'),
    }),
  ],
  'tells so once': [
    { clone: clone(taking), snapshot: { ...snapshot, problem: 'not ready' } },
    report({ phase: 'SnapshotInProgress', snapshotName: 'snap', message: 'not ready' }),
  ],
  'waits for a given snapshot, and does not say it has taken it': [
    {
      ...fromSnapshot,
      clone: clone(undefined, snapshotSource),
      snapshot: { ...snapshot, own: false, problem: 'not ready' },
    },
    report({ phase: 'SnapshotInProgress', snapshotName: 'snap', message: 'not ready' }),
  ],
  'fails with a failed snapshot': [
    { clone: clone(taking), snapshot: { ...snapshot, failed: 'deadline', problem: 'failed' } },
    fails('SnapshotFailed', 'VirtualMachineSnapshot snap failed: deadline'),
  ],
  'fails when the snapshot is gone': [
    { clone: clone(taking) },
    fails('SnapshotDeleted', 'VirtualMachineSnapshot snap was deleted before the clone was finished'),
  ],
  'fails when the snapshot is going': [
    { clone: clone(taking), snapshot: { ...snapshot, deleting: true } },
    fails('SnapshotDeleted', 'VirtualMachineSnapshot snap was deleted before the clone was finished'),
  ],
  'fails when the snapshot holds less than the VM': [
    {
      clone: clone(taking),
      snapshot: { ...snapshot, obstacle: { event: 'SnapshotContentInvalid', text: 'x', final: true } },
    },
    fails('SnapshotContentInvalid', 'x'),
  ],
  'restores when the snapshot is ready': [{ clone: clone(taking), snapshot }, { do: 'createRestore' }],
  'tells that it restores': [
    { clone: clone(taking), snapshot, restore },
    report({
      phase: 'RestoreInProgress',
      snapshotName: 'snap',
      restoreName: 'back',
      event: event('RestoreCreated', 'VirtualMachineRestore back created'),
    }),
  ],
  'passes on what holds the restore up': [
    { clone: clone(restoring), snapshot, restore: { ...restore, problem: 'why' } },
    report({ phase: 'RestoreInProgress', snapshotName: 'snap', restoreName: 'back', message: 'why' }),
  ],
  'fails with a failed restore': [
    { clone: clone(restoring), snapshot, restore: { ...restore, failed: 'why', problem: 'why' } },
    fails('RestoreFailed', 'VirtualMachineRestore back failed: why'),
  ],
  'fails when the restore is going': [
    { clone: clone(restoring), snapshot, restore: { ...restore, deleting: true } },
    fails('RestoreDeleted', 'VirtualMachineRestore back was deleted before it was complete'),
  ],
  'fails when the restore is gone': [
    { clone: clone(restoring), snapshot },
    fails('RestoreDeleted', 'VirtualMachineRestore back was deleted before it was complete'),
  ],
  'goes on when its snapshot is to go, and waits for the restore': [
    { clone: clone(restoring), snapshot: { ...snapshot, deleting: true }, restore },
    report({ phase: 'RestoreInProgress', snapshotName: 'snap', restoreName: 'back' }),
  ],
  'fails when its snapshot is to go and cannot be restored from any more: each would wait for the other': [
    { clone: clone(restoring), snapshot: { ...snapshot, deleting: true, problem: 'not ready' }, restore },
    fails('SnapshotDeleted', 'VirtualMachineSnapshot snap was deleted before the clone was finished'),
  ],
  'fails when the snapshot goes under the restore': [
    { clone: clone(restoring), restore },
    fails('SnapshotDeleted', 'VirtualMachineSnapshot snap was deleted before the clone was finished'),
  ],
  'does not miss the snapshot once the target stands': [
    { clone: clone(restoring), restore, target: ours },
    report({ phase: 'RestoreInProgress', restoreName: 'back' }),
  ],
  'looks for the target when the restore is complete': [
    { clone: clone(restoring), snapshot, restore: { ...restore, complete: true } },
    report({
      phase: 'CreatingTargetVM',
      snapshotName: 'snap',
      restoreName: 'back',
      targetName: 'copy',
      event: event('RestoreReady', 'VirtualMachineRestore back is complete'),
    }),
  ],
  'names its restore again when its status was lost: otherwise nobody would tidy it up': [
    { clone: clone(), restore: { ...restore, complete: true }, target: ours, unbound: ['a'] },
    report({
      phase: 'CreatingTargetVM',
      restoreName: 'back',
      targetName: 'copy',
      event: event('RestoreReady', 'VirtualMachineRestore back is complete'),
    }),
  ],
  'takes a standing target for a complete restore': [
    { clone: clone(restoring), snapshot, target: ours },
    report({
      phase: 'CreatingTargetVM',
      snapshotName: 'snap',
      targetName: 'copy',
      event: event('RestoreReady', 'VirtualMachineRestore back is complete'),
    }),
  ],
  succeeds: [
    { clone: clone(making), snapshot, restore: { ...restore, complete: true }, target: ours },
    report({
      phase: 'Succeeded',
      state: 'Ready',
      targetName: 'copy',
      event: event('TargetVMCreated', 'VirtualMachine copy created'),
    }),
  ],
  'succeeds, and tells what it still needs the snapshot for': [
    { clone: clone(making), snapshot, restore: { ...restore, complete: true }, target: ours, unbound: ['a', 'b'] },
    report({
      phase: 'Succeeded',
      state: 'Ready',
      targetName: 'copy',
      message: 'VirtualMachineSnapshot snap is needed until these claims are bound: a, b',
      event: event('TargetVMCreated', 'VirtualMachine copy created'),
    }),
  ],
  'fails when the target is gone before it was told of': [
    { clone: clone(making), snapshot, restore: { ...restore, complete: true } },
    fails('TargetDeleted', 'VirtualMachine copy was deleted before the clone was finished'),
  ],
  'keeps the snapshot while a disk is not filled': [
    { clone: clone(succeeded), snapshot, restore: { ...restore, complete: true }, target: ours, unbound: ['a'] },
    { do: 'wait' },
  ],
  'tidies up when every disk is filled': [
    { clone: clone(succeeded), snapshot, restore: { ...restore, complete: true }, target: ours },
    {
      do: 'tidy',
      report: {
        snapshotName: null,
        restoreName: null,
        state: 'Ready',
        event: event('PVCBound', 'every restored PersistentVolumeClaim is bound'),
      },
    },
  ],
  'tidy, it needs no protection any more': [{ clone: clone(tidied), target: ours }, { do: 'removeFinalizer' }],
  'then it rests': [{ clone: clone(tidied, { metadata: { finalizers: [] } }), target: ours }, { do: 'wait' }],
  'rests as well when the target was restored by another since': [
    { clone: clone(tidied, { metadata: { finalizers: [] } }), target: { ours: false } },
    { do: 'wait' },
  ],
  'goes with its target': [{ clone: clone(tidied) }, { do: 'deleteClone' }],
  'goes with its target even when not tidy': [
    { clone: clone(succeeded), snapshot, restore: { ...restore, complete: true } },
    { do: 'deleteClone' },
  ],
  'failed, it gives the restore up first': [{ clone: clone(failed), snapshot, restore }, { do: 'deleteRestore' }],
  'failed, it waits until the restore is gone': [
    { clone: clone(failed), snapshot, restore: { ...restore, deleting: true } },
    { do: 'wait' },
  ],
  'failed, it then deletes its snapshot': [{ clone: clone(failed), snapshot }, { do: 'deleteSnapshot' }],
  'failed, it leaves a given snapshot alone': [
    { ...fromSnapshot, clone: clone(failed), snapshot: { ...snapshot, own: false } },
    { do: 'removeFinalizer' },
  ],
  'failed and tidy, it rests': [{ clone: clone(failed, { metadata: { finalizers: [] } }) }, { do: 'wait' }],
  'deleted before anything was made, it goes': [
    { clone: clone(undefined, { metadata: gone }) },
    { do: 'removeFinalizer' },
  ],
  'deleted while it restores, it gives the restore up': [
    { clone: clone(restoring, { metadata: gone }), snapshot, restore },
    { do: 'deleteRestore' },
  ],
  'deleted while it takes the snapshot, it deletes it': [
    { clone: clone(taking, { metadata: gone }), snapshot },
    { do: 'deleteSnapshot' },
  ],
  'deleted, it need not wait for a snapshot that is going': [
    { clone: clone(taking, { metadata: gone }), snapshot: { ...snapshot, deleting: true } },
    { do: 'removeFinalizer' },
  ],
  'deleted while disks of the target are not filled, it leaves the target the snapshot': [
    { clone: clone(succeeded, { metadata: gone }), snapshot, target: ours, unbound: ['a'] },
    { do: 'leaveSnapshot' },
  ],
  'deleted, and the snapshot left, it goes': [
    {
      clone: clone(succeeded, { metadata: gone }),
      snapshot: { ...snapshot, own: false },
      target: ours,
      unbound: ['a'],
    },
    { do: 'removeFinalizer' },
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, step]) => expect(planClone({ ...base, ...given })).toEqual(step))
