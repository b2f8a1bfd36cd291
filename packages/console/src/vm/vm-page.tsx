import './vm.css'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { useNavigate } from 'react-router'
import { listPath } from '../shell/paths.ts'
import { UndoBanner } from '../snapshot/dialogs/undo-banner.tsx'
import { SnapshotsTab } from '../snapshot/snapshots-tab.tsx'
import { GatedButton } from '../ui/gated-button.tsx'
import { ObjectPage, type PageTab } from '../ui/object-page.tsx'
import { ObjectYaml } from '../ui/object-yaml.tsx'
import { ConsoleTab } from './console/console-tab.tsx'
import { DiagnosticsTab } from './diagnostics-tab.tsx'
import { DisksTab } from './disks-tab.tsx'
import { EventsTab } from './events-tab.tsx'
import { OverviewTab } from './overview/overview-tab.tsx'
import { PowerIcons } from './power-icons.tsx'
import { useVmActions, type VmActions } from './use-vm-actions.tsx'
import { useVmWork } from './use-vm-work.ts'
import { VmStatusLabel } from './vm-status-label.tsx'

const tabs = (actions: VmActions): readonly PageTab<VirtualMachine>[] => [
  { id: 'overview', title: 'Overview', content: (vm) => <OverviewTab vm={vm} actions={actions} /> },
  { id: 'snapshots', title: 'Snapshots', content: (vm) => <SnapshotsTab vm={vm} /> },
  { id: 'disks', title: 'Disks', content: (vm) => <DisksTab vm={vm} /> },
  {
    id: 'console',
    title: 'Console',
    content: (vm) => <ConsoleTab vm={vm} start={<StartButton vm={vm} actions={actions} />} />,
  },
  { id: 'events', title: 'Events', content: (vm) => <EventsTab vm={vm} /> },
  { id: 'yaml', title: 'YAML', content: (vm) => <ObjectYaml definition={VirtualMachine} object={vm} /> },
  { id: 'diagnostics', title: 'Diagnostics', content: (vm) => <DiagnosticsTab vm={vm} /> },
]

/** One VM: who it is, what it does now, and its tabs. */
export function VmPage({ namespace, name }: { namespace: string; name: string }) {
  const navigate = useNavigate()
  const actions = useVmActions(namespace, { onDeleted: () => void navigate(listPath(VirtualMachine, namespace)) })
  return (
    <>
      <ObjectPage
        definition={VirtualMachine}
        namespace={namespace}
        name={name}
        listTitle="VirtualMachines"
        tabs={tabs(actions)}
        status={(vm) => <Status vm={vm} />}
        tools={(vm) => <PowerIcons actions={actions.powerFor(vm)} />}
        actions={actions.actionsFor}
        banner={(vm) => <UndoBanner vm={vm} />}
      />
      {actions.dialog}
    </>
  )
}

function Status({ vm }: { vm: VirtualMachine }) {
  return <VmStatusLabel vm={vm} work={useVmWork(vm)} />
}

function StartButton({ vm, actions }: { vm: VirtualMachine; actions: VmActions }) {
  const start = actions.actionsFor(vm).find(({ id }) => id === 'start')
  if (!start) return null
  return (
    <GatedButton variant="primary" disabledReason={start.disabledReason} onClick={start.onSelect}>
      Start
    </GatedButton>
  )
}
