import { Flex, FlexItem, Title } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo, useState } from 'react'
import { useAllowed } from '../kube/rights.ts'
import { useObjects } from '../kube/use-objects.ts'
import { snapshotsOf } from '../model/belongs.ts'
import { whyNotTake } from '../model/gates.ts'
import { pastRestores } from '../model/restore-history.ts'
import { GatedButton } from '../ui/gated-button.tsx'
import type { Sort } from '../ui/object-table.tsx'
import { useSearchState } from '../ui/search-state.ts'
import { Empty, WhenReady } from '../ui/states.tsx'
import { TakeSnapshotDialog } from './dialogs/take-dialog.tsx'
import { HistoryView } from './history-view.tsx'
import { RestoreBanner } from './restore-banner.tsx'
import { RestoreHistory } from './restore-history.tsx'
import { type SnapshotGroup, SnapshotLists } from './snapshot-lists.tsx'
import { useSnapshotActions } from './use-snapshot-actions.tsx'
import { ViewSwitch, viewIn } from './view-switch.tsx'

const usualSort: Sort = { column: 'name', direction: 'asc' }

/** The snapshots of a VM: to take one, to look at them, and to go back to one. */
export function SnapshotsTab({ vm }: { vm: VirtualMachine }) {
  const { namespace } = vm.metadata
  const list = useObjects(VirtualMachineSnapshot, namespace)
  const restores = useObjects(VirtualMachineRestore, namespace)
  const { own, former } = useMemo(() => snapshotsOf(vm, list.items), [vm, list.items])
  const groups = useMemo(() => groupsOf(own, former), [own, former])
  const past = useMemo(() => pastRestores(vm, restores.items, own), [vm, restores.items, own])
  const [taking, setTaking] = useState(false)
  const { params, change } = useSearchState()
  const view = viewIn(params)
  const right = useAllowed({
    verb: 'create',
    group: VirtualMachineSnapshot.group,
    resource: VirtualMachineSnapshot.plural,
    namespace,
  })
  const whyNot = right.reason ?? whyNotTake(vm)
  const actions = useSnapshotActions(namespace)
  const take = (label: string) => (
    <GatedButton variant="primary" disabledReason={whyNot} onClick={() => setTaking(true)}>
      {label}
    </GatedButton>
  )

  return (
    <>
      <Flex justifyContent={{ default: 'justifyContentSpaceBetween' }}>
        <FlexItem>
          <Title headingLevel="h2">Snapshots</Title>
        </FlexItem>
        <FlexItem>
          <Flex>
            <ViewSwitch
              view={view}
              onChange={(next) =>
                change((edited) => (next === 'table' ? edited.delete('view') : edited.set('view', next)))
              }
            />
            {take('Take snapshot')}
          </Flex>
        </FlexItem>
      </Flex>
      <RestoreBanner vm={vm} restores={restores.items} />
      <div data-test="vm-snapshot-list">
        <h3 className="console-unseen">All snapshots of {vm.metadata.name}</h3>
        <WhenReady list={list} what="snapshots">
          {own.length + former.length === 0 ? (
            <Empty title="No snapshots found" level="h4" action={take('Create the first one')}>
              A snapshot keeps the disks and the definition of this virtual machine as they are at one instant.
              <br />
              Take one before a change; whatever the change does, you can go back to it.
            </Empty>
          ) : view === 'table' ? (
            <SnapshotLists
              id="snapshots"
              groups={groups}
              restores={restores.items}
              namespace={namespace}
              usualSort={usualSort}
              actionsFor={actions.actionsFor}
            />
          ) : (
            <HistoryView
              vm={vm}
              snapshots={own}
              restores={restores.items}
              view={view}
              selected={params.get('point') ?? undefined}
              onSelect={(name) => change((edited) => edited.set('point', name))}
              actionsFor={actions.actionsFor}
            />
          )}
        </WhenReady>
      </div>
      <RestoreHistory past={past} />
      {taking ? <TakeSnapshotDialog vm={vm} onClose={() => setTaking(false)} /> : null}
      {actions.dialog}
    </>
  )
}

function groupsOf(
  own: readonly VirtualMachineSnapshot[],
  former: readonly VirtualMachineSnapshot[],
): readonly SnapshotGroup[] {
  return [
    { label: 'Snapshots table', snapshots: own },
    {
      label: 'Of a former virtual machine',
      snapshots: former,
      heading: {
        title: 'Snapshots of a former virtual machine of this name',
        text:
          'They were taken of another virtual machine that had this name and has been deleted since. Restoring one of ' +
          'them replaces this virtual machine’s disks by those of the other.',
      },
    },
  ]
}
