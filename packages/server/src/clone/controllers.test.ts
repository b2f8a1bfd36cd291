import { cloneAdmission } from '@stillpoint/api/clone/admission'
import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { Event } from '@stillpoint/api/core/event'
import { claimOf, VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import { bootVm, FakeGuest, FakeStorage } from '../controller/testing/fake-guest.ts'
import {
  type SeededVm,
  seedStorage,
  seedVm,
  startClone,
  startRestore,
  takeSnapshot,
  withWaitingStorage,
} from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { machineAdmission } from '../machine/admission.ts'
import { restoreControllers } from '../restore/controllers.ts'
import { snapshotControllers } from '../snapshot/controllers.ts'
import { cloneControllers } from './controllers.ts'

let bench: Bench
let storage: FakeStorage
let process: Process

const start = (options: Parameters<Bench['run']>[1] = {}) =>
  bench.run(
    (context) => [snapshotControllers(context), restoreControllers(context), cloneControllers(context)],
    options,
  )

beforeAll(async () => {
  bench = await startBench({ admission: [...snapshotAdmission, ...machineAdmission, ...cloneAdmission(() => 'x7b2k')] })
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
})
afterAll(async () => {
  await storage.close()
  await bench.close()
})
beforeEach(async () => {
  storage.binding = true
  storage.cutting = true
  process = await start()
})
afterEach(() => process.stop())

type Clone = VirtualMachineClone | undefined
type Where = { namespace: string }
const until = <T>({ namespace }: Where, holds: (clone: Clone) => T | undefined | false, limitMs?: number) =>
  bench.until(VirtualMachineClone, { namespace, name: 'clone' }, holds, limitMs)
const inPhase = (phase: string) => (clone: Clone) => clone?.status?.phase === phase && clone
const tidy = (clone: Clone) =>
  clone?.status?.phase === 'Succeeded' && !clone.status.snapshotName && !clone.metadata.finalizers?.length && clone
const pending = (clone: Clone) =>
  clone?.status?.conditions?.some(({ type, reason }) => type === 'Progressing' && reason === 'Pending') && clone
const says = (clone: VirtualMachineClone) =>
  Object.fromEntries(
    (clone.status?.conditions ?? []).map(({ type, status, reason, message }) => [
      type,
      [status, reason, ...(message === undefined ? [] : [message])].join(': '),
    ]),
  )
const saying = (text: string) => ({ Progressing: `False: ${text}`, Ready: `False: ${text}` })
const copyOf = ({ namespace }: Where) => ({ namespace, name: 'copy' })

/** Reasons of the clone's events, in the order of their first appearance; ends the controllers, so that all are written. */
async function eventsIn({ namespace }: Where): Promise<string[]> {
  await process.stop()
  const { items } = await bench.client.list(Event, { namespace })
  return items
    .filter(({ involvedObject }) => involvedObject.kind === 'VirtualMachineClone')
    .sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion))
    .map(({ type, reason }) => `${type} ${reason}`)
}

/** Waits until nothing is left in a namespace of what a clone makes on its way. */
async function nothingLeft({ namespace }: Where, claims: readonly string[] = ['root-claim']): Promise<void> {
  for (const definition of [
    VirtualMachineSnapshot,
    VirtualMachineSnapshotContent,
    VolumeSnapshot,
    VirtualMachineRestore,
  ])
    await expect
      .poll(async () => (await bench.client.list(definition, { namespace })).items, { timeout: 5_000 })
      .toEqual([])
  const names = async () =>
    (await bench.client.list(PersistentVolumeClaim, { namespace })).items.map(({ metadata }) => metadata.name).sort()
  await expect.poll(names, { timeout: 5_000 }).toEqual([...claims])
}

async function unlocked(source: SeededVm): Promise<void> {
  await bench.until(VirtualMachine, source, (vm) => !vm?.status?.snapshotInProgress && !vm?.metadata.finalizers?.length)
}

