import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { activeRestores, lastRestored, restoreStatus, undoFor } from './restores.ts'
import { hoursAgo, now, restore, secondsAgo, snapshot, succeeded, vm } from './testing/objects.ts'

const says = (reason: string, status: 'True' | 'False' = 'False'): VirtualMachineRestore =>
  restore({ status: { conditions: [{ type: 'Progressing', status, reason }] } })
const failed = (reason?: string): VirtualMachineRestore =>
  restore({
    status: {
      conditions: [
        { type: 'Failure', status: 'True', lastTransitionTime: secondsAgo(9), ...(reason ? { reason } : {}) },
      ],
    },
  })
const complete = (hours = 1, metadata: Partial<VirtualMachineRestore['metadata']> = {}): VirtualMachineRestore =>
  restore({ metadata, status: { complete: true, restoreTime: hoursAgo(hours) } })
const deleting = { deletionTimestamp: secondsAgo(5) }
const powerOff = 'Waiting for target VM to be powered off. Please stop the restore target to proceed with restore'

const statuses: Record<string, [VirtualMachineRestore, string, Partial<ReturnType<typeof restoreStatus>>]> = {
  'nobody has seen': [restore(), 'Pending neutral', { running: true, sinceMs: 3_600_000 }],
  begins: [says('Initializing VirtualMachineRestore', 'True'), 'Starting info', { running: true }],
  'waits for the guest': [
    says(`${powerOff}, or the operation will fail after 5m0s`),
    'Waiting for the virtual machine to stop warning',
    { running: true, reason: `${powerOff}, or the operation will fail after 5m0s` },
  ],
  'stops the guest': [
    says('Automatically stopping restore target for restore operation'),
    'Stopping the virtual machine info',
    { running: true },
  ],
  'makes claims': [says('Creating new PVCs', 'True'), 'Making the disks info', { running: true }],
  switches: [says('Updating target spec', 'True'), 'Switching to the restored disks info', { running: true }],
  'is held up': [
    says('VMSnapshot shop/snap does not exist'),
    'Held up warning',
    { running: true, reason: 'VMSnapshot shop/snap does not exist' },
  ],
  'is complete': [complete(2), 'Complete success', { running: false, sinceMs: 7_200_000 }],
  'has failed': [failed('PVC taken'), 'Failed danger', { running: false, reason: 'PVC taken', sinceMs: 9_000 }],
  'has failed without a word': [failed(), 'Failed danger', { reason: 'No reason was given' }],
  'is being given up': [
    restore({ metadata: deleting }),
    'Deleting info',
    { running: true, sinceMs: 5_000, reason: 'What it has not finished is undone' },
  ],
  'is being removed after its work': [complete(1, deleting), 'Deleting info', { running: true }],
}
test.each(Object.entries(statuses))('a restore that %s', (_, [given, shown, expected]) => {
  const status = restoreStatus(given, now)
  expect(`${status.label} ${status.tone}`).toBe(shown)
  expect(status).toMatchObject(expected)
})

test('steps that go by themselves need no reason', () =>
  expect(restoreStatus(says('Creating new PVCs', 'True'), now).reason).toBeUndefined())

const entry = (hours: number) => ({ time: hoursAgo(hours), target: 'web-1', restore: 'r' })
const remembers = (...entries: unknown[]) =>
  snapshot({ metadata: { annotations: { 'snapshot.stillpoint.dev/restored': JSON.stringify(entries) } } })
const lasts: Record<string, [VirtualMachineSnapshot, VirtualMachineRestore[], string | undefined]> = {
  never: [snapshot(), [], undefined],
  'by the newest of its restores, in any order': [
    snapshot(),
    [complete(1), complete(0.5), restore(), complete(1.5)],
    hoursAgo(0.5),
  ],
  'not by those that have no time yet': [snapshot(), [restore()], undefined],
  'by its memory, when they are gone': [remembers(entry(1.5), entry(1)), [], hoursAgo(1)],
  'by its memory, which is its own however old': [remembers(entry(30)), [], hoursAgo(30)],
  'by the newer of both': [remembers(entry(1)), [complete(0.5)], hoursAgo(0.5)],
  'not by restores of another snapshot': [snapshot({ metadata: { name: 'other' } }), [complete()], undefined],
  'not by restores elsewhere': [snapshot(), [complete(1, { namespace: 'other' })], undefined],
  'not by restores of a former snapshot of its name': [snapshot(), [complete(3)], undefined],
  'by what can be read of its memory': [remembers(null, { time: 'x' }, entry(1)), [], hoursAgo(1)],
}
test.each(Object.entries(lasts))('last restored: %s', (_, [given, restores, expected]) =>
  expect(lastRestored(given, restores)).toBe(expected),
)

test('whatever the memory holds, a time that can be read is answered or none', () => {
  const near = fc.array(fc.record({ time: fc.oneof(fc.string(), fc.date().map(String)), target: fc.anything() }))
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        near.map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const given = snapshot({ metadata: { annotations: { 'snapshot.stillpoint.dev/restored': text } } })
        const time = lastRestored(given, [])
        if (time !== undefined) expect(Date.parse(time)).not.toBeNaN()
      },
    ),
  )
})

test('at work are those that are neither complete nor failed', () => {
  const work = [restore({ metadata: { name: 'a' } }), restore({ metadata: { name: 'b', ...deleting } })]
  expect(activeRestores(vm(), [...work, complete(), failed('no')])).toEqual(work)
})

const before = 'before-restore-web-1'
const undoable = (hours: number, name = 'back', keeps: string | undefined = before) =>
  complete(hours, {
    name,
    creationTimestamp: hoursAgo(hours),
    ...(keeps === '' ? {} : { annotations: { 'restore.stillpoint.dev/before-snapshot': keeps } }),
  })
const kept = snapshot({ metadata: { name: before } })
const undos: Record<string, [VirtualMachineRestore[], VirtualMachineSnapshot[], string | undefined]> = {
  'the last one': [[undoable(5, 'older'), undoable(2)], [kept], 'back'],
  'one of a day ago': [[undoable(24)], [kept], 'back'],
  'none of more than a day ago': [[undoable(24.1)], [kept], undefined],
  'none that kept nothing': [[undoable(2, 'back', '')], [kept], undefined],
  'none under one that kept nothing': [[undoable(5), undoable(2, 'newer', '')], [kept], undefined],
  'none whose snapshot is gone': [[undoable(2)], [], undefined],
  'none whose snapshot is not ready': [
    [undoable(2)],
    [snapshot({ metadata: { name: before }, status: { ...succeeded, readyToUse: false } })],
    undefined,
  ],
  'none whose snapshot is being deleted': [
    [undoable(2)],
    [snapshot({ metadata: { name: before, ...deleting } })],
    undefined,
  ],
  'none whose snapshot is of a former VM': [
    [undoable(2)],
    [snapshot({ metadata: { name: before }, status: { ...succeeded, sourceUID: 'former' } })],
    undefined,
  ],
  'none that is not complete': [[restore({ metadata: { annotations: { x: before } } })], [kept], undefined],
  'none when there is none': [[], [kept], undefined],
}
test.each(Object.entries(undos))('undo: %s', (_, [restores, snapshots, expected]) => {
  const undo = undoFor(vm(), restores, snapshots, now)
  expect(undo?.restore.metadata.name).toBe(expected)
  if (undo !== undefined) expect(undo.before.metadata.name).toBe(before)
})
