import { conditionOf } from '@stillpoint/api/meta/condition'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { beforeRestoreAnnotation, restoredAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { parseRestored } from '@stillpoint/api/snapshot/restored'
import { hasEnded } from '@stillpoint/api/snapshot/rules'
import { restoresOf, snapshotsOf } from './belongs.ts'
import { elapsedMs, msOf } from './format.ts'
import type { Tone } from './snapshot-status.ts'

export interface ShownRestoreStatus {
  label: string
  tone: Tone
  running: boolean
  /** What a person should know or do. */
  reason?: string | undefined
  /** How long it has been in this state, in milliseconds; of a running one, how long it has taken. */
  sinceMs?: number | undefined
}

/** The steps of a restore in words, by the reason of its condition `Progressing`: docs/restore.md. */
const steps: readonly (readonly [RegExp, string, Tone])[] = [
  [/^Initializing VirtualMachineRestore$/, 'Starting', 'info'],
  [/^Waiting for target VM to be powered off/, 'Waiting for the virtual machine to stop', 'warning'],
  [/^Automatically stopping restore target/, 'Stopping the virtual machine', 'info'],
  [/^Creating new PVCs$/, 'Making the disks', 'info'],
  [/^Updating target spec$/, 'Switching to the restored disks', 'info'],
  [/^Operation complete$/, 'Finishing', 'info'],
]

/** What a restore's status says to a person. */
export function restoreStatus(restore: VirtualMachineRestore, now: Date): ShownRestoreStatus {
  const { metadata, status } = restore
  const ageMs = elapsedMs(metadata.creationTimestamp, now)
  const failure = conditionOf(status?.conditions, 'Failure')
  const reason = conditionOf(status?.conditions, 'Progressing')?.reason
  if (metadata.deletionTimestamp !== undefined) {
    const undone = status?.complete === true ? undefined : 'What it has not finished is undone'
    const sinceMs = elapsedMs(metadata.deletionTimestamp, now)
    return { label: 'Deleting', tone: 'info', running: true, reason: undone, sinceMs }
  }
  if (failure?.status === 'True') {
    const sinceMs = elapsedMs(failure.lastTransitionTime, now)
    return { label: 'Failed', tone: 'danger', running: false, reason: failure.reason ?? 'No reason was given', sinceMs }
  }
  if (status?.complete === true)
    return { label: 'Complete', tone: 'success', running: false, sinceMs: elapsedMs(status.restoreTime, now) }
  if (!reason) return { label: 'Pending', tone: 'neutral', running: true, sinceMs: ageMs }
  const step = steps.find(([pattern]) => pattern.test(reason))
  // Any other sentence is something a person must settle; the restore looks at it again by itself.
  if (step === undefined) return { label: 'Held up', tone: 'warning', running: true, reason, sinceMs: ageMs }
  const [, label, tone] = step
  return { label, tone, running: true, reason: tone === 'warning' ? reason : undefined, sinceMs: ageMs }
}

/** Neither complete nor failed: it may still change its target, and no other may begin. */
export function isActive(restore: VirtualMachineRestore): boolean {
  return !hasEnded(restore)
}

/** The restores at work on a VM. */
export function activeRestores(vm: KubeObject, restores: readonly VirtualMachineRestore[]): VirtualMachineRestore[] {
  return restoresOf(vm, restores).filter(isActive)
}

/** When a snapshot was restored last, RFC 3339; known also when the restores are gone. */
export function lastRestored(
  snapshot: VirtualMachineSnapshot,
  restores: readonly VirtualMachineRestore[],
): string | undefined {
  const { name, namespace, creationTimestamp, annotations } = snapshot.metadata
  const takenMs = msOf(creationTimestamp) ?? 0
  const times = [
    ...parseRestored(annotations?.[restoredAnnotation]).map(({ time }) => time),
    ...restores.flatMap(({ metadata, spec, status }) =>
      spec.virtualMachineSnapshotName === name &&
      metadata.namespace === namespace &&
      status?.restoreTime &&
      // What is older is of a snapshot that had this name before.
      Date.parse(status.restoreTime) >= takenMs
        ? [status.restoreTime]
        : [],
    ),
  ]
  return times.reduce<string | undefined>(
    (newest, time) => ((msOf(time) ?? 0) > (msOf(newest) ?? 0) ? time : newest),
    undefined,
  )
}

/** A restore that can be undone, and the snapshot of what it replaced. */
export interface Undo {
  restore: VirtualMachineRestore
  before: VirtualMachineSnapshot
}

const undoLimitMs = 24 * 3_600_000

/** The last restore of a VM, if it was within a day and the state before it is still there to go back to. */
export function undoFor(
  vm: KubeObject,
  restores: readonly VirtualMachineRestore[],
  snapshots: readonly VirtualMachineSnapshot[],
  now: Date,
): Undo | undefined {
  const restore = restoresOf(vm, restores)
    .filter(({ metadata, status }) => status?.complete === true && metadata.deletionTimestamp === undefined)
    .reduce<VirtualMachineRestore | undefined>(
      (newest, one) => (timeOf(one) > timeOf(newest) ? one : newest),
      undefined,
    )
  const name = restore?.metadata.annotations?.[beforeRestoreAnnotation]
  if (restore === undefined || name === undefined) return undefined
  const agoMs = now.getTime() - timeOf(restore)
  const before = snapshotsOf(vm, snapshots).own.find(({ metadata }) => metadata.name === name)
  return agoMs <= undoLimitMs && before !== undefined && isUsable(before) ? { restore, before } : undefined
}

function timeOf(restore: VirtualMachineRestore | undefined): number {
  return msOf(restore?.status?.restoreTime) ?? Number.NEGATIVE_INFINITY
}

/** A virtual machine can be restored from it. */
export function isUsable({ metadata, status }: VirtualMachineSnapshot): boolean {
  return status?.phase === 'Succeeded' && status.readyToUse === true && metadata.deletionTimestamp === undefined
}
