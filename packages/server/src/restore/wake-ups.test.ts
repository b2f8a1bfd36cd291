import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import { bootVm } from '../controller/testing/fake-guest.ts'
import {
  type SeededVm,
  seedSnapshot,
  seedStorage,
  seedVm,
  seedVolume,
  startRestore,
} from '../controller/testing/seeds.ts'
import { restoreControllers } from './controllers.ts'

// What a restore waits for wakes it (d.1, W-21): each test changes one object, long before anything is looked at again.

let bench: Bench
let process: Process
const wakeLimitMs = 15_000

beforeAll(async () => {
  bench = await startBench({ admission: snapshotAdmission })
  await seedStorage(bench)
})
afterAll(() => bench.close())
beforeEach(async () => {
  process = await bench.run((context) => [restoreControllers(context)])
})
afterEach(() => process.stop())

type Restore = VirtualMachineRestore | undefined
const until = <T>({ namespace }: { namespace: string }, holds: (restore: Restore) => T | undefined | false) =>
  bench.until(VirtualMachineRestore, { namespace, name: 'back' }, holds, wakeLimitMs)
const planned = (restore: Restore) => restore?.status?.restores !== undefined && restore
const complete = (restore: Restore) => restore?.status?.complete === true && restore
const readyIs = (text: string) => (restore: Restore) =>
  restore?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason === text && restore

/** Waits until the restore has nothing more to do for now, and makes sure that it is not through. */
async function asleep(source: SeededVm): Promise<VirtualMachineRestore> {
  await process.quiet()
  const restore = await bench.client.get(VirtualMachineRestore, { namespace: source.namespace, name: 'back' })
  expect(restore.status?.complete).toBe(false)
  return restore
}
async function snapshotted(options: Parameters<typeof seedVm>[1] = {}) {
  const source = await seedVm(bench, options)
  return { source, snapshot: await seedSnapshot(bench, source.vm) }
}
const claimOf = (source: SeededVm, restore: VirtualMachineRestore, volume: string) => ({
  namespace: source.namespace,
  name: `restore-${restore.metadata.uid}-${volume}`,
})
const bind = (ref: { namespace: string; name: string }) =>
  bench.client.patch(PersistentVolumeClaim, ref, { status: { phase: 'Bound' } }, { subresource: 'status' })

test('d.1 W-21 the snapshot wakes it', async () => {
  const { source } = await snapshotted()
  const ref = { namespace: source.namespace, name: 'snap' }
  const ready = (readyToUse: boolean) =>
    bench.client.patch(VirtualMachineSnapshot, ref, { status: { readyToUse } }, { subresource: 'status' })
  await ready(false)
  await startRestore(bench, source)
  await until(source, readyIs(`VMSnapshot ${source.namespace}/snap not ready`))
  await asleep(source)
  await ready(true)
  await until(source, planned)
})

test('d.1 W-21 the content wakes it', async () => {
  const { source, snapshot } = await snapshotted()
  const name = snapshot.status?.virtualMachineSnapshotContentName ?? ''
  const ref = { namespace: source.namespace, name }
  const ready = (readyToUse: boolean) =>
    bench.client.patch(VirtualMachineSnapshotContent, ref, { status: { readyToUse } }, { subresource: 'status' })
  await ready(false)
  await startRestore(bench, source)
  await until(source, readyIs(`VMSnapshotContent ${source.namespace}/${name} not ready`))
  await asleep(source)
  await ready(true)
  await until(source, planned)
})

test('d.1 W-21 a volume snapshot wakes it', async () => {
  const { source, snapshot } = await snapshotted()
  const ref = { namespace: source.namespace, name: `vmsnapshot-${snapshot.metadata.uid}-volume-root` }
  const { spec } = await bench.client.get(VolumeSnapshot, ref)
  await bench.client.delete(VolumeSnapshot, ref)
  await bench.until(VolumeSnapshot, ref, (found) => found === undefined)
  await startRestore(bench, source)
  await until(source, readyIs(`missing volumeSnapshot ${ref.name}`))
  const restore = await asleep(source)
  await bench.client.create(VolumeSnapshot, {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: ref,
    spec,
  })
  await bench.until(PersistentVolumeClaim, claimOf(source, restore, 'root'), (claim) => claim, wakeLimitMs)
})

test('d.1 W-21 the instance of the target wakes it', async () => {
  const { source } = await snapshotted()
  await bootVm(bench, source)
  await startRestore(bench, source, { targetReadinessPolicy: 'WaitEventually' })
  const waiting = 'Waiting for target VM to be powered off. Please stop the restore target to proceed with restore'
  await until(source, readyIs(waiting))
  await asleep(source)
  await bench.client.delete(VirtualMachineInstance, source)
  await until(source, planned)
})

