import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useObject, useObjects } from '../../kube/use-objects.ts'

// Dialogs show what is, not what was when they were opened.

/** A VM as it is now; as it was given while that is not known, or when it is gone. */
export function useLiveVm(given: VirtualMachine): VirtualMachine {
  const { namespace, name, uid } = given.metadata
  const { object } = useObject(VirtualMachine, namespace, name)
  return object !== undefined && object.metadata.uid === uid ? object : given
}

/** A snapshot as it is now; undefined when it is gone. */
export function useLiveSnapshot(given: VirtualMachineSnapshot): VirtualMachineSnapshot | undefined {
  const { status, complete, items } = useObjects(VirtualMachineSnapshot, given.metadata.namespace)
  const found = items.find(({ metadata }) => metadata.uid === given.metadata.uid)
  return found ?? (status === 'ready' && complete ? undefined : given)
}
