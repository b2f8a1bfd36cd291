import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { useNavigate } from 'react-router'
import { useAllowed } from '../kube/rights.ts'
import { objectPath } from '../shell/paths.ts'
import { YamlEditor } from '../ui/yaml-editor.tsx'

export function YamlTab({ vm }: { vm: VirtualMachine }) {
  const navigate = useNavigate()
  const { group, plural: resource } = VirtualMachine
  const { allowed, reason } = useAllowed({ verb: 'update', group, resource, namespace: vm.metadata.namespace })
  return (
    <YamlEditor
      definition={VirtualMachine}
      object={vm}
      readOnlyReason={allowed === false ? reason : undefined}
      onCancel={() => void navigate(objectPath(VirtualMachine, vm.metadata))}
    />
  )
}
