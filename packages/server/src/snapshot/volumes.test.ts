import { expect, test } from 'vitest'
import { claim, snapshotClass, stillWorld, storageClass, vm } from './testing/still-world.ts'
import { backendClaimOf, candidatesOf, selectVolume } from './volumes.ts'

const kinds: Record<string, [volume: Record<string, unknown>, claim: string | undefined]> = {
  'c.5 persistentVolumeClaim stands on the claim it names': [{ persistentVolumeClaim: { claimName: 'c' } }, 'c'],
  'c.5 dataVolume stands on the claim of its name': [{ dataVolume: { name: 'd' } }, 'd'],
  'c.5 memoryDump stands on the claim it names': [{ memoryDump: { claimName: 'm' } }, 'm'],
  'c.5 a hot-plugged volume of the template is like any other': [
    { persistentVolumeClaim: { claimName: 'c', hotpluggable: true } },
    'c',
  ],
  ...Object.fromEntries(
    [
      ...['containerDisk', 'cloudInitNoCloud', 'cloudInitConfigDrive', 'configMap', 'secret', 'serviceAccount'],
      ...['emptyDisk', 'ephemeral', 'hostDisk', 'sysprep', 'downwardAPI', 'downwardMetrics'],
    ].map((kind) => [`c.5 ${kind} stands on no claim`, [{ [kind]: {} }, undefined]]),
  ),
}
test.each(Object.entries(kinds))('%s', (_, [volume, expected]) => {
  const candidates = candidatesOf(stillWorld(), vm([{ name: 'v', ...volume }]), false)
  expect(candidates).toEqual(expected === undefined ? [] : [{ volume: 'v', claim: expected }])
})

const labels = { 'persistent-state-for': 'my-vm' }

test('c.5 the claim of persistent state is the last volume, under its derived name', () => {
  const world = stillWorld(claim('state', { labels }))
  expect(candidatesOf(world, vm(), true)).toEqual([
    { volume: 'root', claim: 'root-claim' },
    { volume: 'persistent-state-for-my-vm', claim: 'state' },
  ])
})

test('c.5 a claim with the label is no volume of a VM that keeps no state', () => {
  const world = stillWorld(claim('state', { labels }))
  expect(candidatesOf(world, vm(), false)).toEqual([{ volume: 'root', claim: 'root-claim' }])
})

test('c.5 of several state claims it is the newest that is not going away', () => {
  const world = stillWorld(
    claim('old', { labels, creationTimestamp: '2026-01-01T00:00:00Z' }),
    claim('new', { labels, creationTimestamp: '2026-01-02T00:00:00Z' }),
    claim('going', {
      labels,
      creationTimestamp: '2026-01-03T00:00:00Z',
      deletionTimestamp: '2026-01-03T00:00:01Z',
    }),
    claim('of-another', { labels: { 'persistent-state-for': 'other' }, creationTimestamp: '2026-01-04T00:00:00Z' }),
  )
  expect(backendClaimOf(world, vm())?.metadata.name).toBe('new')
})

const fast = [storageClass(), snapshotClass()]
const selections: Record<string, [objects: { kind: string }[], object]> = {
  'c.5-included claim, Bound, storage class and snapshot class': [
    [claim('c'), ...fast],
    { snapshotClass: 'fast-snapshots', claim: expect.anything() },
  ],
  'c.5-included not: no such claim': [fast, { skip: 'claim c does not exist' }],
  'c.5-included not: not bound': [[claim('c', { phase: 'Pending' }), ...fast], { skip: 'claim c is not bound' }],
  'c.5-included not: no storage class name': [
    [claim('c', { storageClass: '' }), ...fast],
    { skip: 'claim c has no storage class' },
  ],
  'c.5-included not: no snapshot class': [
    [claim('c'), storageClass()],
    { skip: 'no VolumeSnapshotClass for storage class fast' },
  ],
  'c.5-class-5 W-23 an ambiguous choice is told': [
    [claim('c'), ...fast, snapshotClass('rival')],
    { problem: '2 matching VolumeSnapshotClasses for fast' },
  ],
}
test.each(Object.entries(selections))('%s', (_, [objects, expected]) =>
  expect(selectVolume(stillWorld(...objects), 'ns', { volume: 'v', claim: 'c' })).toEqual(expected),
)
