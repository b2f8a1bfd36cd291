import { conditionOf } from '@stillpoint/api/meta/condition'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { elapsedMs } from './format.ts'
import { type Remedy, remedyFor } from './restore-remedy.ts'
import { restoreStatus, type ShownRestoreStatus } from './restores.ts'
import type { Why } from './why.ts'

/** Why a restore is not complete; undefined of one that is. */
export function whyNotComplete(restore: VirtualMachineRestore, now: Date): Why | undefined {
  const { metadata, status } = restore
  const shown = restoreStatus(restore, now)
  const { label, tone, running, reason, sinceMs } = shown
  if (metadata.deletionTimestamp !== undefined)
    return {
      title: 'Why is it still there?',
      tone,
      happened: 'It is being deleted.',
      told: reason === undefined ? [] : [reason],
      sinceMs,
      remedy: 'Nothing: it goes by itself when all is cleared away.',
    }
  if (tone === 'success') return undefined
  const condition = conditionOf(status?.conditions, running ? 'Progressing' : 'Failure')
  if (running && !condition?.reason)
    return {
      title: 'Why has it not begun?',
      tone,
      happened: 'Nobody has looked at it yet.',
      sinceMs,
      remedy: 'Nothing, unless it stays so: then no controller of restores is running.',
    }
  const said = [running ? label : undefined, condition?.reason, condition?.message]
  const [happened = 'No reason was given.', ...told] = said.filter((text): text is string => Boolean(text))
  return {
    title: running ? 'Why is it not complete?' : 'Why has it failed?',
    tone,
    happened,
    told,
    sinceMs: elapsedMs(condition?.lastTransitionTime, now) ?? sinceMs,
    remedy: whatToDo(shown, remedyOf(restore)),
  }
}

function whatToDo({ running, tone }: ShownRestoreStatus, remedy: Remedy | undefined): string {
  if (!running)
    return remedy === undefined
      ? 'The virtual machine is as it was before. Settle the cause, then restore again.'
      : `${remedy.text} Then restore again.`
  if (remedy !== undefined) return `${remedy.text} The restore is tried again by itself.`
  return tone === 'warning'
    ? 'Settle what is in the way: it is tried again every 30 seconds. Deleting the restore gives it up.'
    : 'Nothing: it goes on by itself.'
}

/** What a person can do about a restore that waits, or that failed. */
export function remedyOf(restore: VirtualMachineRestore): Remedy | undefined {
  const { running, tone } = restoreStatus(restore, new Date(0))
  if (tone !== 'warning' && tone !== 'danger') return undefined
  const condition = conditionOf(restore.status?.conditions, running ? 'Progressing' : 'Failure')
  return remedyFor(condition?.reason) ?? remedyFor(condition?.message)
}
