import { expect, test } from 'vitest'
import { claim, content, snapshotClass, stillWorld, storageClass, vm, volumeSnapshot } from './testing/still-world.ts'
import { findMember, membersOf, prepareMembers } from './volume-snapshots.ts'

const fast = [storageClass(), snapshotClass()]
const both = [claim('root-claim'), claim('data-claim')]
const two = content(undefined, { volumes: ['root', 'data'] })

test('c.8-object name, labels, owner, claim and class of a VolumeSnapshot', () => {
  const prepared = prepareMembers(stillWorld(...both, ...fast), two, membersOf(two), 1)
  expect(prepared).toEqual([
    {
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshot',
      metadata: {
        name: 'vmsnapshot-uid-of-snap-volume-root',
        namespace: 'ns',
        labels: {
          'snapshot.kubevirt.io/source-vm-name': 'my-vm',
          'snapshot.kubevirt.io/source-vm-namespace': 'ns',
        },
        annotations: { 'snapshot.stillpoint.dev/cut-set': `${two.metadata.uid}/2` },
        ownerReferences: [
          {
            apiVersion: 'snapshot.kubevirt.io/v1beta1',
            kind: 'VirtualMachineSnapshotContent',
            name: 'vmsnapshot-content-uid-of-snap',
            uid: two.metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: { source: { persistentVolumeClaimName: 'root-claim' }, volumeSnapshotClassName: 'fast-snapshots' },
    },
    expect.objectContaining({ metadata: expect.objectContaining({ name: 'vmsnapshot-uid-of-snap-volume-data' }) }),
  ])
})

test('c.8-object W-51 a name too long for a label is left out', () => {
  const name = 'v'.repeat(64)
  const long = content(undefined, { of: vm(undefined, { metadata: { name } }) })
  const [prepared] = prepareMembers(stillWorld(...both, ...fast), long, membersOf(long), 1)
  expect(prepared).toMatchObject({ metadata: { labels: { 'snapshot.kubevirt.io/source-vm-namespace': 'ns' } } })
})

test('c.8-object an entry without volumeSnapshotName is ignored', () => {
  const { spec } = two
  const [first, second] = spec.volumeBackups ?? []
  const { volumeSnapshotName: _, ...unnamed } = first ?? { volumeName: '', persistentVolumeClaim: {} }
  const backups = [unnamed, ...(second === undefined ? [] : [second])]
  expect(membersOf({ ...two, spec: { ...spec, volumeBackups: backups } })).toEqual([
    { name: 'vmsnapshot-uid-of-snap-volume-data', claim: 'data-claim', volume: 'data' },
  ])
})

const problems: Record<string, [objects: { kind: string }[], problem: string]> = {
  'c.8-object the class is chosen anew, and W-23 one that has vanished is told': [
    [...both, storageClass()],
    'volume root cannot be cut: no VolumeSnapshotClass for storage class fast',
  ],
  'c.8-object W-23 a choice that has become ambiguous is told': [
    [...both, ...fast, snapshotClass('rival')],
    '2 matching VolumeSnapshotClasses for fast',
  ],
}
test.each(Object.entries(problems))('%s', (_, [objects, problem]) =>
  expect(prepareMembers(stillWorld(...objects), two, membersOf(two), 1)).toBe(problem),
)

test('c.8-object a VolumeSnapshot of that name that is not of this content is an error, not a find', () => {
  const world = stillWorld(volumeSnapshot('root'))
  expect(() => findMember(world, two, 'vmsnapshot-uid-of-snap-volume-root')).toThrow(
    'VolumeSnapshot vmsnapshot-uid-of-snap-volume-root exists and does not belong to vmsnapshot-content-uid-of-snap',
  )
})
