import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { parseFreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import {
  consistencyAnnotation,
  cutSetAnnotation,
  expiresAtAnnotation,
  freezeReportAnnotation,
  parseCutSet,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type SeededVm, seedClaim, seedVm, takeSnapshot } from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { conditionsOf, contentRef, ready, Scene } from './testing/scene.ts'

let scene: Scene

beforeAll(async () => {
  scene = await Scene.open()
})
afterAll(() => scene.close())
beforeEach(() => scene.reset())

const refOfSnapshot = ({ namespace }: SeededVm, name = 'snap') => ({ namespace, name })

test('c.2 takes an offline snapshot without asking any guest', async () => {
  const source = await seedVm(scene.bench)
  await scene.bench.until(VirtualMachine, source, (vm) => vm?.status?.volumeSnapshotStatuses?.[0]?.enabled)
  const before = scene.process.writes.length
  const created = await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status).toMatchObject({
    phase: 'Succeeded',
    sourceUID: source.vm.metadata.uid,
    virtualMachineSnapshotContentName: contentName(uidOf(created)),
    snapshotVolumes: { includedVolumes: ['root'], excludedVolumes: [] },
  })
  expect(snapshot.status?.indications ?? []).toEqual([])
  expect(conditionsOf(snapshot)).toEqual({ Progressing: 'False Operation complete', Ready: 'True Ready' })
  await scene.unlocked(source)
  expect(scene.guest.calls).toEqual([])
  expect(scene.process.writes.length - before).toBeLessThanOrEqual(12)
})

test('c.2-5 freezes a running guest with an agent only for the cut', async () => {
  const source = await scene.running({}, ['root', 'data'])
  await scene.bench.until(VirtualMachine, source, (vm) => vm?.status?.volumeSnapshotStatuses?.[1]?.enabled)
  const before = scene.process.writes.length
  await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(scene.guest.calls).toEqual(['freeze', 'unfreeze'])
  expect(scene.storage.frozenAtCut).toEqual([true, true])
  expect(snapshot.status?.indications).toEqual(['GuestAgent', 'Online'])
  await scene.unlocked(source)
  expect(await scene.reportOf(snapshot)).toMatchObject({ attempt: 1, guest: 'agent', end: 'cut', held: true })
  expect(scene.process.writes.length - before).toBeLessThanOrEqual(16)
})

test('c.6 says without an agent that nothing was quiesced', async () => {
  const source = await scene.running({ agent: false })
  await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status?.indications).toEqual(['NoGuestAgent', 'Online'])
  expect(scene.guest.calls).toEqual([])
})

test('c.6 does not freeze a paused guest', async () => {
  const source = await scene.running({ paused: true })
  await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status?.indications).toEqual(['Online', 'Paused'])
  expect(scene.guest.calls).toEqual([])
})

test('tries a failing freeze three times, then cuts unfrozen and says why', async () => {
  scene.guest.freezeFailures = Array(3).fill('server error. command Freeze failed: "hook said no"')
  const source = await scene.running()
  await takeSnapshot(scene.bench, source)
  const failing = await scene.until(source, (snapshot) => snapshot?.status?.error?.message !== undefined && snapshot)
  expect(failing.status).toMatchObject({ phase: 'InProgress', readyToUse: false })
  expect(failing.status?.error?.message).toContain('command Freeze failed')
  expect(conditionsOf(failing)).toEqual({ Progressing: 'False In error state', Ready: 'False Not ready' })
  const snapshot = await scene.until(source, ready, { limitMs: 15_000 })
  expect(scene.guest.calls).toEqual(['freeze', 'unfreeze', 'freeze', 'unfreeze', 'freeze', 'unfreeze'])
  expect(snapshot.status?.indications).toEqual(['NoGuestAgent', 'Online', 'QuiesceFailed'])
  expect(snapshot.status?.sourceIndications?.[2]?.message).toContain('hook said no')
  expect(snapshot.status?.error).toBeUndefined()
  await scene.unlocked(source)
  expect(await scene.eventsOf(source)).toContainEqual(
    expect.stringContaining('Warning FreezeError Failed to freeze VMI: '),
  )
})

