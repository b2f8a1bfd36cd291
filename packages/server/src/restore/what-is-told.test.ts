import { Event } from '@stillpoint/api/core/event'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { failure } from '@stillpoint/api/meta/status-error'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import { bootVm } from '../controller/testing/fake-guest.ts'
import {
  type SeededVm,
  seedClaim,
  seedSnapshot,
  seedStorage,
  seedVm,
  startRestore,
} from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { restoreControllers } from './controllers.ts'

// The storage stands still here: claims are bound, and DataVolumes done, when a test says so.

let bench: Bench
let process: Process | undefined
/** DataVolumes of this name are refused. */
let refused: string | undefined

beforeAll(async () => {
  const refusing = {
    group: 'cdi.kubevirt.io',
    resource: 'datavolumes',
    operations: ['CREATE'] as const,
    admit: ({ object }: { object: { metadata: { name: string } } }) => {
      if (object.metadata.name === refused) throw failure(403, 'Forbidden', 'no room for it')
      return undefined
    },
  }
  bench = await startBench({ admission: [...snapshotAdmission, refusing] })
  await seedStorage(bench)
})
afterAll(() => bench.close())
afterEach(() => process?.stop())

const start = async (options: Parameters<Bench['run']>[1] = {}) => {
  process = await bench.run((context) => [restoreControllers(context)], options)
  return process
}

async function snapshotted(options: Parameters<typeof seedVm>[1] = {}): Promise<SeededVm> {
  const source = await seedVm(bench, options)
  await seedSnapshot(bench, source.vm)
  return source
}
const conditionsOf = ({ status }: VirtualMachineRestore) =>
  Object.fromEntries((status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]))
const until = <T>(
  { namespace }: { namespace: string },
  holds: (restore: VirtualMachineRestore) => T | undefined | false,
) => bench.until(VirtualMachineRestore, { namespace, name: 'back' }, (found) => found && holds(found))
const told = (ref: SeededVm, progressing: string, ready = progressing) =>
  until(ref, (restore) => {
    const { Progressing, Ready } = conditionsOf(restore)
    return Progressing === progressing && Ready === ready && restore
  })
const isComplete = (restore: VirtualMachineRestore) => restore.status?.complete === true && restore
const bind = (namespace: string, name: string) =>
  bench.client.patch(
    PersistentVolumeClaim,
    { namespace, name },
    { status: { phase: 'Bound' } },
    { subresource: 'status' },
  )
const made = async (created: VirtualMachineRestore, volume: string) => {
  const ref = { namespace: created.metadata.namespace ?? '', name: `restore-${created.metadata.uid}-${volume}` }
  await bench.until(PersistentVolumeClaim, ref, (claim) => claim)
  return ref
}
/** `type reason message` of what is told of a restore, when its controller has ended; all by the same component. */
async function events({ namespace }: SeededVm): Promise<string[]> {
  await process?.stop()
  const { items } = await bench.client.list(Event, { namespace })
  const own = items.filter(({ involvedObject }) => involvedObject.kind === 'VirtualMachineRestore')
  for (const { source } of own) expect(source?.component).toBe('restore-controller')
  return own.map(({ type, reason, message }) => `${type} ${reason} ${message}`)
}

test('d.3-1 initialised', async () => {
  const source = await snapshotted()
  await startRestore(bench, source)
  const doomed = await start({ writes: 1 })
  await doomed.quiet()
  const restore = await told(
    source,
    'True Initializing VirtualMachineRestore',
    'False Initializing VirtualMachineRestore',
  )
  expect(restore.status?.complete).toBe(false)
})

const waiting = 'Waiting for target VM to be powered off. Please stop the restore target to proceed with restore'
const stillThere = 'Restore target VMI still exists, please stop the restore target to proceed with restore'
test.each([
  ['d.3-2 d.4 WaitGracePeriod', `${waiting}, or the operation will fail after 5m0s`, stillThere],
  ['d.3-3 d.4 WaitEventually', waiting, stillThere],
  ['d.3-4 d.4 StopTarget', ...Array<string>(2).fill('Automatically stopping restore target for restore operation')],
])('%s: conditions and event of a target that runs', async (name, reason = '', message = '') => {
  const source = await snapshotted()
  await bootVm(bench, source)
  let stops = 0
  bench.subresources.set('subresources.kubevirt.io/virtualmachines/stop', async () => {
    stops += 1
    const status = { stateChangeRequests: [{ action: 'Stop' }] }
    await bench.client.patch(VirtualMachine, source, { status }, { subresource: 'status' })
    return { code: 202 }
  })
  const [, , policy] = name.split(' ')
  await startRestore(bench, source, { targetReadinessPolicy: policy as 'StopTarget' })
  const running = await start()
  const restore = await told(source, `False ${reason}`)
  expect(conditionsOf(restore)).not.toHaveProperty('Failure')
  await running.quiet()
  expect(stops).toBe(policy === 'StopTarget' ? 1 : 0)
  expect(await events(source)).toEqual([`Warning RestoreTargetNotReady ${message}`])
})

