import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { deleteImpact, vmActions, whyNotCreateVm, whyNotRestore, whyNotTake } from './gates.ts'
import { clone, hoursAgo, restore, secondsAgo, snapshot, succeeded, vm } from './testing/objects.ts'

const deleting = { deletionTimestamp: secondsAgo(5) }
const word = (phase: string) => ({ phase }) as unknown as NonNullable<VirtualMachineSnapshot['status']>
const runs = (status: Partial<NonNullable<VirtualMachine['status']>>, runStrategy = 'Always'): VirtualMachine =>
  vm({
    spec: { runStrategy, template: { spec: { domain: { devices: {} } } } },
    status: { printableStatus: 'Running', ...status },
  })

const unusable: Record<string, [VirtualMachineSnapshot, string | undefined]> = {
  'that is ready': [snapshot(), undefined],
  'that is being deleted': [snapshot({ metadata: deleting }), 'The snapshot is being deleted'],
  'that failed': [
    snapshot({ status: { phase: 'Failed', error: { message: 'disk full' } } }),
    'The snapshot failed: disk full',
  ],
  'nobody has seen': [snapshot({ status: undefined }), 'The snapshot is still being taken'],
  'that is being taken': [snapshot({ status: { phase: 'InProgress' } }), 'The snapshot is still being taken'],
  'of an unknown phase': [snapshot({ status: word('Archived') }), 'The snapshot is in the state Archived'],
  'that lost its data': [
    snapshot({ status: { ...succeeded, readyToUse: false, error: { message: 'missing' } } }),
    'The snapshot is not ready to use: missing',
  ],
}
test.each(Object.entries(unusable))('a snapshot %s', (_, [given, expected]) => {
  expect(whyNotRestore(vm(), given, [])).toBe(expected)
  expect(whyNotRestore(undefined, given, [])).toBe(expected)
  expect(whyNotCreateVm(given)).toBe(expected)
})

const complete = restore({ status: { complete: true } })
const restoring: Record<string, [VirtualMachine | undefined, VirtualMachineRestore[], string | undefined]> = {
  'that runs': [vm(), [complete], undefined],
  'that is off': [runs({ printableStatus: 'Stopped' }), [], undefined],
  'that is gone': [undefined, [], undefined],
  'that is gone and being made again': [undefined, [restore()], 'The restore back is in progress'],
  'that is being deleted': [vm({ metadata: deleting }), [], 'The virtual machine web-1 is being deleted'],
  'with a restore at work': [vm(), [restore()], 'The restore back is in progress'],
  'with a restore of another at work': [vm(), [restore({ metadata: { namespace: 'other' } })], undefined],
  'that is locked for a restore': [runs({ restoreInProgress: 'r' }), [], 'The restore r is in progress'],
  'that is locked for a snapshot': [runs({ snapshotInProgress: 's' }), [], 'The snapshot s is being taken'],
}
test.each(Object.entries(restoring))('a VM %s and a restore', (_, [given, restores, expected]) =>
  expect(whyNotRestore(given, snapshot(), restores)).toBe(expected),
)

const taking: Record<string, [VirtualMachine, string | undefined]> = {
  'that runs': [vm(), undefined],
  'of which another is being taken': [runs({ snapshotInProgress: 's' }), undefined],
  'that is being restored': [runs({ restoreInProgress: 'r' }), 'The restore r is in progress'],
  'that is being deleted': [vm({ metadata: deleting }), 'The virtual machine is being deleted'],
}
test.each(Object.entries(taking))('a VM %s and a snapshot', (_, [given, expected]) =>
  expect(whyNotTake(given)).toBe(expected),
)

type Others = Partial<Parameters<typeof deleteImpact>[1]>
const other = snapshot({ metadata: { name: 'other' } })
const state = `The state of web-1 of ${hoursAgo(2).slice(0, 19).replace('T', ' ')} UTC`
const withClone = (status: VirtualMachineClone['status'], source = 'snap'): VirtualMachineClone =>
  clone({
    spec: {
      source: { apiGroup: 'snapshot.kubevirt.io', kind: 'VirtualMachineSnapshot', name: source },
      target: { kind: 'VirtualMachine', name: 'web-2' },
    },
    status,
  })