test('freezes at the second try when the first fails', async () => {
  scene.guest.freezeFailures = ['command Freeze failed']
  const source = await scene.running()
  await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status?.indications).toEqual(['GuestAgent', 'Online'])
})

test('fails early when the required consistency cannot be reached', async () => {
  const source = await scene.running({ agent: false })
  const created = await takeSnapshot(scene.bench, source, { annotations: { [consistencyAnnotation]: 'Required' } })
  const snapshot = await scene.until(source, (found) => found?.status?.phase === 'Failed' && found)
  expect(conditionsOf(snapshot).Failure).toMatch(/^True required consistency cannot be reached: no guest agent/)
  await scene.unlocked(source)
  await scene.bench.until(VirtualMachineSnapshotContent, contentRef(created), (content) => content === undefined)
})

test('leaves the guest alone when only crash consistency is asked for', async () => {
  const source = await scene.running()
  await takeSnapshot(scene.bench, source, { annotations: { [consistencyAnnotation]: 'CrashConsistent' } })
  const snapshot = await scene.until(source, ready)
  expect(scene.guest.calls).toEqual([])
  expect(snapshot.status?.indications).toEqual(['NoGuestAgent', 'Online'])
})

test('thaws at once when a volume cannot be cut, and completes when it is cut later', async () => {
  scene.storage.cutting = false
  const source = await scene.running()
  const created = await takeSnapshot(scene.bench, source)
  const member = { namespace: source.namespace, name: `vmsnapshot-${created.metadata.uid}-volume-root` }
  await scene.bench.until(VolumeSnapshot, member, (found) => found !== undefined)
  const error = { message: 'no space left', time: '2026-01-01T00:00:00Z' }
  await scene.bench.client.patch(VolumeSnapshot, member, { status: { error } }, { subresource: 'status' })
  const failing = await scene.until(source, (found) => found?.status?.error?.message !== undefined && found)
  expect(failing.status?.error?.message).toBe(`VolumeSnapshot ${member.name} error: no space left`)
  expect(scene.guest.frozen).toBe(false)
  const status = { creationTime: '2026-01-01T00:00:00Z', readyToUse: true, error: null }
  await scene.bench.client.patch(VolumeSnapshot, member, { status }, { subresource: 'status' })
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status?.indications).toEqual(['GuestAgent', 'Online', 'QuiesceTimeout'])
  await scene.unlocked(source)
})

test('c.10 fails at the deadline, thaws and unlocks', async () => {
  scene.storage.cutting = false
  const source = await scene.running()
  const created = await takeSnapshot(scene.bench, source, { failureDeadline: '2s' })
  const snapshot = await scene.until(source, (found) => found?.status?.phase === 'Failed' && found)
  expect(conditionsOf(snapshot)).toMatchObject({
    Progressing: 'False Operation failed',
    Ready: 'False Not ready',
    Failure: 'True snapshot deadline exceeded',
  })
  await scene.unlocked(source)
  expect(scene.guest.frozen).toBe(false)
  expect(scene.guest.calls).toEqual(['freeze', 'unfreeze'])
  await scene.bench.until(VirtualMachineSnapshotContent, contentRef(created), (content) => content === undefined)
})

test('c.11-1 deleted in the middle of the cut, it thaws, unlocks and goes', async () => {
  scene.storage.cutting = false
  const source = await scene.running()
  const created = await takeSnapshot(scene.bench, source)
  const member = { namespace: source.namespace, name: `vmsnapshot-${created.metadata.uid}-volume-root` }
  await scene.bench.until(VolumeSnapshot, member, (found) => found !== undefined)
  expect(scene.guest.frozen).toBe(true)
  await scene.bench.client.delete(VirtualMachineSnapshot, refOf(created))
  await scene.until(source, (snapshot) => snapshot === undefined)
  expect(scene.guest.frozen).toBe(false)
  await scene.unlocked(source)
  await scene.bench.until(VolumeSnapshot, member, (found) => found === undefined)
})

