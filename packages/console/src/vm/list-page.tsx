import { PageSection, Title } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { useState } from 'react'
import { Link, useParams } from 'react-router'
import { useObjects } from '../kube/use-objects.ts'
import { objectPath } from '../shell/paths.ts'
import { ObjectTable, type Sort, type TableColumn } from '../ui/object-table.tsx'
import { Empty, WhenReady } from '../ui/states.tsx'
import { Timestamp } from '../ui/timestamp.tsx'

const byText = (text: (vm: VirtualMachine) => string) => (a: VirtualMachine, b: VirtualMachine) =>
  text(a).localeCompare(text(b))

const nameColumn: TableColumn<VirtualMachine> = {
  id: 'name',
  title: 'Name',
  cell: ({ metadata }) => <Link to={objectPath(VirtualMachine, metadata)}>{metadata.name}</Link>,
  compare: byText(({ metadata }) => metadata.name),
}
const namespaceColumn: TableColumn<VirtualMachine> = {
  id: 'namespace',
  title: 'Namespace',
  cell: ({ metadata }) => metadata.namespace,
  compare: byText(({ metadata }) => metadata.namespace ?? ''),
}
const statusColumn: TableColumn<VirtualMachine> = {
  id: 'status',
  title: 'Status',
  cell: ({ status }) => status?.printableStatus ?? 'Stopped',
  compare: byText(({ status }) => status?.printableStatus ?? ''),
}
const createdColumn: TableColumn<VirtualMachine> = {
  id: 'created',
  title: 'Created',
  cell: ({ metadata }) => <Timestamp at={metadata.creationTimestamp} />,
  compare: byText(({ metadata }) => metadata.creationTimestamp ?? ''),
}

export function VmListPage() {
  const { namespace } = useParams()
  const vms = useObjects(VirtualMachine, namespace)
  const [sort, setSort] = useState<Sort>({ column: 'name', direction: 'asc' })
  const columns = [nameColumn, ...(namespace === undefined ? [namespaceColumn] : []), statusColumn, createdColumn]
  return (
    <PageSection>
      <Title headingLevel="h1">VirtualMachines</Title>
      <WhenReady list={vms} what="VirtualMachines">
        {vms.items.length === 0 ? (
          <Empty title="No VirtualMachines found">There is none in this namespace yet.</Empty>
        ) : (
          <ObjectTable
            aria-label="VirtualMachines"
            columns={columns}
            rows={vms.items}
            rowKey={({ metadata }) => `${metadata.namespace}/${metadata.name}`}
            sort={sort}
            onSort={setSort}
          />
        )}
      </WhenReady>
    </PageSection>
  )
}
