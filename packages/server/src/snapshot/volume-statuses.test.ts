import { expect, test } from 'vitest'
import { claim, dataVolume, profile, snapshotClass, stillWorld, storageClass, vm } from './testing/still-world.ts'
import { volumeStatusesOf } from './volume-statuses.ts'

const fast = [storageClass(), snapshotClass()]
const slow = storageClass('slow', 'other.csi')
const none = (name: string) =>
  `No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [${name}] [v]`
const pvc = { persistentVolumeClaim: { claimName: 'c' } }
const dv = { dataVolume: { name: 'd' } }
const owner = (uid: string) => ({
  ownerReferences: [{ apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'my-vm', uid, controller: true }],
})
const templated = (storageClassName?: string) => [
  {
    metadata: { name: 'd' },
    spec: storageClassName === undefined ? {} : { pvc: { storageClassName } },
  },
]

interface Given {
  volume: Record<string, unknown>
  objects?: { kind: string }[]
  dataVolumeTemplates?: ReturnType<typeof templated>
}
const cases: Record<string, [Given, enabled: boolean, reason?: string]> = {
  'f-1 a type that cannot be snapshotted': [
    { volume: { containerDisk: {} } },
    false,
    'Snapshot is not supported for this volumeSource type [v]',
  ],
  'f-2 a claim that is unknown': [{ volume: pvc }, false, 'PVC not found'],
  'f-2 a DataVolume that is unknown, as its claim': [{ volume: dv }, false, 'PVC not found'],
  'f-2 a memory dump without claim': [{ volume: { memoryDump: { claimName: 'c' } } }, false, 'PVC not found'],
  'f-3 several classes and no default': [
    { volume: pvc, objects: [claim('c'), ...fast, snapshotClass('rival')] },
    false,
    '2 matching VolumeSnapshotClasses for fast',
  ],
  'f-4 no class': [{ volume: pvc, objects: [claim('c', { storageClass: 'slow' }), slow] }, false, none('slow')],
  'f-4 no storage class': [{ volume: pvc, objects: [claim('c', { storageClass: '' })] }, false, none('')],
  'f-4 the class a profile names is missing': [
    { volume: pvc, objects: [claim('c'), ...fast, profile('fast', 'gone')] },
    false,
    none('fast'),
  ],
  'f-5 otherwise enabled, without a reason': [{ volume: pvc, objects: [claim('c'), ...fast] }, true],
  'f-5 enabled although the claim is not bound': [
    { volume: pvc, objects: [claim('c', { phase: 'Pending' }), ...fast] },
    true,
  ],
  'f-5 a memory dump by the class of its claim': [
    { volume: { memoryDump: { claimName: 'c' } }, objects: [claim('c'), ...fast] },
    true,
  ],
  'f-class a DataVolume by the class it names itself': [
    { volume: dv, objects: [dataVolume('d', 'Pending', { storageClass: 'fast' }), ...fast] },
    true,
  ],
  'f-class else by that of the template of the VM that owns it': [
    {
      volume: dv,
      objects: [dataVolume('d', 'Pending', owner('uid-of-my-vm')), claim('d', { storageClass: 'slow' }), ...fast],
      dataVolumeTemplates: templated('fast'),
    },
    true,
  ],
  'f-class not by that of a template when another VM owns it': [
    {
      volume: dv,
      objects: [dataVolume('d', 'Pending', owner('uid-of-other')), claim('d', { storageClass: 'slow' }), ...fast, slow],
      dataVolumeTemplates: templated('fast'),
    },
    false,
    none('slow'),
  ],
  'f-class else by that of the claim': [
    {
      volume: dv,
      objects: [dataVolume('d', 'Pending', owner('uid-of-my-vm')), claim('d'), ...fast],
      dataVolumeTemplates: templated(),
    },
    true,
  ],
  'f-class a DataVolume that does not exist is looked up as a claim': [
    { volume: dv, objects: [claim('d'), ...fast] },
    true,
  ],
}
test.each(Object.entries(cases))('%s', (_, [{ volume, objects = [], dataVolumeTemplates }, enabled, reason]) => {
  const source = vm([{ name: 'v', ...volume }], dataVolumeTemplates === undefined ? {} : { dataVolumeTemplates })
  expect(volumeStatusesOf(stillWorld(...objects), source, false)).toEqual([
    { name: 'v', enabled, ...(reason === undefined ? {} : { reason }) },
  ])
})

test('f one entry per volume in the order of the template, the state volume last when it is needed and there', () => {
  const source = vm([
    { name: 'b', persistentVolumeClaim: { claimName: 'b' } },
    { name: 'a', emptyDisk: {} },
  ])
  const state = claim('state', { labels: { 'persistent-state-for': 'my-vm' } })
  const world = stillWorld(claim('b'), state, ...fast)
  const names = (stateful: boolean) => volumeStatusesOf(world, source, stateful).map(({ name }) => name)
  expect(names(true)).toEqual(['b', 'a', 'persistent-state-for-my-vm'])
  expect(names(false)).toEqual(['b', 'a'])
  expect(volumeStatusesOf(stillWorld(), source, true)).toHaveLength(2)
})