test('c.11-2 deleted after success, its content and volume snapshots go with it', async () => {
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source)
  await scene.until(source, ready)
  await scene.bench.client.delete(VirtualMachineSnapshot, refOf(created))
  await scene.until(source, (snapshot) => snapshot === undefined)
  await scene.bench.until(VirtualMachineSnapshotContent, contentRef(created), (content) => content === undefined)
  const member = { namespace: source.namespace, name: `vmsnapshot-${created.metadata.uid}-volume-root` }
  await scene.bench.until(VolumeSnapshot, member, (found) => found === undefined)
})

test('c.11-3 keeps a ready content when it is to be retained', async () => {
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source, { deletionPolicy: 'Retain' })
  await scene.until(source, ready)
  await scene.bench.client.delete(VirtualMachineSnapshot, refOf(created))
  await scene.until(source, (snapshot) => snapshot === undefined)
  const content = await scene.bench.client.get(VirtualMachineSnapshotContent, contentRef(created))
  expect(content.metadata.finalizers ?? []).toEqual([])
  expect(content.metadata.deletionTimestamp).toBeUndefined()
})

test('c.8-2 says so when a volume snapshot is lost', async () => {
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source)
  await scene.until(source, ready)
  const name = `vmsnapshot-${created.metadata.uid}-volume-root`
  await scene.bench.client.delete(VolumeSnapshot, { namespace: source.namespace, name })
  const snapshot = await scene.until(source, (found) => found?.status?.readyToUse === false && found)
  expect(snapshot.status).toMatchObject({ phase: 'Succeeded', error: { message: `VolumeSnapshots (${name}) missing` } })
  expect(conditionsOf(snapshot)).toEqual({ Progressing: 'False In error state', Ready: 'False Not ready' })
})

test('c.2-10 succeeds when cut and is ready only when all volumes are', async () => {
  scene.storage.readyAtOnce = false
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source)
  const cut = await scene.until(source, (found) => found?.status?.phase === 'Succeeded' && found)
  expect(cut.status?.readyToUse).toBe(false)
  await scene.unlocked(source)
  const member = { namespace: source.namespace, name: `vmsnapshot-${created.metadata.uid}-volume-root` }
  await scene.bench.client.patch(VolumeSnapshot, member, { status: { readyToUse: true } }, { subresource: 'status' })
  await scene.until(source, ready)
})

test('c.3 W-01 a lost status comes back from the content, even past the deadline', async () => {
  const source = await scene.running()
  // Long enough for a busy machine to finish in time, and then waited out.
  await takeSnapshot(scene.bench, source, { failureDeadline: '4s' })
  await scene.until(source, ready)
  await new Promise((resolve) => setTimeout(resolve, 5_100))
  await scene.stop()
  await scene.bench.client.patch(
    VirtualMachineSnapshot,
    refOfSnapshot(source),
    { status: null },
    { subresource: 'status' },
  )
  await scene.start()
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status).toMatchObject({ phase: 'Succeeded', indications: ['GuestAgent', 'Online'] })
})

test('waits for a claim and says which; goes on when it is bound', async () => {
  const source = await seedVm(scene.bench)
  await scene.bench.client.patch(
    PersistentVolumeClaim,
    { namespace: source.namespace, name: 'root-claim' },
    { status: { phase: 'Pending' } },
    { subresource: 'status' },
  )
  await takeSnapshot(scene.bench, source)
  const reason = `False Source not locked source ${source.namespace}/my-vm volume not bound: root-claim`
  await scene.until(source, (found) => found && conditionsOf(found).Progressing === reason)
  await scene.bench.client.patch(
    PersistentVolumeClaim,
    { namespace: source.namespace, name: 'root-claim' },
    { status: { phase: 'Bound' } },
    { subresource: 'status' },
  )
  await scene.until(source, ready, { limitMs: 2_000 })
})

