import { FormGroup, TextInput } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { create } from '../../kube/client.ts'
import { compactLocalTime } from '../../model/format.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'

interface Props {
  vms: readonly VirtualMachine[]
  onClose: () => void
}

/** Takes a snapshot of each of several VMs. */
export function BulkTakeDialog({ vms, onClose }: Props) {
  const [suffix, setSuffix] = useState(() => `snapshot-${compactLocalTime(new Date())}`)
  const take = async (): Promise<void> => {
    await Promise.all(
      vms.map(({ metadata: { name, namespace = '' } }) =>
        create(VirtualMachineSnapshot, {
          apiVersion: 'snapshot.kubevirt.io/v1beta1',
          kind: 'VirtualMachineSnapshot',
          metadata: { namespace, name: `${name}-${suffix}` },
          spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name } },
        } as VirtualMachineSnapshot),
      ),
    )
    onClose()
  }
  return (
    <ActionDialog title="Take snapshots" submitLabel="Save" onSubmit={take} onClose={onClose}>
      <FormGroup label="Suffix" isRequired fieldId="suffix">
        <TextInput id="suffix" isRequired value={suffix} onChange={(_, value) => setSuffix(value)} />
      </FormGroup>
    </ActionDialog>
  )
}
