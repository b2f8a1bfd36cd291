import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { remove } from '../../kube/client.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'

interface Props {
  snapshots: readonly VirtualMachineSnapshot[]
  onClose: () => void
  /** After they are gone, before the dialog closes. */
  onDeleted?: () => void
}

/** Deletes snapshots, one or several. */
export function DeleteSnapshotsDialog({ snapshots, onClose, onDeleted }: Props) {
  const [first] = snapshots
  const single = snapshots.length === 1
  const removeAll = async (): Promise<void> => {
    await Promise.all(snapshots.map((snapshot) => remove(VirtualMachineSnapshot, snapshot)))
    onDeleted?.()
    onClose()
  }
  return (
    <ActionDialog
      title={single ? 'Delete VirtualMachineSnapshot?' : `Delete ${snapshots.length} VirtualMachineSnapshots?`}
      submitLabel={single ? 'Delete snapshot' : 'Delete snapshots'}
      isDanger
      onSubmit={removeAll}
      onClose={onClose}
    >
      {single && first ? (
        <p>
          Are you sure you want to delete <strong>{first.metadata.name}</strong> in namespace{' '}
          <strong>{first.metadata.namespace}</strong>?
        </p>
      ) : (
        <ul>
          {snapshots.map(({ metadata }) => (
            <li key={metadata.uid}>{metadata.name}</li>
          ))}
        </ul>
      )}
    </ActionDialog>
  )
}
