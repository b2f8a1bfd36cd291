import { expect, test } from 'vitest'
import { lockStateOf, whyNotLockable } from './source-lock.ts'
import { claim, dataVolume, nobody, snapshot, stillWorld, vm, vmi } from './testing/still-world.ts'

const two = [
  { name: 'z', persistentVolumeClaim: { claimName: 'b-claim' } },
  { name: 'a', dataVolume: { name: 'a-claim' } },
]
const ofDataVolume = (name: string) => ({
  ownerReferences: [
    { apiVersion: 'cdi.kubevirt.io/v1beta1', kind: 'DataVolume', name, uid: `uid-of-${name}`, controller: true },
  ],
})
const where = 'Source not locked source ns/my-vm'
const persistent = vm(undefined, { devices: { tpm: { persistent: true } } })
const bound = [claim('a-claim'), claim('b-claim')]
const deletionTimestamp = '2026-01-01T00:00:01Z'
const locked = (snapshotInProgress: string) => vm(two, { status: { printableStatus: '', snapshotInProgress } })

interface Given {
  source?: ReturnType<typeof vm>
  objects: readonly { kind: string }[]
  pods?: number
}
const cases: Record<string, [Given, string | undefined]> = {
  'c.4 all claims settled, it can be locked': [{ objects: bound }, undefined],
  'c.4-1 a claim for persistent state that does not exist yet': [
    { source: persistent, objects: [claim('root-claim')] },
    'Source not locked',
  ],
  'c.4-1 a claim for the tracking of changed blocks that does not exist yet': [
    {
      source: vm(undefined, { status: { printableStatus: '', changedBlockTracking: { state: 'Enabled' } } }),
      objects: [claim('root-claim')],
    },
    'Source not locked',
  ],
  'c.4-1 a VM that keeps no state needs none': [
    {
      source: vm(undefined, { status: { printableStatus: '', changedBlockTracking: { state: 'Disabled' } } }),
      objects: [claim('root-claim')],
    },
    undefined,
  ],
  'c.4-2 a claim that does not exist': [{ objects: [claim('a-claim')] }, `${where} volume doesnt exist: b-claim`],
  'c.4-3 a claim that is being deleted': [
    { objects: [claim('a-claim', { deletionTimestamp }), claim('b-claim')] },
    `${where} volume is being deleted: a-claim`,
  ],
  'c.4-4 a claim that is not bound': [
    { objects: [claim('a-claim'), claim('b-claim', { phase: 'Pending' })] },
    `${where} volume not bound: b-claim`,
  ],
  'c.4-5 a claim whose DataVolume is not through': [
    {
      objects: [claim('a-claim', ofDataVolume('a-claim')), claim('b-claim'), dataVolume('a-claim', 'ImportInProgress')],
    },
    `${where} volume not populated: a-claim`,
  ],
  'c.4-5 W-23 a claim whose DataVolume is missing': [
    { objects: [claim('a-claim', ofDataVolume('a-claim')), claim('b-claim')] },
    `${where} volume not populated: a-claim`,
  ],
  'c.4-5 a claim whose DataVolume has succeeded is no reason': [
    { objects: [claim('a-claim', ofDataVolume('a-claim')), claim('b-claim'), dataVolume('a-claim', 'Succeeded')] },
    undefined,
  ],
  'c.4-6 off, and pods use its claims': [
    { objects: bound, pods: 2 },
    'Source not locked source is offline but 2 pods using PVCs [a-claim b-claim]',
  ],
  'c.4-6 online, pods are not looked at': [{ objects: [...bound, vmi()], pods: 2 }, undefined],
  'c.4-6 online is whatever phase its instance has': [
    { objects: [...bound, vmi({ phase: 'Succeeded' })], pods: 2 },
    undefined,
  ],
  'c.4-7 another snapshot that holds the lock': [
    { source: locked('other'), objects: bound },
    'Source not locked snapshot "other" in progress',
  ],
  'c.4-7 its own half lock is no reason': [{ source: locked('snap'), objects: bound }, undefined],
  'c.4 claims are looked at in the order of their names, until the first hit': [
    { objects: [claim('b-claim', { deletionTimestamp })] },
    `${where} volume doesnt exist: a-claim`,
  ],
  'c.4 claims come before pods and other snapshots': [
    { source: locked('other'), objects: [], pods: 1 },
    `${where} volume doesnt exist: a-claim`,
  ],
  'c.4 pods come before other snapshots': [
    { source: locked('other'), objects: bound, pods: 1 },
    'Source not locked source is offline but 1 pods using PVCs [a-claim b-claim]',
  ],
  'c.4 W-20 a restore that holds the VM': [
    { source: vm(two, { status: { printableStatus: '', restoreInProgress: 'back' } }), objects: bound },
    'Source not locked restore "back" in progress',
  ],
  'c.4 W-20 a VM that is being deleted': [
    { source: vm(two, { metadata: { deletionTimestamp } }), objects: bound },
    `${where} is being deleted`,
  ],
  'c.4 W-20 a guest that is being moved': [
    { objects: [...bound, vmi({ phase: 'Running', migrationState: { migrationUid: 'm' } })] },
    `${where} is being migrated`,
  ],
  'c.4 W-22 an older snapshot that waits for the VM': [
    {
      objects: [
        ...bound,
        snapshot({ phase: 'InProgress' }, { metadata: { name: 'elder', creationTimestamp: '2025-12-31T00:00:00Z' } }),
      ],
    },
    'Source not locked snapshot "elder" in progress',
  ],
  'c.4 W-22 an older snapshot that is through does not wait': [
    {
      objects: [
        ...bound,
        snapshot({ phase: 'Failed' }, { metadata: { name: 'elder', creationTimestamp: '2025-12-31T00:00:00Z' } }),
      ],
    },
    undefined,
  ],
}
test.each(Object.entries(cases))('%s', async (_, [{ source = vm(two), objects, pods = 0 }, reason]) => {
  const mine = snapshot({ phase: 'InProgress' })
  const world = stillWorld(source, mine, ...objects)
  const blocked = await whyNotLockable({ client: nobody, world, pods: { count: async () => pods } }, source, mine)
  expect(blocked?.reason).toBe(reason)
})

test('c.4-1 says what a person can do about state that has no claim yet', async () => {
  const world = stillWorld(claim('root-claim'))
  const blocked = await whyNotLockable(
    { client: nobody, world, pods: { count: async () => 0 } },
    persistent,
    snapshot({ phase: 'InProgress' }),
  )
  expect(blocked?.hint).toContain('start the VM once')
})

const finalizers = ['snapshot.kubevirt.io/snapshot-source-protection']
test.each([
  ['name and finalizer', 'snap', { finalizers }, 'ours'],
  ['the name alone', 'snap', {}, 'half'],
  ['the name of another', 'other', { finalizers }, 'none'],
  ['nothing', '', {}, 'none'],
])('c.4 a VM with %s is locked: %s', (_, snapshotInProgress, metadata, state) => {
  const source = vm(two, { metadata, status: { printableStatus: '', snapshotInProgress } })
  expect(lockStateOf(source, 'snap')).toBe(state)
})
