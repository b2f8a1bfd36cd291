import { Event } from '@stillpoint/api/core/event'
import { claimOf, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { lastRestoreUidAnnotation, restoreNameAnnotation, retainedForAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@stillpoint/api/storage/kinds'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import { bootVm, FakeStorage } from '../controller/testing/fake-guest.ts'
import {
  type SeededVm,
  seedSnapshot,
  seedStorage,
  seedVm,
  seedVolume,
  startRestore,
  takeSnapshot,
} from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { restoreControllers } from './controllers.ts'

let bench: Bench
let storage: FakeStorage
let process: Process

const start = (options: Parameters<Bench['run']>[1] = {}) =>
  bench.run((context) => [restoreControllers(context)], options)

beforeAll(async () => {
  bench = await startBench({ admission: snapshotAdmission })
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
})
afterAll(async () => {
  await storage.close()
  await bench.close()
})
beforeEach(async () => {
  storage.binding = true
  process = await start()
})
afterEach(() => process.stop())

const conditionsOf = (restore: VirtualMachineRestore) =>
  Object.fromEntries(
    (restore.status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]),
  )

async function snapshotted(options: Parameters<typeof seedVm>[1] = {}): Promise<SeededVm> {
  const source = await seedVm(bench, options)
  await seedSnapshot(bench, source.vm)
  return source
}

type Restore = VirtualMachineRestore | undefined
const complete = (restore: Restore) => restore?.status?.complete === true && restore
const until = <T>(
  { namespace }: { namespace: string },
  holds: (restore: Restore) => T | undefined | false,
  limitMs?: number,
) => bench.until(VirtualMachineRestore, { namespace, name: 'back' }, holds, limitMs)
const says = (type: string, text: string) => (restore: Restore) =>
  restore !== undefined && conditionsOf(restore)[type] === text && restore

test('d.11 brings a stopped VM back onto new disks', async () => {
  const source = await snapshotted()
  const { namespace } = source
  const created = await startRestore(bench, source)
  const restore = await until(source, complete)
  const claimName = `restore-${created.metadata.uid}-root`
  expect(conditionsOf(restore)).toEqual({ Progressing: 'False Operation complete', Ready: 'True Operation complete' })
  expect(restore.status?.restores).toEqual([
    {
      volumeName: 'root',
      persistentVolumeClaim: claimName,
      volumeSnapshotName: expect.stringMatching(/^vmsnapshot-.*-volume-root$/),
    },
  ])
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.spec.template.spec.volumes).toEqual([{ name: 'root', persistentVolumeClaim: { claimName } }])
  expect(vm.spec.runStrategy).toBe('Manual')
  expect(vm.status?.restoreInProgress).toBeUndefined()
  expect(vm.metadata.annotations?.[lastRestoreUidAnnotation]).toBe(`back-${created.metadata.uid}`)
  expect(restore.metadata.ownerReferences?.[0]).toMatchObject({
    kind: 'VirtualMachine',
    name: source.name,
    controller: true,
  })
  const claim = await bench.client.get(PersistentVolumeClaim, { namespace, name: claimName })
  expect(claim.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'VirtualMachine', name: source.name })
  expect(claim.spec).toMatchObject({
    dataSource: { kind: 'VolumeSnapshot' },
    resources: { requests: { storage: '1Gi' } },
  })
  expect(claim.spec?.volumeName).toBeUndefined()
  // Eight, and what a busy machine adds: a write that met a newer version is counted, and made once more.
  expect(process.writes.length).toBeLessThanOrEqual(12)
})