/** As two machines in one network must not share it. */
async function identified(source: SeededVm, metadata: object = {}): Promise<void> {
  await bench.client.patch(VirtualMachine, source, {
    metadata,
    spec: {
      template: {
        spec: {
          domain: {
            firmware: { uuid: 'source-uuid', serial: 'source-serial' },
            devices: { interfaces: [{ name: 'default', macAddress: '02:00:00:00:00:01' }, { name: 'blue' }] },
            memory: { guest: '64Mi' },
          },
          networks: [{ name: 'default' }, { name: 'blue' }],
        },
      },
    },
  })
}

describe('a stopped VM', () => {
  test('is copied onto disks of its own, and nothing else is left', async () => {
    const source = await seedVm(bench, { disks: ['root', 'data'] })
    await identified(source)
    // Until its volumes are told to be fit, a clone waits for that, and says so.
    await bench.until(VirtualMachine, source, (vm) => {
      const { volumeSnapshotStatuses: statuses = [] } = vm?.status ?? {}
      return statuses.length === 2 && statuses.every(({ enabled }) => enabled)
    })
    const phases: string[] = []
    const created = await startClone(bench, source)
    const clone = await until(source, (found) => {
      const phase = found?.status?.phase
      if (phase && phases.at(-1) !== phase) phases.push(phase)
      return tidy(found)
    })
    expect(phases).toEqual(['SnapshotInProgress', 'RestoreInProgress', 'CreatingTargetVM', 'Succeeded'])
    expect(says(clone)).toEqual({ Progressing: 'False: Ready', Ready: 'True: Ready' })
    expect(clone.status).toMatchObject({ targetName: 'copy', creationTime: expect.any(String) })
    expect(clone.status?.restoreName).toBeUndefined()

    const vm = await bench.client.get(VirtualMachine, copyOf(source))
    const { domain, volumes } = vm.spec.template.spec
    expect(vm.spec.runStrategy).toBe('Halted')
    expect(domain.devices.interfaces).toEqual([{ name: 'default' }, { name: 'blue' }])
    expect([domain.firmware?.uuid, domain.firmware?.serial]).not.toContain(undefined)
    expect([domain.firmware?.uuid, domain.firmware?.serial]).not.toContain('source-uuid')
    expect(domain.firmware?.serial).not.toBe('source-serial')
    const claims = (volumes ?? []).flatMap((volume) => claimOf(volume) ?? [])
    expect(claims).toHaveLength(2)
    await nothingLeft(source, ['data-claim', ...claims, 'root-claim'].sort())
    for (const name of claims) {
      expect(name).toMatch(/^restore-.*-(root|data)$/)
      const claim = await bench.client.get(PersistentVolumeClaim, { namespace: source.namespace, name })
      expect(claim.status?.phase).toBe('Bound')
    }
    await unlocked(source)
    const after = await bench.client.get(VirtualMachine, source)
    expect(after.spec.template.spec.domain.firmware?.uuid).toBe('source-uuid')
    expect(await eventsIn(source)).toEqual([
      'Normal SnapshotCreated',
      'Normal SnapshotReady',
      'Normal RestoreCreated',
      'Normal RestoreReady',
      'Normal TargetVMCreated',
      'Normal PVCBound',
    ])
    expect(
      process.writes.filter((write) => write.includes(`virtualmachineclones/${created.metadata.name}`)).length,
    ).toBe(7)
  })

  test('gets the addresses, the serial, the labels and the patches asked for', async () => {
    const source = await seedVm(bench)
    await identified(source, { labels: { 'keep/this': '1', 'drop/this': '2' }, annotations: { note: 'x' } })
    await startClone(bench, source, {
      newMacAddresses: { blue: '02:00:00:00:00:02' },
      newSMBiosSerial: 'my-serial',
      labelFilters: ['*', '!^drop/'],
      annotationFilters: [],
      template: { annotationFilters: ['*'] },
      volumeNamePolicy: 'PrefixTargetName',
      patches: [
        '{"op": "add", "path": "/metadata/labels/made~1by", "value": "patch"}',
        '{"op": "add", "path": "/spec/template/metadata/labels", "value": {"app": "copy"}}',
        '{"op": "replace", "path": "/spec/template/spec/domain/memory", "value": {"guest": "128Mi"}}',
      ],
    })
    await until(source, tidy)
    const vm = await bench.client.get(VirtualMachine, copyOf(source))
    expect(vm.metadata.labels).toEqual({ 'keep/this': '1', 'made/by': 'patch' })
    expect(Object.keys(vm.metadata.annotations ?? {})).toEqual(['restore.kubevirt.io/lastRestoreUID'])
    const { metadata, spec } = vm.spec.template
    expect(metadata?.labels).toEqual({ app: 'copy' })
    expect(spec.domain.devices.interfaces).toEqual([
      { name: 'default' },
      { name: 'blue', macAddress: '02:00:00:00:00:02' },
    ])
    expect(spec.domain.firmware?.serial).toBe('my-serial')
    expect(spec.domain.memory?.guest).toBe('128Mi')
    expect(spec.volumes).toEqual([{ name: 'root', persistentVolumeClaim: { claimName: 'copy-root' } }])
  })

  test('is not failed for what only an old copy of it lacks', async () => {
    const source = await seedVm(bench)
    const old = await bench.client.get(VirtualMachine, source)
    await identified(source, {})
    await process.stop()
    process = await bench.run((context) => {
      // A watch that is behind: what has been seen of this VM is its state before the change.
      const vms = context.informers.of(VirtualMachine)
      const seen = vms.get.bind(vms)
      vms.get = (key) => (key === `${source.namespace}/${source.name}` ? old : seen(key))
      return [snapshotControllers(context), restoreControllers(context), cloneControllers(context)]
    })
    await startClone(bench, source, { newMacAddresses: { blue: '02:00:00:00:00:02' } })
    const begun = await until(source, (clone) => (clone?.status?.phase && clone) || undefined)
    expect(begun.status?.phase).not.toBe('Failed')
    expect(begun.status?.snapshotName).toBeDefined()
  })

  test('of no target name is copied onto one made of its own', async () => {
    const source = await seedVm(bench)
    const clone = await startClone(bench, source, { target: undefined })
    expect(clone.spec.target).toEqual({ apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'clone-my-vm-x7b2k' })
    const done = await until(source, tidy)
    expect(done.status?.targetName).toBe('clone-my-vm-x7b2k')
    expect(await bench.client.find(VirtualMachine, { ...source, name: 'clone-my-vm-x7b2k' })).toBeDefined()
  })

  test('is copied twice at the same time', async () => {
    const source = await seedVm(bench)
    const { namespace } = source
    await startClone(bench, source)
    await startClone(bench, source, { as: 'twin' })
    await until(source, tidy)
    await bench.until(VirtualMachineClone, { namespace, name: 'twin' }, tidy)
    const { items } = await bench.client.list(VirtualMachine, { namespace })
    expect(items.map(({ metadata }) => metadata.name).sort()).toEqual(['copy', 'my-vm', 'twin-copy'])
  })
})

