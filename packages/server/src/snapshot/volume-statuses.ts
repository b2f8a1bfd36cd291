import { isDeepStrictEqual } from 'node:util'
import { claimOf, VirtualMachine, type Volume } from '@stillpoint/api/kubevirt/kinds'
import { controllerOf } from '@stillpoint/api/meta/object-meta'
import { backendVolumeName } from '@stillpoint/api/snapshot/rules'
import type { ControllerContext } from '../controller/context.ts'
import { keepsState } from '../controller/preference.ts'
import { refOf } from '../kube/client.ts'
import { backendClaimOf } from './volumes.ts'
import { snapshotClassFor, type World } from './world.ts'

export interface VolumeSnapshotStatus {
  name: string
  enabled: boolean
  reason?: string | undefined
}

/** Tells in each VM's status which of its volumes can be part of a snapshot, and why others cannot. */
export class VolumeStatusReconciler {
  readonly #context: ControllerContext
  readonly #world: World

  constructor({ context, world }: { context: ControllerContext; world: World }) {
    this.#context = context
    this.#world = world
  }

  async reconcile(key: string): Promise<undefined> {
    const vm = this.#world.vms.get(key)
    if (vm === undefined || vm.metadata.deletionTimestamp !== undefined) return
    const { own, preferred } = await keepsState(this.#context.client, vm)
    const statuses = volumeStatusesOf(this.#world, vm, own || preferred)
    if (isDeepStrictEqual(statuses, vm.status?.volumeSnapshotStatuses ?? [])) return
    const patch = { metadata: { uid: vm.metadata.uid }, status: { volumeSnapshotStatuses: statuses } }
    this.#world.vms.note(await this.#context.client.patch(VirtualMachine, refOf(vm), patch, { subresource: 'status' }))
  }
}

/** One entry per volume in template order, the state volume last: spec snapshot-restore (f). */
export function volumeStatusesOf(world: World, vm: VirtualMachine, stateful: boolean): VolumeSnapshotStatus[] {
  const statuses = (vm.spec.template.spec.volumes ?? []).map((volume) => statusOf(world, vm, volume))
  const state = stateful ? backendClaimOf(world, vm) : undefined
  if (state !== undefined)
    statuses.push(ofClass(world, backendVolumeName(vm.metadata.name), state.spec?.storageClassName ?? ''))
  return statuses
}

function statusOf(world: World, vm: VirtualMachine, volume: Volume): VolumeSnapshotStatus {
  const claim = claimOf(volume)
  if (claim === undefined)
    return {
      name: volume.name,
      enabled: false,
      reason: `Snapshot is not supported for this volumeSource type [${volume.name}]`,
    }
  const storageClass = storageClassOf(world, vm, volume, claim)
  if (storageClass === undefined) return { name: volume.name, enabled: false, reason: 'PVC not found' }
  return ofClass(world, volume.name, storageClass)
}

/** Name of the storage class, `''` when none is set; undefined when there is neither claim nor DataVolume. */
function storageClassOf(world: World, vm: VirtualMachine, volume: Volume, name: string): string | undefined {
  const key = `${vm.metadata.namespace}/${name}`
  const dataVolume = volume.dataVolume === undefined ? undefined : world.dataVolumes.get(key)
  const named = dataVolume?.spec.pvc?.storageClassName
  if (named) return named
  const owner = dataVolume === undefined ? undefined : controllerOf(dataVolume)
  if (owner?.kind === 'VirtualMachine' && owner.uid === vm.metadata.uid) {
    const template = vm.spec.dataVolumeTemplates?.find(({ metadata }) => metadata.name === name)
    if (template?.spec.pvc?.storageClassName) return template.spec.pvc.storageClassName
  }
  const claim = world.claims.get(key)
  return claim === undefined ? undefined : (claim.spec?.storageClassName ?? '')
}

function ofClass(world: World, name: string, storageClass: string): VolumeSnapshotStatus {
  const choice = snapshotClassFor(world, storageClass)
  if ('found' in choice) return { name, enabled: true }
  const reason =
    'ambiguous' in choice
      ? choice.ambiguous
      : `No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass [${storageClass}] [${name}]`
  return { name, enabled: false, reason }
}
