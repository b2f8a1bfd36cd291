import { Event } from '@stillpoint/api/core/event'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo } from 'react'
import type { ListState } from '../kube/object-store.ts'
import { useObjects } from '../kube/use-objects.ts'
import { type ShownEvent, shownEvents } from '../model/events.ts'
import { eventsOfVm } from '../model/vm-events.ts'

/** The story of a VM, newest first, live; and the list it comes from, which may be forbidden. */
export function useVmEvents(vm: VirtualMachine): { list: ListState; events: readonly ShownEvent[] } {
  const { namespace } = vm.metadata
  const list = useObjects(Event, namespace)
  const { items: snapshots } = useObjects(VirtualMachineSnapshot, namespace)
  const { items: restores } = useObjects(VirtualMachineRestore, namespace)
  const events = useMemo(
    () => shownEvents(eventsOfVm(vm, list.items, { snapshots, restores })),
    [vm, list.items, snapshots, restores],
  )
  return { list, events }
}
