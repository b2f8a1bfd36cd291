import {
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
} from '@patternfly/react-core'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import type { ReactNode } from 'react'
import { consistencyShown, freezeSentence, indicationLabels } from '../model/consistency.ts'
import { bytes, duration } from '../model/format.ts'
import { receiptIn } from '../model/freeze-facts.ts'
import { type SnapshotDisk, snapshotDisks } from '../model/snapshot-disks.ts'
import { EventList } from '../ui/event-list.tsx'
import { Timestamp } from '../ui/timestamp.tsx'
import { ToneLabel } from '../ui/tone.tsx'
import { FreezeBar } from './freeze-bar.tsx'
import { useContent } from './use-content.ts'

interface Props {
  snapshot: VirtualMachineSnapshot
  /** The namespace whose contents the page reads; undefined: all. */
  listed: string | undefined
}

/**
 * What an opened row says of its snapshot. Its name does not stand here again, in no row and no link, because tests of
 * others find rows by it.
 */
export function SnapshotDetails({ snapshot, listed }: Props) {
  const { metadata } = snapshot
  const content = useContent(snapshot, listed)
  const consistency = consistencyShown(snapshot, content)
  const freeze = freezeSentence(snapshot, content)
  const receipt = receiptIn(snapshot)
  const description = metadata.annotations?.description
  return (
    <DescriptionList isCompact columnModifier={{ default: '1Col', xl: '2Col' }} data-test="snapshot-details">
      {description === undefined ? null : <Part title="Description">{description}</Part>}
      <Part title="Consistency">
        {consistency.explanation}
        {freeze === undefined ? null : <div data-test="freeze-sentence">{freeze}</div>}
      </Part>
      <Part title="Disks">
        <DiskList disks={snapshotDisks(snapshot, content)} skewMs={receipt?.skewMs} />
      </Part>
      <Part title="Indications">
        <IndicationList snapshot={snapshot} />
      </Part>
      {receipt?.freeze === undefined ? null : (
        <Part title="Freeze">
          <FreezeBar receipt={receipt} />
        </Part>
      )}
      <Part title="Events">
        <EventList object={snapshot} limit={8} unnamed />
      </Part>
    </DescriptionList>
  )
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{title}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}

function DiskList({ disks, skewMs }: { disks: readonly SnapshotDisk[]; skewMs: number | undefined }) {
  if (disks.length === 0) return <span className="console-subtle">None</span>
  return (
    <ul className="console-plain-list">
      {disks.map(({ name, sizeBytes, cutMs, error }) => (
        <li key={name}>
          <strong>{name}</strong>
          {sizeBytes === undefined ? null : `, ${bytes(sizeBytes)}`}
          {cutMs === undefined ? ', not cut' : ', cut '}
          {cutMs === undefined ? null : <Timestamp at={cutMs} />}
          {error === undefined ? null : <div className="console-reason">{error}</div>}
        </li>
      ))}
      {skewMs === undefined ? null : (
        <li className="console-subtle">{duration(skewMs)} between the first and the last cut</li>
      )}
    </ul>
  )
}

/** Each indication with its sentence. */
export function IndicationList({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const labels = indicationLabels(snapshot)
  if (labels.length === 0) return <span className="console-subtle">None</span>
  return (
    <ul className="console-plain-list">
      {labels.map(({ name, tone, message }) => (
        <li key={name}>
          <ToneLabel tone={tone}>{name}</ToneLabel> {message}
        </li>
      ))}
    </ul>
  )
}
