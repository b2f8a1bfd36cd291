import type { VirtualMachine, VirtualMachineSpec, Volume } from '../kubevirt/kinds.ts'
import type { VirtualMachineSnapshotContent } from '../snapshot/kinds.ts'
import { needsBackendStorage } from '../snapshot/rules.ts'
import { unknownInterfaces } from './identity-patches.ts'
import type { VirtualMachineClone } from './kinds.ts'
import type { Captured } from './patches.ts'

/** Why a clone cannot go on. `final`: nothing that may still happen will change it. */
export interface Obstacle {
  event: string
  text: string
  final: boolean
}

const backendStorage = 'persistent TPM or EFI state cannot be cloned'

/** Why a VM cannot be cloned now; undefined when it can. */
export function whySourceUnfit(clone: VirtualMachineClone, vm: VirtualMachine): Obstacle | undefined {
  const name = `VirtualMachine ${vm.metadata.name}`
  if (needsBackendStorage(vm.spec))
    return { event: 'SourceVMWithBackendStorageInvalid', text: `${name}: ${backendStorage}`, final: true }
  const interfaces = interfaceObstacle(clone, vm.spec)
  if (interfaces !== undefined) return interfaces
  const statuses = new Map(vm.status?.volumeSnapshotStatuses?.map((status) => [status.name, status]))
  const unfit = disksOf(vm.spec).flatMap(({ name: volume }) => {
    const status = statuses.get(volume)
    if (status?.enabled) return []
    return [`${volume} (${status === undefined ? 'not yet known' : (status.reason ?? 'no reason given')})`]
  })
  if (unfit.length === 0) return undefined
  const text = `${name} has volumes that cannot be snapshotted: ${unfit.join('; ')}`
  return { event: 'VMVolumeSnapshotsInvalid', text, final: false }
}

/** Why a whole copy cannot be made of what a snapshot holds; undefined when it can. */
export function whyContentUnfit(
  clone: VirtualMachineClone,
  content: VirtualMachineSnapshotContent,
): Obstacle | undefined {
  const invalid = (text: string): Obstacle => ({ event: 'SnapshotContentInvalid', text, final: true })
  const name = `VirtualMachineSnapshotContent ${content.metadata.name}`
  const captured = capturedOf(content)
  if (captured === undefined) return invalid(`${name} holds no virtual machine`)
  if (needsBackendStorage(captured.spec)) return invalid(`${name}: ${backendStorage}`)
  const backed = new Set(content.spec.volumeBackups?.map(({ volumeName }) => volumeName))
  const missing = disksOf(captured.spec).filter((volume) => !backed.has(volume.name))
  if (missing.length > 0)
    return invalid(`${name} lacks volumes of the virtual machine: ${missing.map((volume) => volume.name).join(', ')}`)
  return interfaceObstacle(clone, captured.spec)
}

/** The VM in a content; undefined when the content holds none. */
export function capturedOf(content: VirtualMachineSnapshotContent): Captured | undefined {
  const captured = content.spec.source.virtualMachine
  if (captured?.spec === undefined) return undefined
  return { metadata: (captured.metadata ?? {}) as Captured['metadata'], spec: captured.spec }
}

function interfaceObstacle(clone: VirtualMachineClone, spec: VirtualMachineSpec): Obstacle | undefined {
  const unknown = unknownInterfaces(clone.spec, spec)
  if (unknown.length === 0) return undefined
  const text = `spec.newMacAddresses names interfaces the virtual machine does not have: ${unknown.join(', ')}`
  return { event: 'InterfaceNotFound', text, final: true }
}

/** The volumes a copy must have. A memory dump is of the original's memory, and not copied. */
function disksOf(spec: VirtualMachineSpec): Volume[] {
  return (spec.template.spec.volumes ?? []).filter(
    ({ persistentVolumeClaim, dataVolume }) => persistentVolumeClaim !== undefined || dataVolume !== undefined,
  )
}
