import { type Right, useAllowed } from '../kube/rights.ts'
import type { PowerAction } from './power.ts'

/** Why the user may not call an action of VMs; undefined for those that may be called. */
export function usePowerRights(namespace: string | undefined): Record<PowerAction, string | undefined> {
  const right = (resource: string, subresource: string): Right => ({
    verb: 'update',
    group: 'subresources.kubevirt.io',
    resource,
    subresource,
    namespace,
  })
  return {
    start: useAllowed(right('virtualmachines', 'start')).reason,
    stop: useAllowed(right('virtualmachines', 'stop')).reason,
    restart: useAllowed(right('virtualmachines', 'restart')).reason,
    pause: useAllowed(right('virtualmachineinstances', 'pause')).reason,
    unpause: useAllowed(right('virtualmachineinstances', 'unpause')).reason,
  }
}
