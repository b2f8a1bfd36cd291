import { ExpandableSection } from '@patternfly/react-core'
import { useState } from 'react'
import type { PastRestore } from '../model/restore-history.ts'
import { Timestamp } from '../ui/timestamp.tsx'
import { ToneIcon } from '../ui/tone.tsx'

/** The restores that have ended, on request. */
export function RestoreHistory({ past }: { past: readonly PastRestore[] }) {
  const [open, setOpen] = useState(false)
  if (past.length === 0) return null
  return (
    <ExpandableSection
      toggleText={`History of restores (${past.length})`}
      isExpanded={open}
      onToggle={(_, expanded) => setOpen(expanded)}
      data-test="restore-history"
    >
      <ul className="console-plain-list">
        {past.map(({ key, snapshot, atMs, label, tone, reason }) => (
          <li key={key}>
            <ToneIcon tone={tone} /> {label}, from <strong>{snapshot}</strong>, <Timestamp at={atMs} />
            {reason === undefined ? null : <span className="console-reason"> {reason}</span>}
          </li>
        ))}
      </ul>
    </ExpandableSection>
  )
}
