import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { claimOf, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { controllerOf } from '@stillpoint/api/meta/object-meta'
import { persistentStateLabel } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { type ClassChoice, chooseSnapshotClass } from '@stillpoint/api/snapshot/rules'
import { DataVolume, StorageProfile } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim, StorageClass, VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import type { Informers } from '../kube/informers.ts'

/** Everything the snapshot controllers look at, as local copies. Keys are `namespace/name`. */
export type World = ReturnType<typeof watchWorld>

/** Registers the watches and lookups; to be called before the informers start. */
export function watchWorld(informers: Informers) {
  const world = {
    snapshots: informers.of(VirtualMachineSnapshot),
    contents: informers.of(VirtualMachineSnapshotContent),
    restores: informers.of(VirtualMachineRestore),
    clones: informers.of(VirtualMachineClone),
    vms: informers.of(VirtualMachine),
    vmis: informers.of(VirtualMachineInstance),
    claims: informers.of(PersistentVolumeClaim),
    dataVolumes: informers.of(DataVolume),
    volumeSnapshots: informers.of(VolumeSnapshot),
    snapshotClasses: informers.of(VolumeSnapshotClass),
    storageClasses: informers.of(StorageClass),
    profiles: informers.of(StorageProfile),
  }
  world.snapshots.addIndex('snapshot:source', ({ metadata, spec }) => [`${metadata.namespace}/${spec.source.name}`])
  world.contents.addIndex('snapshot:name', ({ metadata, spec }) => [
    `${metadata.namespace}/${spec.virtualMachineSnapshotName}`,
  ])
  world.contents.addIndex('snapshot:vm', ({ metadata, spec }) => {
    const captured = spec.source.virtualMachine?.metadata as { name?: string } | null | undefined
    return captured?.name === undefined ? [] : [`${metadata.namespace}/${captured.name}`]
  })
  world.restores.addIndex('snapshot:restored', ({ metadata, spec }) => [
    `${metadata.namespace}/${spec.virtualMachineSnapshotName}`,
  ])
  world.vms.addIndex('snapshot:claim', ({ metadata, spec }) =>
    (spec.template.spec.volumes ?? []).flatMap((volume) => {
      const claim = claimOf(volume)
      return claim === undefined ? [] : [`${metadata.namespace}/${claim}`]
    }),
  )
  world.claims.addIndex('snapshot:state-of', ({ metadata }) => {
    const vm = metadata.labels?.[persistentStateLabel]
    return vm === undefined ? [] : [`${metadata.namespace}/${vm}`]
  })
  world.volumeSnapshots.addIndex('snapshot:content', (object) => {
    const owner = controllerOf(object)
    return owner?.kind === 'VirtualMachineSnapshotContent' ? [`${object.metadata.namespace}/${owner.name}`] : []
  })
  return world
}

/** The VolumeSnapshotClass that cuts volumes of a storage class, as known now. */
export function snapshotClassFor(world: World, storageClass: string): ClassChoice {
  return chooseSnapshotClass(storageClass, {
    storageClass: world.storageClasses.get(storageClass),
    profile: world.profiles.get(storageClass),
    snapshotClasses: world.snapshotClasses.list(),
  })
}

/** Keys of the VMs a claim or a DataVolume of that name matters to. */
export function vmsUsing(world: World, namespace: string | undefined, claim: string): string[] {
  const users = world.vms.byIndex('snapshot:claim', `${namespace}/${claim}`)
  const state = world.claims.get(`${namespace}/${claim}`)?.metadata.labels?.[persistentStateLabel]
  return [
    ...users.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    ...(state === undefined ? [] : [`${namespace}/${state}`]),
  ]
}
