import './vm.css'
import {
  Breadcrumb,
  BreadcrumbItem,
  Button,
  Flex,
  FlexItem,
  PageSection,
  Tab,
  Tabs,
  TabTitleText,
  Title,
  Tooltip,
} from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { ReactNode } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { useObject } from '../kube/use-objects.ts'
import { listPath, objectPath } from '../shell/paths.ts'
import { UndoBanner } from '../snapshot/dialogs/undo-banner.tsx'
import { SnapshotsTab } from '../snapshot/snapshots-tab.tsx'
import { ActionsMenu } from '../ui/row-menu.tsx'
import { Failed, Forbidden, Loading, PageGone } from '../ui/states.tsx'
import { ConsoleTab } from './console/console-tab.tsx'
import { DiagnosticsTab } from './diagnostics-tab.tsx'
import { DisksTab } from './disks-tab.tsx'
import { EventsTab } from './events-tab.tsx'
import { OverviewTab } from './overview/overview-tab.tsx'
import { PowerIcons } from './power-icons.tsx'
import { useVmActions, type VmActions } from './use-vm-actions.tsx'
import { useVmWork } from './use-vm-work.ts'
import { VmStatusLabel } from './vm-status-label.tsx'
import { YamlTab } from './yaml-tab.tsx'

interface VmTab {
  id: string
  title: string
  content: (vm: VirtualMachine, actions: VmActions) => ReactNode
}

const contentId = 'vm-tab-content'

/** The tabs of a VM's page; the first one is what its bare address shows. */
const tabs: readonly VmTab[] = [
  { id: 'overview', title: 'Overview', content: (vm, actions) => <OverviewTab vm={vm} actions={actions} /> },
  { id: 'snapshots', title: 'Snapshots', content: (vm) => <SnapshotsTab vm={vm} /> },
  { id: 'disks', title: 'Disks', content: (vm) => <DisksTab vm={vm} /> },
  {
    id: 'console',
    title: 'Console',
    content: (vm, actions) => <ConsoleTab vm={vm} start={<StartButton vm={vm} actions={actions} />} />,
  },
  { id: 'events', title: 'Events', content: (vm) => <EventsTab vm={vm} /> },
  { id: 'yaml', title: 'YAML', content: (vm) => <YamlTab vm={vm} /> },
  { id: 'diagnostics', title: 'Diagnostics', content: (vm) => <DiagnosticsTab vm={vm} /> },
]

/** One VM: who it is, what it does now, and its tabs. */
export function VmPage({ namespace, name }: { namespace: string; name: string }) {
  const { tab = tabs[0]?.id } = useParams()
  const navigate = useNavigate()
  const { status, object: vm, error } = useObject(VirtualMachine, namespace, name)
  const actions = useVmActions(namespace, { onDeleted: () => void navigate(listPath(VirtualMachine, namespace)) })
  if (!vm) {
    const what = `VirtualMachine ${name}`
    if (status === 'gone') return <PageGone what={what} />
    if (status === 'forbidden') return <Forbidden what={what} error={error} />
    return status === 'failed' ? <Failed what={what} error={error} /> : <Loading what={what} />
  }
  const shown = tabs.find(({ id }) => id === tab)
  return (
    <>
      <Header vm={vm} actions={actions} />
      <PageSection type="tabs">
        <Tabs
          activeKey={shown?.id ?? ''}
          onSelect={(event, key) => {
            // A tab is a link: opening it elsewhere is left to the browser.
            if (event.ctrlKey || event.metaKey || event.shiftKey) return
            event.preventDefault()
            void navigate(objectPath(VirtualMachine, vm.metadata, String(key)))
          }}
          component="nav"
          aria-label="VirtualMachine"
        >
          {tabs.map(({ id, title }) => (
            <Tab
              key={id}
              eventKey={id}
              tabContentId={contentId}
              title={<TabTitleText>{title}</TabTitleText>}
              href={objectPath(VirtualMachine, vm.metadata, id)}
              data-test={`horizontal-link-${title}`}
            />
          ))}
        </Tabs>
      </PageSection>
      <PageSection id={contentId}>
        <UndoBanner vm={vm} />
        {shown ? shown.content(vm, actions) : <PageGone what="This tab" />}
      </PageSection>
      {actions.dialog}
    </>
  )
}

function Header({ vm, actions }: { vm: VirtualMachine; actions: VmActions }) {
  const { namespace, name } = vm.metadata
  const work = useVmWork(vm)
  return (
    <PageSection type="breadcrumb">
      <Breadcrumb>
        <BreadcrumbItem>
          <Link to={listPath(VirtualMachine, namespace)}>VirtualMachines</Link>
        </BreadcrumbItem>
        <BreadcrumbItem isActive>{name}</BreadcrumbItem>
      </Breadcrumb>
      <Flex
        justifyContent={{ default: 'justifyContentSpaceBetween' }}
        alignItems={{ default: 'alignItemsFlexStart' }}
        style={{ marginBlockStart: 'var(--pf-t--global--spacer--sm)' }}
      >
        <Flex alignItems={{ default: 'alignItemsBaseline' }}>
          <Title headingLevel="h1" className="console-name">
            {name}
          </Title>
          <FlexItem role="status">
            <VmStatusLabel vm={vm} work={work} />
          </FlexItem>
        </Flex>
        <Flex alignItems={{ default: 'alignItemsCenter' }}>
          <PowerIcons actions={actions.powerFor(vm)} />
          <ActionsMenu
            actions={actions.actionsFor(vm)}
            label={`Actions of ${name}`}
            text="Actions"
            dataTest="actions-menu-button"
          />
        </Flex>
      </Flex>
    </PageSection>
  )
}

function StartButton({ vm, actions }: { vm: VirtualMachine; actions: VmActions }) {
  const start = actions.actionsFor(vm).find(({ id }) => id === 'start')
  if (!start) return null
  const { disabledReason, onSelect } = start
  const button = (
    <Button variant="primary" isAriaDisabled={disabledReason !== undefined} onClick={onSelect}>
      Start
    </Button>
  )
  return disabledReason === undefined ? button : <Tooltip content={disabledReason}>{button}</Tooltip>
}
