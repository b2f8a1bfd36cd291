import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { useState } from 'react'
import { useAllowed } from '../kube/rights.ts'
import { vmActions, whyNotTake } from '../model/gates.ts'
import { BulkTakeDialog } from '../snapshot/dialogs/bulk-take-dialog.tsx'
import { TakeSnapshotDialog } from '../snapshot/dialogs/take-dialog.tsx'
import { ActionsMenu } from '../ui/row-menu.tsx'
import { showToast } from '../ui/toast-store.ts'
import { power } from './power.ts'
import { PowerDialog } from './power-dialog.tsx'
import { usePowerRights } from './use-power-rights.ts'

interface Props {
  /** What is ticked. */
  vms: readonly VirtualMachine[]
  /** Of the list; undefined: all. */
  namespace: string | undefined
}

interface Opened {
  dialog: 'stop' | 'snapshot'
  vms: readonly VirtualMachine[]
}

/** What can be done with several VMs at once. Those it does not concern are left out. */
export function BulkActions({ vms, namespace }: Props) {
  const [opened, setOpened] = useState<Opened>()
  const rights = usePowerRights(namespace)
  const taking = useAllowed({
    verb: 'create',
    group: 'snapshot.kubevirt.io',
    resource: 'virtualmachinesnapshots',
    namespace,
  })
  const able = (id: 'start' | 'stop'): VirtualMachine[] =>
    vms.filter((vm) => vmActions(vm).some((action) => action.id === id && action.disabledReason === undefined))
  const startable = able('start')
  const stoppable = able('stop')
  const nothing = vms.length === 0 ? 'Tick VirtualMachines first' : undefined
  const none = (which: readonly VirtualMachine[], what: string): string | undefined =>
    which.length === 0 ? `None of those ticked can be ${what} now` : undefined
  const takable = vms.filter((vm) => whyNotTake(vm) === undefined)

  const start = async (): Promise<void> => {
    const done = await Promise.all(startable.map((vm) => power(vm, 'start')))
    const count = done.filter(Boolean).length
    if (count === 0) return
    const what = count === 1 ? '1 VirtualMachine is' : `${count} VirtualMachines are`
    showToast({ tone: 'info', title: `${what} starting`, passing: true })
  }

  return (
    <>
      <ActionsMenu
        text="Actions"
        variant="secondary"
        label="Actions of what is ticked"
        dataTest="actions-dropdown"
        actions={[
          {
            id: 'selected-start',
            label: counted('Start', startable),
            dataTest: 'selected-vms-action-start',
            disabledReason: nothing ?? rights.start ?? none(startable, 'started'),
            onSelect: () => void start(),
          },
          {
            id: 'selected-stop',
            label: counted('Stop', stoppable),
            dataTest: 'selected-vms-action-stop',
            disabledReason: nothing ?? rights.stop ?? none(stoppable, 'stopped'),
            onSelect: () => setOpened({ dialog: 'stop', vms: stoppable }),
          },
          {
            id: 'selected-snapshot',
            label: 'Take snapshot',
            dataTest: 'selected-vms-action-snapshot',
            separated: true,
            disabledReason: nothing ?? taking.reason ?? none(takable, 'snapshotted'),
            onSelect: () => setOpened({ dialog: 'snapshot', vms }),
          },
        ]}
      />
      {opened === undefined ? null : <Dialog {...opened} onClose={() => setOpened(undefined)} />}
    </>
  )
}

function Dialog({ dialog, vms, onClose }: Opened & { onClose: () => void }) {
  if (dialog === 'stop') return <PowerDialog vms={vms} action="stop" onClose={onClose} />
  const [only] = vms.length === 1 ? vms : []
  return only === undefined ? (
    <BulkTakeDialog vms={vms} onClose={onClose} />
  ) : (
    <TakeSnapshotDialog vm={only} onClose={onClose} />
  )
}

function counted(label: string, vms: readonly VirtualMachine[]): string {
  return vms.length > 1 ? `${label} ${vms.length}` : label
}
