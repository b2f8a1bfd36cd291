import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { consistencyAnnotation, persistentStateLabel, receiptAnnotation } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { parseReceipt } from '@stillpoint/api/snapshot/receipt'
import { PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotContent } from '@stillpoint/api/storage/kinds'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type SeededVm, seedClaim, seedVm, startRestore, takeSnapshot } from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { conditionsOf, contentRef, failed, ready, Scene } from './testing/scene.ts'

let scene: Scene

beforeAll(async () => {
  scene = await Scene.open()
})
afterAll(() => scene.close())
beforeEach(() => scene.reset())

const receiptOf = ({ metadata }: VirtualMachineSnapshot) => parseReceipt(metadata.annotations?.[receiptAnnotation])

test('a finished snapshot carries a receipt: who was asked, what was answered, when each volume was cut', async () => {
  const source = await scene.running({}, ['root', 'data'])
  const created = await takeSnapshot(scene.bench, source)
  const receipt = receiptOf(await scene.until(source, ready))
  const instance = await scene.bench.client.get(VirtualMachineInstance, source)
  expect(receipt).toMatchObject({
    version: 1,
    snapshotUID: created.metadata.uid,
    sourceUID: source.vm.metadata.uid,
    outcome: 'Succeeded',
    requested: 'Preferred',
    achieved: 'Application',
    guest: 'agent',
    attempts: 1,
    agent: {
      instanceUID: instance.metadata.uid,
      answers: [
        { command: 'freeze', answer: 'frozen' },
        { command: 'thaw', answer: 'thawed' },
      ],
    },
    freeze: { held: true },
  })
  expect(receipt?.volumes.map(({ name, precisionMs }) => [name, precisionMs])).toEqual([
    ['root', 1_000],
    ['data', 1_000],
  ])
  const { asked = '', began = '', cut = '', thawed = '', frozenMs = 0 } = receipt?.freeze ?? {}
  expect([asked, began, cut, thawed]).toEqual([asked, began, cut, thawed].toSorted())
  expect(frozenMs).toBe(Date.parse(thawed) - Date.parse(began))
  expect(receipt?.skewMs).toBeLessThanOrEqual(1_000)
})

test('the receipt has the instants the storage knows more exactly than its snapshots say', async () => {
  scene.storage.cutting = false
  const source = await seedVm(scene.bench, { disks: ['root', 'data'] })
  const created = await takeSnapshot(scene.bench, source)
  const baseMs = Date.parse('2026-01-01T00:00:00Z')
  for (const [disk, ms] of [
    ['root', 250],
    ['data', 375],
  ] as const) {
    const name = `vmsnapshot-${created.metadata.uid}-volume-${disk}`
    const bound = `snapcontent-${created.metadata.uid}-${disk}`
    await scene.bench.until(VolumeSnapshot, { namespace: source.namespace, name }, (found) => found)
    await scene.bench.client.create(
      VolumeSnapshotContent,
      objectOf(
        VolumeSnapshotContent,
        { name: bound },
        {
          spec: {
            volumeSnapshotRef: { name, namespace: source.namespace },
            deletionPolicy: 'Delete',
            driver: 'csi.test',
            source: { volumeHandle: disk },
          },
        },
      ),
    )
    const exact = { creationTime: (baseMs + ms) * 1_000_000, readyToUse: true }
    await scene.bench.client.patch(VolumeSnapshotContent, { name: bound }, { status: exact }, { subresource: 'status' })
    await scene.bench.client.patch(
      VolumeSnapshot,
      { namespace: source.namespace, name },
      {
        status: {
          boundVolumeSnapshotContentName: bound,
          creationTime: '2026-01-01T00:00:00Z',
          readyToUse: true,
        },
      },
      { subresource: 'status' },
    )
  }
  const receipt = receiptOf(await scene.until(source, ready))
  expect(receipt?.volumes.map(({ cut, precisionMs }) => [cut, precisionMs])).toEqual([
    ['2026-01-01T00:00:00.250Z', 1],
    ['2026-01-01T00:00:00.375Z', 1],
  ])
  expect(receipt).toMatchObject({ skewMs: 125, achieved: 'Offline', guest: 'offline' })
  expect(receipt?.freeze).toBeUndefined()
})

