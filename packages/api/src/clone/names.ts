import { uidOf } from '../meta/object-meta.ts'
import { fnv1a } from '../snapshot/names.ts'
import type { VirtualMachineClone } from './kinds.ts'

// Names around a clone: spec snapshot-restore (a.8, h.1).

/** Ours: a clone goes only when nothing half made is left of it. */
export const cloneFinalizer = 'clone.stillpoint.dev/protection'

export const cloneSnapshotName = (cloneUid: string): string => `tmp-snapshot-${cloneUid}`
export const cloneRestoreName = (cloneUid: string): string => `tmp-restore-${cloneUid}`

/** The snapshot a clone is made from: its own, or the one it was given. */
export function snapshotNameOf(clone: VirtualMachineClone): string {
  const { kind, name } = clone.spec.source
  return kind === 'VirtualMachineSnapshot' ? name : cloneSnapshotName(uidOf(clone))
}

const longestName = 63

/** The name of a target that was given none. A long source name is cut, so that the whole still fits a label. */
export function defaultTargetName(source: string, suffix: string): string {
  const room = longestName - 'clone-'.length - 1 - suffix.length
  return `clone-${source.slice(0, room).replace(/[^a-z0-9]+$/, '')}-${suffix}`
}

/** The VM a clone makes. Admission names it; where no admission did, the name follows from the clone's UID. */
export function targetNameOf(clone: VirtualMachineClone): string {
  return clone.spec.target?.name || defaultTargetName(clone.spec.source.name, fnv1a(uidOf(clone)).slice(0, 5))
}

/** Whether an object was made by the restore of this clone: the mark begins with the name of that restore. */
export function bearsMarkOf(cloneUid: string, mark: string | undefined): boolean {
  return mark?.startsWith(`${cloneRestoreName(cloneUid)}-`) === true
}
