import { FormGroup, TextInput } from '@patternfly/react-core'
import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { create } from '../../kube/client.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'

interface Props {
  snapshot: VirtualMachineSnapshot
  onClose: () => void
}

/** Makes a new VM of a snapshot. */
export function CreateVmDialog({ snapshot: { metadata }, onClose }: Props) {
  const [name, setName] = useState(metadata.name.slice(0, 63))
  const make = async (): Promise<void> => {
    await create(VirtualMachineClone, {
      apiVersion: 'clone.kubevirt.io/v1beta1',
      kind: 'VirtualMachineClone',
      metadata: { namespace: metadata.namespace ?? '', name: `${name.slice(0, 40)}-${Date.now()}` },
      spec: {
        source: { apiGroup: 'snapshot.kubevirt.io', kind: 'VirtualMachineSnapshot', name: metadata.name },
        target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name },
        volumeNamePolicy: 'PrefixTargetName',
      },
    } as VirtualMachineClone)
    onClose()
  }
  return (
    <ActionDialog
      title="Create VirtualMachine from snapshot"
      submitLabel="Create"
      onSubmit={make}
      onClose={onClose}
      {...(name === '' ? { disabledReason: 'Enter a name.' } : {})}
    >
      <FormGroup label="Name" isRequired fieldId="clone-name">
        <TextInput id="clone-name" isRequired value={name} onChange={(_, value) => setName(value)} />
      </FormGroup>
    </ActionDialog>
  )
}
