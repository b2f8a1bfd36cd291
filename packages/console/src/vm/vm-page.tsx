import {
  Breadcrumb,
  BreadcrumbItem,
  Flex,
  FlexItem,
  Label,
  PageSection,
  Tab,
  Tabs,
  TabTitleText,
  Title,
} from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { ReactNode } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { useObject } from '../kube/use-objects.ts'
import { listPath, objectPath } from '../shell/paths.ts'
import { SnapshotsTab } from '../snapshot/snapshots-tab.tsx'
import { Failed, Forbidden, Loading, PageGone } from '../ui/states.tsx'
import { YamlTab } from './yaml-tab.tsx'

interface VmTab {
  id: string
  title: string
  content: (vm: VirtualMachine) => ReactNode
}

/** The tabs of a VM's page; the first one is what its bare address shows. */
const tabs: readonly VmTab[] = [
  { id: 'overview', title: 'Overview', content: () => null },
  { id: 'snapshots', title: 'Snapshots', content: (vm) => <SnapshotsTab vm={vm} /> },
  { id: 'yaml', title: 'YAML', content: (vm) => <YamlTab vm={vm} /> },
]

/** One VM: who it is, what it does now, and its tabs. */
export function VmPage({ namespace, name }: { namespace: string; name: string }) {
  const { tab = tabs[0]?.id } = useParams()
  const navigate = useNavigate()
  const { status, object: vm, error } = useObject(VirtualMachine, namespace, name)
  if (!vm) {
    const what = `VirtualMachine ${name}`
    if (status === 'gone') return <PageGone what={what} />
    if (status === 'forbidden') return <Forbidden what={what} error={error} />
    return status === 'failed' ? <Failed what={what} error={error} /> : <Loading what={what} />
  }
  const shown = tabs.find(({ id }) => id === tab)
  return (
    <>
      <PageSection type="breadcrumb">
        <Breadcrumb>
          <BreadcrumbItem>
            <Link to={listPath(VirtualMachine, namespace)}>VirtualMachines</Link>
          </BreadcrumbItem>
          <BreadcrumbItem isActive>{name}</BreadcrumbItem>
        </Breadcrumb>
        <Flex>
          <FlexItem>
            <Title headingLevel="h1">{name}</Title>
          </FlexItem>
          <FlexItem>
            <Label>{vm.status?.printableStatus ?? 'Stopped'}</Label>
          </FlexItem>
        </Flex>
      </PageSection>
      <PageSection type="tabs">
        <Tabs
          activeKey={shown?.id ?? ''}
          onSelect={(_, key) => void navigate(objectPath(VirtualMachine, vm.metadata, String(key)))}
          component="nav"
          aria-label="VirtualMachine"
        >
          {tabs.map(({ id, title }) => (
            <Tab
              key={id}
              eventKey={id}
              title={<TabTitleText>{title}</TabTitleText>}
              href={objectPath(VirtualMachine, vm.metadata, id)}
              data-test={`horizontal-link-${title}`}
            />
          ))}
        </Tabs>
      </PageSection>
      <PageSection>{shown ? shown.content(vm) : <PageGone what="This tab" />}</PageSection>
    </>
  )
}
