import { claimOf, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { cleanupStateLabel, persistentStateLabel, restoreNameAnnotation } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import type { Informers } from '../kube/informers.ts'
import { restoreOfRetained } from './retained.ts'

/** Everything the restore controller looks at, as local copies. Keys are `namespace/name`. */
export type World = ReturnType<typeof watchWorld>

export const restoreKeys = ({ metadata }: KubeObject): string[] => {
  const restore = metadata.annotations?.[restoreNameAnnotation]
  return restore === undefined ? [] : [`${metadata.namespace}/${restore}`]
}
const labelled =
  (label: string) =>
  ({ metadata }: KubeObject): string[] => {
    const value = metadata.labels?.[label]
    return value === undefined ? [] : [`${metadata.namespace}/${value}`]
  }

/** Registers the watches and lookups; to be called before the informers start. */
export function watchWorld(informers: Informers) {
  const world = {
    restores: informers.of(VirtualMachineRestore),
    snapshots: informers.of(VirtualMachineSnapshot),
    contents: informers.of(VirtualMachineSnapshotContent),
    vms: informers.of(VirtualMachine),
    vmis: informers.of(VirtualMachineInstance),
    claims: informers.of(PersistentVolumeClaim),
    volumes: informers.of(PersistentVolume),
    dataVolumes: informers.of(DataVolume),
    volumeSnapshots: informers.of(VolumeSnapshot),
    storageClasses: informers.of(StorageClass),
  }
  world.restores.addIndex('restore:target', ({ metadata, spec }) => [`${metadata.namespace}/${spec.target.name}`])
  world.restores.addIndex('restore:snapshot', ({ metadata, spec }) => [
    `${metadata.namespace}/${spec.virtualMachineSnapshotName}`,
  ])
  world.restores.addIndex('restore:claim', ({ metadata, status }) =>
    [
      ...(status?.restores ?? []).map((entry) => entry.persistentVolumeClaim),
      ...(status?.deletedDataVolumes ?? []),
    ].map((name) => `${metadata.namespace}/${name}`),
  )
  world.restores.addIndex('restore:volume-snapshot', ({ metadata, status }) =>
    (status?.restores ?? []).map((entry) => `${metadata.namespace}/${entry.volumeSnapshotName}`),
  )
  world.vms.addIndex('restore:claim', ({ metadata, spec }) =>
    (spec.template.spec.volumes ?? []).flatMap((volume) => {
      const claim = claimOf(volume)
      return claim === undefined ? [] : [`${metadata.namespace}/${claim}`]
    }),
  )
  world.claims.addIndex('restore:name', restoreKeys)
  world.claims.addIndex('restore:state-of', labelled(persistentStateLabel))
  world.claims.addIndex('restore:obsolete-state', labelled(cleanupStateLabel))
  world.volumes.addIndex('restore:retained', (volume) => {
    const restore = restoreOfRetained(volume)
    return restore === undefined ? [] : [restore]
  })
  world.dataVolumes.addIndex('restore:name', restoreKeys)
  return world
}
