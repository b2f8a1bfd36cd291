import {
  Breadcrumb,
  BreadcrumbItem,
  Flex,
  FlexItem,
  PageSection,
  Tab,
  Tabs,
  TabTitleText,
  Title,
} from '@patternfly/react-core'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { ReactNode } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { useObject } from '../kube/use-objects.ts'
import { listPath, objectPath } from '../shell/paths.ts'
import { ActionsMenu, type MenuAction } from './row-menu.tsx'
import { Failed, Forbidden, Loading, PageGone } from './states.tsx'

export interface PageTab<T> {
  id: string
  title: string
  content: (object: T) => ReactNode
}

interface Props<R extends ResourceDefinition> {
  definition: R
  namespace: string
  name: string
  /** What the list of all of them is called. */
  listTitle: string
  /** The first one is what the page's bare address shows. */
  tabs: readonly PageTab<ObjectOf<R>>[]
  /** Beside the name. */
  status: (object: ObjectOf<R>) => ReactNode
  actions: (object: ObjectOf<R>) => readonly MenuAction[]
  /** Before the menu of actions. */
  tools?: (object: ObjectOf<R>) => ReactNode
  /** Above what each tab shows. */
  banner?: (object: ObjectOf<R>) => ReactNode
}

const contentId = 'tab-content'

/** The page of one object: who it is, how it is, what can be done with it, and its tabs. */
export function ObjectPage<R extends ResourceDefinition>({ definition, namespace, name, ...rest }: Props<R>) {
  const { tabs, banner } = rest
  const { tab = tabs[0]?.id } = useParams()
  const { status, object, error } = useObject(definition, namespace, name)
  if (!object) {
    const what = `${definition.kind} ${name}`
    if (status === 'gone') return <PageGone what={what} />
    if (status === 'forbidden') return <Forbidden what={what} error={error} level="h1" />
    return status === 'failed' ? <Failed what={what} error={error} level="h1" /> : <Loading what={what} />
  }
  const shown = tabs.find(({ id }) => id === tab)
  return (
    <>
      <Header definition={definition} object={object} {...rest} />
      <PageSection type="tabs">
        <TabBar definition={definition} object={object} tabs={tabs} shown={shown?.id ?? ''} />
      </PageSection>
      <PageSection id={contentId}>
        {banner?.(object)}
        {shown ? shown.content(object) : <PageGone what="This tab" level="h2" />}
      </PageSection>
    </>
  )
}

type HeaderProps<R extends ResourceDefinition> = Omit<Props<R>, 'namespace' | 'name' | 'tabs' | 'banner'> & {
  object: ObjectOf<R>
}

function Header<R extends ResourceDefinition>({ definition, object, ...rest }: HeaderProps<R>) {
  const { listTitle, status, actions, tools } = rest
  const { namespace, name } = object.metadata
  return (
    <PageSection type="breadcrumb">
      <Breadcrumb>
        <BreadcrumbItem>
          <Link to={listPath(definition, namespace)}>{listTitle}</Link>
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
          <FlexItem role="status">{status(object)}</FlexItem>
        </Flex>
        <Flex alignItems={{ default: 'alignItemsCenter' }}>
          {tools?.(object)}
          <ActionsMenu
            actions={actions(object)}
            label={`Actions of ${name}`}
            text="Actions"
            dataTest="actions-menu-button"
          />
        </Flex>
      </Flex>
    </PageSection>
  )
}

interface TabBarProps {
  definition: ResourceDefinition
  object: KubeObject
  tabs: readonly { id: string; title: string }[]
  shown: string
}

function TabBar({ definition, object, tabs, shown }: TabBarProps) {
  const navigate = useNavigate()
  return (
    <Tabs
      activeKey={shown}
      onSelect={(event, key) => {
        // A tab is a link: opening it elsewhere is left to the browser.
        if (event.ctrlKey || event.metaKey || event.shiftKey) return
        event.preventDefault()
        void navigate(objectPath(definition, object.metadata, String(key)))
      }}
      component="nav"
      aria-label={definition.kind}
    >
      {tabs.map(({ id, title }) => (
        <Tab
          key={id}
          eventKey={id}
          tabContentId={contentId}
          title={<TabTitleText>{title}</TabTitleText>}
          href={objectPath(definition, object.metadata, id)}
          data-test={`horizontal-link-${title}`}
        />
      ))}
    </Tabs>
  )
}
