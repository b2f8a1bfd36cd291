import {
  Button,
  Card,
  CardBody,
  CardFooter,
  CardHeader,
  CardTitle,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  Flex,
  FlexItem,
  List,
  ListItem,
  Popover,
} from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { useObjects } from '../../kube/use-objects.ts'
import { snapshotsOf } from '../../model/belongs.ts'
import { newestFirst } from '../../model/newest.ts'
import { snapshotStatus } from '../../model/snapshot-status.ts'
import { objectPath } from '../../shell/paths.ts'
import { IndicationLabels } from '../../snapshot/labels.tsx'
import { useSnapshotActions } from '../../snapshot/use-snapshot-actions.tsx'
import { GatedButton } from '../../ui/gated-button.tsx'
import { ActionsMenu, type MenuAction } from '../../ui/row-menu.tsx'
import { Forbidden } from '../../ui/states.tsx'
import { Timestamp } from '../../ui/timestamp.tsx'
import { ToneIcon } from '../../ui/tone.tsx'
import { useNow } from '../../ui/use-now.ts'
import type { VmActions } from '../use-vm-actions.tsx'

/** More are in the tab. */
const shownCount = 5
/** The menu is short here, and so are its words. */
const cardLabels: Record<string, string> = { restore: 'Restore', delete: 'Delete' }

export function SnapshotsCard({ vm, actions }: { vm: VirtualMachine; actions: VmActions }) {
  const { namespace } = vm.metadata
  const list = useObjects(VirtualMachineSnapshot, namespace)
  const snapshots = useMemo(() => snapshotsOf(vm, list.items).own.toSorted(newestFirst), [vm, list.items])
  const { actionsFor, dialog } = useSnapshotActions(namespace)
  const tab = objectPath(VirtualMachine, vm.metadata, 'snapshots')
  const menuOf = (snapshot: VirtualMachineSnapshot): MenuAction[] =>
    actionsFor(snapshot).flatMap((action) => {
      const label = cardLabels[action.id]
      return label === undefined ? [] : [{ ...action, label }]
    })
  return (
    <Card data-test="virtual-machine-overview-snapshots">
      <CardHeader actions={{ actions: <TakeSnapshot vm={vm} actions={actions} />, hasNoOffset: true }}>
        <CardTitle component="h2">
          <Link to={tab}>Snapshots ({snapshots.length})</Link>
        </CardTitle>
      </CardHeader>
      <CardBody>
        {list.status === 'forbidden' ? <Forbidden what="snapshots" error={list.error} /> : null}
        {list.status === 'ready' && snapshots.length === 0 ? (
          <p style={{ textAlign: 'center' }}>No snapshots found</p>
        ) : null}
        <List isPlain isBordered>
          {snapshots.slice(0, shownCount).map((snapshot) => (
            <ListItem key={snapshot.metadata.uid ?? snapshot.metadata.name}>
              <SnapshotLine snapshot={snapshot} menu={menuOf(snapshot)} />
            </ListItem>
          ))}
        </List>
      </CardBody>
      {snapshots.length === 0 ? null : (
        <CardFooter>
          <Link to={tab}>View more</Link>
        </CardFooter>
      )}
      {dialog}
    </Card>
  )
}

function TakeSnapshot({ vm, actions }: { vm: VirtualMachine; actions: VmActions }) {
  const take = actions.actionsFor(vm).find(({ id }) => id === 'snapshot')
  if (!take) return null
  return (
    <GatedButton variant="link" isInline disabledReason={take.disabledReason} onClick={take.onSelect}>
      Take snapshot
    </GatedButton>
  )
}

function SnapshotLine({ snapshot, menu }: { snapshot: VirtualMachineSnapshot; menu: MenuAction[] }) {
  const { name, creationTimestamp } = snapshot.metadata
  const { tone, running, label, reason } = snapshotStatus(snapshot, useNow())
  return (
    <Flex
      flexWrap={{ default: 'nowrap' }}
      justifyContent={{ default: 'justifyContentSpaceBetween' }}
      alignItems={{ default: 'alignItemsCenter' }}
    >
      <FlexItem>
        <ToneIcon tone={tone} running={running} />{' '}
        <Popover
          aria-label={`Snapshot ${name}`}
          bodyContent={
            <DescriptionList isCompact>
              <DescriptionListGroup>
                <DescriptionListTerm>Status</DescriptionListTerm>
                <DescriptionListDescription>
                  <ToneIcon tone={tone} running={running} /> {label}
                  {reason === undefined ? null : <div className="console-subtle">{reason}</div>}
                </DescriptionListDescription>
              </DescriptionListGroup>
              <DescriptionListGroup>
                <DescriptionListTerm>Created</DescriptionListTerm>
                <DescriptionListDescription>
                  <Timestamp at={creationTimestamp} />
                </DescriptionListDescription>
              </DescriptionListGroup>
              <DescriptionListGroup>
                <DescriptionListTerm>Indications</DescriptionListTerm>
                <DescriptionListDescription>
                  <IndicationLabels snapshot={snapshot} />
                </DescriptionListDescription>
              </DescriptionListGroup>
            </DescriptionList>
          }
        >
          <Button variant="link" isInline className="console-name">
            {name}
          </Button>
        </Popover>{' '}
        <span className="console-subtle">
          (<Timestamp at={creationTimestamp} />)
        </span>
      </FlexItem>
      <FlexItem>
        <ActionsMenu actions={menu} label={`Actions of ${name}`} id={`snapshot-actions-${name}`} />
      </FlexItem>
    </Flex>
  )
}
