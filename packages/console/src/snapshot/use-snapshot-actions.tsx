import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { type ReactNode, useState } from 'react'
import { useAllowed } from '../kube/rights.ts'
import type { MenuAction } from '../ui/row-menu.tsx'
import { CreateVmDialog } from './dialogs/create-vm-dialog.tsx'
import { DeleteSnapshotsDialog } from './dialogs/delete-dialog.tsx'
import { RestoreDialog } from './dialogs/restore-dialog.tsx'

type Opened = { dialog: 'create' | 'restore' | 'delete'; snapshot: VirtualMachineSnapshot }

interface Options {
  /** Label of the last action; a page of one snapshot says "Delete VirtualMachineSnapshot". */
  deleteLabel?: string
  /** After a snapshot was deleted here: its own page has to be left. */
  onDeleted?: () => void
}

export interface SnapshotActions {
  actionsFor: (snapshot: VirtualMachineSnapshot) => MenuAction[]
  /** To be put on the page once: the dialog of the action that was chosen. */
  dialog: ReactNode
}

/** What can be done with a snapshot, for its row menu, and the dialogs that do it. */
export function useSnapshotActions(namespace: string | undefined, options: Options = {}): SnapshotActions {
  const { deleteLabel = 'Delete snapshot', onDeleted } = options
  const [opened, setOpened] = useState<Opened>()
  const group = 'snapshot.kubevirt.io'
  const clones = useAllowed({
    verb: 'create',
    group: 'clone.kubevirt.io',
    resource: 'virtualmachineclones',
    namespace,
  })
  const restores = useAllowed({ verb: 'create', group, resource: 'virtualmachinerestores', namespace })
  const deletion = useAllowed({ verb: 'delete', group, resource: 'virtualmachinesnapshots', namespace })
  const close = (): void => setOpened(undefined)

  const actionsFor = (snapshot: VirtualMachineSnapshot): MenuAction[] => {
    const whyNotUsable = snapshot.status?.readyToUse === true ? undefined : 'The snapshot is not ready to use.'
    return [
      {
        id: 'create-vm',
        label: 'Create VirtualMachine',
        description: 'A new VirtualMachine, copied from the snapshot',
        disabledReason: clones.reason ?? whyNotUsable,
        onSelect: () => setOpened({ dialog: 'create', snapshot }),
      },
      {
        id: 'restore',
        label: 'Restore VirtualMachine from snapshot',
        disabledReason: restores.reason ?? whyNotUsable,
        onSelect: () => setOpened({ dialog: 'restore', snapshot }),
      },
      {
        id: 'delete',
        label: deleteLabel,
        disabledReason: deletion.reason,
        isDanger: true,
        onSelect: () => setOpened({ dialog: 'delete', snapshot }),
      },
    ]
  }

  return {
    actionsFor,
    dialog: opened === undefined ? null : <Dialog {...opened} close={close} onDeleted={onDeleted} />,
  }
}

function Dialog({
  dialog,
  snapshot,
  close,
  onDeleted,
}: Opened & { close: () => void; onDeleted: (() => void) | undefined }) {
  switch (dialog) {
    case 'create':
      return <CreateVmDialog snapshot={snapshot} onClose={close} />
    case 'restore':
      return <RestoreDialog snapshot={snapshot} onClose={close} />
    case 'delete':
      return <DeleteSnapshotsDialog snapshots={[snapshot]} onClose={close} {...(onDeleted ? { onDeleted } : {})} />
    default:
      return dialog satisfies never
  }
}