test.each([
  [
    'd.3-5 d.4 WaitGracePeriod over',
    'Restore target failed to be ready within 5m0s. Please power off the target VM before attempting restore',
    301_000,
  ],
  ['d.3-6 d.4 FailImmediate', 'Restore target VMI must be powered off before restore operation', 0],
])('%s: conditions and event of the failure', async (name, reason, afterMs) => {
  const source = await snapshotted()
  await bootVm(bench, source)
  const [, , policy] = name.split(' ')
  await startRestore(bench, source, { targetReadinessPolicy: policy as 'FailImmediate' })
  await start({ now: () => new Date(Date.now() + afterMs) })
  const restore = await told(source, `False ${reason}`)
  expect(conditionsOf(restore).Failure).toBe(`True ${reason}`)
  expect(restore.status?.complete).toBe(false)
  expect(await events(source)).toEqual([`Warning Operation failed VirtualMachineRestore failed ${reason}`])
})

test('d.3-7 d.3-8 d.3-10 d.8 d.13 claims, then DataVolumes, then complete', async () => {
  const source = await snapshotted({ disks: ['root', 'data'], templated: ['data'] })
  const created = await startRestore(bench, source)
  await start()
  const [root, data] = [await made(created, 'root'), await made(created, 'data')]
  await told(source, 'True Creating new PVCs', 'False Waiting for new PVCs')
  await bind(root.namespace, root.name)
  expect(await bench.client.find(DataVolume, data)).toBeUndefined()
  await bind(data.namespace, data.name)
  await told(source, 'True Updating target spec', 'False Waiting for target update')
  const dataVolume = await bench.client.get(DataVolume, data)
  expect(dataVolume.metadata.annotations).toEqual({
    'restore.kubevirt.io/name': 'back',
    'cdi.kubevirt.io/storage.prePopulated': 'true',
    'cdi.kubevirt.io/allowClaimAdoption': 'true',
  })
  const before = await bench.client.get(VirtualMachine, source)
  expect(before.spec).toEqual(source.vm.spec)
  expect(before.status?.restoreInProgress).toBe('back')
  await bench.client.patch(
    VirtualMachine,
    source,
    { status: { memoryDumpRequest: { claimName: 'dump', phase: 'Completed' } } },
    { subresource: 'status' },
  )
  await bench.client.patch(DataVolume, data, { status: { phase: 'Succeeded' } }, { subresource: 'status' })
  const restore = await until(source, isComplete)
  expect(conditionsOf(restore)).toEqual({ Progressing: 'False Operation complete', Ready: 'True Operation complete' })
  expect(restore.status?.restoreTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  expect(restore.status?.deletedDataVolumes).toEqual(['data-claim'])
  const { status } = await bench.client.get(VirtualMachine, source)
  expect(status?.restoreInProgress, 'd.2-12').toBeUndefined()
  expect(status?.memoryDumpRequest, 'd.2-12').toBeUndefined()
  expect(await events(source)).toEqual([
    'Normal VirtualMachineRestoreComplete Successfully completed VirtualMachineRestore back',
  ])
})

test.each(['WaitForFirstConsumer', 'PendingPopulation'])(
  'd.8 a DataVolume that is %s is not waited for',
  async (phase) => {
    const source = await snapshotted({ disks: ['data'], templated: ['data'] })
    const created = await startRestore(bench, source)
    await start()
    const data = await made(created, 'data')
    await bind(data.namespace, data.name)
    await bench.until(DataVolume, data, (found) => found)
    await bench.client.patch(DataVolume, data, { status: { phase } }, { subresource: 'status' })
    await until(source, isComplete)
  },
)

test('d.8 d.13 a DataVolume that cannot be created is told, and tried again', async () => {
  const source = await snapshotted({ disks: ['data'], templated: ['data'] })
  const created = await startRestore(bench, source)
  refused = `restore-${created.metadata.uid}-data`
  const running = await start()
  const data = await made(created, 'data')
  await bind(data.namespace, data.name)
  await told(source, 'False no room for it')
  refused = undefined
  await bench.until(DataVolume, data, (found) => found)
  await running.quiet()
  expect(await events(source)).toEqual(
    expect.arrayContaining([
      `Warning RestoreDataVolumeCreateError Error creating restore DataVolume ${data.name}: no room for it`,
      'Warning VirtualMachineRestoreError VirtualMachineRestore encountered error no room for it',
    ]),
  )
})

test('d.3-9 d.13 an error that is tried again', async () => {
  const source = await seedVm(bench)
  await startRestore(bench, source)
  await start()
  const error = `VMSnapshot ${source.namespace}/snap does not exist`
  const restore = await told(source, `False ${error}`)
  expect(conditionsOf(restore)).not.toHaveProperty('Failure')
  expect(await events(source)).toEqual([
    `Warning VirtualMachineRestoreError VirtualMachineRestore encountered error ${error}`,
  ])
})

/** Deletes it, held by a finalizer of ours, so that what is left can be looked at. */
async function deleted(created: VirtualMachineRestore): Promise<VirtualMachineRestore> {
  const finalizers = ['test/keep', 'snapshot.kubevirt.io/vmrestore-protection']
  await bench.client.patch(VirtualMachineRestore, refOf(created), { metadata: { finalizers } })
  await bench.client.delete(VirtualMachineRestore, refOf(created))
  const left = await bench.until(
    VirtualMachineRestore,
    refOf(created),
    (found) => found?.metadata.finalizers?.length === 1 && found,
  )
  await bench.client.patch(VirtualMachineRestore, refOf(created), { metadata: { finalizers: [] } })
  return left
}
const deleting = { Progressing: 'False VM restore is deleting', Ready: 'False VM restore is deleting' }

test('d.3-11 being deleted: the conditions say so, a failure stays', async () => {
  const source = await snapshotted()
  await bootVm(bench, source)
  const created = await startRestore(bench, source, { targetReadinessPolicy: 'FailImmediate' })
  await start()
  await until(source, (restore) => conditionsOf(restore).Failure)
  expect(conditionsOf(await deleted(created))).toEqual({
    ...deleting,
    Failure: expect.stringMatching(/^True Restore target VMI must be powered off/),
  })
})

test('d.12 deleted halfway, it gives the lock back and clears the memory dump', async () => {
  const source = await snapshotted()
  const created = await startRestore(bench, source)
  await start()
  await made(created, 'root')
  const status = { memoryDumpRequest: { claimName: 'dump', phase: 'Completed' } }
  const locked = await bench.client.patch(VirtualMachine, source, { status }, { subresource: 'status' })
  expect(locked.status?.restoreInProgress).toBe('back')
  const left = await deleted(created)
  expect(left.metadata.finalizers).toEqual(['test/keep'])
  expect(conditionsOf(left)).toEqual(deleting)
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.status?.restoreInProgress).toBeUndefined()
  expect(vm.status?.memoryDumpRequest).toBeUndefined()
})

