import type { Event } from '@stillpoint/api/core/event'
import { claimOf, type VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { restoresOf, snapshotsOf } from './belongs.ts'
import type { ShownEvent } from './events.ts'

interface Around {
  snapshots: readonly VirtualMachineSnapshot[]
  restores: readonly VirtualMachineRestore[]
}

/** The events that tell the story of a VM: its own, of its instance, its disks, its snapshots and restores. */
export function eventsOfVm(vm: VirtualMachine, events: readonly Event[], { snapshots, restores }: Around): Event[] {
  const { name, namespace, creationTimestamp = '' } = vm.metadata
  const own: KubeObject[] = [vm, ...snapshotsOf(vm, snapshots).own, ...restoresOf(vm, restores)]
  const uids = new Set(own.map(({ metadata }) => metadata.uid))
  const claims = (vm.spec.template.spec.volumes ?? []).map(claimOf).filter((claim) => claim !== undefined)
  // Objects that come and go under one name; what is older than the VM was another's.
  const names = new Set([
    `VirtualMachineInstance ${name}`,
    ...claims.flatMap((claim) => [`PersistentVolumeClaim ${claim}`, `DataVolume ${claim}`]),
  ])
  return events.filter(({ metadata, involvedObject: { uid, kind, name: about } }) => {
    if (metadata.namespace !== namespace) return false
    if (uid !== undefined && uids.has(uid)) return true
    return names.has(`${kind} ${about}`) && (metadata.creationTimestamp ?? '') >= creationTimestamp
  })
}

/** What of the events is looked for; empty finds all. */
export interface EventFilter {
  /** Some of `Normal` and `Warning`. */
  types: readonly string[]
  /** Part of reason, message, or the object's kind and name. */
  text: string
}

export function filterEvents(events: readonly ShownEvent[], { types, text }: EventFilter): readonly ShownEvent[] {
  const wanted = text.trim().toLowerCase()
  return events.filter(({ warning, reason, message, about }) => {
    if (types.length > 0 && !types.includes(warning ? 'Warning' : 'Normal')) return false
    return `${reason} ${message} ${about.kind} ${about.name}`.toLowerCase().includes(wanted)
  })
}