test('c.4-7 waits for another snapshot of the same VM, and both complete', async () => {
  const source = await scene.running()
  await takeSnapshot(scene.bench, source)
  await takeSnapshot(scene.bench, source, { as: 'second' })
  await scene.until(source, ready)
  await scene.bench.until(VirtualMachineSnapshot, refOfSnapshot(source, 'second'), ready)
  expect(scene.guest.calls).toEqual(['freeze', 'unfreeze', 'freeze', 'unfreeze'])
})

test('c.1 waits for a VM that does not exist yet', async () => {
  const source = await seedVm(scene.bench)
  const { metadata: _, status: __, ...vm } = source.vm
  await scene.bench.client.delete(VirtualMachine, source)
  await scene.bench.until(VirtualMachine, source, (found) => found === undefined)
  await takeSnapshot(scene.bench, source)
  const found = await scene.until(source, (snapshot) => snapshot?.status?.phase === 'InProgress' && snapshot)
  expect(conditionsOf(found).Progressing).toBe('False Source does not exist')
  const again = await scene.bench.client.create(VirtualMachine, {
    ...vm,
    metadata: { name: source.name, namespace: source.namespace },
  })
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status?.sourceUID).toBe(again.metadata.uid)
})

test('shows an ambiguous choice of snapshot classes, and goes on when there is a default', async () => {
  const source = await seedVm(scene.bench)
  const rival = { driver: 'csi.test', deletionPolicy: 'Delete' as const }
  await scene.bench.client.create(VolumeSnapshotClass, objectOf(VolumeSnapshotClass, { name: 'rival' }, rival))
  try {
    const message = '2 matching VolumeSnapshotClasses for fast'
    // The controllers have seen the second class when the VM says so.
    await scene.bench.until(VirtualMachine, source, (vm) => vm?.status?.volumeSnapshotStatuses?.[0]?.reason === message)
    await takeSnapshot(scene.bench, source)
    await scene.until(source, (snapshot) => snapshot?.status?.error?.message === message)
    const annotations = { 'snapshot.storage.kubernetes.io/is-default-class': 'true' }
    await scene.bench.client.patch(VolumeSnapshotClass, { name: 'rival' }, { metadata: { annotations } })
    const snapshot = await scene.until(source, ready)
    expect(snapshot.status?.error).toBeUndefined()
  } finally {
    await scene.bench.client.delete(VolumeSnapshotClass, { name: 'rival' })
    await scene.bench.until(VolumeSnapshotClass, { name: 'rival' }, (found) => found === undefined)
  }
})

test('leaves out what cannot be cut, and says that the snapshot is partial', async () => {
  const source = await seedVm(scene.bench, { disks: ['root', 'slow'] })
  await scene.bench.client.delete(PersistentVolumeClaim, { namespace: source.namespace, name: 'slow-claim' })
  await scene.bench.client.create(
    PersistentVolumeClaim,
    objectOf(
      PersistentVolumeClaim,
      { name: 'slow-claim', namespace: source.namespace },
      { spec: { storageClassName: 'slow' } },
    ),
  )
  await scene.bench.client.patch(
    PersistentVolumeClaim,
    { namespace: source.namespace, name: 'slow-claim' },
    { status: { phase: 'Bound' } },
    { subresource: 'status' },
  )
  await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status?.snapshotVolumes).toEqual({ includedVolumes: ['root'], excludedVolumes: ['slow'] })
  expect(snapshot.status?.indications).toEqual(['PartialSnapshot'])
  const vm = await scene.bench.client.get(VirtualMachine, source)
  expect(vm.status?.volumeSnapshotStatuses).toEqual([
    { name: 'root', enabled: true },
    {
      name: 'slow',
      enabled: false,
      reason: 'No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [slow] [slow]',
    },
  ])
})

