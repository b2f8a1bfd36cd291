import { expect, test } from 'vitest'
import { planRestore, type RestoreObserved, type RestoreStep } from './restore-plan.ts'
import { base, bound, entry, planned, restore, target, waiting } from './testing/observed-restore.ts'

const retained = { volume: 'pv-1', claim: 'absent', reserved: false, ownerGone: false } as const
const failure = { type: 'Failure', status: 'True' as const, reason: 'no' }
const running = { ...target, running: true, restoreInProgress: undefined }
const switched = { ...target, switched: true }
const unlocked = { ...switched, restoreInProgress: undefined }
const fenced = { ...target, fenced: true }
const ownerless = { metadata: { ownerReferences: [] } }
const deleted = { metadata: { deletionTimestamp: '2026-01-01T00:00:30Z' } }
const done = { ...planned, complete: true }
const told = [{ type: 'Progressing', status: 'False' as const, reason: 'VM restore is deleting' }]

const cases: Record<string, [Partial<RestoreObserved>, RestoreStep]> = {
  'given up, a switch that is still on its way is made a conflict before anything is undone': [
    { restore: restore({ ...planned, conditions: told }, deleted), retained: [{ ...retained, claim: 'ours' }] },
    { do: 'fence' },
  ],
  'given up and undone, the target says so no more, and is unlocked after that': [
    { restore: restore({ ...planned, conditions: told }, deleted), target: fenced },
    { do: 'unfence' },
  ],
  'given up, a claim that was replaced in place goes first': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      target: fenced,
      retained: [{ ...retained, claim: 'ours' }],
    },
    { do: 'removeRestored', volume: 'pv-1' },
  ],
  'given up, the old volume is reserved for its claim': [
    { restore: restore({ ...planned, conditions: told }, deleted), target: fenced, retained: [retained] },
    { do: 'rebind', volume: 'pv-1' },
  ],
  'given up when the owner of the old claim is gone, its volume goes the same way': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      target: undefined,
      retained: [{ ...retained, ownerGone: true }],
    },
    { do: 'releaseRetained', volumes: ['pv-1'], keepData: false },
  ],
  'given up, the old claim is made again': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      target: fenced,
      retained: [{ ...retained, reserved: true }],
    },
    { do: 'claimAgain', volume: 'pv-1' },
  ],
  'given up, the old volume is as before when its claim is back': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      target: fenced,
      retained: [{ ...retained, claim: 'back' }],
    },
    { do: 'releaseRolledBack', volume: 'pv-1' },
  ],
  'given up, a foreign claim of the name is not touched and the volume kept': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      target: fenced,
      retained: [{ ...retained, claim: 'other' }],
    },
    { do: 'releaseRetained', volumes: ['pv-1'], keepData: true },
  ],
  'given up, it waits for a claim that is going away': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      target: fenced,
      retained: [{ ...retained, claim: 'deleting' }],
    },
    { do: 'wait' },
  ],
  'failed before the switch, it goes back as well': [
    { restore: restore({ ...planned, conditions: [failure] }), target: fenced, retained: [retained] },
    { do: 'rebind', volume: 'pv-1' },
  ],
  'failed after the switch, it gives back the lock only': [
    { restore: restore({ ...planned, conditions: [failure] }), target: switched, retained: [retained] },
    { do: 'unlock' },
  ],
  'the old volumes go when the new claims are bound': [
    { target: switched, retained: [retained] },
    { do: 'deleteObsolete' },
  ],
  'the old volumes stay while a new claim waits for its first use': [
    { target: switched, retained: [retained], claims: [{ ...bound, phase: 'Pending', waitsForConsumer: true }] },
    { do: 'unlock' },
  ],
  'deleted when complete, it lets the old volumes go': [
    { restore: restore({ ...done, conditions: told }, deleted), target: unlocked, retained: [retained] },
    { do: 'releaseRetained', volumes: ['pv-1'], keepData: false },
  ],
  'deleted before the new claims are bound, it keeps the old data': [
    {
      restore: restore({ ...done, conditions: told }, deleted),
      target: unlocked,
      retained: [retained],
      claims: [{ ...bound, phase: 'Pending', waitsForConsumer: true }],
    },
    { do: 'releaseRetained', volumes: ['pv-1'], keepData: true },
  ],
  'deleted with its VM, it lets the old volumes go': [
    {
      restore: restore({ ...done, conditions: told }, deleted),
      target: undefined,
      retained: [retained],
      claims: [{ ...bound, claim: 'absent' }],
    },
    { do: 'releaseRetained', volumes: ['pv-1'], keepData: false },
  ],
  'd.2-8 W-20 waits for pods that hold a claim of the target': [
    { target: { ...target, restoreInProgress: undefined }, pods: { count: 2, claims: ['a', 'b'] } },
    { do: 'problem', text: 'restore target vm is offline but 2 pods using PVCs [a b]' },
  ],
  'makes no new VM in the place of one that was deleted under it': [
    { target: undefined },
    { do: 'problem', text: 'VirtualMachine vm was deleted; this restore goes with it' },
  ],
  'a lost status gets its list of restored volumes back, also after the switch': [
    { restore: restore({ conditions: planned.conditions }), target: switched },
    { do: 'planVolumes', entries: [entry] },
  ],
  'd.2-1 initialises': [{ restore: restore(undefined) }, { do: 'initialise' }],
  'd.2-4 belongs to its target': [{ restore: restore(planned, { metadata: { ownerReferences: [] } }) }, { do: 'own' }],
  'd.2-4 has its finalizer before anything else': [
    { restore: restore(planned, { metadata: { finalizers: [] } }) },
    { do: 'own' },
  ],
  'd.4 waits out the grace period with a timer': [
    { target: running },
    { do: 'waitForTarget', policy: 'WaitGracePeriod', recheckMs: 240_001 },
  ],
  'd.4 fails when the grace period is over': [
    { target: running, now: new Date('2026-01-01T00:05:01Z') },
    {
      do: 'fail',
      reason: 'Restore target failed to be ready within 5m0s. Please power off the target VM before attempting restore',
    },
  ],
  'd.4 proceeds however late the target got ready': [{ now: new Date('2026-01-01T01:00:00Z') }, { do: 'switchTarget' }],
  'd.4 waits without limit': [
    { target: running, restore: restore(planned, { spec: { targetReadinessPolicy: 'WaitEventually' } }) },
    { do: 'waitForTarget', policy: 'WaitEventually' },
  ],
  'does not stop a guest for a restore that cannot be done': [
    {
      target: running,
      restore: restore(planned, { spec: { targetReadinessPolicy: 'StopTarget' } }),
      snapshotProblem: 'not ready',
    },
    { do: 'problem', text: 'not ready' },
  ],
  'd.4 stops the target': [
    { target: running, restore: restore(planned, { spec: { targetReadinessPolicy: 'StopTarget' } }) },
    { do: 'stopTarget' },
  ],
  'd.4 stops it only once': [
    {
      target: { ...running, stopping: true },
      restore: restore(planned, { spec: { targetReadinessPolicy: 'StopTarget' } }),
    },
    { do: 'waitForTarget', policy: 'StopTarget' },
  ],
  'd.4 fails at once': [
    { target: running, restore: restore(planned, { spec: { targetReadinessPolicy: 'FailImmediate' } }) },
    { do: 'fail', reason: 'Restore target VMI must be powered off before restore operation' },
  ],
  'd.2-6 waits for a snapshot that is not ready': [
    { snapshotProblem: 'VMSnapshot ns/snap not ready' },
    { do: 'problem', text: 'VMSnapshot ns/snap not ready' },
  ],
  'd.2-7 does not touch another VM': [
    { sourceName: 'other' },
    { do: 'problem', text: 'restore source and restore target are different but restore target already exists' },
  ],
  'd.2-8 d.5 locks': [{ target: { ...target, restoreInProgress: undefined } }, { do: 'lock' }],
  'd.5 respects the lock of another restore': [
    { target: { ...target, restoreInProgress: 'first' } },
    { do: 'problem', text: 'vm restore first in progress' },
  ],
  'd.5 W-20 respects the lock of a snapshot': [
    { target: { ...target, restoreInProgress: undefined, snapshotInProgress: 's' } },
    { do: 'problem', text: 'vm snapshot s in progress' },
  ],
  'd.2-9 d.6-1 writes its plan before it creates anything': [
    { restore: restore({ complete: false, conditions: waiting }), claims: [] },
    { do: 'planVolumes', entries: [entry] },
  ],
  'd.6-1 W-12 fails clearly when the plan would touch foreign data': [
    { restore: restore({ complete: false, conditions: waiting }), volumes: { refused: 'no' }, claims: [] },
    { do: 'fail', reason: 'no' },
  ],
  'd.6-2 creates what is absent': [
    { claims: [{ ...bound, claim: 'absent' }] },
    { do: 'createClaims', entries: [entry] },
  ],
  'd.6-2 W-12 a claim counts as restored only when this restore made it': [
    { claims: [{ ...bound, claim: 'other' }] },
    {
      do: 'fail',
      reason: 'PVC new for volume root exists and does not belong to this restore; choose another name',
    },
  ],
  'd.6-2 in place it makes room': [
    {
      claims: [{ ...bound, claim: 'other' }],
      restore: restore(planned, { spec: { volumeRestorePolicy: 'InPlace' } }),
    },
    { do: 'replaceClaim', entry },
  ],
  'd.6-2 W-13 in place it makes no room in what the target does not use': [
    {
      claims: [{ ...bound, claim: 'other', usedByTarget: false }],
      restore: restore(planned, { spec: { volumeRestorePolicy: 'InPlace' } }),
    },
    { do: 'fail', reason: 'PVC new for volume root is not used by the target VM, so it is not replaced' },
  ],
  'd.6-3 in place it makes no room while the volume snapshot is missing': [
    {
      claims: [{ ...bound, claim: 'other', volumeSnapshot: false }],
      restore: restore(planned, { spec: { volumeRestorePolicy: 'InPlace' } }),
    },
    { do: 'problem', text: 'missing volumeSnapshot vs' },
  ],
  'd.6-2 waits for pending claims': [
    { claims: [{ ...bound, phase: 'Pending' }] },
    { do: 'wait', progressing: 'Creating new PVCs', ready: 'Waiting for new PVCs' },
  ],
  'd.6-2 does not wait for a first consumer': [
    { claims: [{ ...bound, phase: 'Pending', waitsForConsumer: true }] },
    { do: 'switchTarget' },
  ],
  'd.6-2 says when a storage class is missing': [
    { claims: [{ ...bound, phase: 'Pending', waitsForConsumer: undefined }] },
    { do: 'problem', text: 'storage class of PVC ns/new does not exist' },
  ],
  'd.6-2 says when a claim is lost': [
    { claims: [{ ...bound, phase: 'Lost' }] },
    { do: 'problem', text: 'PVC ns/new in status "Lost"' },
  ],
  'd.8 creates DataVolumes for the claims': [
    { dataVolumes: [{ name: 'new', settled: false, missing: true }] },
    { do: 'createDataVolumes', names: ['new'] },
  ],
  'd.8 waits until they are settled': [
    { dataVolumes: [{ name: 'new', settled: false, missing: false }] },
    { do: 'wait', progressing: 'Updating target spec', ready: 'Waiting for target update' },
  ],
  'd.8 notes what it will delete before it switches': [{ obsolete: ['old'] }, { do: 'noteObsolete', names: ['old'] }],
  'd.2-10 switches the target': [{}, { do: 'switchTarget' }],
  'd.2-10 creates a target that does not exist': [
    { target: undefined, restore: restore(planned, ownerless) },
    { do: 'switchTarget' },
  ],
  'd.2-6 W-18 switched, a snapshot that is gone is not missed': [
    { target: switched, snapshotProblem: 'VMSnapshot ns/snap does not exist' },
    { do: 'unlock' },
  ],
  'd.2-10 W-15 switched, it hands over first, however often it is interrupted': [
    { target: switched, toHandOver: 1, toDelete: 1 },
    { do: 'handOver' },
  ],
  'd.2-11 d.10 then deletes what was replaced': [{ target: switched, toDelete: 1 }, { do: 'deleteObsolete' }],
  'd.10 W-16 keeps what was replaced while the new is not bound': [
    { target: switched, toDelete: 1, claims: [{ ...bound, phase: 'Pending', waitsForConsumer: true }] },
    { do: 'unlock' },
  ],
  'd.2-13 completes': [{ target: { ...switched, restoreInProgress: undefined } }, { do: 'complete' }],
  'complete, it deletes what was replaced when the new is bound': [
    { restore: restore(done), target: { ...switched, restoreInProgress: undefined }, toDelete: 1 },
    { do: 'deleteObsolete' },
  ],
  'd.2-3 complete, it rests': [
    { restore: restore(done), target: { ...switched, restoreInProgress: undefined } },
    { do: 'wait' },
  ],
  'd.2-3 failed, it gives the lock back': [
    { restore: restore({ ...planned, conditions: [{ type: 'Failure', status: 'True', reason: 'x' }] }) },
    { do: 'unlock' },
  ],
  'd.12 deleted, it says so': [{ restore: restore(planned, deleted) }, { do: 'writeDeleting' }],
  'deleted halfway, it first makes a switch that is still on its way a conflict': [
    { restore: restore({ ...planned, conditions: told }, deleted), halfMade: 1 },
    { do: 'unlock' },
  ],
  'd.12 W-17 deleted halfway, it then removes what it made': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      halfMade: 1,
      target: { ...target, restoreInProgress: undefined },
    },
    { do: 'discard' },
  ],
  'a target started just before it was locked is unlocked, so that it can be stopped': [
    { target: { ...target, running: true } },
    { do: 'unlock' },
  ],
  'without its list of new disks nothing old is deleted': [
    {
      restore: restore({ conditions: planned.conditions }),
      claims: [],
      toDelete: 1,
      target: switched,
      volumes: undefined,
    },
    { do: 'unlock' },
  ],
  'a list of new disks that was lost after the switch is made again': [
    { restore: restore({ conditions: planned.conditions }), claims: [], target: switched },
    { do: 'planVolumes', entries: [entry] },
  ],
  'deleted after the switch, it still hands over': [
    { restore: restore({ ...planned, conditions: told }, deleted), toHandOver: 1, target: switched },
    { do: 'handOver' },
  ],
  'd.12 deleted after the switch, it leaves the new disks alone and unlocks': [
    { restore: restore({ ...planned, conditions: told }, deleted), halfMade: 1, target: switched },
    { do: 'unlock' },
  ],
  'deleted after the switch, it still takes the old disks away when the new ones are bound': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      toDelete: 1,
      target: { ...switched, restoreInProgress: undefined },
    },
    { do: 'deleteObsolete' },
  ],
  'deleted right after the switch, it hands over first': [
    { restore: restore({ ...planned, conditions: told }, deleted), toHandOver: 1, target: switched },
    { do: 'handOver' },
  ],
  'd.12 deleted, it goes when nothing is locked': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      target: { ...target, restoreInProgress: undefined },
    },
    { do: 'removeFinalizer' },
  ],
  'd.2-2 deleted comes before everything else': [
    { restore: restore({ ...planned, conditions: told }, deleted), target: running, snapshotProblem: 'gone' },
    { do: 'removeFinalizer' },
  ],
  'd.2-3 complete, it gives back a lock that is left': [{ restore: restore(done), target: switched }, { do: 'unlock' }],
  'd.2-3 failed, it never resumes': [
    {
      restore: restore({ ...planned, conditions: [failure] }),
      target: { ...target, restoreInProgress: undefined },
    },
    { do: 'wait' },
  ],
  'd.2-4 the finalizer does not wait for a target': [
    { restore: restore(planned, { metadata: { finalizers: [], ownerReferences: [] } }), target: undefined },
    { do: 'own' },
  ],
  'd.2-4 without a target there is no owner yet': [
    { restore: restore(planned, { metadata: { ownerReferences: [] } }), target: undefined },
    { do: 'switchTarget' },
  ],
  'd.2-4 a new target becomes the owner at once': [
    { restore: restore(planned, { metadata: { ownerReferences: [] } }), target: switched },
    { do: 'own' },
  ],
  'd.2-5 a running target comes before the snapshot': [
    { target: running, snapshotProblem: 'VMSnapshot ns/snap not ready' },
    { do: 'waitForTarget', policy: 'WaitGracePeriod', recheckMs: 240_001 },
  ],
  'd.2-6 the snapshot comes before another VM': [
    { snapshotProblem: 'VMSnapshot ns/snap not ready', sourceName: 'other' },
    { do: 'problem', text: 'VMSnapshot ns/snap not ready' },
  ],
  'd.2-6 a target that does not exist waits for the snapshot as well': [
    { target: undefined, restore: restore(planned, ownerless), snapshotProblem: 'VMSnapshot ns/snap not ready' },
    { do: 'problem', text: 'VMSnapshot ns/snap not ready' },
  ],
  'd.2-7 another VM comes before the lock': [
    { sourceName: 'other', target: { ...target, restoreInProgress: 'first' } },
    { do: 'problem', text: 'restore source and restore target are different but restore target already exists' },
  ],
  'd.2-8 d.5 a target that does not exist is not locked': [
    { target: undefined, restore: restore({ complete: false, conditions: waiting }, ownerless), claims: [] },
    { do: 'planVolumes', entries: [entry] },
  ],
  'd.2-12 then it unlocks': [{ target: switched }, { do: 'unlock' }],
  'd.5 a target that carries the mark is not locked again': [
    { target: { ...switched, restoreInProgress: undefined } },
    { do: 'complete' },
  ],
  'd.5 the lock of another restore is never given back': [
    {
      restore: restore({ ...planned, conditions: told }, deleted),
      target: { ...target, restoreInProgress: 'first' },
    },
    { do: 'removeFinalizer' },
  ],
  'd.6-1 entries that are present are kept as they are': [
    { volumes: { entries: [{ ...entry, persistentVolumeClaim: 'another' }] } },
    { do: 'switchTarget' },
  ],
  'd.6-2 waits for a claim that is going away': [
    { claims: [{ ...bound, claim: 'deleting' }] },
    { do: 'wait', progressing: 'Creating new PVCs', ready: 'Waiting for new PVCs' },
  ],
  'd.6-3 says when a volume snapshot is missing': [
    { claims: [{ ...bound, claim: 'absent', volumeSnapshot: false }] },
    { do: 'problem', text: 'missing volumeSnapshot vs' },
  ],
  'd.8 settled ones are no reason to wait': [
    { dataVolumes: [{ name: 'new', settled: true, missing: false }] },
    { do: 'switchTarget' },
  ],
  'd.8 what is noted already is not noted again': [
    { restore: restore({ ...planned, deletedDataVolumes: ['old'] }), obsolete: ['old'] },
    { do: 'switchTarget' },
  ],
  'd.10 of a new target nothing is noted to be deleted': [
    { target: undefined, restore: restore(planned, ownerless), obsolete: ['old'] },
    { do: 'switchTarget' },
  ],
  'd.10 W-16 one of several new claims that is not bound keeps what was replaced': [
    {
      target: switched,
      toDelete: 1,
      claims: [bound, { ...bound, phase: 'Pending', waitsForConsumer: true }],
    },
    { do: 'unlock' },
  ],
  'd.12 one of several new claims that is not bound keeps the old data': [
    {
      restore: restore({ ...done, conditions: told }, deleted),
      target: unlocked,
      retained: [retained],
      claims: [bound, { ...bound, phase: 'Pending', waitsForConsumer: true }],
    },
    { do: 'releaseRetained', volumes: ['pv-1'], keepData: true },
  ],
  'd.12 deleted without its finalizer, nothing is done': [
    {
      restore: restore(planned, { metadata: { deletionTimestamp: '2026-01-01T00:00:30Z', finalizers: [] } }),
      halfMade: 1,
    },
    { do: 'wait' },
  ],
  'd.12 deleted, it gives back the lock it holds': [
    { restore: restore({ ...planned, conditions: told }, deleted) },
    { do: 'unlock' },
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, step]) => expect(planRestore({ ...base, ...given })).toEqual(step))
