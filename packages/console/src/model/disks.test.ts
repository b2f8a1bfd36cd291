import type { VirtualMachine, Volume } from '@stillpoint/api/kubevirt/kinds'
import { expect, test } from 'vitest'
import { diskKindLabel, disksOf } from './disks.ts'
import { vm } from './testing/objects.ts'

type Statuses = NonNullable<VirtualMachine['status']>['volumeSnapshotStatuses']
const machine = (volumes: Volume[], volumeSnapshotStatuses?: Statuses): VirtualMachine =>
  vm({
    spec: { template: { spec: { domain: { devices: {} }, volumes } } },
    status: { printableStatus: 'Running', ...(volumeSnapshotStatuses ? { volumeSnapshotStatuses } : {}) },
  })
const unsupported = (name: string) => ({
  name,
  enabled: false,
  reason: `Snapshot is not supported for this volumeSource type [${name}]`,
})
const shape = (given: VirtualMachine) => {
  const { included, recreated, missing, needsAcknowledgement } = disksOf(given)
  const names = (disks: { name: string }[]) => disks.map(({ name }) => name)
  return [names(included), names(recreated), names(missing), needsAcknowledgement]
}

const root: Volume = { name: 'root', dataVolume: { name: 'root-claim' } }
const data: Volume = { name: 'data', persistentVolumeClaim: { claimName: 'data-claim' } }
const made: Volume[] = [
  { name: 'init', cloudInitNoCloud: {} },
  { name: 'drive', cloudInitConfigDrive: {} },
  { name: 'image', containerDisk: { image: 'x' } },
  { name: 'conf', configMap: { name: 'x' } },
  { name: 'pw', secret: { secretName: 'x' } },
  { name: 'sa', serviceAccount: {} },
  { name: 'win', sysprep: {} },
  { name: 'down', downwardAPI: {} },
  { name: 'metrics', downwardMetrics: {} },
]

test('disks that can be in it are, and what the definition makes is no loss', () => {
  const statuses = [{ name: 'root', enabled: true }, ...made.map(({ name }) => unsupported(name))]
  expect(shape(machine([root, ...made], statuses))).toEqual([['root'], made.map(({ name }) => name), [], false])
})

test('what the definition makes needs no status', () =>
  expect(shape(machine(made))).toEqual([[], made.map(({ name }) => name), [], false]))

test.each<[string, Volume]>([
  ['a claim', data],
  ['a DataVolume', { name: 'data', dataVolume: { name: 'x' } }],
  ['a disk of the host', { name: 'data', hostDisk: { path: '/x' } }],
  ['an empty disk', { name: 'data', emptyDisk: { capacity: '1Gi' } }],
  ['an ephemeral disk', { name: 'data', ephemeral: { persistentVolumeClaim: { claimName: 'x' } } }],
  ['a disk of a kind nobody knows', { name: 'data', quantumDisk: {} }],
  ['a disk without a kind', { name: 'data' }],
])('%s that is left out has to be acknowledged', (_, volume) => {
  const statuses = [{ name: 'root', enabled: true }, unsupported('data')]
  expect(shape(machine([root, volume], statuses))).toEqual([['root'], [], ['data'], true])
})

test('a missing disk says what it is and why', () => {
  const reason = 'No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [slow] [data]'
  expect(disksOf(machine([data], [{ name: 'data', enabled: false, reason }])).missing).toEqual([
    { name: 'data', kind: 'persistentVolumeClaim', claim: 'data-claim', persistent: true, reason },
  ])
})

test('a disk whose status is not there yet is not promised', () => {
  expect(disksOf(machine([root])).missing[0]?.reason).toBe('It is not known yet whether snapshots can include it')
  expect(disksOf(machine([root])).needsAcknowledgement).toBe(true)
})

test('a status without a reason says so', () =>
  expect(disksOf(machine([root], [{ name: 'root', enabled: false }])).missing[0]?.reason).toMatch(/no reason/))

test('the state of TPM and EFI is a disk too', () =>
  expect(disksOf(machine([], [{ name: 'persistent-state-for-web-1', enabled: true }])).included).toEqual([
    { name: 'persistent-state-for-web-1', kind: 'persistentState', persistent: true },
  ]))

test('a disk the definition has not counts as data', () =>
  expect(shape(machine([], [unsupported('hot')]))).toEqual([[], [], ['hot'], true]))

test('kinds have words, unknown ones their own', () =>
  expect(['cloudInitNoCloud', 'emptyDisk', 'quantumDisk', 'constructor'].map(diskKindLabel)).toEqual([
    'cloud-init',
    'empty disk',
    'quantumDisk',
    'constructor',
  ]))
