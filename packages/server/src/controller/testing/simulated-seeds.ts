import { Namespace } from '@stillpoint/api/core/namespace'
import { claimOf, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import {
  contentFinalizer,
  cutSetAnnotation,
  formatCutSet,
  persistentStateLabel,
  snapshotFinalizer,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName, volumeSnapshotName } from '@stillpoint/api/snapshot/names'
import { backendVolumeName } from '@stillpoint/api/snapshot/rules'
import { PersistentVolumeClaim, StorageClass, VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { refOf } from '../../kube/client.ts'
import { rfc3339 } from '../conditions.ts'
import type { SimulatedMachines } from './simulated-machines.ts'
import type { SimulatedStorage } from './simulated-storage.ts'
import type { Simulation } from './simulation.ts'

export const lab = { namespace: 'lab', name: 'vm' }
const setupMs = 60_000

export interface World {
  simulation: Simulation
  machines: SimulatedMachines
  storage: SimulatedStorage
}

export interface Layout {
  disks: readonly string[]
  /** Those that come from dataVolumeTemplates. */
  templated: readonly string[]
  runStrategy: string
  /** A persistent TPM, with its claim. */
  state: boolean
  /** Storage binds claims when they are first used. */
  waitsForConsumer: boolean
  online: boolean
  /** It has what a copy must not share, and what it need not get: addresses, serial, labels, annotations. */
  identified?: boolean
}

const claim = {
  accessModes: ['ReadWriteOnce'],
  storageClassName: 'fast',
  resources: { requests: { storage: '1Gi' } },
}

/** The definition of a VM with these disks. */
export function vmWith({ disks, templated, runStrategy, state, identified = false }: Layout): VirtualMachine {
  const volumes = disks.map((name) =>
    templated.includes(name)
      ? { name, dataVolume: { name: `${name}-claim` } }
      : { name, persistentVolumeClaim: { claimName: `${name}-claim` } },
  )
  const dataVolumeTemplates = templated.map((name) => ({
    metadata: { name: `${name}-claim` },
    spec: { source: { blank: {} }, pvc: claim },
  }))
  const devices = {
    disks: disks.map((name) => ({ name, disk: { bus: 'virtio' } })),
    ...(state ? { tpm: { persistent: true } } : {}),
    ...(identified ? { interfaces: [{ name: 'default', macAddress: '02:00:00:00:00:01' }, { name: 'blue' }] } : {}),
  }
  const keys = { 'keep/this': '1', 'drop/this': '2' }
  const metadata = identified ? { labels: keys, annotations: keys } : {}
  const firmware = { uuid: 'source-uuid', serial: 'source-serial' }
  const domain = identified ? { devices, firmware } : { devices }
  return objectOf(
    VirtualMachine,
    { ...lab, ...metadata },
    {
      spec: {
        runStrategy,
        template: {
          ...(identified ? { metadata } : {}),
          spec: { domain, volumes, ...(identified ? { networks: [{ name: 'default' }, { name: 'blue' }] } : {}) },
        },
        ...(templated.length === 0 ? {} : { dataVolumeTemplates }),
      },
    },
  )
}

/** Makes a VM with its disks and waits until it is as it should be at the beginning of the story. */
export async function seedLab({ simulation, machines }: World, layout: Layout): Promise<VirtualMachine> {
  const { client, api } = simulation
  const { namespace } = lab
  await client.create(Namespace, objectOf(Namespace, { name: namespace }, {}))
  const volumeBindingMode = layout.waitsForConsumer ? 'WaitForFirstConsumer' : 'Immediate'
  const provisioned = {
    provisioner: 'csi.test',
    reclaimPolicy: 'Delete' as const,
    volumeBindingMode: 'Immediate' as const,
  }
  await client.create(StorageClass, objectOf(StorageClass, { name: 'fast' }, provisioned))
  await client.create(
    VolumeSnapshotClass,
    objectOf(VolumeSnapshotClass, { name: 'fast-snapshots' }, { driver: 'csi.test', deletionPolicy: 'Delete' }),
  )
  const named = (name: string, labels = {}) =>
    objectOf(PersistentVolumeClaim, { name, namespace, labels }, { spec: claim })
  for (const disk of layout.disks)
    if (!layout.templated.includes(disk)) await client.create(PersistentVolumeClaim, named(`${disk}-claim`))
  if (layout.state)
    await client.create(
      PersistentVolumeClaim,
      named('persistent-state-for-vm-x1', { [persistentStateLabel]: lab.name }),
    )
  const owner = ownedBy(await client.create(VirtualMachine, vmWith(layout)))
  if (layout.state)
    await client.patch(
      PersistentVolumeClaim,
      { namespace, name: 'persistent-state-for-vm-x1' },
      { metadata: { ownerReferences: [owner] } },
    )
  const bound = (): boolean => {
    const claims = api.list(PersistentVolumeClaim)
    const wanted = layout.disks.length + (layout.state ? 1 : 0)
    return claims.length === wanted && claims.every(({ status }) => status?.phase === 'Bound')
  }
  await expectSoon(simulation, bound, 'the disks are not bound')
  const running = (): boolean => api.find(VirtualMachineInstance, lab)?.status?.phase === 'Running'
  if (layout.online) {
    await machines.start(lab)
    await expectSoon(simulation, running, 'the VM does not run')
  }
  if (layout.waitsForConsumer) {
    await client.delete(StorageClass, { name: 'fast' })
    await client.create(StorageClass, objectOf(StorageClass, { name: 'fast' }, { ...provisioned, volumeBindingMode }))
  }
  const vm = api.find(VirtualMachine, lab)
  if (vm === undefined) throw new Error('the VM is gone')
  simulation.note(`VM ${uidOf(vm).slice(0, 8)}: ${JSON.stringify(layout)}`)
  return vm
}

export async function expectSoon(simulation: Simulation, holds: () => boolean, otherwise: string): Promise<void> {
  if (!(await simulation.run(simulation.time.elapsedMs + setupMs, holds))) throw new Error(otherwise)
}

/** A finished snapshot of the VM as it is, made without any controller; its volumes are cut by the storage. */
export async function seedTakenSnapshot({ simulation, machines }: World, vm: VirtualMachine): Promise<void> {
  const { client, api } = simulation
  const { namespace } = lab
  const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: vm.metadata.name }
  const meta = { name: 'snap', namespace, finalizers: [snapshotFinalizer] }
  const spec = { source, deletionPolicy: 'Delete' }
  const snapshot = await client.create(VirtualMachineSnapshot, objectOf(VirtualMachineSnapshot, meta, { spec }))
  const volumes = machines.claimsOf(vm).map((claimName) => ({
    claimName,
    volume: vm.spec.template.spec.volumes?.find((volume) => claimOf(volume) === claimName)?.name,
  }))
  const volumeBackups = volumes.map(({ claimName, volume = backendVolumeName(lab.name) }) => {
    const claim = api.find(PersistentVolumeClaim, { namespace, name: claimName })
    return {
      volumeName: volume,
      persistentVolumeClaim: { metadata: { ...claim?.metadata }, ...(claim?.spec ? { spec: claim.spec } : {}) },
      volumeSnapshotName: volumeSnapshotName(uidOf(snapshot), volume),
    }
  })
  const content = await client.create(
    VirtualMachineSnapshotContent,
    objectOf(
      VirtualMachineSnapshotContent,
      { name: contentName(uidOf(snapshot)), namespace, finalizers: [contentFinalizer] },
      {
        spec: {
          virtualMachineSnapshotName: 'snap',
          source: { virtualMachine: { metadata: { ...vm.metadata }, spec: vm.spec, status: {} } },
          volumeBackups,
        },
      },
    ),
  )
  const cutSet = formatCutSet({ id: uidOf(content), size: volumeBackups.length })
  for (const { persistentVolumeClaim, volumeSnapshotName: name } of volumeBackups)
    await client.create(
      VolumeSnapshot,
      objectOf(
        VolumeSnapshot,
        { name, namespace, annotations: { [cutSetAnnotation]: cutSet }, ownerReferences: [ownedBy(content)] },
        {
          spec: {
            source: { persistentVolumeClaimName: persistentVolumeClaim.metadata.name ?? '' },
            volumeSnapshotClassName: 'fast-snapshots',
          },
        },
      ),
    )
  const ready = (): boolean => api.list(VolumeSnapshot).every(({ status }) => status?.readyToUse)
  await expectSoon(simulation, ready, 'the volumes are not cut')
  const creationTime = rfc3339(new Date())
  await client.patch(
    VirtualMachineSnapshotContent,
    refOf(content),
    { status: { readyToUse: true, creationTime } },
    { subresource: 'status' },
  )
  const conditions = [
    { type: 'Progressing', status: 'False', reason: 'Operation complete' },
    { type: 'Ready', status: 'True', reason: 'Ready' },
  ]
  const status = {
    phase: 'Succeeded',
    readyToUse: true,
    creationTime,
    conditions,
    sourceUID: vm.metadata.uid,
    virtualMachineSnapshotContentName: content.metadata.name,
  }
  await client.patch(VirtualMachineSnapshot, refOf(snapshot), { status }, { subresource: 'status' })
}
