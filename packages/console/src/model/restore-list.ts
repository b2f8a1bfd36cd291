import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { msOf } from './format.ts'
import { isActive } from './restores.ts'

export const restoreStates = [
  { value: 'at-work', label: 'At work' },
  { value: 'complete', label: 'Complete' },
  { value: 'failed', label: 'Failed' },
] as const
export type RestoreState = (typeof restoreStates)[number]['value']

/** Where a restore stands, in the one word by which a list is narrowed down. */
export function restoreState(restore: VirtualMachineRestore): RestoreState {
  if (restore.status?.complete === true) return 'complete'
  return isActive(restore) ? 'at-work' : 'failed'
}

export interface RestoreFilter {
  /** Part of the name; empty: all. */
  name: string
  /** Values of `restoreStates`; none: all. */
  states: readonly string[]
}

/** The restores that pass, in their order. */
export function filterRestores(
  restores: readonly VirtualMachineRestore[],
  { name, states }: RestoreFilter,
): readonly VirtualMachineRestore[] {
  const wanted = name.trim().toLowerCase()
  if (wanted === '' && states.length === 0) return restores
  return restores.filter(
    (restore) =>
      restore.metadata.name.includes(wanted) && (states.length === 0 || states.includes(restoreState(restore))),
  )
}

/** Whether this is what was restored from: one taken after a restore was complete only has the same name. */
export function isRestoredFrom(restore: VirtualMachineRestore, { metadata }: VirtualMachineSnapshot): boolean {
  const restoredMs = msOf(restore.status?.restoreTime)
  const takenMs = msOf(metadata.creationTimestamp)
  return restoredMs === undefined || takenMs === undefined || takenMs <= restoredMs
}
