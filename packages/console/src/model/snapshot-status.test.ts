import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { filterStatusOf, snapshotStatus } from './snapshot-status.ts'
import { now, secondsAgo, snapshot, succeeded } from './testing/objects.ts'

type Status = NonNullable<VirtualMachineSnapshot['status']>
const deleting = { deletionTimestamp: secondsAgo(30), finalizers: ['snapshot.kubevirt.io/vmsnapshot-protection'] }
const progressing = (reason: string): Status => ({
  phase: 'InProgress',
  conditions: [{ type: 'Progressing', status: 'False', reason }],
})
const failure = (reason: string): NonNullable<Status['conditions']> => [
  { type: 'Failure', status: 'True', reason, lastTransitionTime: secondsAgo(60) },
]
const receipt = (snapshotUID: string) => ({
  'snapshot.stillpoint.dev/receipt': JSON.stringify({
    version: 1,
    snapshotUID,
    outcome: 'Failed',
    reason: 'snapshot deadline exceeded; last: Source not locked',
    requested: 'Preferred',
    volumes: [],
  }),
})
const word = (phase: string) => ({ phase }) as unknown as Status

const cases: Record<string, [VirtualMachineSnapshot, Partial<ReturnType<typeof snapshotStatus>>]> = {
  'green when it can be restored': [
    snapshot(),
    { label: 'Succeeded', tone: 'success', phase: 'Succeeded', running: false, sinceMs: 7_200_000 },
  ],
  'amber when it succeeded and is not ready yet': [
    snapshot({ status: { ...succeeded, readyToUse: false } }),
    { label: 'Succeeded, not ready', tone: 'warning', phase: 'Succeeded', running: true },
  ],
  'amber, and over, when it lost its data': [
    snapshot({ status: { ...succeeded, readyToUse: false, error: { message: 'VolumeSnapshots (a) missing' } } }),
    { tone: 'warning', running: false, reason: 'VolumeSnapshots (a) missing' },
  ],
  'grey while nobody has seen it': [
    snapshot({ metadata: { creationTimestamp: secondsAgo(2) }, status: undefined }),
    { label: 'Pending', tone: 'neutral', phase: 'Pending', running: true, sinceMs: 2_000, reason: undefined },
  ],
  'grey with a question when nobody sees it for long': [
    snapshot({ metadata: { creationTimestamp: secondsAgo(60) }, status: { phase: '' } }),
    { phase: 'Pending', reason: 'No controller has taken it up yet: is the snapshot controller running?' },
  ],
  'grey when the clock of the server is ahead': [
    snapshot({ metadata: { creationTimestamp: secondsAgo(-60) }, status: undefined }),
    { phase: 'Pending', sinceMs: 0 },
  ],
  'blue while it is being deleted, whatever its phase': [
    snapshot({ metadata: deleting }),
    {
      label: 'Deleting',
      tone: 'info',
      phase: 'Deleting',
      running: true,
      sinceMs: 30_000,
      reason: 'Waits until its data is deleted and no restore reads it any more',
    },
  ],
  'deleting, with what the thaw says': [
    snapshot({ metadata: deleting, status: { phase: 'Deleting', error: { message: 'thaw failed' } } }),
    { phase: 'Deleting', reason: 'thaw failed' },
  ],
  'deleting, held by another': [
    snapshot({ metadata: { ...deleting, finalizers: ['backup.example/hold'] } }),
    { reason: 'Waits for backup.example/hold' },
  ],
  'blue while it is taken': [
    snapshot({ status: progressing('Source locked and operation in progress') }),
    { label: 'InProgress', tone: 'info', phase: 'InProgress', running: true, reason: undefined },
  ],
  'in progress, waiting for another snapshot': [
    snapshot({ status: progressing('Source not locked source shop/web-1 snapshot "a" in progress') }),
    { tone: 'info', reason: 'Waits: snapshot "a" in progress' },
  ],
  'in progress, waiting for pods': [
    snapshot({ status: progressing('Source not locked source is offline but 2 pods using PVCs [a b]') }),
    { reason: 'Waits: the virtual machine is offline but 2 pods using PVCs [a b]' },
  ],
  'in progress, waiting for a claim': [
    snapshot({ status: progressing('Source not locked source shop/web-1 volume PVC not bound: disk') }),
    { reason: 'Waits: shop/web-1 volume PVC not bound: disk' },
  ],
  'in progress, waiting for a reason of its own': [snapshot({ status: progressing('Queued') }), { reason: 'Queued' }],
  'amber when its VM does not exist': [
    snapshot({ status: progressing('Source does not exist') }),
    { tone: 'warning', phase: 'InProgress', reason: 'The virtual machine does not exist' },
  ],
  'amber when something goes wrong while it is taken': [
    snapshot({ status: { ...progressing('In error state'), error: { message: '2 matching VolumeSnapshotClasses' } } }),
    { tone: 'warning', phase: 'InProgress', running: true, reason: '2 matching VolumeSnapshotClasses' },
  ],
  'red when it failed, with the reason': [
    snapshot({ status: { phase: 'Failed', conditions: failure('snapshot deadline exceeded') } }),
    { tone: 'danger', phase: 'Failed', running: false, sinceMs: 60_000, reason: 'snapshot deadline exceeded' },
  ],
  'failed, with the error behind the reason': [
    snapshot({ status: { phase: 'Failed', conditions: failure('too late'), error: { message: 'disk full' } } }),
    { reason: 'too late: disk full' },
  ],
  'failed, as its receipt says': [
    snapshot({
      metadata: { annotations: receipt('snap-uid') },
      status: { phase: 'Failed', conditions: failure('snapshot deadline exceeded') },
    }),
    { reason: 'snapshot deadline exceeded; last: Source not locked' },
  ],
  'failed, and the receipt is of another': [
    snapshot({
      metadata: { annotations: receipt('other') },
      status: { phase: 'Failed', conditions: failure('snapshot deadline exceeded') },
    }),
    { reason: 'snapshot deadline exceeded' },
  ],
  'failed without any reason': [snapshot({ status: { phase: 'Failed' } }), { reason: 'No reason was given' }],
  'amber when it is unknown': [
    snapshot({ status: word('Unknown') }),
    { label: 'Unknown', tone: 'warning', phase: 'Unknown', running: false },
  ],
  'amber for a word of a later version, even if it is ready': [
    snapshot({ status: { ...word('Archived'), readyToUse: true } }),
    { label: 'Unknown (Archived)', tone: 'warning', phase: 'Unknown' },
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, expected]) =>
  expect(snapshotStatus(given, now)).toMatchObject(expected),
)

const filters: Record<string, [VirtualMachineSnapshot, string | undefined]> = {
  'one that succeeded': [snapshot(), 'Succeeded'],
  'one that failed': [snapshot({ status: { phase: 'Failed' } }), 'Failed'],
  'one nobody has seen yet': [snapshot({ status: undefined }), 'InProgress'],
  'one that is being deleted': [snapshot({ metadata: deleting }), undefined],
  'one of an unknown phase': [snapshot({ status: word('Archived') }), undefined],
}
test.each(Object.entries(filters))('filter of %s', (_, [given, expected]) =>
  expect(filterStatusOf(given)).toBe(expected),
)