test('d.10 restores disks of templates as DataVolumes and deletes the old ones last', async () => {
  storage.binding = false
  const source = await snapshotted({ disks: ['root', 'data'], templated: ['data'] })
  const { namespace } = source
  const created = await startRestore(bench, source)
  await until(source, says('Progressing', 'True Creating new PVCs'))
  const name = `restore-${created.metadata.uid}-data`
  const claim = await bench.until(PersistentVolumeClaim, { namespace, name }, (found) => found)
  const before = await bench.client.get(VirtualMachine, source)
  expect(before.spec.dataVolumeTemplates?.map(({ metadata }) => metadata.name)).toEqual(['data-claim'])
  storage.binding = true
  await storage.work()
  const restore = await until(source, complete)
  expect(restore.status?.deletedDataVolumes).toEqual(['data-claim'])
  expect(restore.status?.restores?.find(({ volumeName }) => volumeName === 'data')?.dataVolumeName).toBe(name)
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.spec.dataVolumeTemplates?.map(({ metadata }) => metadata.name)).toEqual([name])
  expect(vm.spec.template.spec.volumes?.[1]).toEqual({ name: 'data', dataVolume: { name } })
  await bench.until(DataVolume, { namespace, name: 'data-claim' }, (found) => found === undefined)
  await bench.until(PersistentVolumeClaim, { namespace, name: 'data-claim' }, (found) => found === undefined)
  const adopted = await bench.client.get(PersistentVolumeClaim, { namespace, name })
  expect(adopted.metadata.uid).toBe(claim.metadata.uid)
  expect(adopted.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'DataVolume', name })
})

test('d.11 waits for a running target, and goes on the moment it has stopped', async () => {
  const source = await snapshotted()
  await bootVm(bench, source)
  await startRestore(bench, source)
  const reason =
    'Waiting for target VM to be powered off. Please stop the restore target to proceed with restore, or the operation will fail after 5m0s'
  await until(source, says('Ready', `False ${reason}`))
  const waiting = await bench.client.get(VirtualMachine, source)
  expect(waiting.status?.restoreInProgress).toBeUndefined()
  await bench.client.delete(VirtualMachineInstance, source)
  await until(source, complete, 3_000)
})

test('gives up when the grace period ends, without being woken', async () => {
  await process.stop()
  const source = await snapshotted()
  await bootVm(bench, source)
  await startRestore(bench, source)
  // Five minutes later, but for a second.
  process = await start({ now: () => new Date(Date.now() + 299_000) })
  const restore = await until(
    source,
    (found) => found?.status?.conditions?.some(({ type }) => type === 'Failure') && found,
  )
  expect(conditionsOf(restore).Failure).toMatch(/^True Restore target failed to be ready within 5m0s/)
  await bench.client.delete(VirtualMachineInstance, source)
  await process.quiet()
  expect((await bench.client.get(VirtualMachineRestore, refOf(restore))).status?.complete).toBe(false)
})

test('fails at once when told so', async () => {
  const source = await snapshotted()
  await bootVm(bench, source)
  await startRestore(bench, source, { targetReadinessPolicy: 'FailImmediate' })
  const reason = 'Restore target VMI must be powered off before restore operation'
  const restore = await until(source, says('Failure', `True ${reason}`))
  expect(conditionsOf(restore)).toEqual({
    Progressing: `False ${reason}`,
    Ready: `False ${reason}`,
    Failure: `True ${reason}`,
  })
})

test('d.4 W-35 stops the target when told so, once', async () => {
  const source = await snapshotted()
  await bootVm(bench, source)
  let stops = 0
  bench.subresources.set('subresources.kubevirt.io/virtualmachines/stop', async ({ namespace, name }) => {
    stops += 1
    const stateChangeRequests = [{ action: 'Stop' }]
    await bench.client.patch(
      VirtualMachine,
      { namespace, name },
      { status: { stateChangeRequests } },
      { subresource: 'status' },
    )
    return { code: 202 }
  })
  await startRestore(bench, source, { targetReadinessPolicy: 'StopTarget' })
  await until(source, says('Ready', 'False Automatically stopping restore target for restore operation'))
  await process.quiet()
  await bench.client.delete(VirtualMachineInstance, source)
  await until(source, complete)
  expect(stops).toBe(1)
})