test('a failed snapshot has a receipt that says why', async () => {
  const source = await scene.running({ agent: false })
  await takeSnapshot(scene.bench, source, { annotations: { [consistencyAnnotation]: 'Required' } })
  const receipt = receiptOf(await scene.until(source, failed))
  expect(receipt).toMatchObject({ outcome: 'Failed', requested: 'Required', guest: 'no-agent' })
  expect(receipt?.reason).toMatch(/^required consistency cannot be reached/)
  expect(receipt?.achieved).toBeUndefined()
})

test('waiting snapshots of one VM are taken in the order they were asked for', async () => {
  const source = await seedVm(scene.bench)
  await holdClaim(source, 'Pending')
  const names = ['c-first', 'b-second', 'a-third']
  for (const [at, name] of names.entries()) {
    await takeSnapshot(scene.bench, source, { as: name })
    await scene.until(source, (found) => found?.status?.phase === 'InProgress', { name })
    // Creation times are whole seconds.
    if (at < names.length - 1) await new Promise((resolve) => setTimeout(resolve, 1_001))
  }
  const order: string[] = []
  const watched = scene.bench.untilAny(VirtualMachine, source.namespace, ({ status }) => {
    const holder = status?.snapshotInProgress
    if (holder && order.at(-1) !== holder) order.push(holder)
    return order.length === names.length || undefined
  })
  await holdClaim(source, 'Bound')
  await watched
  expect(order).toEqual(names)
})

test('the next in line goes on when the one before it is deleted while it waits', async () => {
  const source = await seedVm(scene.bench)
  await holdClaim(source, 'Pending')
  await takeSnapshot(scene.bench, source, { as: 'a-first' })
  await takeSnapshot(scene.bench, source, { as: 'b-second' })
  await scene.until(source, (found) => found?.status?.phase === 'InProgress', { name: 'b-second' })
  await scene.bench.client.delete(VirtualMachineSnapshot, { namespace: source.namespace, name: 'a-first' })
  await scene.until(source, (found) => found === undefined, { name: 'a-first' })
  await holdClaim(source, 'Bound')
  await scene.until(source, ready, { name: 'b-second' })
})

test('a VM that is being moved is left alone until it has arrived', async () => {
  const source = await scene.running()
  const migrating = (state: object | null) =>
    scene.bench.client.patch(VirtualMachineInstance, source, { status: { migrationState: state } })
  await migrating({ migrationUid: 'm-1' })
  await takeSnapshot(scene.bench, source)
  const reason = `False Source not locked source ${source.namespace}/my-vm is being migrated`
  await scene.until(source, (found) => found && conditionsOf(found).Progressing === reason)
  expect(scene.guest.calls).toEqual([])
  await migrating({ migrationUid: 'm-1', completed: true })
  await scene.until(source, ready)
})

test('a volume of the running guest alone is told as excluded', async () => {
  const source = await scene.running()
  const plugged = { name: 'plugged', persistentVolumeClaim: { claimName: 'other', hotpluggable: true } }
  const scratch = { name: 'scratch', emptyDisk: { capacity: '1Gi' } }
  await scene.bench.client.patch(VirtualMachineInstance, source, { spec: { volumes: [plugged, scratch] } })
  await takeSnapshot(scene.bench, source)
  const snapshot = await scene.until(source, ready)
  expect(snapshot.status?.snapshotVolumes).toEqual({
    includedVolumes: ['root'],
    excludedVolumes: ['plugged', 'scratch'],
  })
  expect(snapshot.status?.indications).toContain('PartialSnapshot')
})

const withPreference = async (source: SeededVm, data: Record<string, unknown>): Promise<void> => {
  const { namespace } = source
  await scene.bench.client.create(
    ControllerRevision,
    objectOf(ControllerRevision, { name: 'my-vm-windows-1', namespace }, { revision: 1, data }),
  )
  await scene.bench.client.patch(VirtualMachine, source, { spec: { preference: { name: 'windows' } } })
  await scene.bench.client.patch(
    VirtualMachine,
    source,
    { status: { preferenceRef: { name: 'windows', controllerRevisionRef: { name: 'my-vm-windows-1' } } } },
    { subresource: 'status' },
  )
}

