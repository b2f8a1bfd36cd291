import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { hasFinalizer } from '../../controller/finalizers.ts'
import type { MachineState } from '../hypervisor/hypervisor.ts'
import { vmiFinalizer } from '../keys.ts'
import { hasAcpi } from './machine-spec.ts'
import type { ObservedVmi, VolumeReadiness } from './plan.ts'

export const defaultGraceSeconds = 30

export interface VmiWorld {
  now: Date
  machine?: MachineState | undefined
  hasFolder: boolean
  volumes: readonly VolumeReadiness[]
  shutdownAskedAt?: Date | undefined
  frozenForMs?: number | undefined
}

/** Turns what the API, the hypervisor and the disk hold into what `planVmi` decides on. */
export function observeVmi(vmi: VirtualMachineInstance, world: VmiWorld): ObservedVmi {
  const { metadata, spec, status } = vmi
  const phase = phaseOf(vmi)
  const entered = status?.phaseTransitionTimestamps?.findLast((entry) => entry.phase === phase)
  const created = metadata.creationTimestamp
  const since = entered?.phaseTransitionTimestamp ?? created
  return {
    ...world,
    phase,
    since: since === undefined ? world.now : new Date(since),
    deletedAt: metadata.deletionTimestamp === undefined ? undefined : new Date(metadata.deletionTimestamp),
    graceSeconds: spec.terminationGracePeriodSeconds ?? defaultGraceSeconds,
    acpi: hasAcpi(spec),
    held: hasFinalizer(vmi, vmiFinalizer),
    startPaused: spec.startStrategy === 'Paused',
  }
}

const phases = ['Pending', 'Scheduling', 'Scheduled', 'Running', 'Succeeded', 'Failed'] as const

/** An unknown phase was not written by us: begin anew. */
export function phaseOf(vmi: VirtualMachineInstance): ObservedVmi['phase'] {
  return phases.find((phase) => phase === vmi.status?.phase) ?? ''
}

export function isLive(vmi: VirtualMachineInstance | undefined): boolean {
  const phase = vmi?.status?.phase
  return vmi !== undefined && phase !== 'Succeeded' && phase !== 'Failed'
}