test('captures what the guest was started with, on the disks it has now', async () => {
  const source = await scene.running()
  await seedClaim(scene.bench, source.namespace, 'plugged-claim')
  const spec = structuredClone(source.vm.spec)
  spec.template.spec.volumes?.push({ name: 'plugged', persistentVolumeClaim: { claimName: 'plugged-claim' } })
  spec.template.spec.domain.devices.disks?.push({ name: 'plugged', disk: { bus: 'scsi' } })
  spec.template.spec.domain.cpu = { cores: 7 }
  await scene.bench.client.patch(VirtualMachine, source, { spec })
  const created = await takeSnapshot(scene.bench, source)
  await scene.until(source, ready)
  const content = await scene.bench.client.get(VirtualMachineSnapshotContent, contentRef(created))
  const captured = content.spec.source.virtualMachine?.spec?.template.spec
  expect(captured?.domain.cpu).toBeUndefined()
  expect(captured?.volumes?.map(({ name }) => name)).toEqual(['root', 'plugged'])
  expect(captured?.domain.devices.disks?.map(({ name }) => name)).toEqual(['root', 'plugged'])
  expect(content.spec.volumeBackups?.map(({ volumeName }) => volumeName)).toEqual(['root', 'plugged'])
})

test('a guest that a dead controller left frozen is thawed first of all', async () => {
  await scene.stop()
  scene.storage.cutting = false
  const source = await scene.running({}, ['root', 'data'])
  const created = await takeSnapshot(scene.bench, source)
  const doomed = await scene.start()
  const member = { namespace: source.namespace, name: `vmsnapshot-${created.metadata.uid}-volume-root` }
  const first = await scene.bench.until(VolumeSnapshot, member, (found) => found)
  await scene.bench.until(VolumeSnapshot, { ...member, name: member.name.replace(/root$/, 'data') }, (found) => found)
  expect(scene.guest.frozen).toBe(true)
  doomed.crash()
  await doomed.stop()
  scene.storage.ignoredSets.add(parseCutSet(first.metadata.annotations?.[cutSetAnnotation])?.id ?? '')
  scene.storage.cutting = true
  await scene.start()
  const snapshot = await scene.until(source, ready)
  expect(scene.guest.calls.slice(0, 2)).toEqual(['freeze', 'unfreeze'])
  expect(scene.guest.frozen).toBe(false)
  // The interrupted cut is not used: another instant, another set.
  const second = await scene.bench.client.get(VolumeSnapshot, member)
  expect(second.metadata.uid).not.toBe(first.metadata.uid)
  expect(snapshot.status?.indications).toEqual(['GuestAgent', 'Online'])
  expect(await scene.reportOf(snapshot)).toMatchObject({ attempt: 2, held: true })
  await scene.unlocked(source)
})

test('a thaw that fails is owed: the VM stays locked until it is confirmed', async () => {
  scene.guest.thawFailures = Array(4).fill('agent does not answer')
  const source = await scene.running()
  await takeSnapshot(scene.bench, source)
  const failing = await scene.until(source, (found) => found?.status?.error?.message?.includes('thaw') && found)
  expect(failing.status?.phase).toBe('InProgress')
  const locked = await scene.bench.client.get(VirtualMachine, source)
  expect(locked.status?.snapshotInProgress).toBe('snap')
  const snapshot = await scene.until(source, ready)
  expect(scene.guest.frozen).toBe(false)
  expect(scene.guest.thawHooks).toBe(1)
  expect(snapshot.status?.indications).toEqual(['GuestAgent', 'Online'])
  await scene.unlocked(source)
})

