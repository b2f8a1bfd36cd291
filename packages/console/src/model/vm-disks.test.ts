import { expect, test } from 'vitest'
import { vm } from './testing/objects.ts'
import { vmDisks } from './vm-disks.ts'

const machine = vm({
  spec: {
    template: {
      spec: {
        domain: {
          devices: {
            disks: [
              { name: 'root', bootOrder: 1, disk: { bus: 'virtio' } },
              { name: 'cd', cdrom: { bus: 'sata' } },
              { name: 'scratch' },
            ],
          },
        },
        volumes: [
          { name: 'cd', containerDisk: { image: 'x' } },
          { name: 'root', dataVolume: { name: 'web-1-root' } },
          { name: 'scratch', emptyDisk: {} },
          { name: 'hidden', persistentVolumeClaim: { claimName: 'gone' } },
        ],
      },
    },
  },
  status: {
    printableStatus: 'Running',
    volumeSnapshotStatuses: [
      { name: 'cd', enabled: false, reason: 'not supported [cd]' },
      { name: 'root', enabled: true },
      { name: 'scratch', enabled: false, reason: 'not supported [scratch]' },
      { name: 'hidden', enabled: true },
    ],
  },
})
const around = {
  claims: [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'web-1-root', namespace: 'shop' },
      spec: { storageClassName: 'fast' },
      status: { phase: 'Bound' as const, capacity: { storage: '1Gi' } },
    },
  ],
  dataVolumes: [],
}

test('disks in the order of the definition, each with its device, its claim and its place in snapshots', () =>
  expect(vmDisks(machine, around)).toEqual([
    {
      name: 'cd',
      kind: 'container disk',
      device: 'cdrom',
      bus: 'sata',
      bootOrder: undefined,
      inSnapshots: 'recreated',
      reason: 'not supported [cd]',
    },
    {
      name: 'root',
      kind: 'DataVolume',
      device: 'disk',
      bus: 'virtio',
      bootOrder: 1,
      inSnapshots: 'included',
      reason: undefined,
      claim: 'web-1-root',
      size: '1 GiB',
      storageClass: 'fast',
      state: { label: 'Bound', tone: 'success', running: false },
    },
    {
      name: 'scratch',
      kind: 'empty disk',
      device: 'disk',
      bus: 'sata',
      bootOrder: undefined,
      inSnapshots: 'missing',
      reason: 'not supported [scratch]',
    },
    {
      name: 'hidden',
      kind: 'claim',
      inSnapshots: 'included',
      reason: undefined,
      claim: 'gone',
      size: undefined,
      storageClass: undefined,
      state: expect.objectContaining({ label: 'Missing' }),
    },
  ]))

test('a claim of another namespace is another claim', () => {
  const elsewhere = around.claims.map((claim) => ({ ...claim, metadata: { ...claim.metadata, namespace: 'lab' } }))
  const root = vmDisks(machine, { ...around, claims: elsewhere }).find(({ name }) => name === 'root')
  expect(root?.state?.label).toBe('Missing')
})
