import { Title } from '@patternfly/react-core'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { useNavigate } from 'react-router'
import { restoreStatus } from '../model/restores.ts'
import { listPath } from '../shell/paths.ts'
import { useEditActions } from '../ui/edit-actions.tsx'
import { EventList } from '../ui/event-list.tsx'
import { ObjectPage, type PageTab } from '../ui/object-page.tsx'
import { ObjectYaml } from '../ui/object-yaml.tsx'
import { useNow } from '../ui/use-now.ts'
import { RestoreStep } from './progress.tsx'
import { SummaryTab } from './summary-tab.tsx'
import { useRestoreActions } from './use-restore-actions.tsx'
import { VolumesTab } from './volumes-tab.tsx'

const tabs: readonly PageTab<VirtualMachineRestore>[] = [
  { id: 'summary', title: 'Summary', content: (restore) => <SummaryTab restore={restore} /> },
  { id: 'volumes', title: 'Volumes', content: (restore) => <VolumesTab restore={restore} /> },
  {
    id: 'events',
    title: 'Events',
    content: (restore) => (
      <>
        <Title headingLevel="h2">Events</Title>
        <EventList object={restore} />
      </>
    ),
  },
  {
    id: 'yaml',
    title: 'YAML',
    content: (restore) => <ObjectYaml definition={VirtualMachineRestore} object={restore} />,
  },
]

/** One restore: what it brings back, how far it is, and what keeps it. */
export function RestorePage({ namespace, name }: { namespace: string; name: string }) {
  const navigate = useNavigate()
  const edit = useEditActions(VirtualMachineRestore, namespace)
  const actions = useRestoreActions(namespace, () => void navigate(listPath(VirtualMachineRestore, namespace)))
  return (
    <>
      <ObjectPage
        definition={VirtualMachineRestore}
        namespace={namespace}
        name={name}
        listTitle="Restores"
        tabs={tabs}
        status={(restore) => <Status restore={restore} />}
        actions={(restore) => [
          ...edit.actionsFor(restore),
          ...actions.actionsFor(restore).map((action) => ({ ...action, separated: true })),
        ]}
      />
      {edit.dialog}
      {actions.dialog}
    </>
  )
}

function Status({ restore }: { restore: VirtualMachineRestore }) {
  return <RestoreStep shown={restoreStatus(restore, useNow())} />
}