test('a guest that ends in the middle is no reason to wait for its thaw', async () => {
  scene.guest.thawFailures = Array(50).fill('VMI is not running')
  const source = await scene.running()
  await takeSnapshot(scene.bench, source)
  await scene.until(source, (found) => found?.status?.error?.message?.includes('thaw'))
  await scene.bench.client.delete(VirtualMachineInstance, source)
  await scene.until(source, ready)
  await scene.unlocked(source)
})

test('a guest paused while frozen is thawed when it runs again, and the lock does not keep it paused', async () => {
  const source = await scene.running()
  const setPaused = (paused: boolean) =>
    scene.bench.client.patch(VirtualMachineInstance, source, {
      status: {
        conditions: [
          { type: 'AgentConnected', status: 'True' },
          { type: 'Paused', status: paused ? 'True' : 'False' },
        ],
      },
    })
  scene.storage.cutting = false
  await takeSnapshot(scene.bench, source)
  await scene.bench.until(VirtualMachine, source, (vm) => vm?.status?.snapshotInProgress)
  while (!scene.guest.frozen) await new Promise((resolve) => setImmediate(resolve))
  scene.guest.thawFailures = Array(3).fill('guest is paused')
  await setPaused(true)
  scene.storage.cutting = true
  await scene.storage.work()
  await scene.until(source, ready)
  await scene.unlocked(source)
  expect(scene.guest.frozen).toBe(true)
  await setPaused(false)
  await scene.bench.until(
    VirtualMachineSnapshotContent,
    contentRef(await scene.bench.client.get(VirtualMachineSnapshot, refOfSnapshot(source))),
    (content) => parseFreezeReport(content?.metadata.annotations?.[freezeReportAnnotation])?.thawed,
  )
  expect(scene.guest.frozen).toBe(false)
})

test('copies the revision of the instance type, and says so when it is missing', async () => {
  const source = await seedVm(scene.bench)
  await scene.bench.client.patch(VirtualMachine, source, {
    spec: { instancetype: { name: 'small', revisionName: 'my-vm-small-1' } },
  })
  const created = await takeSnapshot(scene.bench, source)
  const failing = await scene.until(source, (found) => found?.status?.error?.message && found)
  expect(failing).toMatchObject({
    status: { error: { message: 'ControllerRevision my-vm-small-1 of the instancetype does not exist' } },
  })
  const { namespace } = source
  const revision = { revision: 1, data: { a: 1 } }
  await scene.bench.client.create(
    ControllerRevision,
    objectOf(ControllerRevision, { name: 'my-vm-small-1', namespace }, revision),
  )
  await scene.until(source, ready)
  const copy = await scene.bench.client.get(ControllerRevision, { namespace, name: 'snap-small-1' })
  expect(copy).toMatchObject({ data: { a: 1 }, metadata: { ownerReferences: [{ uid: created.metadata.uid }] } })
  const content = await scene.bench.client.get(VirtualMachineSnapshotContent, contentRef(created))
  expect(content.spec.source.virtualMachine?.spec?.instancetype?.revisionName).toBe('snap-small-1')
})

test('a time of expiry that is none is refused with its field, when a snapshot is made and when it is changed', async () => {
  const source = await seedVm(scene.bench)
  const field = `metadata.annotations[${expiresAtAnnotation}]`
  const refusal = { code: 422, status: { details: { causes: [{ reason: 'FieldValueInvalid', field }] } } }
  await expect(
    takeSnapshot(scene.bench, source, { annotations: { [expiresAtAnnotation]: 'tomorrow' } }),
  ).rejects.toMatchObject(refusal)
  await takeSnapshot(scene.bench, source, { annotations: { [expiresAtAnnotation]: '9999-12-31T23:59:59Z' } })
  const annotate = (text: string | null) =>
    scene.bench.client.patch(VirtualMachineSnapshot, refOfSnapshot(source), {
      metadata: { annotations: { [expiresAtAnnotation]: text } },
    })
  await expect(annotate('')).rejects.toMatchObject(refusal)
  await scene.until(source, ready)
  await annotate(null)
})
