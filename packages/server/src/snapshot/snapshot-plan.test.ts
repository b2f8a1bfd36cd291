import { receiptAnnotation } from '@stillpoint/api/snapshot/keys'
import { expect, test } from 'vitest'
import { receiptOf } from './receipt.ts'
import { planSnapshot, type SnapshotObserved, type SnapshotStep } from './snapshot-plan.ts'
import { desiredStatus, type SnapshotStatus } from './snapshot-status.ts'
import { content, snapshot } from './testing/still-world.ts'

const early = new Date('2026-01-01T00:01:00Z')
const late = new Date('2026-01-01T00:05:01Z')
const deletionTimestamp = '2026-01-01T00:00:30Z'
const cutAt = '2026-01-01T00:00:20Z'
const leftMs = 240_001

const ours = { uid: 'uid-of-my-vm', lock: 'ours', blocked: undefined } as const
const free = { ...ours, lock: 'none' } as const
const inProgress: SnapshotStatus = { phase: 'InProgress', readyToUse: false, sourceUID: 'uid-of-my-vm' }
const gone = { metadata: { deletionTimestamp } }
const retain = { deletionPolicy: 'Retain' }

type Standing = NonNullable<SnapshotObserved['content']>
function standing(
  status?: Parameters<typeof content>[0],
  { metadata, ...changes }: Partial<Standing> & { metadata?: object } = {},
): Standing {
  return {
    object: content(status, metadata === undefined ? {} : { metadata }),
    finalizer: true,
    cut: false,
    thawOwed: false,
    parked: false,
    report: { attempt: 1, guest: 'offline' },
    cuts: [],
    ...changes,
  }
}
const ready = { creationTime: cutAt, readyToUse: true }
const base: SnapshotObserved = {
  now: early,
  snapshot: snapshot(inProgress),
  source: ours,
  content: undefined,
  problem: undefined,
  usedBy: [],
}

/** As it is when everything there is to write has been written: receipt and status say what is. */
function written(given: Partial<SnapshotObserved>): SnapshotObserved {
  let observed = { ...base, ...given }
  for (let pass = 0; pass < 3; pass += 1) {
    const step = planSnapshot(observed)
    const { metadata } = observed.snapshot
    if (step.do === 'writeReceipt')
      observed = {
        ...observed,
        snapshot: {
          ...observed.snapshot,
          metadata: { ...metadata, annotations: { [receiptAnnotation]: JSON.stringify(step.receipt) } },
        },
      }
    else if (step.do === 'writeStatus')
      observed = { ...observed, snapshot: { ...observed.snapshot, status: step.status } }
    else return observed
  }
  throw new Error('there is no end to what is written')
}

