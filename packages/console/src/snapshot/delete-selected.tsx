import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { useAllowed } from '../kube/rights.ts'
import { GatedButton } from '../ui/gated-button.tsx'
import { DeleteSnapshotsDialog } from './dialogs/delete-dialog.tsx'

interface Props {
  snapshots: readonly VirtualMachineSnapshot[]
  /** Undefined: they are of several namespaces. */
  namespace: string | undefined
  onDeleted: () => void
}

/** Deletes what is ticked. Not there while nothing is. */
export function DeleteSelected({ snapshots, namespace, onDeleted }: Props) {
  const [deleting, setDeleting] = useState<readonly VirtualMachineSnapshot[]>()
  const { group, plural } = VirtualMachineSnapshot
  const { reason } = useAllowed({ verb: 'delete', group, resource: plural, namespace })
  return (
    <>
      {snapshots.length === 0 ? null : (
        <GatedButton
          variant="danger"
          disabledReason={reason}
          onClick={() => setDeleting(snapshots)}
          data-test="delete-selected"
        >
          Delete selected ({snapshots.length})
        </GatedButton>
      )}
      {deleting === undefined ? null : (
        <DeleteSnapshotsDialog snapshots={deleting} onDeleted={onDeleted} onClose={() => setDeleting(undefined)} />
      )}
    </>
  )
}
