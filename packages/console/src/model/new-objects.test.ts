import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { cloneObject, takeSnapshotObject } from './new-objects.ts'
import { admit } from './testing/admission.ts'
import { now, snapshot, vm, vmOwner } from './testing/objects.ts'

test('a snapshot with nothing but a name', () => {
  const made = takeSnapshotObject({ vm: vm(), name: 'snap', consistency: 'Preferred' })
  expect(made).toEqual({
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineSnapshot',
    metadata: {
      name: 'snap',
      namespace: 'shop',
      labels: { 'snapshot.stillpoint.dev/origin': 'manual' },
      ownerReferences: [vmOwner],
    },
    spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web-1' } },
  })
  admit(made)
})

test('a snapshot with all there is to say', () => {
  const made = takeSnapshotObject({
    vm: vm(),
    name: 'snap',
    description: 'before the update',
    deadline: '90s',
    consistency: 'Required',
    expiresAt: now,
  })
  expect(made.metadata.annotations).toEqual({
    description: 'before the update',
    'snapshot.stillpoint.dev/consistency': 'Required',
    'snapshot.stillpoint.dev/expires-at': '2026-08-02T12:00:00.000Z',
  })
  expect(made.spec.failureDeadline).toBe('90s')
  expect(VirtualMachineSnapshot.fields.parse(made)).toBeTruthy()
  admit(made)
})

const base = { snapshot: snapshot(), name: 'web-2', start: false, now }

test('a clone of a snapshot stays off, and its disks have its name', () => {
  const made = cloneObject(base)
  expect(made).toEqual({
    apiVersion: 'clone.kubevirt.io/v1beta1',
    kind: 'VirtualMachineClone',
    metadata: { name: `web-2-${now.getTime()}`, namespace: 'shop' },
    spec: {
      source: { apiGroup: 'snapshot.kubevirt.io', kind: 'VirtualMachineSnapshot', name: 'snap' },
      target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web-2' },
      volumeNamePolicy: 'PrefixTargetName',
    },
  })
  admit(made, [vm()])
})

test('a clone that is described and started is taken by the API', () => {
  const made = cloneObject({ ...base, start: true, description: 'a "copy"\nof web-1' })
  admit(made, [vm()])
  expect(VirtualMachineClone.fields.parse(made)).toBeTruthy()
  expect(JSON.parse(made.spec.patches?.[0] ?? '')).toEqual({
    op: 'add',
    path: '/metadata/annotations/description',
    value: 'a "copy"\nof web-1',
  })
})

/** Adding and removing single members, as RFC 6902 has it: what is to be removed must be there. */
function applied(spec: Record<string, unknown>, patches: readonly string[]): Record<string, unknown> {
  const result = { ...spec }
  for (const { op, path, value } of patches.map((patch) => JSON.parse(patch))) {
    const member = path.slice('/spec/'.length)
    if (op === 'remove' && !(member in result)) throw new Error(`${member} is not there`)
    if (op === 'remove') delete result[member]
    else result[member] = value
  }
  return result
}
test.each([{ running: false }, { runStrategy: 'Halted' }, {}])('a VM captured with %o is started', (spec) =>
  expect(applied(spec, cloneObject({ ...base, start: true }).spec.patches ?? [])).toEqual({ runStrategy: 'Always' }),
)