test('d.2-4 a completed restore goes with its VM', async () => {
  const source = await snapshotted()
  const created = await startRestore(bench, source)
  await start()
  const { namespace, name } = await made(created, 'root')
  await bind(namespace, name)
  const restore = await until(source, isComplete)
  expect(restore.metadata.ownerReferences).toEqual([
    {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachine',
      name: source.name,
      uid: source.vm.metadata.uid,
      controller: true,
      blockOwnerDeletion: true,
    },
  ])
  await bench.client.delete(VirtualMachine, source)
  await bench.until(VirtualMachineRestore, refOf(created), (found) => found === undefined)
})

test('d.11 W-29 onto a VM that was recreated under its name, and the event says so', async () => {
  const source = await snapshotted()
  await bench.client.delete(VirtualMachine, source)
  await bench.until(VirtualMachine, source, (found) => found === undefined)
  const { metadata: _, status: __, ...vm } = source.vm
  const again = await bench.client.create(VirtualMachine, {
    ...vm,
    metadata: { name: source.name, namespace: source.namespace },
  })
  const created = await startRestore(bench, source)
  await start()
  const { namespace, name } = await made(created, 'root')
  await bind(namespace, name)
  await until(source, isComplete)
  expect(await events(source)).toEqual([
    'Normal VirtualMachineRestoreComplete Successfully completed VirtualMachineRestore back; ' +
      `the VM was recreated since the snapshot (UID ${source.vm.metadata.uid} is now ${again.metadata.uid})`,
  ])
})

test('d.11 the same snapshot again, and one of a running guest, are restored as well', async () => {
  const source = await snapshotted()
  await bench.client.patch(
    VirtualMachineSnapshot,
    { namespace: source.namespace, name: 'snap' },
    { status: { indications: ['GuestAgent', 'Online'] } },
    { subresource: 'status' },
  )
  await start()
  for (const as of ['back', 'again']) {
    const created = await startRestore(bench, source, { as })
    const { namespace, name } = await made(created, 'root')
    await bind(namespace, name)
    await bench.until(VirtualMachineRestore, refOf(created), (found) => found?.status?.complete)
    const vm = await bench.client.get(VirtualMachine, source)
    expect(vm.spec.template.spec.volumes?.[0]?.persistentVolumeClaim?.claimName).toBe(name)
  }
})

