import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { createBrowserRouter, Navigate, useParams } from 'react-router'
import { RestoreListPage } from '../restore/list-page.tsx'
import { RestorePage } from '../restore/restore-page.tsx'
import { FleetPage } from '../snapshot/fleet-page.tsx'
import { SnapshotPage } from '../snapshot/page/snapshot-page.tsx'
import { PageGone } from '../ui/states.tsx'
import { CreateVmPage } from '../vm/create/create-page.tsx'
import { VmListPage } from '../vm/list-page.tsx'
import { VmPage } from '../vm/vm-page.tsx'
import { App } from './app.tsx'
import { kindSegment, lastNamespace, listPath } from './paths.ts'

const vms = kindSegment(VirtualMachine)
const snapshots = kindSegment(VirtualMachineSnapshot)
const restores = kindSegment(VirtualMachineRestore)

function Home() {
  return <Navigate to={listPath(VirtualMachine, lastNamespace())} replace />
}

/** The pages by their addresses. */
export const router = createBrowserRouter([
  {
    path: '/',
    element: <App />,
    children: [
      { index: true, element: <Home /> },
      { path: 'sign-in', element: <Home /> },
      { path: `k8s/all-namespaces/${vms}`, element: <VmListPage /> },
      { path: `k8s/ns/:namespace/${vms}`, element: <VmListPage /> },
      { path: `k8s/ns/:namespace/${vms}/~new`, element: <CreateVmPage /> },
      { path: `k8s/ns/:namespace/${vms}/:name/:tab?`, element: <Keyed page={VmPage} /> },
      { path: `k8s/all-namespaces/${snapshots}`, element: <FleetPage /> },
      { path: `k8s/ns/:namespace/${snapshots}`, element: <FleetPage /> },
      { path: `k8s/ns/:namespace/${snapshots}/:name/:tab?`, element: <Keyed page={SnapshotPage} /> },
      { path: `k8s/all-namespaces/${restores}`, element: <RestoreListPage /> },
      { path: `k8s/ns/:namespace/${restores}`, element: <RestoreListPage /> },
      { path: `k8s/ns/:namespace/${restores}/:name/:tab?`, element: <Keyed page={RestorePage} /> },
      { path: '*', element: <PageGone what="This page" /> },
    ],
  },
])

/** A page of one object starts anew for another. */
function Keyed({ page: Page }: { page: (props: { namespace: string; name: string }) => React.ReactNode }) {
  const { namespace = '', name = '' } = useParams()
  return <Page key={`${namespace}/${name}`} namespace={namespace} name={name} />
}