test('d.11 waits for a snapshot that does not exist yet', async () => {
  const source = await seedVm(bench)
  await startRestore(bench, source)
  await until(source, says('Ready', `False VMSnapshot ${source.namespace}/snap does not exist`))
  await seedSnapshot(bench, source.vm)
  await until(source, complete, 3_000)
})

test('never restores from a failed snapshot', async () => {
  const source = await seedVm(bench)
  const snapshot = await takeSnapshot(bench, source)
  await bench.client.patch(
    VirtualMachineSnapshot,
    refOf(snapshot),
    { status: { phase: 'Failed', sourceUID: source.vm.metadata.uid } },
    { subresource: 'status' },
  )
  await startRestore(bench, source)
  const restore = await until(
    source,
    says('Ready', `False VMSnapshot ${source.namespace}/snap failed and is invalid to use`),
  )
  await process.stop()
  const { items } = await bench.client.list(Event, { namespace: source.namespace })
  expect(items.map(({ reason }) => reason)).toContain('VirtualMachineRestoreError')
  expect(restore.status?.complete).toBe(false)
})

test('waits for the lock of a snapshot', async () => {
  const source = await snapshotted()
  const lock = (snapshotInProgress: string | null) =>
    bench.client.patch(VirtualMachine, source, { status: { snapshotInProgress } }, { subresource: 'status' })
  await lock('other')
  await startRestore(bench, source)
  await until(source, says('Ready', 'False vm snapshot other in progress'))
  await lock(null)
  await until(source, complete, 3_000)
})

test('d.11 does not overwrite another VM', async () => {
  const source = await snapshotted()
  await bench.client.create(VirtualMachine, {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name: 'other', namespace: source.namespace },
    spec: source.vm.spec,
  })
  await startRestore(bench, { ...source, name: 'other' })
  await until(
    source,
    says('Ready', 'False restore source and restore target are different but restore target already exists'),
  )
})

test('d.11 makes a new, stopped VM with patches, and gives it what the source owned', async () => {
  const source = await seedVm(bench)
  const { namespace } = source
  const ownerReferences = [
    { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: source.name, uid: uidOf(source.vm) },
  ]
  await bench.client.patch(PersistentVolumeClaim, { namespace, name: 'root-claim' }, { metadata: { ownerReferences } })
  await seedSnapshot(bench, source.vm)
  const patches = [
    '{"op": "add", "path": "/spec/template/spec/hostname", "value": "a:b,c"}',
    '{"op": "add", "path": "/metadata/labels/made", "value": "by-patch"}',
  ]
  const created = await startRestore(bench, { namespace, name: 'copy' }, { patches })
  const restore = await until(source, complete)
  const vm = await bench.client.get(VirtualMachine, { namespace, name: 'copy' })
  expect(vm.spec).toMatchObject({ runStrategy: 'Halted', template: { spec: { hostname: 'a:b,c' } } })
  expect(vm.metadata.labels).toEqual({ made: 'by-patch' })
  expect(restore.metadata.ownerReferences?.[0]).toMatchObject({ name: 'copy', uid: vm.metadata.uid })
  const claim = await bench.client.get(PersistentVolumeClaim, {
    namespace,
    name: `restore-${created.metadata.uid}-root`,
  })
  expect(claim.metadata.ownerReferences?.[0]).toMatchObject({ name: 'copy', controller: true })
  expect(claim.metadata.annotations?.['restore.kubevirt.io/owned-by-vm']).toBeUndefined()
})

test('d.7-patches shows a patch that does not fit', async () => {
  const source = await snapshotted()
  const patches = ['{"op": "remove", "path": "/spec/template/spec/nothing"}']
  await startRestore(bench, { ...source, name: 'copy' }, { patches })
  const restore = await until(
    source,
    (found) => found && conditionsOf(found).Ready?.includes('error patching') && found,
  )
  expect(conditionsOf(restore).Ready).toMatch(/^False error patching VM copy: /)
})

