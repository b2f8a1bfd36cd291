import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { type ReactNode, useState } from 'react'
import { useAllowed } from '../kube/rights.ts'
import { vmActions, whyNotTake } from '../model/gates.ts'
import { TakeSnapshotDialog } from '../snapshot/dialogs/take-dialog.tsx'
import type { MenuAction } from '../ui/row-menu.tsx'
import { DeleteVmDialog } from './delete-vm-dialog.tsx'
import { type PowerAction, power } from './power.ts'
import { PowerDialog } from './power-dialog.tsx'
import { usePowerRights } from './use-power-rights.ts'

type Opened = { dialog: 'stop' | 'restart' | 'snapshot' | 'delete'; vm: VirtualMachine }

export interface VmActions {
  /** What can be done about whether it runs: the icons of its page. Empty while a snapshot or restore holds it. */
  powerFor: (vm: VirtualMachine) => MenuAction[]
  /** Everything, for its menu. */
  actionsFor: (vm: VirtualMachine) => MenuAction[]
  /** To be put on the page once: the dialog of the action that was chosen. */
  dialog: ReactNode
}

interface Options {
  /** After a VM was deleted here: its own page has to be left. */
  onDeleted?: () => void
}

/** What can be done with a VM, and the dialogs that do it. `namespace` is that of the VMs; undefined: all. */
export function useVmActions(namespace: string | undefined, { onDeleted }: Options = {}): VmActions {
  const [opened, setOpened] = useState<Opened>()
  const rights = usePowerRights(namespace)
  const taking = useAllowed({
    verb: 'create',
    group: 'snapshot.kubevirt.io',
    resource: 'virtualmachinesnapshots',
    namespace,
  })
  const deletion = useAllowed({ verb: 'delete', group: 'kubevirt.io', resource: 'virtualmachines', namespace })
  const close = (): void => setOpened(undefined)

  const choose = (vm: VirtualMachine, action: PowerAction): void => {
    // What interrupts the guest is asked about first.
    if (action === 'stop' || action === 'restart') setOpened({ dialog: action, vm })
    else void power(vm, action)
  }
  const shownPower = (vm: VirtualMachine): MenuAction[] =>
    vmActions(vm)
      .filter(({ id }) => id !== (vm.status?.printableStatus === 'Paused' ? 'pause' : 'unpause'))
      .map(({ id, label, disabledReason }) => ({
        id,
        label,
        dataTest: `vm-action-${id}`,
        disabledReason: rights[id] ?? disabledReason,
        onSelect: () => choose(vm, id),
      }))
  const actionsFor = (vm: VirtualMachine): MenuAction[] => [
    ...shownPower(vm),
    {
      id: 'snapshot',
      label: 'Take snapshot',
      dataTest: 'vm-action-snapshot',
      separated: true,
      disabledReason: taking.reason ?? whyNotTake(vm),
      onSelect: () => setOpened({ dialog: 'snapshot', vm }),
    },
    {
      id: 'delete',
      label: 'Delete',
      dataTest: 'vm-action-delete',
      separated: true,
      isDanger: true,
      disabledReason:
        deletion.reason ?? (vm.metadata.deletionTimestamp === undefined ? undefined : 'It is being deleted'),
      onSelect: () => setOpened({ dialog: 'delete', vm }),
    },
  ]
  return {
    powerFor: (vm) => (vm.status?.snapshotInProgress || vm.status?.restoreInProgress ? [] : shownPower(vm)),
    actionsFor,
    dialog: opened === undefined ? null : <Dialog {...opened} close={close} onDeleted={onDeleted} />,
  }
}

interface DialogProps extends Opened {
  close: () => void
  onDeleted: (() => void) | undefined
}

function Dialog({ dialog, vm, close, onDeleted }: DialogProps) {
  switch (dialog) {
    case 'stop':
    case 'restart':
      return <PowerDialog vms={[vm]} action={dialog} onClose={close} />
    case 'snapshot':
      return <TakeSnapshotDialog vm={vm} onClose={close} />
    case 'delete':
      return <DeleteVmDialog vm={vm} onClose={close} {...(onDeleted ? { onDeleted } : {})} />
    default:
      return dialog satisfies never
  }
}
