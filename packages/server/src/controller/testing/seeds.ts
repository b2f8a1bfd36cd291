import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { Namespace } from '@stillpoint/api/core/namespace'
import { claimOf, VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
  type VolumeBackup,
} from '@stillpoint/api/snapshot/kinds'
import { contentName, volumeSnapshotName } from '@stillpoint/api/snapshot/names'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
} from '@stillpoint/api/storage/kinds'
import type { Bench } from './bench.ts'

let namespaces = 0

/** A storage class and its snapshot class; once per server. */
export async function seedStorage({ client }: Bench): Promise<void> {
  await client.create(
    StorageClass,
    objectOf(
      StorageClass,
      { name: 'fast' },
      { provisioner: 'csi.test', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
    ),
  )
  await client.create(
    VolumeSnapshotClass,
    objectOf(VolumeSnapshotClass, { name: 'fast-snapshots' }, { driver: 'csi.test', deletionPolicy: 'Delete' }),
  )
}

export interface SeededVm {
  namespace: string
  name: string
  vm: VirtualMachine
  /** Name of the ControllerRevision it would be started from. */
  revision: string
}

/** A VM with bound disks in a namespace of its own. */
export async function seedVm(
  bench: Bench,
  {
    disks = ['root'],
    runStrategy = 'Manual',
    templated = [],
  }: { disks?: readonly string[]; runStrategy?: string; templated?: readonly string[] } = {},
): Promise<SeededVm> {
  const { client } = bench
  namespaces += 1
  const namespace = `test-${namespaces}`
  const name = 'my-vm'
  await client.create(Namespace, objectOf(Namespace, { name: namespace }, {}))
  for (const disk of disks) await seedClaim(bench, namespace, `${disk}-claim`)
  const vm = await client.create(
    VirtualMachine,
    objectOf(
      VirtualMachine,
      { name, namespace },
      {
        spec: {
          runStrategy,
          template: {
            spec: {
              domain: {
                memory: { guest: '64Mi' },
                devices: { disks: disks.map((disk) => ({ name: disk, disk: { bus: 'virtio' } })) },
              },
              volumes: disks.map((disk) =>
                templated.includes(disk)
                  ? { name: disk, dataVolume: { name: `${disk}-claim` } }
                  : { name: disk, persistentVolumeClaim: { claimName: `${disk}-claim` } },
              ),
            },
          },
          ...(templated.length === 0
            ? {}
            : {
                dataVolumeTemplates: templated.map((disk) => ({
                  metadata: { name: `${disk}-claim` },
                  spec: { source: { blank: {} }, pvc: { storageClassName: 'fast' } },
                })),
              }),
        },
      },
    ),
  )
  for (const disk of templated) await seedDataVolume(bench, vm, `${disk}-claim`)
  const revision = `revision-start-vm-${uidOf(vm)}-1`
  await client.create(
    ControllerRevision,
    objectOf(ControllerRevision, { name: revision, namespace }, { revision: 1, data: { spec: vm.spec } }),
  )
  return { namespace, name, vm, revision }
}

export async function seedClaim({ client }: Bench, namespace: string, name: string): Promise<void> {
  const spec = {
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'fast',
    volumeName: `pv-${namespace}-${name}`,
    resources: { requests: { storage: '1Gi' } },
  }
  await client.create(PersistentVolumeClaim, objectOf(PersistentVolumeClaim, { name, namespace }, { spec }))
  await client.patch(
    PersistentVolumeClaim,
    { namespace, name },
    { status: { phase: 'Bound' } },
    { subresource: 'status' },
  )
}

/** The PersistentVolume behind a seeded claim. */
export async function seedVolume({ client }: Bench, namespace: string, claim: string): Promise<PersistentVolume> {
  const { metadata } = await client.get(PersistentVolumeClaim, { namespace, name: claim })
  const uid = metadata.uid ?? ''
  return await client.create(
    PersistentVolume,
    objectOf(
      PersistentVolume,
      { name: `pv-${namespace}-${claim}` },
      {
        spec: {
          capacity: { storage: '1Gi' },
          persistentVolumeReclaimPolicy: 'Delete',
          storageClassName: 'fast',
          claimRef: { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name: claim, uid },
          csi: { driver: 'csi.test', volumeHandle: `${namespace}-${claim}` },
        },
      },
    ),
  )
}

/** The DataVolume of a template, done, with the claim of its name. */
async function seedDataVolume({ client }: Bench, vm: VirtualMachine, name: string): Promise<void> {
  const { namespace = '' } = vm.metadata
  const ownerReferences = [ownedBy(vm)]
  const spec = { source: { blank: {} }, pvc: { storageClassName: 'fast' } }
  const dataVolume = await client.create(
    DataVolume,
    objectOf(DataVolume, { name, namespace, ownerReferences }, { spec }),
  )
  await client.patch(
    PersistentVolumeClaim,
    { namespace, name },
    { metadata: { ownerReferences: [ownedBy(dataVolume)] } },
  )
  await client.patch(DataVolume, { namespace, name }, { status: { phase: 'Succeeded' } }, { subresource: 'status' })
}

/** A finished offline snapshot of a VM as it is, without any controller. */
export async function seedSnapshot({ client }: Bench, vm: VirtualMachine): Promise<VirtualMachineSnapshot> {
  const { namespace = '', name } = vm.metadata
  const created = await takeSnapshot({ client }, { namespace, name })
  const uid = uidOf(created)
  const volumeBackups: VolumeBackup[] = []
  for (const volume of vm.spec.template.spec.volumes ?? []) {
    const claimName = claimOf(volume)
    if (claimName === undefined) continue
    const claim = await client.get(PersistentVolumeClaim, { namespace, name: claimName })
    const member = volumeSnapshotName(uid, volume.name)
    const spec = { source: { persistentVolumeClaimName: claimName }, volumeSnapshotClassName: 'fast-snapshots' }
    await client.create(VolumeSnapshot, objectOf(VolumeSnapshot, { name: member, namespace }, { spec }))
    const cut = { creationTime: '2026-01-01T00:00:00Z', readyToUse: true, restoreSize: '1Gi' }
    await client.patch(VolumeSnapshot, { namespace, name: member }, { status: cut }, { subresource: 'status' })
    volumeBackups.push({
      volumeName: volume.name,
      persistentVolumeClaim: {
        metadata: { ...claim.metadata },
        ...(claim.spec === undefined ? {} : { spec: claim.spec }),
      },
      volumeSnapshotName: member,
    })
  }
  const content = contentName(uid)
  const captured = { metadata: { ...vm.metadata }, spec: vm.spec, status: {} }
  await client.create(
    VirtualMachineSnapshotContent,
    objectOf(
      VirtualMachineSnapshotContent,
      { name: content, namespace },
      {
        spec: {
          virtualMachineSnapshotName: created.metadata.name,
          source: { virtualMachine: captured },
          volumeBackups,
        },
      },
    ),
  )
  const status = { readyToUse: true, creationTime: '2026-01-01T00:00:00Z' }
  await client.patch(VirtualMachineSnapshotContent, { namespace, name: content }, { status }, { subresource: 'status' })
  return await client.patch(
    VirtualMachineSnapshot,
    { namespace, name: created.metadata.name },
    {
      status: {
        ...status,
        phase: 'Succeeded',
        sourceUID: vm.metadata.uid,
        virtualMachineSnapshotContentName: content,
      },
    },
    { subresource: 'status' },
  )
}

export async function takeSnapshot(
  { client }: Pick<Bench, 'client'>,
  { namespace, name }: { namespace: string; name: string },
  {
    as = 'snap',
    annotations,
    ...spec
  }: { as?: string; annotations?: Record<string, string>; failureDeadline?: string; deletionPolicy?: string } = {},
): Promise<VirtualMachineSnapshot> {
  return await client.create(
    VirtualMachineSnapshot,
    objectOf(
      VirtualMachineSnapshot,
      { name: as, namespace, ...(annotations === undefined ? {} : { annotations }) },
      { spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name }, ...spec } },
    ),
  )
}

