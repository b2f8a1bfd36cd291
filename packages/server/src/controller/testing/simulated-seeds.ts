import { Namespace } from '@stillpoint/api/core/namespace'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { persistentStateLabel } from '@stillpoint/api/snapshot/keys'
import { PersistentVolumeClaim, StorageClass, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
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
}

const claim = {
  accessModes: ['ReadWriteOnce'],
  storageClassName: 'fast',
  resources: { requests: { storage: '1Gi' } },
}

/** The definition of a VM with these disks. */
export function vmWith({ disks, templated, runStrategy, state }: Layout): VirtualMachine {
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
  }
  return objectOf(VirtualMachine, lab, {
    spec: {
      runStrategy,
      template: { spec: { domain: { devices }, volumes } },
      ...(templated.length === 0 ? {} : { dataVolumeTemplates }),
    },
  })
}

/** Makes a VM with its disks and waits until it is as it should be at the beginning of the story. */
export async function seedLab({ simulation, machines }: World, layout: Layout): Promise<VirtualMachine> {
  const { client, api } = simulation
  const { namespace } = lab
  await client.create(Namespace, objectOf(Namespace, { name: namespace }, {}))
  const volumeBindingMode = layout.waitsForConsumer ? 'WaitForFirstConsumer' : 'Immediate'
  const provisioned = { provisioner: 'csi.test', reclaimPolicy: 'Delete' as const, volumeBindingMode: 'Immediate' as const }
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
  await client.create(VirtualMachine, vmWith(layout))
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
