import type { FreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import { expect, test } from 'vitest'
import type { SnapshotObserved } from './snapshot-plan.ts'
import { desiredStatus, type SnapshotStatus } from './snapshot-status.ts'
import { content, snapshot, vm } from './testing/still-world.ts'

const created = '2026-01-01T00:00:00Z'
const early = new Date('2026-01-01T00:01:00Z')
const late = new Date('2026-01-01T00:05:01Z')
const deletionTimestamp = '2026-01-01T00:00:30Z'
const cutAt = '2026-01-01T00:00:20Z'

const inProgress: SnapshotStatus = { phase: 'InProgress', readyToUse: false, sourceUID: 'uid-of-my-vm' }
const ours = { uid: 'uid-of-my-vm', lock: 'ours', blocked: undefined } as const
const waiting = { ...ours, lock: 'none', blocked: 'Source not locked snapshot "other" in progress' } as const
const agent: FreezeReport = { attempt: 1, guest: 'agent', held: true }

function standing(
  status?: Parameters<typeof content>[0],
  {
    report,
    cut = false,
    ...options
  }: { report?: FreezeReport; cut?: boolean } & NonNullable<Parameters<typeof content>[1]> = {},
): SnapshotObserved['content'] {
  return { object: content(status, options), finalizer: true, cut, thawOwed: false, parked: false, report, cuts: [] }
}

const base: SnapshotObserved = {
  now: early,
  snapshot: snapshot(inProgress),
  source: ours,
  content: undefined,
  problem: undefined,
  usedBy: [],
}

/** The status as its table has it: phase, conditions and what else is said. */
const shown = (given: Partial<SnapshotObserved>) => {
  const { conditions = [], ...status } = desiredStatus({ ...base, ...given })
  return {
    ...status,
    ...Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`])),
  }
}
const notReady = { readyToUse: false, Ready: 'False Not ready' }
const failing = { Failure: 'True snapshot deadline exceeded' }

const cases: Record<string, [Partial<SnapshotObserved>, object]> = {
  'c.2-2 the first status of a snapshot whose source exists': [
    { snapshot: snapshot(), source: { ...ours, lock: 'none' } },
    { phase: 'InProgress', sourceUID: 'uid-of-my-vm', Progressing: 'False Source not locked', ...notReady },
  ],
  'c.2-2 the first status of a snapshot without source': [
    { snapshot: snapshot(), source: undefined },
    { phase: 'InProgress', Progressing: 'False Source does not exist', ...notReady },
  ],
  'c.3-1 the deadline has passed': [
    { now: late },
    { phase: 'Failed', Progressing: 'False Operation failed', ...notReady, ...failing },
  ],
  'c.3-1 failed already, whatever the clock and the content say': [
    { snapshot: snapshot({ ...inProgress, phase: 'Failed' }), content: standing({ creationTime: cutAt }) },
    { phase: 'Failed', Progressing: 'False Operation failed', ...failing },
  ],
  'c.3-1 the deadline has passed while it is deleted': [
    { now: late, snapshot: snapshot(inProgress, { metadata: { deletionTimestamp } }) },
    { phase: 'Failed', Progressing: 'False Operation failed', ...failing },
  ],
  'c.3-2 the content is created': [
    { content: standing({ creationTime: cutAt, readyToUse: false }) },
    { phase: 'Succeeded', creationTime: cutAt, Progressing: 'False Operation complete', ...notReady },
  ],
  'c.3-2 succeeded already, whatever the clock says': [
    { now: late, snapshot: snapshot({ ...inProgress, phase: 'Succeeded' }), content: standing({ readyToUse: false }) },
    { phase: 'Succeeded', Progressing: 'False Operation complete', ...notReady },
  ],
  'c.3-2 with the volumes that are in it': [
    {
      content: standing(
        { creationTime: cutAt, readyToUse: true },
        {
          of: vm([
            { name: 'root', persistentVolumeClaim: { claimName: 'root-claim' } },
            { name: 'seed', cloudInitNoCloud: { userData: '' } },
          ]),
        },
      ),
    },
    { snapshotVolumes: { includedVolumes: ['root'], excludedVolumes: ['seed'] } },
  ],
  'c.3-3 the source is locked': [
    {},
    { phase: 'InProgress', Progressing: 'True Source locked and operation in progress', ...notReady },
  ],
  'c.3-4 the source is not locked': [
    { source: waiting },
    { phase: 'InProgress', Progressing: `False ${waiting.blocked}`, ...notReady },
  ],
  'c.3-4 a half lock is no lock': [
    { source: { ...ours, lock: 'half' } },
    { phase: 'InProgress', Progressing: 'False Source not locked' },
  ],
  'c.3-5 no source': [
    { source: undefined },
    { phase: 'InProgress', Progressing: 'False Source does not exist', ...notReady },
  ],
  'c.3-6 deleted while locked': [
    { snapshot: snapshot(inProgress, { metadata: { deletionTimestamp } }) },
    { phase: 'Deleting', Progressing: 'False VM snapshot is deleting', ...notReady },
  ],
  'c.3-6 deleted without source': [
    { source: undefined, snapshot: snapshot(inProgress, { metadata: { deletionTimestamp } }) },
    { phase: 'Deleting', Progressing: 'False VM snapshot is deleting' },
  ],
  'c.3-6 deleted after success, it stays Succeeded': [
    {
      content: standing({ creationTime: cutAt, readyToUse: true }),
      snapshot: snapshot({ ...inProgress, phase: 'Succeeded' }, { metadata: { deletionTimestamp } }),
    },
    { phase: 'Succeeded', Progressing: 'False Operation complete' },
  ],
  'c.3 ready when the content is': [
    { content: standing({ creationTime: cutAt, readyToUse: true }) },
    { phase: 'Succeeded', readyToUse: true, Ready: 'True Ready' },
  ],
  'c.3 an error of the content is shown and stands in for the progress, the phase stays': [
    { content: standing({ readyToUse: false, error: { message: 'no space', time: created } }) },
    {
      phase: 'InProgress',
      error: { message: 'no space', time: created },
      Progressing: 'False In error state',
      ...notReady,
    },
  ],
  'c.3 an error after success as well': [
    { content: standing({ creationTime: cutAt, readyToUse: false, error: { message: 'lost', time: created } }) },
    { phase: 'Succeeded', Progressing: 'False In error state', ...notReady },
  ],
  'c.3 a failed snapshot with an error says In error state': [
    { now: late, content: standing({ readyToUse: false, error: { message: 'no space', time: created } }) },
    { phase: 'Failed', error: { message: 'no space', time: created }, Progressing: 'False In error state', ...failing },
  ],
  'c.3 the error of a failed snapshot outlives its content': [
    {
      now: late,
      snapshot: snapshot({ ...inProgress, phase: 'Failed', error: { message: 'no space', time: created } }),
    },
    { phase: 'Failed', error: { message: 'no space', time: created }, Progressing: 'False In error state' },
  ],
  'c.3 a succeeded snapshot whose content is missing says so': [
    { snapshot: snapshot({ ...inProgress, phase: 'Succeeded', virtualMachineSnapshotContentName: 'c' }) },
    {
      phase: 'Succeeded',
      error: { message: 'VirtualMachineSnapshotContent c missing', time: '2026-01-01T00:01:00Z' },
      Progressing: 'False In error state',
      ...notReady,
    },
  ],
  'c.3 W-23 what stands in the way of the content is an error of its own': [
    { problem: '2 matching VolumeSnapshotClasses for fast' },
    {
      phase: 'InProgress',
      error: { message: '2 matching VolumeSnapshotClasses for fast', time: '2026-01-01T00:01:00Z' },
      Progressing: 'False In error state',
    },
  ],
  'c.3 W-01 a lost status comes back from the content, past the deadline, too': [
    {
      now: late,
      snapshot: snapshot(),
      source: undefined,
      content: standing({ creationTime: cutAt, readyToUse: true }, { report: agent }),
    },
    {
      phase: 'Succeeded',
      readyToUse: true,
      creationTime: cutAt,
      sourceUID: 'uid-of-my-vm',
      virtualMachineSnapshotContentName: 'vmsnapshot-content-uid-of-snap',
      Progressing: 'False Operation complete',
      Ready: 'True Ready',
      indications: ['GuestAgent', 'Online'],
    },
  ],
  'c.3 W-02 what is cut succeeds, although the deadline has passed': [
    { now: late, content: standing({ creationTime: cutAt, readyToUse: false }) },
    { phase: 'Succeeded' },
  ],
  'c.3 W-02 what is all cut does not fail for the clock while its status is still to come': [
    { now: late, content: standing(undefined, { cut: true }) },
    { phase: 'InProgress' },
  ],
  'c.3 W-29 the source is the one that was captured': [
    { source: { ...ours, uid: 'uid-of-a-namesake' }, content: standing() },
    { sourceUID: 'uid-of-my-vm' },
  ],
  'c.9 a volume that could have been included and was not is told last': [
    { content: standing({ creationTime: cutAt }, { report: agent, volumes: [] }) },
    { indications: ['GuestAgent', 'Online', 'PartialSnapshot'] },
  ],
  'c.10 a deadline of zero never passes': [
    { now: late, snapshot: snapshot(inProgress, { failureDeadline: '0' }) },
    { phase: 'InProgress' },
  ],
  'c.10 a negative deadline has passed': [
    { snapshot: snapshot(inProgress, { failureDeadline: '-1s' }) },
    { phase: 'Failed', ...failing },
  ],
  'c.10 waiting for a source counts': [
    { now: late, source: undefined },
    { phase: 'Failed', ...failing },
  ],
  'c.10 waiting for a lock counts': [
    { now: late, source: waiting },
    { phase: 'Failed', ...failing },
  ],
  'c.10 the very instant of the deadline is in time': [
    { now: new Date('2026-01-01T00:05:00Z') },
    { phase: 'InProgress' },
  ],
  'c.10 a required consistency that cannot be reached fails it early, with the reason': [
    { content: standing(undefined, { report: { attempt: 1, guest: 'no-agent', refused: 'no agent' } }) },
    { phase: 'Failed', Progressing: 'False Operation failed', Failure: 'True no agent' },
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, expected]) => expect(shown(given)).toMatchObject(expected))

test('c.9 nothing is said of the guest before it is known what was achieved', () =>
  expect(shown({ content: standing(undefined, { report: agent }) })).not.toHaveProperty('indications'))

test('c.9 an offline snapshot has no indications, and loses those it had', () => {
  const offline = standing({ creationTime: cutAt }, { report: { attempt: 1, guest: 'offline' } })
  expect(shown({ content: offline })).not.toHaveProperty('indications')
  const said = {
    sourceIndications: [{ indication: 'Online' as const, message: 'x' }],
    indications: ['Online' as const],
  }
  const before = snapshot({ ...inProgress, ...said })
  expect(shown({ snapshot: before, content: offline })).toMatchObject({ indications: [], sourceIndications: [] })
})

test('c.3 a content that is missing is no error of a snapshot that is going, or that has none yet', () => {
  const going = snapshot({ ...inProgress, phase: 'Succeeded' }, { metadata: { deletionTimestamp } })
  expect(shown({ snapshot: going })).not.toHaveProperty('error')
  expect(shown({})).not.toHaveProperty('error')
})

test('c.3 a cleared error is cleared', () => {
  const old = snapshot({ ...inProgress, error: { message: 'no space', time: created } })
  expect(shown({ snapshot: old, content: standing({ readyToUse: false }) })).not.toHaveProperty('error')
})

test('a.2 a condition that stays as it is keeps its time, and one whose reason alone changes does not', () => {
  const first = desiredStatus({ ...base, source: waiting })
  const again = desiredStatus({ ...base, now: late, snapshot: snapshot(first, { failureDeadline: '0' }) })
  const [progressing, ready] = again.conditions ?? []
  expect([progressing?.type, ready?.type]).toEqual(['Progressing', 'Ready'])
  expect(progressing?.lastTransitionTime).toBe('2026-01-01T00:05:01Z')
  expect(ready?.lastTransitionTime).toBe('2026-01-01T00:01:00Z')
})
