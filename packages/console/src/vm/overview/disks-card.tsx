import { Card, CardBody, CardTitle } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { Link } from 'react-router'
import { objectPath } from '../../shell/paths.ts'
import { InSnapshots } from '../in-snapshots.tsx'
import { useVmDisks } from '../use-vm-disks.ts'

export function DisksCard({ vm }: { vm: VirtualMachine }) {
  const disks = useVmDisks(vm)
  return (
    <Card>
      <CardTitle component="h2">
        <Link to={objectPath(VirtualMachine, vm.metadata, 'disks')}>Disks ({disks.length})</Link>
      </CardTitle>
      <CardBody>
        {disks.length === 0 ? (
          <span className="console-subtle">No disks found</span>
        ) : (
          <Table aria-label="Disks" variant="compact" borders={false}>
            <Thead>
              <Tr>
                <Th modifier="nowrap">Name</Th>
                <Th modifier="nowrap">Kind</Th>
                <Th modifier="nowrap">Size</Th>
                <Th modifier="wrap">In snapshots</Th>
              </Tr>
            </Thead>
            <Tbody>
              {disks.map((disk) => (
                <Tr key={disk.name}>
                  <Td dataLabel="Name">{disk.name}</Td>
                  <Td dataLabel="Kind">{disk.kind}</Td>
                  <Td dataLabel="Size">{disk.size ?? '-'}</Td>
                  <Td dataLabel="In snapshots">
                    <InSnapshots disk={disk} />
                  </Td>
                </Tr>
              ))}
            </Tbody>
          </Table>
        )}
      </CardBody>
    </Card>
  )
}
