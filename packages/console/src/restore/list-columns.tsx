import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { Link } from 'react-router'
import { objectPath } from '../shell/paths.ts'
import type { TableColumn } from '../ui/object-table.tsx'
import { ActionsMenu, type MenuAction } from '../ui/row-menu.tsx'
import { Timestamp } from '../ui/timestamp.tsx'
import { RestoreProgress, statusAtFirstSight } from './progress.tsx'
import { SnapshotLink } from './snapshot-link.tsx'

type Column = TableColumn<VirtualMachineRestore>

function byText(text: (restore: VirtualMachineRestore) => string): NonNullable<Column['compare']> {
  return (a, b) => text(a).localeCompare(text(b)) || a.metadata.name.localeCompare(b.metadata.name)
}

const nameColumn: Column = {
  id: 'name',
  title: 'Name',
  widthRem: 8.75,
  cell: ({ metadata }) => (
    <Link to={objectPath(VirtualMachineRestore, metadata)} data-test={metadata.name} className="console-name">
      {metadata.name}
    </Link>
  ),
  compare: byText(({ metadata }) => metadata.name),
}

const namespaceColumn: Column = {
  id: 'namespace',
  title: 'Namespace',
  widthRem: 9.25,
  cell: ({ metadata }) => metadata.namespace,
  compare: byText(({ metadata }) => metadata.namespace ?? ''),
}

const targetColumn: Column = {
  id: 'target',
  title: 'Target VM',
  widthRem: 8.75,
  cell: ({ metadata, spec }) => (
    <Link to={objectPath(VirtualMachine, { ...metadata, name: spec.target.name })} className="console-name">
      {spec.target.name}
    </Link>
  ),
  compare: byText(({ spec }) => spec.target.name),
}

const progressColumn: Column = {
  id: 'progress',
  title: 'Progress',
  widthRem: 11,
  cell: (restore) => <RestoreProgress restore={restore} />,
  compare: byText((restore) => statusAtFirstSight(restore).label),
}

const timeColumns: readonly Column[] = [
  {
    id: 'created',
    title: 'Created',
    widthRem: 8.25,
    cell: ({ metadata }) => <Timestamp at={metadata.creationTimestamp} />,
    compare: byText(({ metadata }) => metadata.creationTimestamp ?? ''),
  },
  {
    id: 'restored',
    title: 'Restored at',
    widthRem: 9.25,
    cell: ({ status }) => <Timestamp at={status?.restoreTime} />,
    compare: byText(({ status }) => status?.restoreTime ?? ''),
  },
]

interface Options {
  /** The namespace that is looked at; undefined: all. */
  namespace: string | undefined
  /** All snapshots are known. */
  snapshotsKnown: boolean
  actionsFor: (restore: VirtualMachineRestore) => MenuAction[]
}

/** The columns of the list of restores. */
export function restoreColumns({ namespace, snapshotsKnown, actionsFor }: Options): Column[] {
  return [
    nameColumn,
    ...(namespace === undefined ? [namespaceColumn] : []),
    targetColumn,
    {
      id: 'snapshot',
      title: 'Snapshot',
      widthRem: 8.25,
      cell: (restore) => <SnapshotLink restore={restore} listed={namespace} known={snapshotsKnown} />,
      compare: byText(({ spec }) => spec.virtualMachineSnapshotName),
    },
    progressColumn,
    ...timeColumns,
    {
      id: 'actions',
      title: 'Actions',
      hiddenTitle: true,
      cell: (restore) => (
        <ActionsMenu
          actions={() => actionsFor(restore)}
          label={`Actions of ${restore.metadata.name}`}
          id={`restore-actions-${restore.metadata.namespace}-${restore.metadata.name}`}
        />
      ),
    },
  ]
}
