import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'

/** Snapshots by which VM of this name they are of. */
export interface SnapshotsOfVm {
  /** Of this very VM. */
  own: VirtualMachineSnapshot[]
  /** Of another VM that had this name before. */
  former: VirtualMachineSnapshot[]
}

/** The snapshots of a VM, and apart from them those of a former VM of its name. */
export function snapshotsOf(vm: KubeObject, snapshots: readonly VirtualMachineSnapshot[]): SnapshotsOfVm {
  const found: SnapshotsOfVm = { own: [], former: [] }
  for (const snapshot of snapshots) {
    if (!namesVm(vm, snapshot.metadata.namespace, snapshot.spec.source)) continue
    found[isOf(vm, snapshot, snapshot.status?.sourceUID) ? 'own' : 'former'].push(snapshot)
  }
  return found
}

/**
 * What has become of the VM of a snapshot: it is there, it is gone, or another has its name now. `vmNamed` answers the VM
 * of that name, if any.
 */
export function sourceState(
  snapshot: VirtualMachineSnapshot,
  vmNamed: (namespace: string | undefined, name: string) => KubeObject | undefined,
): 'there' | 'gone' | 'another' {
  const vm = vmNamed(snapshot.metadata.namespace, snapshot.spec.source.name)
  if (vm === undefined) return 'gone'
  return isOf(vm, snapshot, snapshot.status?.sourceUID) ? 'there' : 'another'
}

/** The restores into this very VM. */
export function restoresOf(vm: KubeObject, restores: readonly VirtualMachineRestore[]): VirtualMachineRestore[] {
  return restores.filter(
    (restore) => namesVm(vm, restore.metadata.namespace, restore.spec.target) && isOf(vm, restore, undefined),
  )
}

function namesVm(
  { metadata }: KubeObject,
  namespace: string | undefined,
  { apiGroup, kind, name }: { apiGroup?: string | undefined; kind: string; name: string },
): boolean {
  return (
    kind === 'VirtualMachine' &&
    apiGroup === 'kubevirt.io' &&
    name === metadata.name &&
    namespace === metadata.namespace
  )
}

/** By UID where one is told; else by age, because what is older than a VM is of another. */
function isOf({ metadata }: KubeObject, object: KubeObject, sourceUid: string | undefined): boolean {
  const uid = sourceUid ?? object.metadata.ownerReferences?.find(({ kind }) => kind === 'VirtualMachine')?.uid
  if (uid !== undefined && metadata.uid !== undefined) return uid === metadata.uid
  const { creationTimestamp: begun } = metadata
  const { creationTimestamp: created } = object.metadata
  return begun === undefined || created === undefined || Date.parse(created) >= Date.parse(begun)
}