test('in place, the VM keeps the names of its disks', async () => {
  const source = await snapshotted({ disks: ['root', 'data'], templated: ['data'] })
  const { namespace } = source
  const old = await bench.client.get(PersistentVolumeClaim, { namespace, name: 'root-claim' })
  await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
  const restore = await until(source, complete)
  expect(restore.status?.deletedDataVolumes ?? []).toEqual([])
  for (const name of ['root-claim', 'data-claim']) {
    const claim = await bench.client.get(PersistentVolumeClaim, { namespace, name })
    expect(claim.metadata.uid).not.toBe(old.metadata.uid)
    expect(claim.spec?.dataSource?.kind).toBe('VolumeSnapshot')
  }
})

const volumeAs = (name: string, holds: (volume: PersistentVolume | undefined) => unknown) =>
  bench.until(PersistentVolume, { name }, (volume) => (holds(volume) ? (volume ?? true) : undefined))
const policyOf = (volume: PersistentVolume | undefined) => volume?.spec?.persistentVolumeReclaimPolicy
const isRetained = (volume: PersistentVolume | undefined) =>
  volume?.metadata.annotations?.[retainedForAnnotation] !== undefined

test('in place, the old volume is kept until the new claim is bound, and is then as before', async () => {
  storage.binding = false
  const source = await snapshotted()
  const { namespace } = source
  const volume = (await seedVolume(bench, namespace, 'root-claim')).metadata.name
  await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
  await volumeAs(volume, (found) => policyOf(found) === 'Retain' && isRetained(found))
  await bench.until(
    PersistentVolumeClaim,
    { namespace, name: 'root-claim' },
    (claim) => claim?.spec?.dataSource?.kind === 'VolumeSnapshot',
  )
  await process.quiet()
  expect(policyOf(await bench.client.get(PersistentVolume, { name: volume }))).toBe('Retain')
  storage.binding = true
  await storage.work()
  await until(source, complete)
  await volumeAs(volume, (found) => policyOf(found) === 'Delete' && !isRetained(found))
})

test('in place, given up halfway, the old disk comes back under its name', async () => {
  storage.binding = false
  const source = await snapshotted({ disks: ['root', 'data'], templated: ['data'] })
  const { namespace } = source
  const old = await bench.client.get(PersistentVolumeClaim, { namespace, name: 'data-claim' })
  const volumes = await Promise.all(
    ['root-claim', 'data-claim'].map(async (claim) => (await seedVolume(bench, namespace, claim)).metadata.name),
  )
  const restore = await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
  for (const name of ['root-claim', 'data-claim'])
    await bench.until(
      PersistentVolumeClaim,
      { namespace, name },
      (claim) => claim?.spec?.dataSource?.kind === 'VolumeSnapshot',
    )
  await bench.client.delete(VirtualMachineRestore, refOf(restore))
  await until(source, (found) => found === undefined)
  for (const [index, name] of ['root-claim', 'data-claim'].entries()) {
    const claim = await bench.client.get(PersistentVolumeClaim, { namespace, name })
    expect(claim.spec?.volumeName).toBe(volumes[index])
    expect(claim.spec?.dataSource).toBeUndefined()
    expect(claim.status?.phase).toBe('Bound')
    await volumeAs(volumes[index] ?? '', (found) => policyOf(found) === 'Delete' && !isRetained(found))
  }
  const back = await bench.client.get(PersistentVolumeClaim, { namespace, name: 'data-claim' })
  expect(back.metadata.ownerReferences).toEqual(old.metadata.ownerReferences)
  const dataVolume = await bench.client.get(DataVolume, { namespace, name: 'data-claim' })
  expect(dataVolume.metadata.annotations?.[restoreNameAnnotation]).toBeUndefined()
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.status?.restoreInProgress).toBeUndefined()
  expect(vm.spec).toEqual(source.vm.spec)
})