export async function startRestore(
  { client }: Bench,
  { namespace, name }: { namespace: string; name: string },
  {
    as = 'back',
    from = 'snap',
    annotations = {},
    ...spec
  }: { as?: string; from?: string; annotations?: Record<string, string> } & Partial<VirtualMachineRestore['spec']> = {},
): Promise<VirtualMachineRestore> {
  const target = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name }
  return await client.create(
    VirtualMachineRestore,
    objectOf(
      VirtualMachineRestore,
      { name: as, namespace, annotations },
      { spec: { target, virtualMachineSnapshotName: from, targetReadinessPolicy: 'WaitGracePeriod', ...spec } },
    ),
  )
}

/** A clone named `clone` onto `copy`, unless told otherwise; of a VM, or of a snapshot. */
export async function startClone(
  { client }: Bench,
  { namespace, ...of }: { namespace: string; name: string } | { namespace: string; snapshot: string },
  { as = 'clone', ...spec }: { as?: string } & Partial<VirtualMachineClone['spec']> = {},
): Promise<VirtualMachineClone> {
  const source =
    'snapshot' in of
      ? { apiGroup: 'snapshot.kubevirt.io', kind: 'VirtualMachineSnapshot', name: of.snapshot }
      : { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: of.name }
  const name = as === 'clone' ? 'copy' : `${as}-copy`
  const target = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name }
  return await client.create(
    VirtualMachineClone,
    objectOf(VirtualMachineClone, { name: as, namespace }, { spec: { source, target, ...spec } }),
  )
}

/** Runs `work` while the storage class binds claims only when they are used. */
export async function withWaitingStorage({ client }: Bench, work: () => Promise<void>): Promise<void> {
  const set = async (volumeBindingMode: 'Immediate' | 'WaitForFirstConsumer') => {
    await client.delete(StorageClass, { name: 'fast' })
    const fields = { provisioner: 'csi.test', reclaimPolicy: 'Delete', volumeBindingMode } as const
    await client.create(StorageClass, objectOf(StorageClass, { name: 'fast' }, fields))
  }
  await set('WaitForFirstConsumer')
  try {
    await work()
  } finally {
    await set('Immediate')
  }
}
