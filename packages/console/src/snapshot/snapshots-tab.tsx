import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { Link } from 'react-router'
import { useObjects } from '../kube/use-objects.ts'
import { objectPath } from '../shell/paths.ts'
import { ObjectTable, type Sort, type TableColumn } from '../ui/object-table.tsx'
import { Empty, WhenReady } from '../ui/states.tsx'
import { Timestamp } from '../ui/timestamp.tsx'

const columns: readonly TableColumn<VirtualMachineSnapshot>[] = [
  {
    id: 'name',
    title: 'Name',
    cell: ({ metadata }) => (
      <span data-test={`snapshot-${metadata.name}`}>
        <Link to={objectPath(VirtualMachineSnapshot, metadata)} data-test={metadata.name}>
          {metadata.name}
        </Link>
      </span>
    ),
    compare: (a, b) => a.metadata.name.localeCompare(b.metadata.name),
  },
  {
    id: 'created',
    title: 'Created',
    cell: ({ metadata }) => (
      <Timestamp at={metadata.creationTimestamp} data-test={`snapshot-created-${metadata.name}`} />
    ),
    compare: (a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
  },
]

export function SnapshotsTab({ vm }: { vm: VirtualMachine }) {
  const snapshots = useObjects(VirtualMachineSnapshot, vm.metadata.namespace)
  const [sort, setSort] = useState<Sort>({ column: 'name', direction: 'asc' })
  const rows = snapshots.items.filter(({ spec }) => spec.source.name === vm.metadata.name)
  return (
    <div data-test="vm-snapshot-list">
      <WhenReady list={snapshots} what="snapshots">
        {rows.length === 0 ? (
          <Empty title="No snapshots found" />
        ) : (
          <ObjectTable
            aria-label="Snapshots table"
            columns={columns}
            rows={rows}
            rowKey={({ metadata }) => metadata.name}
            sort={sort}
            onSort={setSort}
          />
        )}
      </WhenReady>
    </div>
  )
}
