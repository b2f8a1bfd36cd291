import { FormGroup, TextInput } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { create } from '../../kube/client.ts'
import { compactLocalTime } from '../../model/format.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'

interface Props {
  vm: VirtualMachine
  onClose: () => void
}

/** Takes a snapshot of one VM. */
export function TakeSnapshotDialog({ vm, onClose }: Props) {
  const [name, setName] = useState(() => `${vm.metadata.name.slice(0, 38)}-snapshot-${compactLocalTime(new Date())}`)
  const take = async (): Promise<void> => {
    await create(VirtualMachineSnapshot, {
      apiVersion: 'snapshot.kubevirt.io/v1beta1',
      kind: 'VirtualMachineSnapshot',
      metadata: { namespace: vm.metadata.namespace ?? '', name },
      spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: vm.metadata.name } },
    } as VirtualMachineSnapshot)
    onClose()
  }
  return (
    <ActionDialog title="Take snapshot" submitLabel="Save" onSubmit={take} onClose={onClose}>
      <FormGroup label="Name" isRequired fieldId="name">
        <TextInput id="name" isRequired value={name} onChange={(_, value) => setName(value)} />
      </FormGroup>
    </ActionDialog>
  )
}
