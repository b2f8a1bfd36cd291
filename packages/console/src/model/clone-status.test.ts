import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { expect, test } from 'vitest'
import { cloneStatus, cloneTarget, type ShownCloneStatus } from './clone-status.ts'
import { clone } from './testing/objects.ts'

type Status = NonNullable<VirtualMachineClone['status']>
const ready = (message: string): Status['conditions'] => [{ type: 'Ready', status: 'False', message }]

const cases: Record<string, [Status | undefined, ShownCloneStatus]> = {
  'pending when nobody has looked at it': [undefined, { label: 'Pending', tone: 'neutral', running: true }],
  'pending with what it waits for': [
    { phase: '', conditions: ready('VirtualMachine x does not exist') },
    { label: 'Pending', tone: 'neutral', running: true, reason: 'VirtualMachine x does not exist' },
  ],
  'at the snapshot': [
    { phase: 'SnapshotInProgress' },
    { label: 'Waiting for the snapshot', tone: 'info', running: true },
  ],
  'at the disks': [{ phase: 'RestoreInProgress' }, { label: 'Making the disks', tone: 'info', running: true }],
  'at the VM': [{ phase: 'CreatingTargetVM' }, { label: 'Creating the VirtualMachine', tone: 'info', running: true }],
  'at its end': [{ phase: 'Succeeded' }, { label: 'Succeeded', tone: 'success', running: false }],
  'failed with the reason': [
    { phase: 'Failed', conditions: ready('copy exists already') },
    { label: 'Failed', tone: 'danger', running: false, reason: 'copy exists already' },
  ],
  'failed without one': [
    { phase: 'Failed' },
    { label: 'Failed', tone: 'danger', running: false, reason: 'No reason was given' },
  ],
  unknown: [{ phase: 'Unknown' }, { label: 'Unknown', tone: 'warning', running: true }],
}
test.each(Object.entries(cases))('a clone is %s', (_, [status, expected]) =>
  expect(cloneStatus(clone({ status }))).toEqual(expected),
)

test('the VM it makes is the one it says, else the one it was asked for', () => {
  const wanted = clone({ spec: { ...clone().spec, target: { kind: 'VirtualMachine', name: 'copy-1' } } })
  expect(cloneTarget(wanted)).toBe('copy-1')
  expect(cloneTarget({ ...wanted, status: { targetName: 'copy-2' } })).toBe('copy-2')
})