test('a running VM is copied through one freeze, disks of templates as DataVolumes', async () => {
  const guest = new FakeGuest(bench)
  storage.guest = guest
  const source = await seedVm(bench, { disks: ['root', 'data'], templated: ['data'] })
  await bootVm(bench, source, { revision: source.revision })
  await startClone(bench, source)
  await until(source, tidy)
  expect(guest.calls).toEqual(['freeze', 'unfreeze'])
  const vm = await bench.client.get(VirtualMachine, copyOf(source))
  const name = vm.spec.dataVolumeTemplates?.[0]?.metadata.name ?? ''
  const { namespace } = source
  expect((await bench.client.get(DataVolume, { namespace, name })).status?.phase).toBe('Succeeded')
  expect(await bench.client.find(DataVolume, { namespace, name: 'data-claim' })).toBeDefined()
  await unlocked(source)
})

describe('a snapshot', () => {
  test('is copied, also onto the name of its lost VM, and stays', async () => {
    const source = await seedVm(bench)
    await takeSnapshot(bench, source)
    await bench.until(VirtualMachineSnapshot, { ...source, name: 'snap' }, (snapshot) => snapshot?.status?.readyToUse)
    await unlocked(source)
    await bench.client.delete(VirtualMachine, source)
    await bench.until(VirtualMachine, source, (vm) => vm === undefined)
    const { namespace } = source
    const target = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: source.name }
    await startClone(bench, { namespace, snapshot: 'snap' }, { target })
    const clone = await until(source, (found) => (found?.status?.restoreName ? found : undefined))
    expect(clone.status?.snapshotName).toBe('snap')
    await until(source, tidy)
    expect(await bench.client.find(VirtualMachineSnapshot, { namespace, name: 'snap' })).toBeDefined()
    const restore = { namespace, name: clone.status?.restoreName ?? '' }
    await bench.until(VirtualMachineRestore, restore, (found) => found === undefined)
    expect(await bench.client.find(VirtualMachine, source)).toBeDefined()
    expect(await eventsIn(source)).not.toContain('Normal SnapshotCreated')
  })

  test('that does not exist is waited for, and so is its readiness', async () => {
    const source = await seedVm(bench)
    const { namespace } = source
    await startClone(bench, { namespace, snapshot: 'snap' })
    const waiting = await until(source, pending)
    expect(says(waiting)).toEqual(saying('Pending: VirtualMachineSnapshot snap does not exist'))
    expect(waiting.status?.phase).toBeUndefined()
    storage.cutting = false
    await takeSnapshot(bench, source)
    const taking = await until(source, inPhase('SnapshotInProgress'))
    expect(says(taking).Ready).toBe(`False: Still processing: VMSnapshot ${namespace}/snap not ready`)
    storage.cutting = true
    await storage.work()
    await until(source, tidy, 3_000)
    expect((await eventsIn(source))[0]).toBe('Warning SourceDoesNotExist')
  })

  test('that lacks a disk of its VM is not copied', async () => {
    const source = await seedVm(bench)
    const { namespace } = source
    const spec = structuredClone(source.vm.spec)
    // Of storage that has no snapshots.
    const ghost = {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'plain',
      resources: { requests: { storage: '1Gi' } },
    }
    const ref = { namespace, name: 'ghost' }
    await bench.client.create(PersistentVolumeClaim, objectOf(PersistentVolumeClaim, ref, { spec: ghost }))
    await bench.client.patch(PersistentVolumeClaim, ref, { status: { phase: 'Bound' } }, { subresource: 'status' })
    spec.template.spec.volumes?.push({ name: 'ghost', persistentVolumeClaim: { claimName: 'ghost' } })
    spec.template.spec.domain.devices.disks?.push({ name: 'ghost' })
    await bench.client.patch(VirtualMachine, source, { spec: { ...spec, runStrategy: 'Manual' } })
    await takeSnapshot(bench, source)
    await bench.until(VirtualMachineSnapshot, { namespace, name: 'snap' }, (snapshot) => snapshot?.status?.readyToUse)
    await startClone(bench, { namespace, snapshot: 'snap' })
    const clone = await until(source, inPhase('Failed'))
    expect(says(clone).Ready).toMatch(/^False: Failed: VirtualMachineSnapshotContent \S+ lacks volumes .*: ghost$/)
    expect(await eventsIn(source)).toEqual(['Warning SnapshotContentInvalid'])
    expect(await bench.client.find(VirtualMachineSnapshot, { namespace, name: 'snap' })).toBeDefined()
  })
})

