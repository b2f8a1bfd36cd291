import {
  Bullseye,
  Masthead,
  MastheadBrand,
  MastheadContent,
  MastheadLogo,
  MastheadMain,
  MastheadToggle,
  Nav,
  NavItem,
  NavList,
  Page,
  PageSidebar,
  PageSidebarBody,
  PageToggleButton,
  SkipToContent,
  Spinner,
  Toolbar,
  ToolbarContent,
  ToolbarItem,
} from '@patternfly/react-core'
import { BarsIcon } from '@patternfly/react-icons'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { Suspense, useEffect, useState, useSyncExternalStore } from 'react'
import { Link, Outlet, useLocation, useNavigate, useParams } from 'react-router'
import { forgetRights } from '../kube/rights.ts'
import { loadSession, type Session, sessionStore } from '../kube/session.ts'
import { forgetObjects } from '../kube/use-objects.ts'
import { Failed } from '../ui/states.tsx'
import { hideToasts } from '../ui/toast-store.ts'
import { Toasts } from '../ui/toasts.tsx'
import { ConnectionBanner } from './connection-banner.tsx'
import icon from './icon.svg'
import { mainScrollerId } from './main-scroller.ts'
import { NamespacePicker } from './namespace-picker.tsx'
import { kindSegment, lastNamespace, listPath, rememberNamespace } from './paths.ts'
import { SignIn, takeCode } from './sign-in.tsx'
import { UserMenu } from './user-menu.tsx'

const code = takeCode()

/** Everything behind the sign-in. */
export function App() {
  const state = useSyncExternalStore(sessionStore.subscribe, sessionStore.get)
  useEffect(() => {
    // A link stands for its own user, whoever was signed in before.
    if (code === undefined) void loadSession()
  }, [])
  useEffect(() => {
    if (state.kind !== 'signed-out') return
    forgetObjects()
    forgetRights()
    hideToasts()
  }, [state.kind])
  switch (state.kind) {
    case 'asking':
      return code === undefined ? <Waiting /> : <SignIn code={code} why={undefined} />
    case 'signed-out':
      return <SignIn code={undefined} why={state.why} />
    case 'unreachable':
      return (
        <Failed
          what="The console"
          level="h1"
          error={new Error('the server does not answer; reload the page when it is back')}
        />
      )
    case 'signed-in':
      return <Frame session={state.session} />
    default:
      return state satisfies never
  }
}

function Waiting() {
  return (
    <Bullseye>
      <Spinner aria-label="Loading" />
    </Bullseye>
  )
}

const pages = [
  { definition: VirtualMachine, label: 'VirtualMachines' },
  { definition: VirtualMachineSnapshot, label: 'Snapshots' },
  { definition: VirtualMachineRestore, label: 'Restores' },
]

function Frame({ session }: { session: Session }) {
  const { pathname } = useLocation()
  const navigate = useNavigate()
  const params = useParams()
  const namespace = params.namespace ?? (pathname.includes('/all-namespaces/') ? undefined : lastNamespace())
  const [narrow, setNarrow] = useState(false)
  useEffect(() => rememberNamespace(namespace), [namespace])
  const current = pages.find(({ definition }) => pathname.includes(`/${kindSegment(definition)}`)) ?? pages[0]

  return (
    <Page
      isManagedSidebar={!narrow}
      mainContainerId={mainScrollerId}
      skipToContent={<SkipToContent href={`#${mainScrollerId}`}>Skip to content</SkipToContent>}
      onPageResize={(_, { windowSize }) => setNarrow(windowSize < 0)}
      masthead={
        <Masthead>
          <MastheadMain>
            <MastheadToggle>
              <PageToggleButton variant="plain" aria-label="Navigation">
                <BarsIcon />
              </PageToggleButton>
            </MastheadToggle>
            <MastheadBrand>
              <MastheadLogo component={(props) => <Link {...props} to="/" />}>
                <img src={icon} alt="" width={28} height={28} />
                <strong style={{ marginInlineStart: '0.5rem' }}>Stillpoint</strong>
              </MastheadLogo>
            </MastheadBrand>
          </MastheadMain>
          <MastheadContent>
            <Toolbar isFullHeight isStatic>
              <ToolbarContent>
                <ToolbarItem>
                  <NamespacePicker
                    namespace={namespace}
                    onChange={(chosen) => {
                      rememberNamespace(chosen)
                      if (current) void navigate(listPath(current.definition, chosen))
                    }}
                  />
                </ToolbarItem>
                <ToolbarItem align={{ default: 'alignEnd' }}>
                  <UserMenu session={session} />
                </ToolbarItem>
              </ToolbarContent>
            </Toolbar>
          </MastheadContent>
        </Masthead>
      }
      sidebar={
        <PageSidebar>
          <PageSidebarBody>
            <Nav aria-label="Pages">
              <NavList>
                {pages.map(({ definition, label }) => (
                  <NavItem key={label} isActive={current?.label === label && pathname !== '/'}>
                    <Link to={listPath(definition, namespace)}>{label}</Link>
                  </NavItem>
                ))}
              </NavList>
            </Nav>
          </PageSidebarBody>
        </PageSidebar>
      }
    >
      <ConnectionBanner />
      <Toasts />
      <Suspense fallback={<Waiting />}>
        <Outlet />
      </Suspense>
    </Page>
  )
}
