import { VirtualMachine, type VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { controllerOf, keyOf } from '@stillpoint/api/meta/object-meta'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import { sourceFinalizer } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { finalizerPatch, hasFinalizer } from '../controller/finalizers.ts'
import type { PodUsage } from '../controller/pod-usage.ts'
import { keepsState } from '../controller/preference.ts'
import { type KubeClient, refOf } from '../kube/client.ts'
import { backendClaimOf, candidatesOf } from './volumes.ts'
import type { World } from './world.ts'

/** `half`: the name is there and the finalizer is not, or the other way round after our name. */
export type LockState = 'ours' | 'half' | 'none'

export function lockStateOf(vm: VirtualMachine, snapshot: string): LockState {
  if (vm.status?.snapshotInProgress !== snapshot) return 'none'
  return hasFinalizer(vm, sourceFinalizer) ? 'ours' : 'half'
}

/** What is in the way of the lock. */
export interface Blocked {
  /** As the Progressing condition says it. */
  reason: string
  /** What the reason leaves out, and what a person can do. */
  hint: string
}

/** Why the source cannot be locked now; undefined when it can. In the order of spec snapshot-restore (c.4). */
export async function whyNotLockable(
  { client, world, pods }: { client: KubeClient; world: World; pods: Pick<PodUsage, 'count'> },
  vm: VirtualMachine,
  snapshot: VirtualMachineSnapshot,
): Promise<Blocked | undefined> {
  const { own, preferred } = await keepsState(client, vm)
  const stateful = own || preferred
  if (stateful && backendClaimOf(world, vm) === undefined)
    return {
      reason: 'Source not locked',
      hint:
        `VirtualMachine ${vm.metadata.name} asks for persistent TPM or EFI state and has no claim for it yet; ` +
        'it is made at the first start: start the VM once',
    }
  return await whyNotFree({ world, pods, stateful }, vm, snapshot)
}

async function whyNotFree(
  { world, pods, stateful }: { world: World; pods: Pick<PodUsage, 'count'>; stateful: boolean },
  vm: VirtualMachine,
  snapshot: VirtualMachineSnapshot,
): Promise<Blocked | undefined> {
  const { namespace = '', name } = vm.metadata
  const source = `Source not locked source ${namespace}/${name}`
  if (vm.metadata.deletionTimestamp !== undefined)
    return { reason: `${source} is being deleted`, hint: 'it can be taken of a VM that is created anew under the name' }
  const claims = new Set(candidatesOf(world, vm, stateful).map((candidate) => candidate.claim))
  for (const claim of [...claims].sort()) {
    const unsettled = whyNotSettled(world, namespace, claim)
    if (unsettled !== undefined)
      return { reason: `${source} volume ${unsettled.problem}: ${claim}`, hint: unsettled.hint }
  }
  const vmi = world.vmis.get(keyOf(vm))
  if (isMigrating(vmi))
    return { reason: `${source} is being migrated`, hint: 'it is taken when the migration has ended' }
  if (vmi === undefined) {
    const users = await pods.count(namespace, claims)
    if (users > 0)
      return {
        reason: `Source not locked source is offline but ${users} pods using PVCs [${[...claims].sort().join(' ')}]`,
        hint: 'end those pods, or start the VM: what they write is not coordinated with a snapshot',
      }
  }
  const { snapshotInProgress } = vm.status ?? {}
  const other = snapshotInProgress || firstInLine(world, vm)
  if (other && other !== snapshot.metadata.name)
    return {
      reason: `Source not locked snapshot "${other}" in progress`,
      hint: `it is taken when that one has ended; see: kubectl describe vmsnapshot ${other}`,
    }
  // A restore is replacing the very disks; what would be cut is neither the old nor the new state.
  const restore = vm.status?.restoreInProgress
  if (restore)
    return {
      reason: `Source not locked restore "${restore}" in progress`,
      hint: `it is taken when that has ended; see: kubectl describe vmrestore ${restore}`,
    }
  return undefined
}

/** The oldest snapshot that waits for the VM: each in its turn. */
function firstInLine(world: World, vm: VirtualMachine): string | undefined {
  const first = world.snapshots
    .byIndex('snapshot:source', keyOf(vm))
    .filter(
      ({ metadata, status }) =>
        metadata.deletionTimestamp === undefined && (!status?.phase || status.phase === 'InProgress'),
    )
    .toSorted((a, b) => ageOf(a).localeCompare(ageOf(b)))[0]
  return first?.metadata.name
}

function ageOf({ metadata }: VirtualMachineSnapshot): string {
  return `${metadata.creationTimestamp} ${metadata.name}`
}

/** A guest that moves cannot be frozen, and takes no lease along. */
function isMigrating(vmi: VirtualMachineInstance | undefined): boolean {
  const state = vmi?.status?.migrationState as { completed?: boolean; failed?: boolean } | undefined
  return state !== undefined && state.completed !== true && state.failed !== true
}

function whyNotSettled(world: World, namespace: string, name: string): { problem: string; hint: string } | undefined {
  const claim = world.claims.get(`${namespace}/${name}`)
  if (claim === undefined)
    return { problem: 'doesnt exist', hint: 'create the claim or its DataVolume, or take the volume out of the VM' }
  if (claim.metadata.deletionTimestamp !== undefined)
    return { problem: 'is being deleted', hint: 'replace the claim, or take the volume out of the VM' }
  if (claim.status?.phase !== 'Bound') return { problem: 'not bound', hint: `see why: kubectl describe pvc ${name}` }
  const owner = controllerOf(claim)
  if (owner?.kind !== 'DataVolume') return undefined
  const dataVolume = world.dataVolumes.get(`${namespace}/${owner.name}`)
  if (dataVolume?.status?.phase === 'Succeeded') return undefined
  const hint =
    dataVolume === undefined
      ? `its DataVolume ${owner.name} does not exist: create it, or remove it from the claim's owners`
      : `see how far it is: kubectl describe datavolume ${owner.name}`
  return { problem: 'not populated', hint }
}

/** Takes the lock, or completes a half one. A VM that changed since it was seen is a Conflict. */
export async function lockSource(
  client: KubeClient,
  world: World,
  vm: VirtualMachine,
  snapshot: string,
): Promise<void> {
  let locked = vm
  if (vm.status?.snapshotInProgress !== snapshot) {
    const { resourceVersion } = vm.metadata
    const patch = { metadata: { resourceVersion }, status: { snapshotInProgress: snapshot } }
    locked = await client.patch(VirtualMachine, refOf(vm), patch, { subresource: 'status' })
    world.vms.note(locked)
  }
  const finalizer = finalizerPatch(locked, sourceFinalizer, 'add')
  if (finalizer.length === 0) return
  // A request of a process that died may arrive when its successor has given the lock back already: then it changes
  // nothing, because the name is gone.
  const named = { op: 'test' as const, path: '/status/snapshotInProgress', value: snapshot }
  world.vms.note(await client.patch(VirtualMachine, refOf(vm), [named, ...finalizer]))
}

/** Gives the lock back: the finalizer first, so that a crash in between leaves what a later pass recognises. */
export async function unlockSource(client: KubeClient, world: World, vm: VirtualMachine): Promise<void> {
  try {
    let open = vm
    const finalizer = finalizerPatch(vm, sourceFinalizer, 'remove')
    if (finalizer.length > 0) {
      open = await client.patch(VirtualMachine, refOf(vm), finalizer)
      world.vms.note(open)
    }
    const { resourceVersion } = open.metadata
    const patch = { metadata: { resourceVersion }, status: { snapshotInProgress: null } }
    world.vms.note(await client.patch(VirtualMachine, refOf(vm), patch, { subresource: 'status' }))
  } catch (error) {
    // Our finalizer was the last thing that kept a deleted VM.
    if (!isNotFound(error)) throw error
  }
}
