import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { targetNameOf } from '@stillpoint/api/clone/names'
import { conditionOf } from '@stillpoint/api/meta/condition'
import type { Tone } from './snapshot-status.ts'

export interface ShownCloneStatus {
  label: string
  tone: Tone
  running: boolean
  /** What it waits for, or why it failed. */
  reason?: string | undefined
}

/** What a clone's status says to a person: the phases of docs/clone.md. */
export function cloneStatus({ status }: VirtualMachineClone): ShownCloneStatus {
  const { phase, conditions } = status ?? {}
  const told = messageOf(conditionOf(conditions, 'Ready')) ?? messageOf(conditionOf(conditions, 'Progressing'))
  switch (phase) {
    case undefined:
    case '':
      return { label: 'Pending', tone: 'neutral', running: true, reason: told }
    case 'SnapshotInProgress':
      return { label: 'Waiting for the snapshot', tone: 'info', running: true, reason: told }
    case 'RestoreInProgress':
      return { label: 'Making the disks', tone: 'info', running: true, reason: told }
    case 'CreatingTargetVM':
      return { label: 'Creating the VirtualMachine', tone: 'info', running: true, reason: told }
    case 'Succeeded':
      return { label: phase, tone: 'success', running: false, reason: told }
    case 'Failed':
      return { label: phase, tone: 'danger', running: false, reason: told ?? 'No reason was given' }
    case 'Unknown':
      return { label: phase, tone: 'warning', running: true, reason: told }
    default:
      return phase satisfies never
  }
}

function messageOf(condition: ReturnType<typeof conditionOf>): string | undefined {
  return condition?.message || undefined
}

/** The VM a clone makes, or has made. */
export function cloneTarget(clone: VirtualMachineClone): string {
  return clone.status?.targetName ?? targetNameOf(clone)
}