describe('a source that is not fit', () => {
  test('is waited for until it exists', async () => {
    const { namespace } = await seedVm(bench)
    const missing = { namespace, name: 'later' }
    await startClone(bench, missing)
    expect(says(await until(missing, pending))).toEqual(saying('Pending: VirtualMachine later does not exist'))
    await bench.client.create(
      VirtualMachine,
      objectOf(VirtualMachine, missing, {
        spec: { runStrategy: 'Halted', template: { spec: { domain: { memory: { guest: '1Gi' }, devices: {} } } } },
      }),
    )
    await until(missing, tidy, 3_000)
    expect((await eventsIn(missing)).filter((event) => event.startsWith('Warning'))).toEqual([
      'Warning SourceDoesNotExist',
    ])
  })

  test('is waited for until its disks can be snapshotted, with the reason', async () => {
    const snapshotClass = { name: 'fast-snapshots' }
    await bench.client.delete(VolumeSnapshotClass, snapshotClass)
    const source = await seedVm(bench)
    try {
      await bench.until(VirtualMachine, source, (vm) =>
        vm?.status?.volumeSnapshotStatuses?.[0]?.reason?.startsWith('No VolumeSnapshotClass'),
      )
      await startClone(bench, source)
      const reason =
        'Pending: VirtualMachine my-vm has volumes that cannot be snapshotted: root (No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [fast] [root])'
      await until(source, (clone) => clone && says(clone).Ready === `False: ${reason}`)
    } finally {
      const fields = { driver: 'csi.test', deletionPolicy: 'Delete' } as const
      await bench.client.create(VolumeSnapshotClass, objectOf(VolumeSnapshotClass, snapshotClass, fields))
    }
    await until(source, tidy, 3_000)
    expect(await eventsIn(source)).toContain('Warning VMVolumeSnapshotsInvalid')
  })

  test.each([
    [
      'persistent TPM',
      { devices: { tpm: { persistent: true } } },
      {},
      'SourceVMWithBackendStorageInvalid',
      'VirtualMachine my-vm: persistent TPM or EFI state cannot be cloned',
    ],
    [
      'no interface of a name that gets an address',
      {},
      { newMacAddresses: { red: '02:00:00:00:00:01' } },
      'InterfaceNotFound',
      'spec.newMacAddresses names interfaces the virtual machine does not have: red',
    ],
  ])('%s fails it before anything is taken', async (_, domain, spec, event, text) => {
    // Who watches clones and VMs may see a clone before the VM it is of.
    await process.stop()
    const source = await seedVm(bench)
    await bench.client.patch(VirtualMachine, source, {
      spec: { template: { spec: { domain: { memory: { guest: '1Gi' }, ...domain } } } },
    })
    await startClone(bench, source, spec)
    process = await start()
    expect(says(await until(source, inPhase('Failed')))).toEqual(saying(`Failed: ${text}`))
    await until(source, (clone) => !clone?.metadata.finalizers?.length)
    await nothingLeft(source)
    expect(await eventsIn(source)).toEqual([`Warning ${event}`])
  })
})