test('in place, a claim the VM does not use is left alone', async () => {
  const source = await snapshotted()
  const spec = structuredClone(source.vm.spec)
  spec.template.spec.volumes = []
  await bench.client.patch(VirtualMachine, source, { spec })
  await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
  await until(
    source,
    says('Failure', 'True PVC root-claim for volume root is not used by the target VM, so it is not replaced'),
  )
  await bench.until(VirtualMachine, source, (vm) => !vm?.status?.restoreInProgress)
})

test('a second restore with prefixed names brings data back, too', async () => {
  const source = await snapshotted()
  await startRestore(bench, source, { volumeRestorePolicy: 'PrefixTargetName' })
  await until(source, complete)
  const second = await startRestore(bench, source, { as: 'again', volumeRestorePolicy: 'PrefixTargetName' })
  const restore = await bench.until(VirtualMachineRestore, refOf(second), complete)
  const name = restore.status?.restores?.[0]?.persistentVolumeClaim ?? ''
  expect(name).not.toBe('my-vm-root')
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.spec.template.spec.volumes?.map(claimOf)).toEqual([name])
})

test('a foreign claim of the chosen name is neither attached nor touched', async () => {
  const source = await snapshotted()
  const volumeRestoreOverrides = [{ volumeName: 'root', restoreName: 'root-claim' }]
  await startRestore(bench, source, { volumeRestoreOverrides })
  const restore = await until(
    source,
    (found) => found?.status?.conditions?.some(({ type }) => type === 'Failure') && found,
  )
  expect(conditionsOf(restore).Failure).toContain(
    'PVC root-claim for volume root exists and does not belong to this restore',
  )
})

test('with storage that waits for a consumer, the old disks stay until the new ones are bound', async () => {
  storage.binding = false
  const source = await snapshotted({ disks: ['late'], templated: ['late'] })
  const { namespace } = source
  await withWaitingStorage(async () => {
    await startRestore(bench, source)
    await until(source, complete)
    await process.quiet()
    const kept = { namespace, name: 'late-claim' }
    expect(await bench.client.find(DataVolume, kept)).toBeDefined()
    storage.binding = true
    await storage.work()
    await bench.until(DataVolume, kept, (found) => found === undefined)
  })
})

async function withWaitingStorage(work: () => Promise<void>): Promise<void> {
  const set = async (volumeBindingMode: 'Immediate' | 'WaitForFirstConsumer') => {
    await bench.client.delete(StorageClass, { name: 'fast' })
    await bench.client.create(StorageClass, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'fast' },
      provisioner: 'csi.test',
      reclaimPolicy: 'Delete',
      volumeBindingMode,
    })
  }
  await set('WaitForFirstConsumer')
  try {
    await work()
  } finally {
    await set('Immediate')
  }
}

test('d.12 W-17 given up halfway, what was made is removed and the VM is as before', async () => {
  storage.binding = false
  const source = await snapshotted({ disks: ['root', 'data'], templated: ['data'] })
  const { namespace } = source
  const created = await startRestore(bench, source)
  await bench.until(
    PersistentVolumeClaim,
    { namespace, name: `restore-${created.metadata.uid}-data` },
    (claim) => claim,
  )
  await bench.client.delete(VirtualMachineRestore, refOf(created))
  await until(source, (restore) => restore === undefined)
  for (const disk of ['root', 'data'])
    await bench.until(
      PersistentVolumeClaim,
      { namespace, name: `restore-${created.metadata.uid}-${disk}` },
      (claim) => claim === undefined,
    )
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.spec).toEqual(source.vm.spec)
  expect(vm.status?.restoreInProgress).toBeUndefined()
})