const next: Record<string, [Partial<SnapshotObserved>, SnapshotStep]> = {
  'c.2-3 a source that is free is locked': [{ source: free }, { do: 'lock' }],
  'c.2-3 a half lock is completed': [{ source: { ...ours, lock: 'half' } }, { do: 'lock' }],
  'c.2-3 a source that is not free is waited for until the deadline': [
    { source: { ...free, blocked: 'Source not locked snapshot "other" in progress' } },
    { do: 'wait', recheckMs: leftMs },
  ],
  'c.2-3 pods are looked at again after 5 s, for they are not watched': [
    { source: { ...free, blocked: 'Source not locked source is offline but 1 pods using PVCs [a]' } },
    { do: 'wait', recheckMs: 5_000 },
  ],
  'c.2-4 with the lock, the content is created': [{}, { do: 'createContent' }],
  'c.2-4 W-23 what keeps the content from being created is looked at again': [
    { problem: '2 matching VolumeSnapshotClasses for fast' },
    { do: 'wait', recheckMs: 5_000 },
  ],
  'c.2-5 then the content is waited for until the deadline': [
    { content: standing() },
    { do: 'wait', recheckMs: leftMs },
  ],
  'c.2-9 succeeded, it unlocks': [{ content: standing(ready) }, { do: 'unlock' }],
  'c.2-9 succeeded but not ready, it unlocks as well': [
    { content: standing({ creationTime: cutAt, readyToUse: false }) },
    { do: 'unlock' },
  ],
  'c.2-9 a half unlock is completed': [
    { content: standing(ready), source: { ...ours, lock: 'half' } },
    { do: 'unlock' },
  ],
  'c.2-9 W-03 it does not unlock while a thaw is owed': [
    { content: standing(ready, { thawOwed: true }) },
    { do: 'wait' },
  ],
  'c.2-10 unlocked, it rests': [{ content: standing(ready), source: free }, { do: 'wait' }],
  'c.3-5 a source that does not exist is waited for until the deadline': [
    { source: undefined },
    { do: 'wait', recheckMs: leftMs },
  ],
  'c.10 without a deadline nothing is timed': [
    { source: undefined, snapshot: snapshot(inProgress, { failureDeadline: '0' }) },
    { do: 'wait' },
  ],
  'c.10 a very long deadline is waited for in days': [
    { source: undefined, snapshot: snapshot(inProgress, { failureDeadline: '9000h' }) },
    { do: 'wait', recheckMs: 86_400_000 },
  ],
  'c.10 failed, its content is deleted': [{ now: late, content: standing() }, { do: 'deleteContent' }],
  'c.10 failed, the lock stays while the content is going': [
    { now: late, content: standing(undefined, { metadata: { deletionTimestamp } }) },
    { do: 'wait' },
  ],
  'c.10 failed, without content it unlocks': [{ now: late }, { do: 'unlock' }],
  'c.10 failed and unlocked, it stays with its finalizer': [{ now: late, source: free }, { do: 'wait' }],
  'c.10 failed, a content that is not ready goes whatever the policy': [
    { now: late, snapshot: snapshot(inProgress, retain), content: standing() },
    { do: 'deleteContent' },
  ],
  'c.10 W-02 what is cut is not thrown away at the deadline': [
    { now: late, content: standing(undefined, { cut: true }) },
    { do: 'wait', recheckMs: 5_000 },
  ],
  'c.10 W-01 nor when the status is lost': [
    { now: late, snapshot: snapshot(), source: free, content: standing(ready) },
    { do: 'wait' },
  ],
  'c.11-1 deleted in progress, the content goes first': [
    { snapshot: snapshot(inProgress, gone), content: standing() },
    { do: 'deleteContent' },
  ],
  'c.11-1 the lock stays while the content is going': [
    { snapshot: snapshot(inProgress, gone), content: standing(undefined, { metadata: { deletionTimestamp } }) },
    { do: 'wait' },
  ],
  'c.11-1 then the VM is unlocked': [{ snapshot: snapshot(inProgress, gone) }, { do: 'unlock' }],
  'c.11-1 and the finalizer goes last': [
    { snapshot: snapshot(inProgress, gone), source: free },
    { do: 'removeFinalizer' },
  ],
  'c.11-2 deleted after success, the content is deleted': [
    { snapshot: snapshot(inProgress, gone), source: free, content: standing(ready) },
    { do: 'deleteContent' },
  ],
  'c.11-2 and the finalizer goes without waiting for it': [
    {
      snapshot: snapshot(inProgress, gone),
      source: free,
      content: standing(ready, { metadata: { deletionTimestamp } }),
    },
    { do: 'removeFinalizer' },
  ],
  'c.11-3 to be retained and ready, the content is let go of': [
    { snapshot: snapshot(inProgress, { ...gone, ...retain }), source: free, content: standing(ready) },
    { do: 'releaseContent' },
  ],
  'c.11-3 and then the finalizer goes': [
    {
      snapshot: snapshot(inProgress, { ...gone, ...retain }),
      source: free,
      content: standing(ready, { finalizer: false }),
    },
    { do: 'removeFinalizer' },
  ],
  'c.11-4 to be retained but not ready, the content is deleted': [
    {
      snapshot: snapshot(inProgress, { ...gone, ...retain }),
      source: free,
      content: standing({ creationTime: cutAt, readyToUse: false }),
    },
    { do: 'deleteContent' },
  ],
  'c.11-5 deleted after failure, it goes': [
    { now: late, snapshot: snapshot(inProgress, gone), source: free },
    { do: 'removeFinalizer' },
  ],
  'c.11-6 deleted when the source is gone, the finalizer goes at once': [
    { snapshot: snapshot(inProgress, gone), source: undefined },
    { do: 'removeFinalizer' },
  ],
  'c.11 the finalizer never goes before the lock': [
    { snapshot: snapshot(inProgress, { ...gone, ...retain }), content: standing(ready) },
    { do: 'unlock' },
  ],
  'c.11 nor while a thaw is owed': [
    { snapshot: snapshot(inProgress, { ...gone, ...retain }), content: standing(ready, { thawOwed: true }) },
    { do: 'wait' },
  ],
  'c.11 W-18 a snapshot that a restore works with stays': [
    { snapshot: snapshot(inProgress, gone), source: free, content: standing(ready), usedBy: ['back'] },
    { do: 'holdDeletion', usedBy: ['back'] },
  ],
}
test.each(Object.entries(next))('%s', (_, [given, step]) => expect(planSnapshot(written(given))).toEqual(step))

