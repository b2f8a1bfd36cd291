import { Stack, StackItem, Title } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { type VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { Condition } from '@stillpoint/api/meta/condition'
import { useObject } from '../kube/use-objects.ts'
import type { VmDisk } from '../model/vm-disks.ts'
import { Timestamp } from '../ui/timestamp.tsx'
import { ToneIcon } from '../ui/tone.tsx'
import { useVmDisks } from './use-vm-disks.ts'

/** What stands in the way of snapshots, and what the controllers say of the VM and its instance. */
export function DiagnosticsTab({ vm }: { vm: VirtualMachine }) {
  const { namespace, name } = vm.metadata
  const { object: instance } = useObject(VirtualMachineInstance, namespace, name)
  const disks = useVmDisks(vm)
  const warnings = disks.filter(({ inSnapshots }) => inSnapshots === 'missing').length
  return (
    <Stack hasGutter>
      <StackItem>
        <Title headingLevel="h2">Volume snapshot status</Title>
        <p data-test="diagnostics-summary">
          <ToneIcon tone={warnings === 0 ? 'success' : 'warning'} /> {summary(warnings)}
        </p>
        <Table aria-label="Volume snapshot status" variant="compact">
          <Thead>
            <Tr>
              <Th modifier="nowrap">Volume name</Th>
              <Th modifier="nowrap">Snapshot enabled</Th>
              <Th>Reason</Th>
              <Th>Details</Th>
            </Tr>
          </Thead>
          <Tbody>
            {disks.map((disk) => (
              <Tr key={disk.name}>
                <Td dataLabel="Volume name">{disk.name}</Td>
                <Td dataLabel="Snapshot enabled">{disk.inSnapshots === 'included' ? 'Yes' : 'No'}</Td>
                <Td dataLabel="Reason">{disk.reason ?? '-'}</Td>
                <Td dataLabel="Details">
                  <Details disk={disk} />
                </Td>
              </Tr>
            ))}
          </Tbody>
        </Table>
      </StackItem>
      <StackItem>
        <Conditions title="Conditions of the VirtualMachine" conditions={vm.status?.conditions} />
      </StackItem>
      {instance ? (
        <StackItem>
          <Conditions title="Conditions of the VirtualMachineInstance" conditions={instance.status?.conditions} />
        </StackItem>
      ) : null}
    </Stack>
  )
}

function summary(warnings: number): string {
  if (warnings === 0) return 'Snapshots include every volume that holds data.'
  return warnings === 1
    ? '1 volume holds data and is left out of snapshots.'
    : `${warnings} volumes hold data and are left out of snapshots.`
}

function Details({ disk: { inSnapshots, kind, claim, state } }: { disk: VmDisk }) {
  const what = claim === undefined ? `It is of the kind ${kind}.` : `Claim ${claim}, ${state?.label ?? 'unknown'}.`
  switch (inSnapshots) {
    case 'included':
      return what
    case 'recreated':
      return `${what} It is made anew from the definition at each start: nothing is lost.`
    case 'missing':
      return (
        <>
          <ToneIcon tone="warning" /> {what} Its data is in no snapshot. Move it to a claim of a storage class that has
          a VolumeSnapshotClass.
        </>
      )
    default:
      return inSnapshots satisfies never
  }
}

function Conditions({ title, conditions = [] }: { title: string; conditions?: readonly Condition[] | undefined }) {
  return (
    <>
      <Title headingLevel="h2">{title}</Title>
      {conditions.length === 0 ? (
        <p className="console-subtle">None is set.</p>
      ) : (
        <Table aria-label={title} variant="compact">
          <Thead>
            <Tr>
              <Th>Type</Th>
              <Th>Status</Th>
              <Th>Reason</Th>
              <Th>Message</Th>
              <Th modifier="nowrap">Last change</Th>
            </Tr>
          </Thead>
          <Tbody>
            {conditions.map(({ type, status, reason, message, lastTransitionTime }) => (
              <Tr key={type}>
                <Td dataLabel="Type">{type}</Td>
                <Td dataLabel="Status">{status}</Td>
                <Td dataLabel="Reason">{reason ?? '-'}</Td>
                <Td dataLabel="Message">{message ?? '-'}</Td>
                <Td dataLabel="Last change" modifier="nowrap">
                  <Timestamp at={lastTransitionTime} />
                </Td>
              </Tr>
            ))}
          </Tbody>
        </Table>
      )}
    </>
  )
}
