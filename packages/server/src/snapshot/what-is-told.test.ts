import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { Event } from '@stillpoint/api/core/event'
import { Namespace } from '@stillpoint/api/core/namespace'
import { kinds } from '@stillpoint/api/kinds'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startBench } from '../controller/testing/bench.ts'
import { bootVm } from '../controller/testing/fake-guest.ts'
import { seedVm, takeSnapshot } from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { snapshotControllers } from './controllers.ts'
import { conditionsOf, contentRef, ready, Scene } from './testing/scene.ts'

let scene: Scene

beforeAll(async () => {
  scene = await Scene.open()
})
afterAll(() => scene.close())
beforeEach(() => scene.reset())

/** `kind: type reason message` of what was told so far, with the controllers ended, sorted; all by one component. */
async function told({ namespace }: { namespace: string }): Promise<string[]> {
  await scene.stop()
  const { items } = await scene.bench.client.list(Event, { namespace })
  for (const { source } of items) expect(source?.component).toBe('snapshot-controller')
  return items
    .map(({ involvedObject, type, reason, message }) => `${involvedObject.kind}: ${type} ${reason} ${message}`)
    .toSorted()
}

test('c.12 what is told of a snapshot that succeeds', async () => {
  const source = await scene.running({}, ['root', 'data'])
  const created = await takeSnapshot(scene.bench, source)
  await scene.until(source, ready)
  const { name } = contentRef(created)
  const member = (volume: string) => `vmsnapshot-${created.metadata.uid}-volume-${volume}`
  expect(await told(source)).toEqual([
    'VirtualMachineSnapshot: Normal SuccessfulVirtualMachineSnapshotContentCreate ' +
      `Successfully created VirtualMachineSnapshotContent ${name}`,
    'VirtualMachineSnapshot: Normal VirtualMachineSnapshotComplete Successfully completed VirtualMachineSnapshot snap',
    ...['data', 'root'].map(
      (volume) =>
        'VirtualMachineSnapshotContent: Normal SuccessfulVolumeSnapshotCreate ' +
        `Successfully created VolumeSnapshot ${member(volume)}`,
    ),
  ])
})

test('c.12 c.8-2 a VolumeSnapshot that is lost is told once', async () => {
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source)
  await scene.until(source, ready)
  const name = `vmsnapshot-${created.metadata.uid}-volume-root`
  await scene.bench.client.delete(VolumeSnapshot, { namespace: source.namespace, name })
  await scene.until(source, (found) => found?.status?.error)
  await scene.process.quiet()
  const events = await told(source)
  expect(events).toContain(
    `VirtualMachineSnapshotContent: Warning VolumeSnapshotMissing VolumeSnapshot ${name} no longer exists`,
  )
  expect(events.filter((event) => event.includes('VolumeSnapshotMissing'))).toHaveLength(1)
})

test('c.12 c.6 a freeze that fails is told of the instance', async () => {
  scene.guest.freezeFailures = ['server error. command Freeze failed: "hook said no"']
  const source = await scene.running()
  await takeSnapshot(scene.bench, source)
  const failing = await scene.until(source, (found) => found?.status?.error && found)
  expect(failing.status).toMatchObject({ phase: 'InProgress', readyToUse: false })
  expect(failing.status?.creationTime).toBeUndefined()
  expect(conditionsOf(failing)).toEqual({ Progressing: 'False In error state', Ready: 'False Not ready' })
  const content = await scene.contentOf(failing)
  expect(content.status).toMatchObject({
    readyToUse: false,
    error: { message: expect.stringContaining('command Freeze failed') },
  })
  await scene.until(source, ready, { limitMs: 15_000 })
  expect(await told(source)).toContain(
    'VirtualMachineInstance: Warning FreezeError Failed to freeze VMI: server error. command Freeze failed: "hook said no"',
  )
})

test('c.12 W-34 a failure and a wait for the lock are told as well', async () => {
  await scene.stop()
  const source = await seedVm(scene.bench)
  await scene.bench.client.patch(
    PersistentVolumeClaim,
    { namespace: source.namespace, name: 'root-claim' },
    { status: { phase: 'Pending' } },
    { subresource: 'status' },
  )
  await takeSnapshot(scene.bench, source, { failureDeadline: '3s' })
  await scene.start()
  await scene.until(source, (found) => found?.status?.phase === 'Failed')
  expect(await told(source)).toEqual([
    `VirtualMachineSnapshot: Warning SourceNotReady Source not locked source ${source.namespace}/my-vm volume not bound: root-claim; see why: kubectl describe pvc root-claim`,
    `VirtualMachineSnapshot: Warning VirtualMachineSnapshotFailed VirtualMachineSnapshot failed snapshot deadline exceeded; last: Source not locked source ${source.namespace}/my-vm volume not bound: root-claim`,
  ])
})

test('c.4-1 what the condition leaves out is told, also when the status says nothing new', async () => {
  await scene.stop()
  const source = await seedVm(scene.bench)
  await scene.bench.client.patch(VirtualMachine, source, {
    spec: { template: { spec: { domain: { devices: { tpm: { persistent: true } } } } } },
  })
  await takeSnapshot(scene.bench, source)
  await scene.start()
  await scene.eventWith(
    source.namespace,
    'Warning SourceNotReady Source not locked; VirtualMachine my-vm asks for persistent TPM or EFI',
  )
  const snapshot = await scene.until(source, (found) => found)
  expect(conditionsOf(snapshot).Progressing).toBe('False Source not locked')
})

