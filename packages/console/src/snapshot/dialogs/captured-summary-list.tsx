import {
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  List,
  ListItem,
} from '@patternfly/react-core'
import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { type CapturedSummary, capturedSummary } from '../../model/captured-summary.ts'
import type { Known } from '../../model/restore-checks.ts'
import { Foldable } from './disks-section.tsx'

interface Props {
  snapshot: VirtualMachineSnapshot
  content: Known<VirtualMachineSnapshotContent | undefined>
}

/** What a VM made from the snapshot is like. */
export function CapturedSummaryList({ snapshot, content }: Props) {
  const summary =
    content.is === 'known' && content.value !== undefined ? capturedSummary(snapshot, content.value) : undefined
  const rows: [string, string | undefined][] = [
    ['Project', snapshot.metadata.namespace],
    ['Operating system', summary?.os],
    ['Flavor', summary?.flavor],
    ['SSH key', summary?.sshKey],
  ]
  return (
    <>
      <DescriptionList isHorizontal isCompact aria-label="What is in the snapshot" data-test="captured-summary">
        {rows.map(([term, text]) => (
          <DescriptionListGroup key={term}>
            <DescriptionListTerm>{term}</DescriptionListTerm>
            <DescriptionListDescription>{text ?? '-'}</DescriptionListDescription>
          </DescriptionListGroup>
        ))}
      </DescriptionList>
      {content.is === 'unknown' ? <p className="console-subtle">{content.why}</p> : null}
      {summary === undefined ? null : <Parts summary={summary} />}
    </>
  )
}

function Parts({ summary: { storage, networking, hardware } }: { summary: CapturedSummary }) {
  const parts: [string, string[]][] = [
    ['Storage', storage],
    ['Networking', networking],
    ['Hardware', hardware],
  ]
  return (
    <div>
      {parts.map(([title, lines]) => (
        <Foldable key={title} title={`${title} (${lines.length})`}>
          <List isPlain>
            {lines.map((line) => (
              <ListItem key={line}>{line}</ListItem>
            ))}
          </List>
        </Foldable>
      ))}
    </div>
  )
}
