import { Alert } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { remove } from '../kube/client.ts'
import { useObject } from '../kube/use-objects.ts'
import { commandFor } from '../model/commands.ts'
import { restoreDeletion } from '../model/restore-deletion.ts'
import { restoreState } from '../model/restore-list.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { RestoreProgress } from './progress.tsx'

interface Props {
  /** As it was when the dialog was opened. */
  restore: VirtualMachineRestore
  onClose: () => void
  onDeleted?: (() => void) | undefined
}

/** Deletes a restore, and says before what becomes of what it did; that changes while it is at work. */
export function DeleteRestoreDialog({ restore: opened, onClose, onDeleted }: Props) {
  const { namespace, name } = opened.metadata
  const live = useObject(VirtualMachineRestore, namespace, name)
  const restore = live.object && live.object.metadata.uid === opened.metadata.uid ? live.object : opened
  const target = useObject(VirtualMachine, namespace, restore.spec.target.name)
  const lines = restoreDeletion(restore, target.status === 'gone' ? null : target.object)
  const submit = async (): Promise<void> => {
    await remove(VirtualMachineRestore, restore)
    onClose()
    onDeleted?.()
  }
  return (
    <ActionDialog
      title="Delete VirtualMachineRestore?"
      submitLabel="Delete restore"
      isDanger
      onSubmit={submit}
      onClose={onClose}
      command={commandFor({ do: 'delete', objects: [restore] })}
      disabledReason={live.status === 'gone' ? 'It is gone already.' : undefined}
    >
      <p>
        Are you sure you want to delete <strong>{name}</strong> in namespace <strong>{namespace}</strong>?
      </p>
      <RestoreProgress restore={restore} />
      <Alert
        isInline
        component="h2"
        variant={restoreState(restore) === 'at-work' ? 'warning' : 'info'}
        title="What this does"
        data-test="deletion"
      >
        {lines.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </Alert>
    </ActionDialog>
  )
}
