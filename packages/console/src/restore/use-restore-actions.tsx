import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { type ReactNode, useState } from 'react'
import { useAllowed } from '../kube/rights.ts'
import type { MenuAction } from '../ui/row-menu.tsx'
import { DeleteRestoreDialog } from './delete-dialog.tsx'

export interface RestoreActions {
  actionsFor: (restore: VirtualMachineRestore) => MenuAction[]
  /** To be put on the page once: the dialog of the action that was chosen. */
  dialog: ReactNode
}

/**
 * What can be done with a restore. Without a namespace they are of several, and rights differ: then the dialog tells
 * which is missing.
 */
export function useRestoreActions(namespace: string | undefined, onDeleted?: () => void): RestoreActions {
  const [deleted, setDeleted] = useState<VirtualMachineRestore>()
  const { group, plural: resource } = VirtualMachineRestore
  const { reason } = useAllowed(namespace === undefined ? undefined : { verb: 'delete', group, resource, namespace })
  return {
    actionsFor: (restore) => [
      {
        id: 'delete',
        label: 'Delete restore',
        dataTestAction: 'Delete restore',
        isDanger: true,
        disabledReason:
          reason ?? (restore.metadata.deletionTimestamp === undefined ? undefined : 'It is being deleted already'),
        onSelect: () => setDeleted(restore),
      },
    ],
    dialog:
      deleted === undefined ? null : (
        <DeleteRestoreDialog restore={deleted} onClose={() => setDeleted(undefined)} onDeleted={onDeleted} />
      ),
  }
}
