import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { ownedBy } from '@stillpoint/api/meta/object-meta'
import { objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { DataVolume, StorageProfile } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim, StorageClass, VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type SeededVm, seedVm, takeSnapshot } from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { conditionsOf, contentRef, ready, Scene } from './testing/scene.ts'

// What a snapshot waits for wakes it (c.1, W-22): each test changes one object, long before anything is looked at again.

let scene: Scene
const wakeLimitMs = 15_000
/** What stands in the way of a content is looked at again after 5 s. */
const problemLimitMs = 4_500

beforeAll(async () => {
  scene = await Scene.open()
})
afterAll(() => scene.close())
beforeEach(() => scene.reset())

const wakes = { limitMs: wakeLimitMs }
const progressIs = (source: SeededVm, text: string, name = 'snap') =>
  scene.until(source, (found) => found && conditionsOf(found).Progressing === `False ${text}`, { name })
const where = ({ namespace }: SeededVm) => `Source not locked source ${namespace}/my-vm`

/** Waits until the controllers have nothing more to do for now, and makes sure that the snapshot is not through. */
async function asleep({ namespace }: SeededVm): Promise<void> {
  await scene.process.quiet()
  const snapshot = await scene.bench.client.get(VirtualMachineSnapshot, { namespace, name: 'snap' })
  expect(snapshot.status?.phase).toBe('InProgress')
}
const setStatus = (definition: ResourceDefinition, ref: { namespace: string; name: string }, status: object) =>
  scene.bench.client.patch(definition, ref, { status }, { subresource: 'status' })

test('c.1 the source VM wakes it, and a restore that gives back the lock with it', async () => {
  const source = await seedVm(scene.bench)
  await setStatus(VirtualMachine, source, { restoreInProgress: 'back' })
  await takeSnapshot(scene.bench, source)
  await progressIs(source, 'Source not locked restore "back" in progress')
  await asleep(source)
  await setStatus(VirtualMachine, source, { restoreInProgress: null })
  await scene.until(source, ready, wakes)
})

test('c.1 the instance of the source wakes it', async () => {
  const source = await scene.running()
  const migrate = (migrationState: object) =>
    scene.bench.client.patch(VirtualMachineInstance, source, { status: { migrationState } })
  await migrate({ migrationUid: 'm' })
  await takeSnapshot(scene.bench, source)
  await progressIs(source, `${where(source)} is being migrated`)
  await asleep(source)
  await migrate({ migrationUid: 'm', completed: true })
  await scene.until(source, ready, wakes)
})

test('c.1 its content wakes it', async () => {
  scene.storage.cutting = false
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source)
  const ref = { namespace: source.namespace, name: contentRef(created).name }
  await scene.bench.until(VirtualMachineSnapshotContent, ref, (content) => content?.status)
  await asleep(source)
  await setStatus(VirtualMachineSnapshotContent, ref, { creationTime: '2026-01-01T00:00:00Z' })
  await scene.until(source, (found) => found?.status?.phase === 'Succeeded', wakes)
})

test('c.1 a VolumeSnapshot wakes its content', async () => {
  scene.storage.cutting = false
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source)
  const ref = { namespace: source.namespace, name: `vmsnapshot-${created.metadata.uid}-volume-root` }
  await scene.bench.until(VolumeSnapshot, ref, (found) => found)
  // A content that is older than its first moments is not looked at again by itself.
  await scene.bench.until(VirtualMachineSnapshotContent, contentRef(created), (content) => content?.status)
  await asleep(source)
  await setStatus(VolumeSnapshot, ref, { creationTime: '2026-01-01T00:00:00Z', readyToUse: true })
  await scene.until(source, ready, wakes)
})

test('c.1 W-22 a claim wakes it', async () => {
  const source = await seedVm(scene.bench)
  const claim = { namespace: source.namespace, name: 'root-claim' }
  await setStatus(PersistentVolumeClaim, claim, { phase: 'Pending' })
  await takeSnapshot(scene.bench, source)
  await progressIs(source, `${where(source)} volume not bound: root-claim`)
  await asleep(source)
  await setStatus(PersistentVolumeClaim, claim, { phase: 'Bound' })
  await scene.until(source, ready, wakes)
})

test('c.1 W-22 a DataVolume wakes it', async () => {
  const source = await seedVm(scene.bench)
  const { namespace } = source
  const dataVolume = await scene.bench.client.create(
    DataVolume,
    objectOf(DataVolume, { name: 'root-claim', namespace }, { spec: {} }),
  )
  const claim = { namespace, name: 'root-claim' }
  await scene.bench.client.patch(PersistentVolumeClaim, claim, { metadata: { ownerReferences: [ownedBy(dataVolume)] } })
  await takeSnapshot(scene.bench, source)
  await progressIs(source, `${where(source)} volume not populated: root-claim`)
  await asleep(source)
  await setStatus(DataVolume, claim, { phase: 'Succeeded' })
  await scene.until(source, ready, wakes)
})

test('c.1 W-22 the end of the snapshot before it wakes it', async () => {
  scene.storage.cutting = false
  const source = await seedVm(scene.bench)
  const first = await takeSnapshot(scene.bench, source, { as: 'first' })
  const ref = { namespace: source.namespace, name: `vmsnapshot-${first.metadata.uid}-volume-root` }
  await scene.bench.until(VolumeSnapshot, ref, (found) => found)
  await takeSnapshot(scene.bench, source)
  await progressIs(source, 'Source not locked snapshot "first" in progress')
  await asleep(source)
  scene.storage.cutting = true
  await setStatus(VolumeSnapshot, ref, { creationTime: '2026-01-01T00:00:00Z', readyToUse: true })
  await scene.until(source, ready, wakes)
})