test('c.6 W-06 the timer of the guest is a short one of its own, whatever the deadline', async () => {
  const asked: unknown[] = []
  scene.bench.subresources.set('subresources.kubevirt.io/virtualmachineinstances/freeze', async ({ body }) => {
    asked.push(body)
    return { code: 200 }
  })
  const source = await scene.running()
  await takeSnapshot(scene.bench, source, { failureDeadline: '0' })
  await scene.until(source, ready)
  expect(asked).toEqual([{ unfreezeTimeout: '30s', holder: expect.any(String) }])
})

test('c.6 W-04 a guest that is said to be frozen is frozen all the same', async () => {
  const source = await scene.running()
  await scene.bench.client.patch(VirtualMachineInstance, source, { status: { fsFreezeStatus: 'frozen' } })
  await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(scene.guest.calls).toEqual(['freeze', 'unfreeze'])
  expect(snapshot.status?.indications).toEqual(['GuestAgent', 'Online'])
})

test('c.6-vss a freeze that Windows ended by itself is told, the thaw repeated, and the snapshot flagged', async () => {
  scene.guest.thawFailures = ['server error. command Unfreeze failed: "fsfreeze is limited up to 10 seconds"']
  const source = await scene.running()
  await takeSnapshot(scene.bench, source)
  const failing = await scene.until(source, (found) => found?.status?.error && found)
  expect(failing.status?.error?.message).toContain('fsfreeze is limited')
  expect((await scene.contentOf(failing)).status?.creationTime).toBeUndefined()
  const snapshot = await scene.until(source, ready, { limitMs: 15_000 })
  expect(scene.guest.calls).toEqual(['freeze', 'unfreeze', 'unfreeze'])
  expect(snapshot.status?.error).toBeUndefined()
  expect(snapshot.status?.indications).toEqual(['GuestAgent', 'Online', 'QuiesceTimeout'])
})

test('c.2-7 without a volume to cut it succeeds at once, and no guest is asked', async () => {
  const source = await seedVm(scene.bench, { disks: [] })
  await bootVm(scene.bench, source, { revision: source.revision })
  await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status?.phase).toBe('Succeeded')
  expect(scene.guest.calls).toEqual([])
})

test('c.3-3 a cut that lasts shows that the source is locked', async () => {
  scene.storage.cutting = false
  const source = await seedVm(scene.bench)
  await takeSnapshot(scene.bench, source)
  const locked = await scene.until(
    source,
    (found) => found && conditionsOf(found).Progressing === 'True Source locked and operation in progress' && found,
  )
  expect(locked.status?.phase).toBe('InProgress')
  const vm = await scene.bench.client.get(VirtualMachine, source)
  expect(vm.status?.snapshotInProgress).toBe('snap')
  expect(vm.metadata.finalizers).toEqual(['snapshot.kubevirt.io/snapshot-source-protection'])
  await scene.bench.client.delete(VirtualMachineSnapshot, refOf(locked))
  await scene.until(source, (found) => found === undefined)
  await scene.unlocked(source)
})

test('c.4 the finalizer keeps a deleted source until its snapshot is taken', async () => {
  scene.storage.cutting = false
  const source = await seedVm(scene.bench)
  await takeSnapshot(scene.bench, source)
  await scene.bench.until(VirtualMachine, source, (vm) => vm?.metadata.finalizers?.length)
  await scene.bench.client.delete(VirtualMachine, source)
  await scene.process.quiet()
  expect(await scene.bench.client.find(VirtualMachine, source)).toBeDefined()
  scene.storage.cutting = true
  await scene.storage.work()
  await scene.until(source, ready)
  await scene.bench.until(VirtualMachine, source, (vm) => vm === undefined)
})

test('c.11-3 a content that is kept is still looked after', async () => {
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source, { deletionPolicy: 'Retain' })
  await scene.until(source, ready)
  await scene.bench.client.delete(VirtualMachineSnapshot, refOf(created))
  await scene.until(source, (found) => found === undefined)
  const name = `vmsnapshot-${created.metadata.uid}-volume-root`
  expect((await scene.contentOf(created)).status?.readyToUse).toBe(true)
  await scene.bench.client.delete(VolumeSnapshot, { namespace: source.namespace, name })
  const content = await scene.bench.until(
    VirtualMachineSnapshotContent,
    contentRef(created),
    (found) => found?.status?.readyToUse === false && found,
  )
  expect(content.status?.error?.message).toBe(`VolumeSnapshots (${name}) missing`)
})

test('c.1 where nothing serves volume snapshots, a snapshot holds the definition only', async () => {
  const served = kinds.filter((kind) => kind !== VolumeSnapshot && kind !== VolumeSnapshotClass)
  const bench = await startBench({ resources: [...new Set([...served, Namespace, Event, ControllerRevision])] })
  const process = await bench.run((context) => [snapshotControllers(context)])
  try {
    const source = await seedVm(bench)
    await takeSnapshot(bench, source)
    const snapshot = await bench.until(VirtualMachineSnapshot, { namespace: source.namespace, name: 'snap' }, ready)
    expect(snapshot.status?.snapshotVolumes).toEqual({ includedVolumes: [], excludedVolumes: ['root'] })
    expect(snapshot.status?.indications).toEqual(['PartialSnapshot'])
    await bench.until(VirtualMachine, source, (vm) =>
      vm?.status?.volumeSnapshotStatuses?.[0]?.reason?.startsWith('No VolumeSnapshotClass: '),
    )
  } finally {
    await process.stop()
    await bench.close()
  }
})
