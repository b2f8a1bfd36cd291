import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { deadlineOf } from '@stillpoint/api/snapshot/rules'
import { relativeTime } from './format.ts'
import { snapshotStatus } from './snapshot-status.ts'
import type { Why } from './why.ts'

/** What to do about a reason: docs/snapshot.md. The first that fits. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /required consistency cannot be reached/i,
    'See to the agent in the guest, or take a snapshot with another consistency.',
  ],
  [/no space left|exceeded quota/i, 'Make room on the storage, or in the quota, then take another snapshot.'],
  [/fsfreeze is limited/i, 'Windows ends a freeze after about 10 s: take it with fewer disks, or on faster storage.'],
  [/matching VolumeSnapshotClasses/i, 'Mark one of the VolumeSnapshotClasses as default.'],
  [/thaw of the guest failed/i, 'Nothing: it is repeated, and the limit of the freeze ends it in any case.'],
  [/(content|VolumeSnapshots?) .*missing/i, 'Its data has been deleted. Delete this snapshot, and take another.'],
  [/virtual machine does not exist/i, 'Make the virtual machine, or delete this snapshot.'],
  [/(snapshot|restore) .*in progress/i, 'Nothing: it goes on by itself when that is through.'],
  [/migrat/i, 'Nothing: it goes on by itself when the guest has been moved.'],
  [/pods/i, 'End the pods that use the disks of the virtual machine.'],
  [
    /(PVC|claim|DataVolume|volume).*(not found|does not exist|not bound|being deleted|not succeeded)/i,
    'See to that disk of the virtual machine: it goes on by itself.',
  ],
  [/VolumeSnapshot .*error/i, 'Look at the status and the events of that VolumeSnapshot.'],
  [
    /deadline exceeded/i,
    'See the events for what it waited for; then take another, with a later deadline if it needs more time.',
  ],
  [/snapshot controller running/i, 'Start the snapshot controller.'],
]

/** Undefined when a virtual machine can be restored from it. */
export function whyNotDone(snapshot: VirtualMachineSnapshot, now: Date): Why | undefined {
  const { label, tone, phase, reason, sinceMs } = snapshotStatus(snapshot, now)
  if (tone === 'success') return undefined
  const known = reason === undefined ? undefined : remedies.find(([pattern]) => pattern.test(reason))?.[1]
  const why = (title: string, happened: string, remedy: string): Why => ({
    tone,
    title,
    happened: reason ?? happened,
    sinceMs,
    remedy: known ?? remedy,
  })
  switch (phase) {
    case 'Failed':
      return why('Why has it failed?', 'No reason was given.', 'Delete it, and take another snapshot.')
    case 'Deleting':
      return why('Why is it still there?', 'It is being deleted.', 'Nothing: it goes by itself when that is done.')
    case 'Pending':
      return why('Why has it not begun?', 'It was made a moment ago.', 'Nothing: it begins by itself.')
    case 'InProgress':
      return why(
        'Why is it not ready?',
        'It is being taken.',
        `Nothing: it goes on by itself. ${deadlineText(snapshot, now)}`,
      )
    case 'Succeeded':
      return why('Why is it not ready?', label, 'Nothing can be restored from it until it is ready again.')
    case 'Unknown':
      return why(
        'Why is its state unknown?',
        'The controller cannot tell what has become of it.',
        'Look at its events and its content; if they do not tell, take another snapshot.',
      )
    default:
      throw new Error(`unknown phase ${phase satisfies never}`)
  }
}

/** When a snapshot that is not through fails. */
export function deadlineText(snapshot: VirtualMachineSnapshot, now: Date): string {
  const deadlineMs = deadlineOf(snapshot)
  return deadlineMs === undefined ? 'It has no deadline.' : `Its deadline is ${relativeTime(deadlineMs, now)}.`
}
