import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { act } from '../kube/client.ts'
import type { VmAction } from '../model/gates.ts'
import { showError } from '../ui/toasts.tsx'

export type PowerAction = VmAction['id']

const done: Record<PowerAction, string> = {
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
  pause: 'paused',
  unpause: 'unpaused',
}

/** Calls an action of a VM. A failure is said by a toast, and answered by false. */
export async function power(vm: VirtualMachine, action: PowerAction): Promise<boolean> {
  const resource = action === 'pause' || action === 'unpause' ? 'virtualmachineinstances' : 'virtualmachines'
  try {
    await act(resource, vm, action)
    return true
  } catch (error) {
    showError(`${vm.metadata.name} was not ${done[action]}`, error)
    return false
  }
}