describe('a failure on the way', () => {
  const failsWith = async (source: SeededVm, text: RegExp, event: string) => {
    const clone = await until(source, inPhase('Failed'))
    expect(says(clone).Ready).toMatch(text)
    expect(says(clone).Progressing).toBe(says(clone).Ready)
    await until(source, (found) => !found?.metadata.finalizers?.length)
    await unlocked(source)
    await nothingLeft(source)
    expect(await bench.client.find(VirtualMachine, copyOf(source))).toBeUndefined()
    expect((await eventsIn(source)).at(-1)).toBe(`Warning ${event}`)
  }

  test('of the snapshot is told, and everything is as before', async () => {
    await process.stop()
    const source = await seedVm(bench)
    await startClone(bench, source)
    storage.cutting = false
    // Past the deadline of a snapshot that is taken now.
    process = await start({ now: () => new Date(Date.now() + 301_000) })
    await failsWith(
      source,
      /^False: Failed: VirtualMachineSnapshot tmp-snapshot-\S+ failed: snapshot deadline exceeded/,
      'SnapshotFailed',
    )
  })

  test('a deleted snapshot is told', async () => {
    storage.cutting = false
    const source = await seedVm(bench)
    const { namespace } = source
    await startClone(bench, source)
    const clone = await until(source, inPhase('SnapshotInProgress'))
    expect(clone.status?.snapshotName).toBe(`tmp-snapshot-${clone.metadata.uid}`)
    await bench.client.delete(VirtualMachineSnapshot, { namespace, name: clone.status?.snapshotName ?? '' })
    await failsWith(source, /^False: Failed: VirtualMachineSnapshot \S+ was deleted before/, 'SnapshotDeleted')
  })

  test('a snapshot deleted under the restore goes when the restore is through', async () => {
    storage.binding = false
    const source = await seedVm(bench)
    const { namespace } = source
    await startClone(bench, source)
    const clone = await until(source, inPhase('RestoreInProgress'))
    const restore = { namespace, name: clone.status?.restoreName ?? '' }
    await bench.until(VirtualMachineRestore, restore, (found) => found?.status?.restores)
    const snapshot = { namespace, name: clone.status?.snapshotName ?? '' }
    await bench.client.delete(VirtualMachineSnapshot, snapshot)
    await bench.untilAny(Event, namespace, ({ reason }) => reason === 'SnapshotInUse' || undefined)
    storage.binding = true
    await storage.work()
    await until(source, tidy)
    await bench.until(VirtualMachineSnapshot, snapshot, (found) => found === undefined)
  })

  test('a snapshot deleted before the restore has begun with it is told', async () => {
    const source = await seedVm(bench)
    const { namespace } = source
    storage.readyAtOnce = false
    try {
      await startClone(bench, source)
      const clone = await until(source, (found) => (found?.status?.snapshotName ? found : undefined))
      const snapshot = { namespace, name: clone.status?.snapshotName ?? '' }
      await bench.until(VirtualMachineSnapshot, snapshot, (found) => found?.status?.phase === 'Succeeded')
      await bench.client.delete(VirtualMachineSnapshot, snapshot)
      await failsWith(source, /^False: Failed: VirtualMachineSnapshot \S+ was deleted before/, 'SnapshotDeleted')
    } finally {
      storage.readyAtOnce = true
    }
  })

  test('a deleted restore is told', async () => {
    storage.binding = false
    const source = await seedVm(bench)
    const { namespace } = source
    await startClone(bench, source)
    const clone = await until(source, inPhase('RestoreInProgress'))
    await bench.client.delete(VirtualMachineRestore, { namespace, name: clone.status?.restoreName ?? '' })
    await failsWith(source, /^False: Failed: VirtualMachineRestore \S+ was deleted before/, 'RestoreDeleted')
  })

  test('a failed restore is told', async () => {
    storage.binding = false
    const source = await seedVm(bench)
    const { namespace } = source
    await startClone(bench, source)
    const clone = await until(source, inPhase('RestoreInProgress'))
    const conditions = [{ type: 'Failure', status: 'True', reason: 'broken' }]
    await bench.client.patch(
      VirtualMachineRestore,
      { namespace, name: clone.status?.restoreName ?? '' },
      { status: { conditions } },
      { subresource: 'status' },
    )
    await failsWith(source, /^False: Failed: VirtualMachineRestore \S+ failed: broken$/, 'RestoreFailed')
  })

  test('patches that do not fit the VM are told', async () => {
    const source = await seedVm(bench)
    await startClone(bench, source, { patches: ['{"op": "remove", "path": "/spec/template/spec/nothing"}'] })
    await failsWith(
      source,
      /^False: Failed: VirtualMachineRestore \S+ failed: error patching VM copy: /,
      'RestoreFailed',
    )
  })

  test('a restore of the same target that is under way already is told', async () => {
    const source = await seedVm(bench)
    const rival = await startRestore(bench, copyOf(source), { from: 'never' })
    await startClone(bench, source)
    const clone = await until(source, inPhase('Failed'))
    expect(says(clone).Ready).toContain('VirtualMachineRestore "back" in progress')
    await bench.client.delete(VirtualMachineRestore, refOf(rival))
    await nothingLeft(source)
    expect((await eventsIn(source)).at(-1)).toBe('Warning RestoreCreationFailed')
  })

  test('a target that exists is not touched', async () => {
    await process.stop()
    const source = await seedVm(bench)
    await startClone(bench, source)
    const other = await bench.client.create(
      VirtualMachine,
      objectOf(VirtualMachine, copyOf(source), {
        spec: { runStrategy: 'Halted', template: { spec: { domain: { memory: { guest: '1Gi' }, devices: {} } } } },
      }),
    )
    process = await start()
    const clone = await until(source, inPhase('Failed'))
    expect(says(clone)).toEqual(saying('Failed: VirtualMachine copy exists already, and this clone did not make it'))
    await nothingLeft(source)
    expect((await bench.client.get(VirtualMachine, refOf(other))).spec).toEqual(other.spec)
    expect(await eventsIn(source)).toEqual(['Warning TargetExists'])
  })

  test('patches that make an impossible VM are told', async () => {
    const source = await seedVm(bench)
    await startClone(bench, source, { patches: ['{"op": "add", "path": "/spec/running", "value": true}'] })
    await failsWith(source, /^False: Failed: VirtualMachineRestore \S+ failed: .*mutually exclusive/, 'RestoreFailed')
  })

  test('what may still pass is shown, and waited for', async () => {
    storage.binding = false
    const source = await seedVm(bench)
    const { namespace } = source
    const created = await startClone(bench, source)
    const restore = { namespace, name: `tmp-restore-${created.metadata.uid}` }
    const name = await bench.until(
      VirtualMachineRestore,
      restore,
      (found) => found?.status?.restores?.[0]?.persistentVolumeClaim,
    )
    await bench.until(PersistentVolumeClaim, { namespace, name }, (claim) => claim)
    const set = (phase: string) =>
      bench.client.patch(PersistentVolumeClaim, { namespace, name }, { status: { phase } }, { subresource: 'status' })
    await set('Lost')
    const text = `False: Still processing: PVC ${namespace}/${name} in status "Lost"`
    await until(source, (clone) => clone && says(clone).Ready === text)
    await set('Bound')
    await until(source, tidy)
  })
})

