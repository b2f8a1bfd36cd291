import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import type { ReactNode } from 'react'
import { duration, elapsedMs } from '../model/format.ts'
import { freezeFacts } from '../model/freeze-facts.ts'
import { perObject } from '../model/per-object.ts'
import { type ShownSnapshotStatus, snapshotStatus, snapshotSteps } from '../model/snapshot-status.ts'
import { ToneIcon } from '../ui/tone.tsx'
import { useNow } from '../ui/use-now.ts'
import { useContent } from './use-content.ts'

/** Of what is settled, the status does not depend on the time. */
export const statusAtFirstSight = perObject((snapshot: VirtualMachineSnapshot) => snapshotStatus(snapshot, new Date()))

interface StatusProps {
  snapshot: VirtualMachineSnapshot
  content: VirtualMachineSnapshotContent | undefined
  /** Said below it. */
  children?: ReactNode
}

/** How far a snapshot is: while something is done about it with the step, and live. */
export function SnapshotStatus(props: StatusProps) {
  const shown = statusAtFirstSight(props.snapshot)
  if (shown.running) return <Running {...props} />
  return (
    <Shown snapshot={props.snapshot} shown={shown}>
      {props.children}
    </Shown>
  )
}

interface CellProps extends Omit<StatusProps, 'content'> {
  /** The namespace whose contents the page reads; undefined: all. */
  listed: string | undefined
}

/** The same as a cell of a list, which looks at the content of a snapshot only while something is done about it. */
export function StatusCell({ snapshot, listed, children }: CellProps) {
  if (statusAtFirstSight(snapshot).running)
    return (
      <RunningCell snapshot={snapshot} listed={listed}>
        {children}
      </RunningCell>
    )
  return (
    <SnapshotStatus snapshot={snapshot} content={undefined}>
      {children}
    </SnapshotStatus>
  )
}

function RunningCell({ snapshot, listed, children }: CellProps) {
  return (
    <Running snapshot={snapshot} content={useContent(snapshot, listed)}>
      {children}
    </Running>
  )
}

function Running({ snapshot, content, children }: StatusProps) {
  const now = useNow(1_000)
  const shown = snapshotStatus(snapshot, now)
  const inProgress = shown.phase === 'InProgress'
  const step = inProgress
    ? snapshotSteps(snapshot, content, now).find(({ state }) => state === 'current')?.name
    : undefined
  return (
    <Shown snapshot={snapshot} shown={shown} step={step}>
      <Frozen snapshot={snapshot} content={content} now={now} />
      {children}
    </Shown>
  )
}

function Shown({
  snapshot: { metadata },
  shown: { label, tone, reason, running, sinceMs },
  step,
  children,
}: Omit<StatusProps, 'content'> & { shown: ShownSnapshotStatus; step?: string | undefined }) {
  return (
    <div data-test={`snapshot-status-${metadata.name}`}>
      {/* Only the words are announced: not every second that passes. */}
      <span aria-live="polite">
        <ToneIcon tone={tone} running={running && tone === 'info'} /> {label}
        {step === undefined ? null : `: ${step}`}
      </span>
      {running && sinceMs !== undefined ? (
        <span className="console-subtle" data-test="elapsed">
          {' '}
          {duration(sinceMs)}
        </span>
      ) : null}
      {reason === undefined ? null : <div className="console-reason">{reason}</div>}
      {children}
    </div>
  )
}

/** For how long the guest has been standing still. */
function Frozen({
  snapshot,
  content,
  now,
}: {
  snapshot: VirtualMachineSnapshot
  content: VirtualMachineSnapshotContent | undefined
  now: Date
}) {
  const { frozen, thawed, frozenMs } = freezeFacts(snapshot, content) ?? {}
  const forMs = thawed === undefined ? elapsedMs(frozen, now) : frozenMs
  if (forMs === undefined) return null
  return (
    <div className="console-reason" data-test="freeze-time">
      {thawed === undefined ? `Guest frozen for ${duration(forMs)}` : `Guest was frozen ${duration(forMs)}`}
    </div>
  )
}
