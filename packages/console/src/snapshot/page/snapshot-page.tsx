import { Title } from '@patternfly/react-core'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useNavigate } from 'react-router'
import { snapshotStatus } from '../../model/snapshot-status.ts'
import { listPath } from '../../shell/paths.ts'
import { useEditActions } from '../../ui/edit-actions.tsx'
import { EventList } from '../../ui/event-list.tsx'
import { ObjectPage, type PageTab } from '../../ui/object-page.tsx'
import { ObjectYaml } from '../../ui/object-yaml.tsx'
import type { MenuAction } from '../../ui/row-menu.tsx'
import { ToneLabel } from '../../ui/tone.tsx'
import { useNow } from '../../ui/use-now.ts'
import { useSnapshotActions } from '../use-snapshot-actions.tsx'
import { DisksTab } from './disks-tab.tsx'
import { ReceiptTab } from './receipt-tab.tsx'
import { SummaryTab } from './summary-tab.tsx'

const tabs = (
  editAnnotations: (snapshot: VirtualMachineSnapshot) => void,
): readonly PageTab<VirtualMachineSnapshot>[] => [
  {
    id: 'summary',
    title: 'Summary',
    content: (snapshot) => <SummaryTab snapshot={snapshot} onEditAnnotations={() => editAnnotations(snapshot)} />,
  },
  { id: 'disks', title: 'Disks', content: (snapshot) => <DisksTab snapshot={snapshot} /> },
  { id: 'receipt', title: 'Receipt', content: (snapshot) => <ReceiptTab snapshot={snapshot} /> },
  {
    id: 'events',
    title: 'Events',
    content: (snapshot) => (
      <>
        <Title headingLevel="h2">Events</Title>
        <EventList object={snapshot} />
      </>
    ),
  },
  {
    id: 'yaml',
    title: 'YAML',
    content: (snapshot) => <ObjectYaml definition={VirtualMachineSnapshot} object={snapshot} />,
  },
]

/** The actions of the page, in the order people know them. */
const order = ['restore', 'create-vm', 'delete']

/** One snapshot: what it is of, what it is good for, how it came about. */
export function SnapshotPage({ namespace, name }: { namespace: string; name: string }) {
  const navigate = useNavigate()
  const edit = useEditActions(VirtualMachineSnapshot, namespace)
  const actions = useSnapshotActions(namespace, {
    deleteLabel: 'Delete VirtualMachineSnapshot',
    onDeleted: () => void navigate(listPath(VirtualMachineSnapshot, namespace)),
  })
  const menu = (snapshot: VirtualMachineSnapshot): MenuAction[] => [
    ...edit.actionsFor(snapshot),
    ...actions
      .actionsFor(snapshot)
      .toSorted((a, b) => order.indexOf(a.id) - order.indexOf(b.id))
      .map((action) => ({ ...action, dataTestAction: action.label })),
  ]
  return (
    <>
      <ObjectPage
        definition={VirtualMachineSnapshot}
        namespace={namespace}
        name={name}
        listTitle="Snapshots"
        tabs={tabs(edit.editAnnotations)}
        status={(snapshot) => <Status snapshot={snapshot} />}
        actions={menu}
      />
      {edit.dialog}
      {actions.dialog}
    </>
  )
}

function Status({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const { label, tone } = snapshotStatus(snapshot, useNow())
  return <ToneLabel tone={tone}>{label}</ToneLabel>
}
