import { PageSection, Title } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo } from 'react'
import { Link, useParams } from 'react-router'
import { useObjects } from '../kube/use-objects.ts'
import { filterRestores, restoreStates } from '../model/restore-list.ts'
import { listPath } from '../shell/paths.ts'
import { FilterToolbar } from '../ui/filter-toolbar.tsx'
import { ObjectTable, type Sort } from '../ui/object-table.tsx'
import { putSort, sortIn, useSearchState } from '../ui/search-state.ts'
import { Empty, NoMatch, WhenReady } from '../ui/states.tsx'
import { useStable } from '../ui/use-stable.ts'
import { restoreColumns } from './list-columns.tsx'
import { useRestoreActions } from './use-restore-actions.tsx'

const usual: Sort = { column: 'created', direction: 'desc' }

/** The restores of a namespace, or of all. */
export function RestoreListPage() {
  const { namespace } = useParams()
  const restores = useObjects(VirtualMachineRestore, namespace)
  return (
    <PageSection>
      <Title headingLevel="h1" style={{ marginBlockEnd: 'var(--pf-t--global--spacer--md)' }}>
        Restores
      </Title>
      <WhenReady list={restores} what="restores">
        {restores.items.length === 0 ? (
          <Empty
            title="No restores found"
            action={<Link to={listPath(VirtualMachine, namespace)}>Show the VirtualMachines</Link>}
          >
            {namespace === undefined
              ? 'There is none in any namespace.'
              : `There is none in namespace ${namespace} yet.`}{' '}
            A restore is begun from the snapshots of a virtual machine.
          </Empty>
        ) : (
          <RestoreList key={namespace ?? ''} namespace={namespace} restores={restores.items} />
        )}
      </WhenReady>
    </PageSection>
  )
}

interface Props {
  namespace: string | undefined
  restores: readonly VirtualMachineRestore[]
}

function RestoreList({ namespace, restores }: Props) {
  const snapshots = useObjects(VirtualMachineSnapshot, namespace)
  const { params, change } = useSearchState()
  const actions = useRestoreActions(namespace)
  const actionsFor = useStable(actions.actionsFor)
  const snapshotsKnown = snapshots.status === 'ready' && snapshots.complete
  const columns = useMemo(
    () => restoreColumns({ namespace, snapshotsKnown, actionsFor }),
    [namespace, snapshotsKnown, actionsFor],
  )
  const shown = useMemo(
    () => filterRestores(restores, { name: params.get('name') ?? '', states: params.getAll('state') }),
    [restores, params],
  )
  const clear = (): void =>
    change((next) => {
      next.delete('name')
      next.delete('state')
    })
  return (
    <>
      <FilterToolbar
        groups={[
          {
            id: 'state',
            title: 'State',
            options: restoreStates,
            chosen: params.getAll('state'),
            onChange: (states) =>
              change((next) => {
                next.delete('state')
                for (const state of states) next.append('state', state)
              }),
          },
        ]}
        texts={[
          {
            id: 'name',
            title: 'Name',
            placeholder: 'Find by name',
            value: params.get('name') ?? '',
            onChange: (value) => change((next) => (value === '' ? next.delete('name') : next.set('name', value))),
          },
        ]}
        onClear={clear}
      />
      {shown.length === 0 ? (
        <NoMatch onClear={clear} />
      ) : (
        <ObjectTable
          aria-label="Restores"
          columns={columns}
          rows={shown}
          rowKey={({ metadata }) => `${metadata.namespace}/${metadata.name}`}
          rowLabel={({ metadata }) => metadata.name}
          sort={sortIn(params, usual)}
          onSort={(sort) => change((next) => putSort(next, sort, usual))}
        />
      )}
      {actions.dialog}
    </>
  )
}
