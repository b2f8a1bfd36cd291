import { claimOf, type VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { KubeObject, OwnerReference } from '@stillpoint/api/meta/object-meta'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { snapshotsOf } from './belongs.ts'
import type { CommandAction } from './commands.ts'

/** A disk or snapshot of a VM: it goes with it or is kept. */
export interface Belonging<T extends KubeObject = KubeObject> {
  /** Unique among the belongings of a VM. */
  key: string
  kind: 'disk' | 'snapshot'
  /** The object to delete, or to keep. */
  object: T
  /** The cluster deletes it with the VM, unless it is detached before. */
  owned: boolean
  /** What is proposed. */
  deleted: boolean
}

interface Around {
  claims: readonly PersistentVolumeClaim[]
  dataVolumes: readonly DataVolume[]
  snapshots: readonly VirtualMachineSnapshot[]
}

/**
 * What a VM has that is not the VM. Proposed is: its own disks go with it, others stay, and so do all its snapshots,
 * however they were made, because they are what one goes back to after a mistake.
 */
export function belongingsOf(vm: VirtualMachine, { claims, dataVolumes, snapshots }: Around): Belonging[] {
  const here = ({ metadata }: KubeObject): boolean => metadata.namespace === vm.metadata.namespace
  const names = [...new Set((vm.spec.template.spec.volumes ?? []).map(claimOf).filter((name) => name !== undefined))]
  const disks = names.flatMap((name): Belonging[] => {
    const named = (object: KubeObject): boolean => here(object) && object.metadata.name === name
    const claim = claims.find(named)
    const dataVolume = dataVolumes.find(named)
    // Where there is a DataVolume, the claim goes with it.
    const owner = dataVolume !== undefined && (!claim || isOwned(claim, dataVolume)) ? dataVolume : claim
    if (!owner) return []
    const owned = isOwned(owner, vm)
    return [{ key: `disk ${name}`, kind: 'disk', object: owner, owned, deleted: owned }]
  })
  const own = snapshotsOf(vm, snapshots).own.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const kept = own.map(
    (object): Belonging<VirtualMachineSnapshot> => ({
      key: `snapshot ${object.metadata.name}`,
      kind: 'snapshot',
      object,
      owned: isOwned(object, vm),
      deleted: false,
    }),
  )
  return [...disks, ...kept]
}

export interface VmDeletion {
  /** Before the VM is deleted, with the owners they are left with. */
  detach: { object: KubeObject; ownerReferences: OwnerReference[] }[]
  /** After the VM: the cluster does not know that they belong to it. */
  remove: KubeObject[]
}

/** What is to be done beside deleting the VM, so that what is named goes and all else stays. */
export function planVmDeletion(
  vm: VirtualMachine,
  belongings: readonly Belonging[],
  deleted: ReadonlySet<string>,
): VmDeletion {
  return {
    detach: belongings
      .filter(({ key, owned }) => owned && !deleted.has(key))
      .map(({ object }) => ({
        object,
        ownerReferences: (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== vm.metadata.uid),
      })),
    remove: belongings.filter(({ key, owned }) => !owned && deleted.has(key)).map(({ object }) => object),
  }
}

function isOwned({ metadata }: KubeObject, owner: KubeObject): boolean {
  return metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) === true
}

/** The steps of the deletion, in their order, for the command line. */
export function vmDeletionSteps(vm: VirtualMachine, { detach, remove }: VmDeletion): CommandAction[] {
  return [
    ...detach.map(({ object, ownerReferences }): CommandAction => {
      return { do: 'patch', object, patch: { metadata: { ownerReferences } } }
    }),
    { do: 'delete', objects: [vm, ...remove] },
  ]
}