test('given up without the list of what it made, nothing of it is left', async () => {
  const source = await snapshotted({ disks: ['root', 'data'], templated: ['data'] })
  const { namespace } = source
  const target = { namespace, name: 'copy' }
  // Nothing of this can be patched: it goes no further than its DataVolume.
  const patches = ['{"op": "remove", "path": "/spec/template/spec/nothing"}']
  const created = await startRestore(bench, source, {
    target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: target.name },
    volumeRestorePolicy: 'PrefixTargetName',
    patches,
  })
  const made = { namespace, name: 'copy-data' }
  await until(source, (restore) =>
    restore?.status?.conditions?.some(({ reason }) => reason?.startsWith('error patching VM')),
  )
  await process.stop()
  await bench.client.patch(VirtualMachineRestore, refOf(created), { status: null }, { subresource: 'status' })
  await bench.client.delete(VirtualMachineSnapshot, { namespace, name: 'snap' })
  await bench.client.delete(VirtualMachineRestore, refOf(created))
  process = await start()
  await until(source, (restore) => restore === undefined)
  await bench.until(DataVolume, made, (dataVolume) => dataVolume === undefined)
  await bench.until(PersistentVolumeClaim, made, (claim) => claim === undefined)
})

test('d.12 deleting a completed restore does not touch the VM', async () => {
  const source = await snapshotted()
  const created = await startRestore(bench, source)
  await until(source, complete)
  await bench.client.delete(VirtualMachineRestore, refOf(created))
  await until(source, (restore) => restore === undefined)
  await process.quiet()
  const claim = { namespace: source.namespace, name: `restore-${created.metadata.uid}-root` }
  expect(await bench.client.find(PersistentVolumeClaim, claim)).toBeDefined()
})

test('dead after any single write, its successor ends well', { timeout: 60_000 }, async () => {
  await process.stop()
  for (let writes = 1; writes <= 14; writes += 1) {
    const source = await snapshotted({ disks: ['root', 'data'], templated: ['data'] })
    const { namespace } = source
    const created = await startRestore(bench, source)
    const doomed = await start({ writes })
    await doomed.quiet()
    await doomed.stop()
    const last = await start()
    await until(source, complete)
    await last.quiet()
    await last.stop()
    const vm = await bench.client.get(VirtualMachine, source)
    expect(vm.status?.restoreInProgress).toBeUndefined()
    const uid = created.metadata.uid
    expect(vm.spec.template.spec.volumes?.map(claimOf)).toEqual([`restore-${uid}-root`, `restore-${uid}-data`])
    const { items } = await bench.client.list(PersistentVolumeClaim, { namespace })
    // The old disk of a template goes; one that was the user's own stays.
    expect(items.map(({ metadata }) => metadata.name).sort()).toEqual(
      [`restore-${uid}-data`, `restore-${uid}-root`, 'root-claim'].sort(),
    )
    expect((await bench.client.list(DataVolume, { namespace })).items).toHaveLength(1)
  }
})

test('d.10 an older restore leaves alone what another makes, in place, under the name of what it has deleted', async () => {
  const source = await snapshotted({ disks: ['data'], templated: ['data'] })
  const { namespace } = source
  await startRestore(bench, source)
  const old = { namespace, name: 'data-claim' }
  await until(source, complete)
  await bench.until(DataVolume, old, (found) => found === undefined)
  await bench.until(PersistentVolumeClaim, old, (found) => found === undefined)
  await process.quiet()
  // The DataVolume it makes is there long before the VM stands on it.
  const created = await startRestore(bench, source, { as: 'again', volumeRestorePolicy: 'InPlace' })
  await bench.until(VirtualMachineRestore, refOf(created), complete)
  const deletions = process.writes.filter((write) => write.startsWith('DELETE') && write.endsWith('/data-claim'))
  expect(deletions).toHaveLength(1)
  const claim = await bench.client.get(PersistentVolumeClaim, old)
  expect(claim.metadata.annotations?.[lastRestoreUidAnnotation]).toBe(`again-${created.metadata.uid}`)
})
