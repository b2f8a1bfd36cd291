import { isNotFound } from '@stillpoint/api/meta/status-error'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { remove } from '../../kube/client.ts'
import { commandFor } from '../../model/commands.ts'
import { describeError } from '../../model/describe-error.ts'
import { spaceText } from '../../model/space-freed.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'
import { DeleteImpactText, useDeleteImpacts } from './delete-impact-text.tsx'
import { useSpaceFreed } from './use-space-freed.ts'

interface Props {
  snapshots: readonly VirtualMachineSnapshot[]
  onClose: () => void
  /** After they are gone, before the dialog closes. */
  onDeleted?: () => void
  /** What the button says of a single snapshot. */
  submitLabel?: string
}

/** Deletes snapshots, one or several, and says before what is lost. What is in use stays. */
export function DeleteSnapshotsDialog({ snapshots, onClose, onDeleted, submitLabel = 'Delete snapshot' }: Props) {
  const impacts = useDeleteImpacts(snapshots)
  const deleted = impacts.filter(({ impact }) => impact.blocked === undefined).map(({ snapshot }) => snapshot)
  const namespaces = [...new Set(snapshots.map(({ metadata }) => metadata.namespace ?? ''))]
  const freed = useSpaceFreed(deleted, namespaces)
  const single = snapshots.length === 1
  const removeAll = async (): Promise<void> => {
    await removeEach(deleted)
    onDeleted?.()
    onClose()
  }
  return (
    <ActionDialog
      title={single ? 'Delete VirtualMachineSnapshot?' : `Delete ${deleted.length} VirtualMachineSnapshots?`}
      submitLabel={single ? submitLabel : `Delete ${deleted.length} snapshots`}
      isDanger
      onSubmit={removeAll}
      onClose={onClose}
      command={deleted.length === 0 ? undefined : commandFor({ do: 'delete', objects: deleted })}
      disabledReason={deleted.length > 0 ? undefined : single ? 'It is in use.' : 'All of them are in use.'}
    >
      <DeleteImpactText impacts={impacts} namespaces={namespaces} />
      {deleted.length === 0 ? null : (
        <p data-test="space-freed">
          {freed === 'asking' ? 'How much space comes back is being read…' : spaceText(freed)}
        </p>
      )}
    </ActionDialog>
  )
}

/** Deletes all that can be; whoever is gone already is no failure, so that the rest can be tried again. */
async function removeEach(snapshots: readonly VirtualMachineSnapshot[]): Promise<void> {
  const failures = await Promise.all(
    snapshots.map(async (snapshot) => {
      try {
        await remove(VirtualMachineSnapshot, snapshot)
        return []
      } catch (error) {
        return isNotFound(error) ? [] : [{ name: snapshot.metadata.name, error }]
      }
    }),
  )
  const all = failures.flat()
  const [first] = all
  if (first === undefined) return
  if (snapshots.length === 1) throw first.error
  const lines = all.map(({ name, error }) => `${name}: ${describeError(error).detail}`)
  throw new Error(`${all.length} of ${snapshots.length} snapshots could not be deleted. ${lines.join('; ')}`)
}
