import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { duration } from '../model/format.ts'
import { perObject } from '../model/per-object.ts'
import { remedyOf } from '../model/restore-why.ts'
import { restoreStatus, type ShownRestoreStatus } from '../model/restores.ts'
import { ToneIcon } from '../ui/tone.tsx'
import { useNow } from '../ui/use-now.ts'

/** Of what is settled, the status does not depend on the time. */
export const statusAtFirstSight = perObject((restore: VirtualMachineRestore) => restoreStatus(restore, new Date()))

interface Props {
  restore: VirtualMachineRestore
}

/** How far a restore is, live while it is at work; what keeps it, and what can be done about that. */
export function RestoreProgress({ restore }: Props) {
  const shown = statusAtFirstSight(restore)
  return shown.running ? <Running restore={restore} /> : <Shown restore={restore} shown={shown} />
}

function Running({ restore }: Props) {
  return <Shown restore={restore} shown={restoreStatus(restore, useNow(1_000))} />
}

function Shown({ restore, shown: { running, reason, sinceMs, ...rest } }: Props & { shown: ShownRestoreStatus }) {
  const remedy = remedyOf(restore)
  return (
    <div data-test={`restore-progress-${restore.metadata.name}`}>
      <span aria-live="polite">
        <RestoreStep shown={{ running, ...rest }} />
      </span>
      {running && sinceMs !== undefined ? (
        <>
          {' '}
          <span className="console-subtle console-nowrap" data-test="elapsed">
            {duration(sinceMs)}
          </span>
        </>
      ) : null}
      {reason === undefined ? null : <div className="console-reason">{reason}</div>}
      {remedy === undefined ? null : <div data-test="remedy">{remedy.text}</div>}
    </div>
  )
}

/** The step of a restore in words. */
export function RestoreStep({ shown: { label, tone, running } }: { shown: ShownRestoreStatus }) {
  return (
    <>
      <ToneIcon tone={tone} running={running && tone === 'info'} /> {label}
    </>
  )
}
