import {
  Card,
  CardBody,
  CardHeader,
  CardTitle,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
} from '@patternfly/react-core'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { consistencyShown, freezeSentence } from '../model/consistency.ts'
import { snapshotStatus } from '../model/snapshot-status.ts'
import type { Point } from '../model/timeline.ts'
import { objectPath } from '../shell/paths.ts'
import { ActionsMenu, type MenuAction } from '../ui/row-menu.tsx'
import { Timestamp } from '../ui/timestamp.tsx'
import { ToneIcon, ToneLabel } from '../ui/tone.tsx'
import { useNow } from '../ui/use-now.ts'

interface Props {
  point: Point
  actions: readonly MenuAction[]
}

/** The point that is selected in the timeline or the tree: what it is, and what can be done with it. */
export function PointDetails({ point: { snapshot, name, parent }, actions }: Props) {
  const now = useNow()
  const status = snapshotStatus(snapshot, now)
  const consistency = consistencyShown(snapshot)
  const freeze = freezeSentence(snapshot)
  const rows: [string, ReactNode][] = [
    [
      'Status',
      <>
        <ToneIcon tone={status.tone} running={status.running} /> {status.label}
        {status.reason === undefined ? null : <div className="console-subtle">{status.reason}</div>}
      </>,
    ],
    [
      'Consistency',
      <ToneLabel key="consistency" tone={consistency.tone} hint={consistency.explanation}>
        {consistency.label}
      </ToneLabel>,
    ],
    ...(freeze === undefined ? [] : [['Guest', freeze] as [string, ReactNode]]),
    ['Data of', <Timestamp key="time" at={snapshot.status?.creationTime ?? snapshot.metadata.creationTimestamp} />],
    ['Grew out of', parent ?? 'nothing known'],
    ['Description', snapshot.metadata.annotations?.description ?? '-'],
  ]
  return (
    <Card isCompact data-test="point-details">
      <CardHeader
        actions={{
          actions: <ActionsMenu actions={actions} label={`Actions of ${name}`} id={`snapshot-actions-${name}`} />,
        }}
      >
        <CardTitle component="h3">
          <Link to={objectPath(VirtualMachineSnapshot, snapshot.metadata)}>{name}</Link>
        </CardTitle>
      </CardHeader>
      <CardBody>
        <DescriptionList isCompact columnModifier={{ default: '1Col', md: '3Col' }}>
          {rows.map(([term, value]) => (
            <DescriptionListGroup key={term}>
              <DescriptionListTerm>{term}</DescriptionListTerm>
              <DescriptionListDescription>{value}</DescriptionListDescription>
            </DescriptionListGroup>
          ))}
        </DescriptionList>
      </CardBody>
    </Card>
  )
}
