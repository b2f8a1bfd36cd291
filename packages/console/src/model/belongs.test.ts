import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { restoresOf, snapshotsOf, sourceState } from './belongs.ts'
import { hoursAgo, restore, snapshot, succeeded, vm, vmOwner } from './testing/objects.ts'

const machine = vm({ metadata: { creationTimestamp: hoursAgo(10) } })
const unseen = { status: undefined }
const of = (sourceUID: string) => ({ status: { ...succeeded, sourceUID } })
const otherOwner = { ...vmOwner, uid: 'former-uid' }

const cases: Record<string, [VirtualMachineSnapshot, 'own' | 'former' | undefined]> = {
  'of its UID': [snapshot(), 'own'],
  'of its UID, and older than it by the clock': [snapshot({ metadata: { creationTimestamp: hoursAgo(20) } }), 'own'],
  'of another UID': [snapshot(of('former-uid')), 'former'],
  'not seen yet, owned by it': [snapshot({ metadata: { ownerReferences: [vmOwner] }, ...unseen }), 'own'],
  'not seen yet, owned by a former one': [
    snapshot({ metadata: { ownerReferences: [otherOwner] }, ...unseen }),
    'former',
  ],
  'not seen yet, taken after it was made': [snapshot(unseen), 'own'],
  'not seen ever, taken before it was made': [
    snapshot({ metadata: { creationTimestamp: hoursAgo(11) }, ...unseen }),
    'former',
  ],
  'the UID counts more than the owner': [
    snapshot({ metadata: { ownerReferences: [vmOwner] }, ...of('former-uid') }),
    'former',
  ],
  'of a VM of another name': [
    snapshot({ spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web-2' } } }),
    undefined,
  ],
  'of another namespace': [snapshot({ metadata: { namespace: 'other' } }), undefined],
  'of another kind': [
    snapshot({ spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachineInstance', name: 'web-1' } } }),
    undefined,
  ],
}
test.each(Object.entries(cases))('a snapshot %s', (_, [given, expected]) => {
  const { own, former } = snapshotsOf(machine, [given])
  expect(own.length > 0 ? 'own' : former.length > 0 ? 'former' : undefined).toBe(expected)
})

test('restores of a former VM are not those of this one', () => {
  const before = restore({ metadata: { name: 'before', creationTimestamp: hoursAgo(11) } })
  const foreign = restore({ metadata: { name: 'foreign', ownerReferences: [otherOwner] } })
  const elsewhere = restore({ metadata: { name: 'elsewhere', namespace: 'other' } })
  expect(restoresOf(machine, [before, foreign, elsewhere, restore()]).map(({ metadata }) => metadata.name)).toEqual([
    'back',
  ])
})

test.each([
  ['there', vm()],
  ['another', vm({ metadata: { uid: 'another-uid' } })],
  ['gone', undefined],
] as const)('the VM of a snapshot is %s', (expected, found) =>
  expect(
    sourceState(snapshot(), (namespace, name) => (namespace === 'shop' && name === 'web-1' ? found : undefined)),
  ).toBe(expected),
)
