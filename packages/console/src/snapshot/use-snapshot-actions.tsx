import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { type ReactNode, useState } from 'react'
import { useAllowed } from '../kube/rights.ts'
import { useObjects } from '../kube/use-objects.ts'
import { whyNotCreateVm, whyNotRestore } from '../model/gates.ts'
import type { MenuAction } from '../ui/row-menu.tsx'
import { CreateVmDialog } from './dialogs/create-vm-dialog.tsx'
import { DeleteSnapshotsDialog } from './dialogs/delete-dialog.tsx'
import { RestoreDialog } from './dialogs/restore-dialog.tsx'

interface Opened {
  dialog: 'create' | 'restore' | 'delete'
  snapshot: VirtualMachineSnapshot
}

interface Options {
  /** Label of the last action; the page of one snapshot says "Delete VirtualMachineSnapshot". */
  deleteLabel?: string
  /** What the button of its dialog says. */
  deleteButton?: string
  /** After a snapshot was deleted here: its own page has to be left. */
  onDeleted?: () => void
}

export interface SnapshotActions {
  actionsFor: (snapshot: VirtualMachineSnapshot) => MenuAction[]
  /** To be put on the page once: the dialog of the action that was chosen. */
  dialog: ReactNode
}

/**
 * What can be done with a snapshot, for its row menu, and the dialogs that do it. Without a namespace snapshots are of
 * several, and rights differ: then the dialogs tell which are missing.
 */
export function useSnapshotActions(namespace: string | undefined, options: Options = {}): SnapshotActions {
  const { deleteLabel = 'Delete snapshot', deleteButton, onDeleted } = options
  const [opened, setOpened] = useState<Opened>()
  const restores = useObjects(VirtualMachineRestore, namespace).items
  const mayNotClone = useMissingRight('create', VirtualMachineClone, namespace)
  const mayNotRestore = useMissingRight('create', VirtualMachineRestore, namespace)
  const mayNotDelete = useMissingRight('delete', VirtualMachineSnapshot, namespace)
  const close = (): void => setOpened(undefined)

  const actionsFor = (snapshot: VirtualMachineSnapshot): MenuAction[] => [
    {
      id: 'create-vm',
      label: 'Create VirtualMachine',
      description: 'A new VirtualMachine, copied from the snapshot',
      disabledReason: mayNotClone ?? whyNotCreateVm(snapshot),
      dataTestAction: 'Create VirtualMachine',
      onSelect: () => setOpened({ dialog: 'create', snapshot }),
    },
    {
      id: 'restore',
      label: restoreLabel,
      // Whatever the VM does: the dialog offers to stop it, and tells what else is in the way.
      disabledReason: mayNotRestore ?? whyNotRestore(undefined, snapshot, restores),
      dataTestAction: restoreLabel,
      onSelect: () => setOpened({ dialog: 'restore', snapshot }),
    },
    {
      id: 'delete',
      label: deleteLabel,
      disabledReason:
        mayNotDelete ?? (snapshot.metadata.deletionTimestamp === undefined ? undefined : 'It is being deleted already'),
      dataTestAction: deleteLabel,
      isDanger: true,
      onSelect: () => setOpened({ dialog: 'delete', snapshot }),
    },
  ]

  const dialog =
    opened === undefined ? null : (
      <Dialog
        {...opened}
        close={close}
        deletion={{
          ...(onDeleted === undefined ? {} : { onDeleted }),
          ...(deleteButton === undefined ? {} : { submitLabel: deleteButton }),
        }}
      />
    )
  return { actionsFor, dialog }
}

const restoreLabel = 'Restore VirtualMachine from snapshot'

/** Which right is missing in this namespace; undefined when none is, or there is no one namespace to ask for. */
function useMissingRight(
  verb: string,
  { group, plural: resource }: ResourceDefinition,
  namespace: string | undefined,
): string | undefined {
  return useAllowed(namespace === undefined ? undefined : { verb, group, resource, namespace }).reason
}

interface DialogProps extends Opened {
  close: () => void
  deletion: { onDeleted?: () => void; submitLabel?: string }
}

function Dialog({ dialog, snapshot, close, deletion }: DialogProps) {
  switch (dialog) {
    case 'create':
      return <CreateVmDialog snapshot={snapshot} onClose={close} />
    case 'restore':
      return <RestoreDialog snapshot={snapshot} onClose={close} />
    case 'delete':
      return <DeleteSnapshotsDialog snapshots={[snapshot]} onClose={close} {...deletion} />
    default:
      return dialog satisfies never
  }
}
