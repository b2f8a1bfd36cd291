import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useObjects } from '../kube/use-objects.ts'
import { type VmWork, vmWork } from '../model/vm-status.ts'
import { useNow } from '../ui/use-now.ts'

/** What holds a VM now, with what that says of itself. Asks only while something does. */
export function useVmWork(vm: VirtualMachine): VmWork | undefined {
  const { metadata, status } = vm
  const snapshots = useObjects(status?.snapshotInProgress ? VirtualMachineSnapshot : undefined, metadata.namespace)
  const restores = useObjects(status?.restoreInProgress ? VirtualMachineRestore : undefined, metadata.namespace)
  return vmWork(vm, snapshots.items, restores.items, useNow())
}
