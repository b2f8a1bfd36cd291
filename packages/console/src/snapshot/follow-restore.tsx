import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { useObjects } from '../kube/use-objects.ts'
import { restoreStatus } from '../model/restores.ts'
import { objectPath } from '../shell/paths.ts'
import type { Toast } from '../ui/toast-store.ts'
import { followByToast } from './follow-by-toast.ts'

/** Tells by a toast how a restore that has just been asked for is doing, and what came of it. */
export function followRestore(restore: VirtualMachineRestore): Promise<void> {
  const { metadata, spec } = restore
  const { name } = spec.target
  const where = { namespace: metadata.namespace ?? '', name }
  const link = { to: objectPath(VirtualMachine, where, 'snapshots'), text: 'Show it' }
  const outcome = (now: VirtualMachineRestore): Omit<Toast, 'key'> | undefined => {
    const { running, tone, reason } = restoreStatus(now, new Date())
    if (running) return undefined
    return tone === 'success'
      ? { tone, title: `${name} is restored`, body: `From ${spec.virtualMachineSnapshotName}`, link, passing: true }
      : { tone: 'danger', title: `${name} could not be restored`, body: reason, link }
  }
  return followByToast({
    definition: VirtualMachineRestore,
    object: restore,
    underWay: { tone: 'info', title: `${name} is being restored`, body: <Progress restore={restore} />, link },
    outcome,
    lost: `How the restore of ${name} is doing is not known`,
  })
}

function Progress({ restore: { metadata, spec } }: { restore: VirtualMachineRestore }) {
  const { items } = useObjects(VirtualMachineRestore, metadata.namespace)
  const found = items.find(({ metadata: { uid } }) => uid === metadata.uid)
  const status = found && restoreStatus(found, new Date())
  return (
    <>
      {status?.label ?? 'Pending'}, from {spec.virtualMachineSnapshotName}
      {status?.reason === undefined ? null : <div>{status.reason}</div>}
    </>
  )
}