test('d.1 the target VM wakes it', async () => {
  const { source } = await snapshotted()
  const lock = (restoreInProgress: string | null) =>
    bench.client.patch(VirtualMachine, source, { status: { restoreInProgress } }, { subresource: 'status' })
  await lock('other')
  await startRestore(bench, source)
  await until(source, readyIs('vm restore other in progress'))
  await asleep(source)
  await lock(null)
  await until(source, planned)
})

test('d.1 its claims and DataVolumes wake it', async () => {
  const { source } = await snapshotted({ disks: ['data'], templated: ['data'] })
  await startRestore(bench, source)
  const data = claimOf(source, await until(source, planned).then(() => asleep(source)), 'data')
  await bind(data)
  await bench.until(DataVolume, data, (found) => found, wakeLimitMs)
  await asleep(source)
  await bench.client.patch(DataVolume, data, { status: { phase: 'Succeeded' } }, { subresource: 'status' })
  await until(source, complete)
})

test('d.1 W-21 the end of a claim that is replaced wakes it', async () => {
  const { source } = await snapshotted()
  const ref = { namespace: source.namespace, name: 'root-claim' }
  await bench.client.patch(PersistentVolumeClaim, ref, { metadata: { finalizers: ['test/keep'] } })
  await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
  await bench.until(PersistentVolumeClaim, ref, (claim) => claim?.metadata.deletionTimestamp)
  await asleep(source)
  await bench.client.patch(PersistentVolumeClaim, ref, { metadata: { finalizers: [] } })
  await bench.until(PersistentVolumeClaim, ref, (claim) => claim?.spec?.dataSource, wakeLimitMs)
})

test('d.1 W-21 a storage class wakes it', async () => {
  const source = await seedVm(bench)
  await bench.client.patch(
    PersistentVolumeClaim,
    { namespace: source.namespace, name: 'root-claim' },
    { spec: { storageClassName: 'later' } },
  )
  await seedSnapshot(bench, source.vm)
  const restore = await startRestore(bench, source)
  const { namespace, name } = claimOf(source, restore, 'root')
  await until(source, readyIs(`storage class of PVC ${namespace}/${name} does not exist`))
  await asleep(source)
  await bench.client.create(StorageClass, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'later' },
    provisioner: 'csi.test',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
  })
  await until(source, complete)
})

test('d.1 W-21 a volume that is to come back wakes it', async () => {
  const { source } = await snapshotted()
  const claim = { namespace: source.namespace, name: 'root-claim' }
  const volume = { name: (await seedVolume(bench, source.namespace, 'root-claim')).metadata.name }
  const reserve = (uid: string | undefined) =>
    bench.client.patch(PersistentVolume, volume, { spec: { claimRef: { uid: uid ?? null } } })
  await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
  await bench.until(PersistentVolumeClaim, claim, (found) => found?.spec?.dataSource)
  await asleep(source)
  await bench.client.delete(VirtualMachineRestore, { namespace: source.namespace, name: 'back' })
  await bench.until(PersistentVolumeClaim, claim, (found) => found?.spec?.volumeName === volume.name)
  await reserve('somebody-else')
  const { metadata } = await bind(claim)
  await asleep(source)
  await reserve(metadata.uid)
  await until(source, (restore) => restore === undefined)
})

test('d.1 W-21 a claim that is back wakes it, even when it has lost the list that names it', async () => {
  const { source } = await snapshotted()
  const claim = { namespace: source.namespace, name: 'root-claim' }
  const restore = { namespace: source.namespace, name: 'back' }
  const volume = { name: (await seedVolume(bench, source.namespace, 'root-claim')).metadata.name }
  await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
  await bench.until(PersistentVolumeClaim, claim, (found) => found?.spec?.dataSource)
  await asleep(source)
  await process.stop()
  await bench.client.patch(VirtualMachineRestore, restore, { status: null }, { subresource: 'status' })
  await bench.client.delete(VirtualMachineRestore, restore)
  process = await bench.run((context) => [restoreControllers(context)])
  const { metadata } = await bench.until(
    PersistentVolumeClaim,
    claim,
    (found) => found?.spec?.volumeName === volume.name && found,
  )
  await bench.client.patch(PersistentVolume, volume, { spec: { claimRef: { uid: metadata.uid } } })
  // It looks again a second after each of its own writes.
  await process.quiet(1_500)
  await bind(claim)
  await until(source, (found) => found === undefined)
})
