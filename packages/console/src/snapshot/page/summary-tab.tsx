import { Button, Title } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { expiresAtAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, type VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { deadlineOf, retainsContent } from '@stillpoint/api/snapshot/rules'
import { Link } from 'react-router'
import { useObject, useObjects } from '../../kube/use-objects.ts'
import { consistencyShown, freezeSentence, indicationLabels } from '../../model/consistency.ts'
import { lastRestored } from '../../model/restores.ts'
import { originOf, originText } from '../../model/snapshot-origin.ts'
import { deadlineText } from '../../model/snapshot-why.ts'
import { objectPath } from '../../shell/paths.ts'
import { ConditionList } from '../../ui/condition-list.tsx'
import { Fact, Facts } from '../../ui/facts.tsx'
import { LabelList } from '../../ui/label-list.tsx'
import { Timestamp } from '../../ui/timestamp.tsx'
import { useNow } from '../../ui/use-now.ts'
import { ConsistencyLabel } from '../labels.tsx'
import { IndicationList } from '../snapshot-details.tsx'
import { SnapshotStatus } from '../status-cell.tsx'
import { useOwnContent } from '../use-content.ts'
import { WhyNotDone } from './why-not-done.tsx'

interface Props {
  snapshot: VirtualMachineSnapshot
  onEditAnnotations: () => void
}

/** What a snapshot is, how far it is and what it is good for. */
export function SummaryTab({ snapshot, onEditAnnotations }: Props) {
  const { metadata, spec, status } = snapshot
  const content = useOwnContent(snapshot)
  const origin = originOf(snapshot)
  const annotations = Object.keys(metadata.annotations ?? {}).length
  return (
    <>
      <WhyNotDone snapshot={snapshot} />
      <Title headingLevel="h2" className="console-unseen">
        Summary
      </Title>
      <Facts data-test="snapshot-summary">
        <Fact title="VirtualMachine">
          <Source snapshot={snapshot} />
        </Fact>
        <Fact title="Status">
          <SnapshotStatus snapshot={snapshot} content={content} />
          {indicationLabels(snapshot).length === 0 ? null : <IndicationList snapshot={snapshot} />}
        </Fact>
        <Fact title="Consistency">
          {status?.phase === 'Succeeded' ? <ConsistencyLabel snapshot={snapshot} content={content} /> : null}
          <div>{consistencyShown(snapshot, content).explanation}</div>
          <div>{freezeSentence(snapshot, content)}</div>
        </Fact>
        <Fact title="Conditions">
          <ConditionList conditions={status?.conditions} />
        </Fact>
        <Fact title="Description">{metadata.annotations?.description}</Fact>
        <Fact title="Origin">{origin === undefined ? undefined : originText(origin)}</Fact>
        <Fact title="Created">
          <Timestamp at={metadata.creationTimestamp} />
        </Fact>
        <Fact title="State of">
          <Timestamp at={status?.creationTime} />
        </Fact>
        <Fact title="Deadline">
          <Deadline snapshot={snapshot} />
        </Fact>
        <Expiry snapshot={snapshot} />
        <Fact title="Last restored">
          <LastRestored snapshot={snapshot} />
        </Fact>
        <Fact title="Content">
          {status?.virtualMachineSnapshotContentName ?? '-'}
          <div className="console-subtle">
            {retainsContent(snapshot) ? 'Kept when the snapshot is deleted' : 'Deleted with the snapshot'}
          </div>
        </Fact>
        <Fact title="Labels">
          <LabelList labels={metadata.labels} />
        </Fact>
        <Fact title="Annotations">
          <Button variant="link" isInline onClick={onEditAnnotations} data-test="edit-annotations">
            {annotations} {annotations === 1 ? 'annotation' : 'annotations'}
          </Button>
        </Fact>
        <Fact title="Source">{`${spec.source.apiGroup ?? ''}/${spec.source.kind}, UID ${status?.sourceUID ?? 'not known yet'}`}</Fact>
      </Facts>
    </>
  )
}

/** The VM it is of; one that was made anew under that name is another. */
function Source({ snapshot: { metadata, spec, status } }: { snapshot: VirtualMachineSnapshot }) {
  const { name } = spec.source
  const vm = useObject(VirtualMachine, metadata.namespace, name)
  if (vm.status === 'gone') return <>{name} (deleted)</>
  const link = <Link to={objectPath(VirtualMachine, { ...metadata, name })}>{name}</Link>
  const uid = vm.object?.metadata.uid
  if (uid === undefined || status?.sourceUID === undefined || uid === status.sourceUID) return link
  return (
    <>
      {name} (deleted). There is another of that name now: {link}
    </>
  )
}

function Deadline({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const now = useNow()
  const { spec, status } = snapshot
  if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') return <>{deadlineText(snapshot, now)}</>
  return <>{deadlineOf(snapshot) === undefined ? 'None' : spec.failureDeadline || 'The usual one, 5m'}</>
}

function Expiry({ snapshot: { metadata } }: { snapshot: VirtualMachineSnapshot }) {
  const at = metadata.annotations?.[expiresAtAnnotation]
  return at === undefined ? null : (
    <Fact title="Deleted by itself">
      <Timestamp at={at} />
    </Fact>
  )
}

function LastRestored({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const restores = useObjects(VirtualMachineRestore, snapshot.metadata.namespace)
  return <Timestamp at={lastRestored(snapshot, restores.items)} />
}
