import './vm.css'
import { Button, Flex, FlexItem, PageSection, Title, ToolbarGroup, ToolbarItem } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo, useState } from 'react'
import { Link, useParams } from 'react-router'
import { useAllowed } from '../kube/rights.ts'
import { useObjects } from '../kube/use-objects.ts'
import { filterVms, newestSnapshots, statusWords, vmKey } from '../model/vm-list.ts'
import { lastNamespace, newPath } from '../shell/paths.ts'
import { FilterToolbar } from '../ui/filter-toolbar.tsx'
import { GatedButton } from '../ui/gated-button.tsx'
import { ObjectTable, type Sort } from '../ui/object-table.tsx'
import { putSort, sortIn, useSearchState } from '../ui/search-state.ts'
import { Empty, NoMatch, WhenReady } from '../ui/states.tsx'
import { useStable } from '../ui/use-stable.ts'
import { BulkActions } from './bulk-actions.tsx'
import { vmColumns } from './list-columns.tsx'
import { useVmActions } from './use-vm-actions.tsx'

const usual: Sort = { column: 'name', direction: 'asc' }

/** The VMs of a namespace, or of all. */
export function VmListPage() {
  const { namespace } = useParams()
  const vms = useObjects(VirtualMachine, namespace)
  return (
    <PageSection>
      <Flex
        justifyContent={{ default: 'justifyContentSpaceBetween' }}
        style={{ marginBlockEnd: 'var(--pf-t--global--spacer--md)' }}
      >
        <Title headingLevel="h1">VirtualMachines</Title>
        <FlexItem>
          <CreateButton namespace={namespace} variant="primary" />
        </FlexItem>
      </Flex>
      <WhenReady list={vms} what="VirtualMachines">
        {vms.items.length === 0 ? (
          <Empty
            title="No VirtualMachines found"
            level="h2"
            action={<CreateButton namespace={namespace} variant="link" />}
          >
            {namespace === undefined
              ? 'There is none in any namespace.'
              : `There is none in namespace ${namespace} yet.`}
          </Empty>
        ) : (
          <VmList key={namespace ?? ''} namespace={namespace} vms={vms.items} />
        )}
      </WhenReady>
    </PageSection>
  )
}

function VmList({ namespace, vms }: { namespace: string | undefined; vms: readonly VirtualMachine[] }) {
  const { items: snapshots } = useObjects(VirtualMachineSnapshot, namespace)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const { params, change } = useSearchState()
  const actions = useVmActions(namespace)
  const actionsFor = useStable(actions.actionsFor)
  const newest = useMemo(() => newestSnapshots(vms, snapshots), [vms, snapshots])
  const columns = useMemo(
    () => vmColumns({ allNamespaces: namespace === undefined, newest, actionsFor }),
    [namespace, newest, actionsFor],
  )
  const name = params.get('name') ?? ''
  const status = params.getAll('status')
  const shown = useMemo(
    () => filterVms(vms, { name: params.get('name') ?? '', status: params.getAll('status') }),
    [vms, params],
  )
  const clear = (): void =>
    change((next) => {
      next.delete('name')
      next.delete('status')
    })
  return (
    <>
      <FilterToolbar
        groups={[
          {
            id: 'status',
            title: 'Status',
            options: statusWords(vms, status).map((word) => ({ value: word, label: word })),
            chosen: status,
            onChange: (words) =>
              change((next) => {
                next.delete('status')
                for (const word of words) next.append('status', word)
              }),
          },
        ]}
        texts={[
          {
            id: 'name',
            title: 'Name',
            placeholder: 'Find by name',
            value: name,
            onChange: (value) => change((next) => (value === '' ? next.delete('name') : next.set('name', value))),
          },
        ]}
        onClear={clear}
      >
        <ToolbarGroup align={{ default: 'alignEnd' }}>
          <ToolbarItem>
            <BulkActions vms={shown.filter((vm) => selected.has(vmKey(vm)))} namespace={namespace} />
          </ToolbarItem>
        </ToolbarGroup>
      </FilterToolbar>
      {shown.length === 0 ? (
        <NoMatch onClear={clear} />
      ) : (
        <ObjectTable
          aria-label="VirtualMachines"
          columns={columns}
          rows={shown}
          rowKey={vmKey}
          rowLabel={({ metadata }) => metadata.name}
          sort={sortIn(params, usual)}
          onSort={(sort) => change((next) => putSort(next, sort, usual))}
          selection={{ selected, onSelect: setSelected }}
        />
      )}
      {actions.dialog}
    </>
  )
}

function CreateButton({ namespace, variant }: { namespace: string | undefined; variant: 'primary' | 'link' }) {
  const where = namespace ?? lastNamespace() ?? 'default'
  const { group, plural: resource } = VirtualMachine
  const { reason } = useAllowed({ verb: 'create', group, resource, namespace: where })
  const text = 'Create VirtualMachine'
  if (reason !== undefined)
    return (
      <GatedButton variant={variant} disabledReason={reason}>
        {text}
      </GatedButton>
    )
  return (
    <Button variant={variant} component={(props) => <Link {...props} to={newPath(VirtualMachine, where)} />}>
      {text}
    </Button>
  )
}