test('state that a preference makes persistent is waited for, told, and captured', async () => {
  const source = await seedVm(scene.bench)
  await withPreference(source, { spec: { devices: { preferredTPM: { persistent: true } } } })
  const created = await takeSnapshot(scene.bench, source)
  await scene.until(source, (found) => found && conditionsOf(found).Progressing === 'False Source not locked')
  await scene.eventWith(source.namespace, 'asks for persistent TPM or EFI state and has no claim for it yet')
  await seedClaim(scene.bench, source.namespace, 'state-claim')
  await scene.bench.client.patch(
    PersistentVolumeClaim,
    { namespace: source.namespace, name: 'state-claim' },
    { metadata: { labels: { [persistentStateLabel]: source.name } } },
  )
  const snapshot = await scene.until(source, ready)
  const state = 'persistent-state-for-my-vm'
  expect(snapshot.status?.snapshotVolumes?.includedVolumes).toEqual(['root', state])
  const content = await scene.contentOf(created)
  expect(content.spec.volumeBackups?.map(({ volumeName }) => volumeName)).toEqual(['root', state])
  await scene.bench.until(VirtualMachine, source, (vm) =>
    vm?.status?.volumeSnapshotStatuses?.some(({ name, enabled }) => name === state && enabled),
  )
  const elsewhere = startRestore(scene.bench, { ...source, name: 'other-vm' })
  await expect(elsewhere).rejects.toThrow('Restore to a different VM is not supported')
})

test('a revision that only the status names is captured, also of a VM that is off', async () => {
  const source = await seedVm(scene.bench)
  await withPreference(source, { spec: {} })
  const created = await takeSnapshot(scene.bench, source)
  await scene.until(source, ready)
  const content = await scene.contentOf(created)
  expect(content.spec.source.virtualMachine?.spec?.preference?.revisionName).toBe('snap-windows-1')
  await scene.bench.client.get(ControllerRevision, { namespace: source.namespace, name: 'snap-windows-1' })
})

test('a revision that does not carry the name of its VM is copied all the same', async () => {
  const source = await seedVm(scene.bench)
  const { namespace } = source
  await scene.bench.client.create(
    ControllerRevision,
    objectOf(ControllerRevision, { name: 'shared-1', namespace }, { revision: 1, data: { a: 1 } }),
  )
  await scene.bench.client.patch(VirtualMachine, source, {
    spec: { instancetype: { name: 'small', revisionName: 'shared-1' } },
  })
  await takeSnapshot(scene.bench, source)
  await scene.until(source, ready)
  const copy = await scene.bench.client.get(ControllerRevision, { namespace, name: 'snap-shared-1' })
  expect(copy.data).toEqual({ a: 1 })
})

test('a retained content keeps the revisions its VM needs', async () => {
  const source = await seedVm(scene.bench)
  await withPreference(source, { spec: {} })
  const created = await takeSnapshot(scene.bench, source, { deletionPolicy: 'Retain' })
  await scene.until(source, ready)
  await scene.bench.client.delete(VirtualMachineSnapshot, refOf(created))
  await scene.until(source, (snapshot) => snapshot === undefined)
  const content = await scene.bench.client.get(VirtualMachineSnapshotContent, contentRef(created))
  const revision = await scene.bench.client.get(ControllerRevision, {
    namespace: source.namespace,
    name: 'snap-windows-1',
  })
  expect(revision.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([content.metadata.uid])
})

test('a snapshot that a restore works with goes only when the restore is through', async () => {
  const source = await seedVm(scene.bench)
  const created = await takeSnapshot(scene.bench, source)
  await scene.until(source, ready)
  const restore = await startRestore(scene.bench, source)
  const setStatus = (status: object) =>
    scene.bench.client.patch(VirtualMachineRestore, refOf(restore), { status }, { subresource: 'status' })
  await setStatus({ complete: false, restores: [], conditions: [] })
  await scene.bench.client.delete(VirtualMachineSnapshot, refOf(created))
  await scene.eventWith(source.namespace, 'SnapshotInUse Deletion waits for VirtualMachineRestore back')
  await scene.bench.client.get(VirtualMachineSnapshotContent, contentRef(created))
  await setStatus({ complete: true, conditions: [] })
  await scene.until(source, (snapshot) => snapshot === undefined)
})

const holdClaim = ({ namespace }: SeededVm, phase: string) =>
  scene.bench.client.patch(
    PersistentVolumeClaim,
    { namespace, name: 'root-claim' },
    { status: { phase } },
    { subresource: 'status' },
  )
