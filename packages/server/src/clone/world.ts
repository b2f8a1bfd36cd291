import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { cloneRestoreName, snapshotNameOf, targetNameOf } from '@stillpoint/api/clone/names'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { type KubeObject, uidOf } from '@stillpoint/api/meta/object-meta'
import { restoreNameAnnotation } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import type { Informers } from '../kube/informers.ts'

/** Everything the clone controller looks at, as local copies. Keys are `namespace/name`. */
export type World = ReturnType<typeof watchWorld>

/** Key of the restore that made a claim. */
export const restoreKeys = ({ metadata }: KubeObject): string[] => {
  const restore = metadata.annotations?.[restoreNameAnnotation]
  return restore === undefined ? [] : [`${metadata.namespace}/${restore}`]
}

/** Registers the watches and lookups; to be called before the informers start. */
export function watchWorld(informers: Informers) {
  const world = {
    clones: informers.of(VirtualMachineClone),
    snapshots: informers.of(VirtualMachineSnapshot),
    contents: informers.of(VirtualMachineSnapshotContent),
    restores: informers.of(VirtualMachineRestore),
    vms: informers.of(VirtualMachine),
    claims: informers.of(PersistentVolumeClaim),
  }
  world.clones.addIndex('clone:vm', (clone) => {
    const { kind, name } = clone.spec.source
    const names = [...(kind === 'VirtualMachine' ? [name] : []), targetNameOf(clone)]
    return [...new Set(names)].map((vm) => `${clone.metadata.namespace}/${vm}`)
  })
  world.clones.addIndex('clone:snapshot', (clone) => [`${clone.metadata.namespace}/${snapshotNameOf(clone)}`])
  world.clones.addIndex('clone:restore', (clone) => [`${clone.metadata.namespace}/${cloneRestoreName(uidOf(clone))}`])
  world.claims.addIndex('clone:restore', restoreKeys)
  return world
}
