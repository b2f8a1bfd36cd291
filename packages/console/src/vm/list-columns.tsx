import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { Link } from 'react-router'
import { vmKey } from '../model/vm-list.ts'
import { vmStatus } from '../model/vm-status.ts'
import { objectPath } from '../shell/paths.ts'
import type { TableColumn } from '../ui/object-table.tsx'
import { ActionsMenu, type MenuAction } from '../ui/row-menu.tsx'
import { Timestamp } from '../ui/timestamp.tsx'
import { AgentLabel } from './agent-label.tsx'
import { NewestSnapshot } from './newest-snapshot.tsx'
import { useVmWork } from './use-vm-work.ts'
import { VmStatusLabel } from './vm-status-label.tsx'

type Column = TableColumn<VirtualMachine>

function byText(text: (vm: VirtualMachine) => string): (a: VirtualMachine, b: VirtualMachine) => number {
  return (a, b) => text(a).localeCompare(text(b)) || a.metadata.name.localeCompare(b.metadata.name)
}

const nameColumn: Column = {
  id: 'name',
  title: 'Name',
  widthRem: 9,
  cell: ({ metadata }) => (
    <Link to={objectPath(VirtualMachine, metadata)} data-test={metadata.name} className="console-name">
      {metadata.name}
    </Link>
  ),
  compare: byText(({ metadata }) => metadata.name),
}

const namespaceColumn: Column = {
  id: 'namespace',
  title: 'Namespace',
  widthRem: 8.75,
  cell: ({ metadata }) => metadata.namespace,
  compare: byText(({ metadata }) => metadata.namespace ?? ''),
}

const statusColumn: Column = {
  id: 'status',
  title: 'Status',
  widthRem: 7.5,
  cell: (vm) => <Status vm={vm} />,
  compare: byText((vm) => vmStatus(vm).label),
}

const agentColumn: Column = {
  id: 'agent',
  title: 'Agent',
  widthRem: 7.5,
  cell: (vm) => <AgentLabel vm={vm} />,
}

const createdColumn: Column = {
  id: 'created',
  title: 'Created',
  widthRem: 8.25,
  cell: ({ metadata }) => <Timestamp at={metadata.creationTimestamp} />,
  compare: byText(({ metadata }) => metadata.creationTimestamp ?? ''),
}

interface Options {
  allNamespaces: boolean
  newest: ReadonlyMap<string, VirtualMachineSnapshot>
  actionsFor: (vm: VirtualMachine) => MenuAction[]
}

/** The columns of the list of VMs. */
export function vmColumns({ allNamespaces, newest, actionsFor }: Options): Column[] {
  const takenAt = (vm: VirtualMachine): string => newest.get(vmKey(vm))?.metadata.creationTimestamp ?? ''
  return [
    nameColumn,
    ...(allNamespaces ? [namespaceColumn] : []),
    statusColumn,
    agentColumn,
    {
      id: 'snapshot',
      title: 'Newest snapshot',
      widthRem: 10.5,
      cell: (vm) => <NewestSnapshot snapshot={newest.get(vmKey(vm))} />,
      compare: byText(takenAt),
    },
    createdColumn,
    {
      id: 'actions',
      title: 'Actions',
      hiddenTitle: true,
      cell: (vm) => (
        <ActionsMenu
          actions={() => actionsFor(vm)}
          label={`Actions of ${vm.metadata.name}`}
          id={`vm-actions-${vm.metadata.namespace}-${vm.metadata.name}`}
        />
      ),
    },
  ]
}

function Status({ vm }: { vm: VirtualMachine }) {
  return <VmStatusLabel vm={vm} work={useVmWork(vm)} />
}
