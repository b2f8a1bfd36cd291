import { VirtualMachineRestore, type VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { create } from '../../kube/client.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'

interface Props {
  snapshot: VirtualMachineSnapshot
  onClose: () => void
}

/** Brings a VM back to a snapshot. */
export function RestoreDialog({ snapshot, onClose }: Props) {
  const { metadata, spec } = snapshot
  const restore = async (): Promise<void> => {
    await create(VirtualMachineRestore, {
      apiVersion: 'snapshot.kubevirt.io/v1beta1',
      kind: 'VirtualMachineRestore',
      metadata: { namespace: metadata.namespace ?? '', name: `restore-${metadata.name.slice(0, 40)}-${Date.now()}` },
      spec: {
        target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: spec.source.name },
        virtualMachineSnapshotName: metadata.name,
        targetReadinessPolicy: 'StopTarget',
      },
    } as VirtualMachineRestore)
    onClose()
  }
  return (
    <ActionDialog title="Restore snapshot" submitLabel="Restore" onSubmit={restore} onClose={onClose}>
      Restore {spec.source.name} from {metadata.name}?
    </ActionDialog>
  )
}