describe('given up', () => {
  test.each([
    ['while the snapshot is taken', 'SnapshotInProgress', 'cutting'],
    ['while disks are filled', 'RestoreInProgress', 'binding'],
  ] as const)('%s, it leaves everything as before', async (_, phase, held) => {
    storage[held] = false
    const guest = new FakeGuest(bench)
    const source = await seedVm(bench, { disks: ['data', 'root'], templated: ['data'] })
    await bootVm(bench, source, { revision: source.revision })
    const created = await startClone(bench, source)
    await until(source, inPhase(phase))
    await bench.client.delete(VirtualMachineClone, refOf(created))
    await until(source, (clone) => clone === undefined)
    await nothingLeft(source, ['data-claim', 'root-claim'])
    await unlocked(source)
    expect(guest.frozen).toBe(false)
    const { namespace } = source
    expect((await bench.client.list(DataVolume, { namespace })).items).toHaveLength(1)
    expect((await bench.client.list(VirtualMachine, { namespace })).items).toHaveLength(1)
  })

  test('before its source exists, it goes at once', async () => {
    const { namespace } = await seedVm(bench)
    const created = await startClone(bench, { namespace, name: 'never' })
    await until(created.metadata as Where, pending)
    await bench.client.delete(VirtualMachineClone, refOf(created))
    await until({ namespace }, (clone) => clone === undefined, 3_000)
  })
})