test('d.6-2 in place, the DataVolume learns that it will not be empty before its claim goes', async () => {
  const source = await snapshotted({ disks: ['data'], templated: ['data'] })
  const { namespace } = source
  // Held by a finalizer, the old claim shows what has been done before its deletion.
  await bench.client.patch(
    PersistentVolumeClaim,
    { namespace, name: 'data-claim' },
    { metadata: { finalizers: ['test/keep'] } },
  )
  await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
  await start()
  await bench.until(
    PersistentVolumeClaim,
    { namespace, name: 'data-claim' },
    (claim) => claim?.metadata.deletionTimestamp,
  )
  const dataVolume = await bench.client.get(DataVolume, { namespace, name: 'data-claim' })
  expect(dataVolume.metadata.annotations).toMatchObject({
    'restore.kubevirt.io/name': 'back',
    'cdi.kubevirt.io/storage.prePopulated': 'data-claim',
  })
  await bench.client.patch(PersistentVolumeClaim, { namespace, name: 'data-claim' }, { metadata: { finalizers: [] } })
  const claim = await bench.until(
    PersistentVolumeClaim,
    { namespace, name: 'data-claim' },
    (found) => found?.spec?.dataSource && found,
  )
  expect(claim.metadata.annotations?.['cdi.kubevirt.io/storage.populatedFor']).toBe('data-claim')
  await bind(namespace, 'data-claim')
  const restore = await until(source, isComplete)
  expect(restore.status?.deletedDataVolumes ?? [], 'd.10').toEqual([])
})

const state = 'persistent-state-for-my-vm'
async function withState(inSnapshot: boolean): Promise<SeededVm> {
  const source = await seedVm(bench)
  const { namespace } = source
  await seedClaim(bench, namespace, 'state-claim')
  const labels = { 'persistent-state-for': source.name }
  await bench.client.patch(PersistentVolumeClaim, { namespace, name: 'state-claim' }, { metadata: { labels } })
  // As the snapshot controller would, with the state volume as one more.
  const volumes = [
    ...(source.vm.spec.template.spec.volumes ?? []),
    ...(inSnapshot ? [{ name: state, persistentVolumeClaim: { claimName: 'state-claim' } }] : []),
  ]
  const { template, ...spec } = source.vm.spec
  await seedSnapshot(bench, { ...source.vm, spec: { ...spec, template: { spec: { ...template.spec, volumes } } } })
  return source
}

test('d.9-state not in the snapshot: the VM keeps its claim', async () => {
  const source = await withState(false)
  const created = await startRestore(bench, source)
  await start()
  const { namespace, name } = await made(created, 'root')
  await bind(namespace, name)
  await until(source, isComplete)
  const claim = await bench.client.get(PersistentVolumeClaim, { namespace, name: 'state-claim' })
  expect(claim.metadata.labels).toEqual({ 'persistent-state-for': source.name })
})

test('d.9-state W-14 the restored claim gets the label before the old one loses it, and the old one goes last', async () => {
  const source = await withState(true)
  const created = await startRestore(bench, source)
  await start()
  for (const volume of ['root', state]) await made(created, volume)
  const restored = { namespace: source.namespace, name: `restore-${created.metadata.uid}-${state}` }
  const old = { namespace: source.namespace, name: 'state-claim' }
  await bench.client.patch(PersistentVolumeClaim, old, { metadata: { finalizers: ['test/keep'] } })
  expect((await bench.client.get(PersistentVolumeClaim, restored)).metadata.labels).not.toHaveProperty(
    'persistent-state-for',
  )
  for (const volume of ['root', state]) await bind(source.namespace, `restore-${created.metadata.uid}-${volume}`)
  const going = await bench.until(
    PersistentVolumeClaim,
    old,
    (claim) => claim?.metadata.deletionTimestamp !== undefined && claim,
  )
  expect(going.metadata.labels).toEqual({ 'restore.kubevirt.io/cleanup-backend-pvc': state })
  const claim = await bench.client.get(PersistentVolumeClaim, restored)
  expect(claim.metadata.labels).toMatchObject({ 'persistent-state-for': source.name })
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.metadata.annotations?.['restore.kubevirt.io/lastRestoreUID']).toBe(`back-${created.metadata.uid}`)
  await bench.client.patch(PersistentVolumeClaim, old, { metadata: { finalizers: [] } })
  await until(source, isComplete)
})

test('d.4 the target that got ready in the meantime is restored, however late', async () => {
  const source = await snapshotted()
  await bootVm(bench, source)
  const created = await startRestore(bench, source, { targetReadinessPolicy: 'WaitEventually' })
  await start({ now: () => new Date(Date.now() + 86_400_000) })
  await told(source, `False ${waiting}`)
  await bench.client.delete(VirtualMachineInstance, source)
  const { namespace, name } = await made(created, 'root')
  await bind(namespace, name)
  await until(source, isComplete)
})
