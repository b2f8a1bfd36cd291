import {
  Card,
  CardBody,
  CardTitle,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
} from '@patternfly/react-core'
import { type VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { ReactNode } from 'react'
import { useObject } from '../../kube/use-objects.ts'
import { vmFacts } from '../../model/vm-facts.ts'
import { guestAgentOf } from '../../model/vm-status.ts'
import { Timestamp } from '../../ui/timestamp.tsx'
import { AgentLabel } from '../agent-label.tsx'
import { useVmWork } from '../use-vm-work.ts'
import { VmStatusLabel } from '../vm-status-label.tsx'

export function DetailsCard({ vm }: { vm: VirtualMachine }) {
  const { namespace, name, creationTimestamp, annotations } = vm.metadata
  const { object: instance } = useObject(VirtualMachineInstance, namespace, name)
  const work = useVmWork(vm)
  const { size, runStrategy, os, addresses, node } = vmFacts(vm, instance)
  return (
    <Card>
      <CardTitle component="h2">Details</CardTitle>
      <CardBody>
        <DescriptionList columnModifier={{ default: '1Col', lg: '2Col' }}>
          <Fact term="Name">
            <span data-test="virtual-machine-overview-details-name">{name}</span>
          </Fact>
          <Fact term="Status">
            <VmStatusLabel vm={vm} work={work} />
          </Fact>
          <Fact term="Created">
            <Timestamp at={creationTimestamp} />
          </Fact>
          <Fact term="Operating system">{os ?? whyNoOs(vm)}</Fact>
          <Fact term="CPU | Memory">{size}</Fact>
          <Fact term="Run strategy">{runStrategy}</Fact>
          <Fact term="Guest agent">
            <AgentLabel vm={vm} />
          </Fact>
          <Fact term="IP addresses">
            {addresses.length === 0 ? '-' : addresses.map((address) => <div key={address}>{address}</div>)}
          </Fact>
          <Fact term="Node">{node ?? '-'}</Fact>
          {annotations?.description ? <Fact term="Description">{annotations.description}</Fact> : null}
        </DescriptionList>
      </CardBody>
    </Card>
  )
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{term}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}

function whyNoOs(vm: VirtualMachine): string {
  const agent = guestAgentOf(vm)
  if (agent === 'off') return '-'
  return agent === 'absent' ? 'Not known: no guest agent answers' : 'Not reported yet'
}