const first: Record<string, [Partial<SnapshotObserved>, SnapshotStep['do']]> = {
  'c.2-2 the finalizer comes before everything': [
    { snapshot: snapshot(undefined, { metadata: { finalizers: [] } }) },
    'addFinalizer',
  ],
  'c.11 deleted without its finalizer, nothing is done': [
    { snapshot: snapshot(undefined, { metadata: { finalizers: [], deletionTimestamp } }) },
    'wait',
  ],
  'c.2-2 the first status comes before the lock': [{ snapshot: snapshot(), source: free }, 'writeStatus'],
  'c.2-8 the receipt is written before the phase is final': [{ content: standing(ready) }, 'writeReceipt'],
  'c.10 of a failure as well': [{ now: late }, 'writeReceipt'],
  'c.2-8 once it has succeeded, the receipt stays as it is': [
    { snapshot: snapshot({ ...inProgress, phase: 'Succeeded' }), content: standing(ready) },
    'writeStatus',
  ],
  'c.10 the receipt of a failure still takes in a thaw': [
    { snapshot: snapshot({ ...inProgress, phase: 'Failed' }), content: standing() },
    'writeReceipt',
  ],
  'c.10 and is final when the content is gone': [
    { snapshot: snapshot({ ...inProgress, phase: 'Failed' }) },
    'writeStatus',
  ],
  'c.11-1 a deletion is told before it is done': [{ snapshot: snapshot(inProgress, gone) }, 'writeStatus'],
}
test.each(Object.entries(first))('%s', (_, [given, step]) => expect(planSnapshot({ ...base, ...given }).do).toBe(step))

test('c.2-8 the status follows the receipt, and is what the tables of c.3 say', () => {
  const observed = { ...base, content: standing(ready) }
  const receipt = receiptOf({
    snapshot: observed.snapshot,
    sourceUid: 'uid-of-my-vm',
    outcome: 'Succeeded',
    reason: undefined,
    report: observed.content.report,
    cuts: [],
  })
  const annotations = { [receiptAnnotation]: JSON.stringify(receipt) }
  const { finalizers = [] } = observed.snapshot.metadata
  const told = { ...observed, snapshot: snapshot(inProgress, { metadata: { annotations, finalizers } }) }
  expect(planSnapshot(told)).toEqual({ do: 'writeStatus', status: desiredStatus(told) })
})

test('c.3-3 that the source is locked now is not worth a write when the cut takes no time', () => {
  const { snapshot: waiting } = written({ source: { ...free, blocked: 'Source not locked' } })
  const now = new Date('2026-01-01T00:00:01Z')
  expect(planSnapshot({ ...base, now, snapshot: waiting, content: standing() })).toEqual({
    do: 'wait',
    recheckMs: 1_500,
  })
  expect(planSnapshot({ ...base, now: early, snapshot: waiting, content: standing() }).do).toBe('writeStatus')
})
