import { Alert, List, ListItem } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { Fragment } from 'react'
import { type Disk, disksOf } from '../../model/disks.ts'
import { Foldable, MissingHint, MissingList } from './disks-section.tsx'

interface Group {
  vm: VirtualMachine
  disks: Disk[]
}

/** The disks of several VMs that snapshots taken now have, and those they miss; VM by VM. */
export function BulkDisks({ vms }: { vms: readonly VirtualMachine[] }) {
  const groupsOf = (disks: (vm: VirtualMachine) => Disk[]): Group[] =>
    vms.map((vm) => ({ vm, disks: disks(vm) })).filter((group) => group.disks.length > 0)
  const included = groupsOf((vm) => disksOf(vm).included)
  const missing = groupsOf((vm) => disksOf(vm).missing)
  return (
    <>
      {included.length === 0 ? (
        <Alert isInline isPlain variant="warning" title="No disks included in these snapshots" component="h2" />
      ) : (
        <Foldable title={`Disks included in these snapshots (${count(included)})`}>
          <List isPlain>
            {included.map(({ vm, disks }) => (
              <ListItem key={keyOf(vm)}>
                <strong>{vm.metadata.name}</strong>{' '}
                <span className="console-subtle">{disks.map(({ name }) => name).join(', ')}</span>
              </ListItem>
            ))}
          </List>
        </Foldable>
      )}
      {missing.length === 0 ? null : (
        <Alert
          isInline
          isExpandable
          variant="warning"
          title={`The following disk(s) will not be included in the snapshots (${count(missing)})`}
          component="h2"
          data-test="missing-disks"
        >
          {missing.map(({ vm, disks }) => (
            <Fragment key={keyOf(vm)}>
              <p className="console-subtle">{vm.metadata.name}</p>
              <MissingList disks={disks} />
            </Fragment>
          ))}
          <MissingHint />
        </Alert>
      )}
    </>
  )
}

function count(groups: readonly Group[]): number {
  return groups.reduce((sum, { disks }) => sum + disks.length, 0)
}

function keyOf({ metadata }: VirtualMachine): string {
  return `${metadata.namespace}/${metadata.name}`
}
