import { PageSection, Title } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo } from 'react'
import { Link, useParams } from 'react-router'
import { useObjects } from '../kube/use-objects.ts'
import { sourceState } from '../model/belongs.ts'
import { listPath } from '../shell/paths.ts'
import type { Sort } from '../ui/object-table.tsx'
import { Empty, WhenReady } from '../ui/states.tsx'
import { namespaceColumn, type SourceState, vmColumn } from './fleet-columns.tsx'
import { fleetFilterGroups } from './fleet-filters.ts'
import { SnapshotLists } from './snapshot-lists.tsx'
import { useSnapshotActions } from './use-snapshot-actions.tsx'

const usualSort: Sort = { column: 'created', direction: 'desc' }

/** The snapshots of all VMs of a namespace, or of all namespaces. */
export function FleetPage() {
  const { namespace } = useParams()
  const list = useObjects(VirtualMachineSnapshot, namespace)
  return (
    <PageSection>
      <Title headingLevel="h1" className="console-page-title">
        Snapshots
      </Title>
      <WhenReady list={list} what="snapshots">
        {list.items.length === 0 ? (
          <Empty title="No snapshots found" level="h2">
            {namespace === undefined ? 'There is none in any namespace.' : `There is none in namespace ${namespace}.`}
            <br />
            Snapshots are taken on the page of a <Link to={listPath(VirtualMachine, namespace)}>virtual machine</Link>.
          </Empty>
        ) : (
          <Fleet key={namespace ?? ''} namespace={namespace} snapshots={list.items} />
        )}
      </WhenReady>
    </PageSection>
  )
}

interface Props {
  namespace: string | undefined
  snapshots: readonly VirtualMachineSnapshot[]
}

function Fleet({ namespace, snapshots }: Props) {
  const restores = useObjects(VirtualMachineRestore, namespace)
  const actions = useSnapshotActions(namespace)
  const stateOf = useSourceState(namespace)
  const groups = useMemo(() => [{ label: 'Snapshots table', snapshots }], [snapshots])
  const more = useMemo(
    () => [...(namespace === undefined ? [namespaceColumn] : []), vmColumn(stateOf)],
    [namespace, stateOf],
  )
  const vmThere = useMemo(
    () => (snapshot: VirtualMachineSnapshot) => {
      const state = stateOf(snapshot)
      return state === undefined ? undefined : state === 'there'
    },
    [stateOf],
  )
  const namespaces = useMemo(
    () =>
      namespace === undefined ? [...new Set(snapshots.map(({ metadata }) => metadata.namespace ?? ''))].toSorted() : [],
    [namespace, snapshots],
  )
  return (
    <>
      <SnapshotLists
        id="fleet"
        groups={groups}
        restores={restores.items}
        namespace={namespace}
        usualSort={usualSort}
        actionsFor={actions.actionsFor}
        more={more}
        filterGroups={(filters, put) => fleetFilterGroups(namespaces, filters, put)}
        vmThere={vmThere}
      />
      {actions.dialog}
    </>
  )
}

/** What has become of the VM of a snapshot; undefined while, or because, VMs cannot be seen. */
function useSourceState(namespace: string | undefined): (snapshot: VirtualMachineSnapshot) => SourceState {
  const { items, status, complete } = useObjects(VirtualMachine, namespace)
  return useMemo(() => {
    if (status !== 'ready' || !complete) return () => undefined
    const vms = new Map(items.map((vm) => [`${vm.metadata.namespace}/${vm.metadata.name}`, vm]))
    return (snapshot: VirtualMachineSnapshot) => sourceState(snapshot, (where, name) => vms.get(`${where}/${name}`))
  }, [items, status, complete])
}
