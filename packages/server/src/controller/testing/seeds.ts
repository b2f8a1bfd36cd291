import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { Namespace } from '@stillpoint/api/core/namespace'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim, StorageClass, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
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
  { disks = ['root'], runStrategy = 'Manual' }: { disks?: string[]; runStrategy?: string } = {},
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
              domain: { devices: { disks: disks.map((disk) => ({ name: disk, disk: { bus: 'virtio' } })) } },
              volumes: disks.map((disk) => ({ name: disk, persistentVolumeClaim: { claimName: `${disk}-claim` } })),
            },
          },
        },
      },
    ),
  )
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

export async function takeSnapshot(
  { client }: Bench,
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
  { as = 'back', from = 'snap', ...spec }: { as?: string; from?: string } & Partial<VirtualMachineRestore['spec']> = {},
): Promise<VirtualMachineRestore> {
  const target = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name }
  return await client.create(
    VirtualMachineRestore,
    objectOf(
      VirtualMachineRestore,
      { name: as, namespace },
      { spec: { target, virtualMachineSnapshotName: from, targetReadinessPolicy: 'WaitGracePeriod', ...spec } },
    ),
  )
}