describe('with storage that waits for a consumer', () => {
  const succeeded = async (): Promise<SeededVm> => {
    storage.binding = false
    const source = await seedVm(bench, { disks: ['late'] })
    await startClone(bench, source)
    const clone = await until(source, inPhase('Succeeded'))
    expect(says(clone).Ready).toMatch(
      /^True: Ready: VirtualMachineSnapshot \S+ is needed until these claims are bound: /,
    )
    await process.quiet()
    const { snapshotName, restoreName } = clone.status ?? {}
    expect(await bench.client.find(VirtualMachineSnapshot, { ...source, name: snapshotName ?? '' })).toBeDefined()
    expect(await bench.client.find(VirtualMachineRestore, { ...source, name: restoreName ?? '' })).toBeDefined()
    return source
  }
  const bind = async (): Promise<void> => {
    storage.binding = true
    await storage.work()
  }

  test('the snapshot stays until the disks are filled', () =>
    withWaitingStorage(bench, async () => {
      const source = await succeeded()
      await bind()
      const clone = await until(source, tidy)
      expect(says(clone).Ready).toBe('True: Ready')
      const vm = await bench.client.get(VirtualMachine, copyOf(source))
      await nothingLeft(source, [
        'late-claim',
        ...(vm.spec.template.spec.volumes ?? []).flatMap((one) => claimOf(one) ?? []),
      ])
      expect((await eventsIn(source)).at(-1)).toBe('Normal PVCBound')
    }))

  test('a clone deleted before leaves the snapshot to its target', () =>
    withWaitingStorage(bench, async () => {
      const source = await succeeded()
      const { namespace } = source
      await bench.client.delete(VirtualMachineClone, { namespace, name: 'clone' })
      await until(source, (clone) => clone === undefined)
      await process.quiet()
      const [snapshot] = (await bench.client.list(VirtualMachineSnapshot, { namespace })).items
      expect(snapshot?.metadata.ownerReferences).toMatchObject([{ kind: 'VirtualMachine', name: 'copy' }])
      expect((await bench.client.list(VolumeSnapshot, { namespace })).items).toHaveLength(1)
      await bind()
      await bench.client.delete(VirtualMachine, copyOf(source))
      await bench.until(
        VirtualMachineSnapshot,
        { namespace, name: snapshot?.metadata.name ?? '' },
        (one) => one === undefined,
      )
    }))
})

describe('afterwards', () => {
  test('a clone that is deleted changes nothing of its target', async () => {
    const source = await seedVm(bench)
    const { namespace } = source
    await startClone(bench, source)
    await until(source, tidy)
    const before = await bench.client.get(VirtualMachine, copyOf(source))
    await bench.client.delete(VirtualMachineClone, { namespace, name: 'clone' })
    await until(source, (clone) => clone === undefined)
    await process.quiet()
    expect(await bench.client.get(VirtualMachine, copyOf(source))).toEqual(before)
    expect((await bench.client.list(PersistentVolumeClaim, { namespace })).items).toHaveLength(2)
  })

  test('a clone goes with its target, one that failed stays', async () => {
    const source = await seedVm(bench)
    const { namespace } = source
    await startClone(bench, source)
    await startClone(bench, source, { as: 'bad', newMacAddresses: { red: '02:00:00:00:00:01' } })
    await until(source, tidy)
    await bench.client.delete(VirtualMachine, copyOf(source))
    await until(source, (clone) => clone === undefined)
    expect((await bench.client.get(VirtualMachineClone, { namespace, name: 'bad' })).status?.phase).toBe('Failed')
  })
})