test('c.1 W-22 the end of a snapshot that waited before it wakes it', async () => {
  const source = await seedVm(scene.bench)
  await setStatus(VirtualMachine, source, { restoreInProgress: 'back' })
  const first = await takeSnapshot(scene.bench, source, { as: 'a-first' })
  await progressIs(source, 'Source not locked restore "back" in progress', 'a-first')
  await takeSnapshot(scene.bench, source)
  await progressIs(source, 'Source not locked snapshot "a-first" in progress')
  await asleep(source)
  await scene.bench.client.delete(VirtualMachineSnapshot, refOf(first))
  await scene.until(
    source,
    (found) => found && conditionsOf(found).Progressing === 'False Source not locked restore "back" in progress',
    wakes,
  )
})

/** A VM on a class of its own, of a driver of its own, without anything to cut it with. */
async function onClass(name: string, { withClass = true } = {}): Promise<SeededVm> {
  const driver = `${name}.csi`
  const source = await seedVm(scene.bench)
  const claim = { namespace: source.namespace, name: 'root-claim' }
  await scene.bench.client.patch(PersistentVolumeClaim, claim, { spec: { storageClassName: name } })
  if (withClass) await makeClass(name)
  for (const rival of [`${name}-a`, `${name}-b`])
    await scene.bench.client.create(
      VolumeSnapshotClass,
      objectOf(VolumeSnapshotClass, { name: rival }, { driver, deletionPolicy: 'Delete' }),
    )
  return source
}
const makeClass = (name: string) =>
  scene.bench.client.create(
    StorageClass,
    objectOf(
      StorageClass,
      { name },
      { provisioner: `${name}.csi`, reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
    ),
  )
const statusOf = (source: SeededVm, holds: (enabled: boolean, reason: string) => boolean) =>
  scene.bench.until(
    VirtualMachine,
    source,
    (vm) => {
      const [first] = vm?.status?.volumeSnapshotStatuses ?? []
      return first !== undefined && holds(first.enabled, first.reason ?? '')
    },
    wakeLimitMs,
  )

test.each([
  [
    'a snapshot class',
    'marked',
    (name: string) =>
      scene.bench.client.patch(
        VolumeSnapshotClass,
        { name: `${name}-a` },
        { metadata: { annotations: { 'snapshot.storage.kubernetes.io/is-default-class': 'true' } } },
      ),
  ],
  [
    'a storage profile',
    'profiled',
    async (name: string) => {
      await scene.bench.client.create(StorageProfile, objectOf(StorageProfile, { name }, {}))
      const status = { snapshotClass: `${name}-b` }
      await scene.bench.client.patch(StorageProfile, { name }, { status }, { subresource: 'status' })
    },
  ],
])('c.1 W-22 f %s wakes snapshots, and the volumeSnapshotStatuses of all VMs', async (_, name, change) => {
  const source = await onClass(name)
  const message = `2 matching VolumeSnapshotClasses for ${name}`
  // By then the controllers know of all the classes.
  await statusOf(source, (enabled, reason) => !enabled && reason === message)
  await takeSnapshot(scene.bench, source)
  await scene.until(source, (found) => found?.status?.error?.message === message)
  await asleep(source)
  await change(name)
  await Promise.all([scene.until(source, ready, { limitMs: problemLimitMs }), statusOf(source, (enabled) => enabled)])
})

test('f a storage class is news for all VMs', async () => {
  const source = await onClass('late', { withClass: false })
  await statusOf(source, (enabled, reason) => !enabled && reason.startsWith('No VolumeSnapshotClass: '))
  await scene.process.quiet()
  await makeClass('late')
  await statusOf(source, (_, reason) => reason === '2 matching VolumeSnapshotClasses for late')
})

test('f the VM, its claims and its DataVolumes are news for it, and what stays the same is not written again', async () => {
  const source = await seedVm(scene.bench)
  const { namespace } = source
  await statusOf(source, (enabled) => enabled)
  await scene.bench.client.delete(PersistentVolumeClaim, { namespace, name: 'root-claim' })
  await statusOf(source, (_, reason) => reason === 'PVC not found')
  await scene.bench.client.patch(VirtualMachine, source, {
    spec: { template: { spec: { volumes: [{ name: 'seed', emptyDisk: { capacity: '1Gi' } }] } } },
  })
  await statusOf(source, (_, reason) => reason.startsWith('Snapshot is not supported'))
  await scene.bench.client.patch(VirtualMachine, source, {
    spec: { template: { spec: { volumes: [{ name: 'data', dataVolume: { name: 'd' } }] } } },
  })
  await statusOf(source, (_, reason) => reason === 'PVC not found')
  const spec = { pvc: { storageClassName: 'fast' } }
  await scene.bench.client.create(DataVolume, objectOf(DataVolume, { name: 'd', namespace }, { spec }))
  await statusOf(source, (enabled) => enabled)
  await scene.process.quiet()
  const before = scene.process.writes.length
  await scene.bench.client.patch(DataVolume, { namespace, name: 'd' }, { metadata: { labels: { a: 'b' } } })
  await scene.bench.until(DataVolume, { namespace, name: 'd' }, (found) => found?.metadata.labels?.a)
  await scene.process.quiet()
  expect(scene.process.writes.length).toBe(before)
})
