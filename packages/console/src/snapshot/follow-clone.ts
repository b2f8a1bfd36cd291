import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { cloneStatus, cloneTarget } from '../model/clone-status.ts'
import { objectPath } from '../shell/paths.ts'
import type { Toast } from '../ui/toast-store.ts'
import { followByToast } from './follow-by-toast.ts'

/** Tells by a toast how a clone is doing, and what came of it. */
export function followClone(clone: VirtualMachineClone): Promise<void> {
  const name = cloneTarget(clone)
  const outcome = (now: VirtualMachineClone): Omit<Toast, 'key'> | undefined => {
    const { running, tone, reason } = cloneStatus(now)
    if (running) return undefined
    const where = { namespace: clone.metadata.namespace ?? '', name: cloneTarget(now) }
    return tone === 'success'
      ? {
          tone,
          title: `${where.name} has been created`,
          link: { to: objectPath(VirtualMachine, where), text: 'Open it' },
          passing: true,
        }
      : { tone: 'danger', title: `${name} could not be created`, body: reason }
  }
  return followByToast({
    definition: VirtualMachineClone,
    object: clone,
    underWay: { tone: 'info', title: `${name} is being created` },
    outcome,
    lost: `Whether ${name} has been created is not known`,
  })
}