const impacts: Record<string, [VirtualMachineSnapshot, Others, { lost: string[]; inUse?: string[] }]> = {
  'one of several': [snapshot(), { snapshots: [snapshot(), other] }, { lost: [state] }],
  'the last one': [snapshot(), { snapshots: [snapshot()] }, { lost: [state, 'The last usable snapshot of web-1'] }],
  'the last one of this VM, beside one of a former': [
    snapshot(),
    { snapshots: [{ ...other, status: { ...succeeded, sourceUID: 'former' } }] },
    { lost: [state, 'The last usable snapshot of web-1'] },
  ],
  'one that failed: nothing is lost': [snapshot({ status: { phase: 'Failed' } }), {}, { lost: [] }],
  'one that is being taken': [
    snapshot({ status: undefined }),
    {},
    { lost: ['It is still being taken, and is given up'] },
  ],
  'one whose content is kept': [
    snapshot({ spec: { ...snapshot().spec, deletionPolicy: 'Retain' } }),
    { snapshots: [other] },
    {
      lost: [
        'Its content vmsnapshot-content-snap-uid is kept (deletionPolicy Retain), but nothing can be restored from it here',
      ],
    },
  ],
  'the way back of a restore': [
    snapshot(),
    {
      snapshots: [other],
      restores: [
        restore({
          metadata: { annotations: { 'restore.stillpoint.dev/before-snapshot': 'snap' } },
          spec: { ...restore().spec, virtualMachineSnapshotName: 'other' },
          status: { complete: true },
        }),
      ],
    },
    { lost: [state, 'The restore back can no longer be undone'] },
  ],
  'one a restore reads': [
    snapshot(),
    { snapshots: [other], restores: [restore(), restore({ metadata: { namespace: 'elsewhere' } })] },
    { lost: [state], inUse: ['The restore back of web-1'] },
  ],
  'one a complete restore has read': [snapshot(), { snapshots: [other], restores: [complete] }, { lost: [state] }],
  'one a clone reads': [
    snapshot(),
    { snapshots: [other], clones: [withClone({ phase: 'RestoreInProgress' })] },
    { lost: [state], inUse: ['The clone copy to web-2'] },
  ],
  'one a clone has begun with': [
    snapshot(),
    { snapshots: [other], clones: [withClone(undefined)] },
    { lost: [state], inUse: ['The clone copy to web-2'] },
  ],
  'one whose copy is still being filled': [
    snapshot(),
    { snapshots: [other], clones: [withClone({ phase: 'Succeeded', snapshotName: 'snap', targetName: 'web-3' })] },
    { lost: [state], inUse: ['The clone copy to web-3'] },
  ],
  'one that clones are done with': [
    snapshot(),
    {
      snapshots: [other],
      clones: [
        withClone({ phase: 'Succeeded' }),
        withClone({ phase: 'Failed' }),
        withClone(undefined, 'other'),
        clone({ spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'snap' } } }),
      ],
    },
    { lost: [state] },
  ],
}
test.each(Object.entries(impacts))('deleting %s', (_, [given, others, { lost, inUse = [] }]) => {
  const impact = deleteImpact(given, { restores: [], clones: [], snapshots: [], ...others })
  expect(impact).toMatchObject({ lost, inUse })
  expect(impact.blocked).toBe(
    inUse.length === 0 ? undefined : `It is being read. Wait until this has ended: ${inUse.join(', ')}`,
  )
})

/** The actions that can be done. */
const can = (given: VirtualMachine) =>
  vmActions(given)
    .filter(({ disabledReason }) => disabledReason === undefined)
    .map(({ id }) => id)
    .join(' ')
const actions: Record<string, [VirtualMachine, string]> = {
  running: [vm(), 'stop restart pause'],
  paused: [runs({ printableStatus: 'Paused' }), 'stop restart unpause'],
  off: [runs({ printableStatus: 'Stopped' }, 'Halted'), 'start'],
  'off, to be started by hand': [runs({ printableStatus: 'Stopped' }, 'Manual'), 'start'],
  'off, and about to start by itself': [runs({ printableStatus: 'Stopped' }), 'stop'],
  'without a status': [vm({ status: undefined, spec: { ...vm().spec, runStrategy: 'Halted' } }), 'start'],
  starting: [runs({ printableStatus: 'Starting', created: true }), 'stop restart'],
  stopping: [runs({ printableStatus: 'Stopping', created: true }), ''],
  crashing: [runs({ printableStatus: 'CrashLoopBackOff' }), 'stop'],
  'to run once': [runs({}, 'Once'), 'stop pause'],
  'of running: false': [
    vm({
      spec: { running: false, template: { spec: { domain: { devices: {} } } } },
      status: { printableStatus: 'Stopped' },
    }),
    'start',
  ],
  'being taken a snapshot of': [runs({ snapshotInProgress: 's' }), ''],
  'being restored': [runs({ printableStatus: 'Stopped', restoreInProgress: 'r' }, 'Halted'), ''],
  'being deleted': [vm({ metadata: deleting }), ''],
}
test.each(Object.entries(actions))('a VM that is %s', (_, [given, expected]) => expect(can(given)).toBe(expected))

test('an action that cannot be done says why', () => {
  const why = (given: VirtualMachine, action: string) =>
    vmActions(given).find(({ id }) => id === action)?.disabledReason
  expect(why(vm(), 'start')).toBe('It is running already')
  expect(why(runs({ printableStatus: 'Stopped' }), 'start')).toBe('It starts by itself: its run strategy is Always')
  expect(why(vm(), 'unpause')).toBe('It is not paused')
  expect(why(runs({ snapshotInProgress: 's' }), 'stop')).toBe('The snapshot s is being taken')
  expect(why(runs({ restoreInProgress: 'r' }), 'start')).toBe('The restore r is in progress')
})
