import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { snapshotSteps } from './snapshot-steps.ts'
import { content, now, secondsAgo, snapshot } from './testing/objects.ts'

const created = { creationTimestamp: secondsAgo(10) }
const running = snapshot({ metadata: created, status: { phase: 'InProgress' } })
const done = snapshot({
  metadata: created,
  status: {
    phase: 'Succeeded',
    readyToUse: true,
    creationTime: secondsAgo(3),
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: secondsAgo(1) }],
  },
})
const withReport = (report: object | undefined): VirtualMachineSnapshotContent =>
  content({
    metadata: {
      creationTimestamp: secondsAgo(8),
      ...(report === undefined
        ? {}
        : { annotations: { 'snapshot.stillpoint.dev/freeze-report': JSON.stringify({ attempt: 1, ...report }) } }),
    },
    spec: {
      source: {},
      volumeBackups: [{ volumeName: 'root', persistentVolumeClaim: {}, volumeSnapshotName: 'vs-root' }],
    },
  })
const asked = { guest: 'agent', asked: secondsAgo(7) }
const frozen = { ...asked, frozen: secondsAgo(6.5) }
const cut = { ...frozen, cut: secondsAgo(6) }
const thawed = { ...cut, thawed: secondsAgo(5.5), held: true }

/** `+` done, `>` current, `.` to do, `-` skipped; in the order Preflight to Ready. */
const marks = { done: '+', current: '>', todo: '.', skipped: '-' }
const shape = (given: VirtualMachineSnapshot, kept?: VirtualMachineSnapshotContent) =>
  snapshotSteps(given, kept, now)
    .map(({ state }) => marks[state])
    .join('')

const cases: Record<string, [VirtualMachineSnapshot, VirtualMachineSnapshotContent | undefined, string]> = {
  'new': [running, undefined, '>......'],
  locked: [
    snapshot({
      metadata: created,
      status: {
        phase: 'InProgress',
        conditions: [{ type: 'Progressing', status: 'True', lastTransitionTime: secondsAgo(9) }],
      },
    }),
    undefined,
    '+>.....',
  ],
  'content made': [running, withReport(undefined), '+>.....'],
  'freeze asked for': [running, withReport(asked), '++>....'],
  frozen: [running, withReport(frozen), '+++>...'],
  cut: [running, withReport(cut), '++++>..'],
  thawed: [running, withReport(thawed), '+++++>.'],
  succeeded: [
    snapshot({ metadata: created, status: { phase: 'Succeeded', creationTime: secondsAgo(3) } }),
    withReport(thawed),
    '++++++>',
  ],
  ready: [done, withReport(thawed), '+++++++'],
  'off, being cut': [running, withReport({ guest: 'offline' }), '++->-..'],
  'off, ready': [done, withReport({ guest: 'offline' }), '++-+-++'],
  'freezing given up, thaw still owed': [running, withReport({ ...asked, unfrozen: 'no' }), '++>....'],
  'freezing given up, thawed': [running, withReport({ ...asked, unfrozen: 'no', thawed: secondsAgo(5) }), '++->-..'],
  'ready, without content or receipt, frozen by what it says': [
    { ...done, status: { ...done.status, indications: ['Online', 'GuestAgent'] } },
    undefined,
    '+++++++',
  ],
  'ready, without content or receipt': [done, undefined, '++-+-++'],
  'failed while it waited': [snapshot({ metadata: created, status: { phase: 'Failed' } }), undefined, '>------'],
  'failed while it was frozen': [
    snapshot({ metadata: created, status: { phase: 'Failed' } }),
    withReport(frozen),
    '+++>---',
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, kept, expected]) => expect(shape(given, kept)).toBe(expected))

test('each step says when it was done and how long it took', () => {
  const at = (seconds: number) => now.getTime() - seconds * 1_000
  expect(snapshotSteps(done, withReport(thawed), now)).toEqual([
    { name: 'Preflight', state: 'done', atMs: at(8), tookMs: 2_000 },
    { name: 'Preparing', state: 'done', atMs: at(7), tookMs: 1_000 },
    { name: 'Freezing', state: 'done', atMs: at(6.5), tookMs: 500 },
    { name: 'Cut', state: 'done', atMs: at(6), tookMs: 500 },
    { name: 'Thawed', state: 'done', atMs: at(5.5), tookMs: 500 },
    { name: 'Finalizing', state: 'done', atMs: at(3), tookMs: 2_500 },
    { name: 'Ready', state: 'done', atMs: at(1), tookMs: 2_000 },
  ])
})

test('the current step says when it began and how long it has taken', () =>
  expect(snapshotSteps(running, withReport(frozen), now)[3]).toEqual({
    name: 'Cut',
    state: 'current',
    atMs: now.getTime() - 6_500,
    tookMs: 6_500,
  }))

test('the step a snapshot failed in ends with it', () => {
  const conditions = [{ type: 'Failure', status: 'True' as const, lastTransitionTime: secondsAgo(4) }]
  const failed = snapshot({ metadata: created, status: { phase: 'Failed', conditions } })
  expect(snapshotSteps(failed, undefined, now)[0]).toMatchObject({ state: 'current', tookMs: 6_000 })
})

test('the receipt tells when its content is gone', () => {
  const receipt = {
    version: 1,
    snapshotUID: 'snap-uid',
    outcome: 'Succeeded',
    requested: 'Preferred',
    guest: 'agent',
    freeze: { asked: asked.asked, began: frozen.frozen, cut: cut.cut, thawed: thawed.thawed, held: true },
    volumes: [{ name: 'root', volumeSnapshotName: 'vs-root', cut: secondsAgo(6.1) }],
  }
  const annotations = { 'snapshot.stillpoint.dev/receipt': JSON.stringify(receipt) }
  const kept = { ...done, metadata: { ...done.metadata, annotations } }
  expect(shape(kept)).toBe('+++++++')
  expect(snapshotSteps(kept, undefined, now)[3]).toMatchObject({ atMs: now.getTime() - 6_000, tookMs: 500 })
})

test('without a report the last cut of the volumes counts, and only when all are cut', () => {
  const base = withReport({ guest: 'no-agent' })
  const cutAt = (creationTime: string | undefined) => ({
    ...base,
    status: { volumeSnapshotStatus: [{ volumeSnapshotName: 'vs-root', ...(creationTime ? { creationTime } : {}) }] },
  })
  expect(shape(running, cutAt(undefined))).toBe('++->-..')
  expect(shape(running, cutAt(secondsAgo(6)))).toBe('++-+->.')
})
