/** What a person can do about what a restore waits for or failed of: docs/restore.md. */
export interface Remedy {
  text: string
  /** The virtual machine has to be stopped, which the console can do. */
  stop?: boolean
}

const remedies: readonly (readonly [RegExp, Remedy])[] = [
  [/powered off|VMI still exists|target failed to be ready/i, { text: 'Stop the virtual machine.', stop: true }],
  [/exists and does not belong to this restore/, { text: 'Choose another name for that claim, or delete the claim.' }],
  [
    /InPlace works only|is not used by the target VM/,
    { text: 'Restore with another policy for the names of the disks.' },
  ],
  [/would both be restored to PVC/, { text: 'Give the claims different names.' }],
  [/exceeded quota|quota/i, { text: 'Make room in the quota of the namespace.' }],
  [/VMSnapshot .* not ready/, { text: 'It goes on when the snapshot is ready.' }],
  [/VMSnapshot .*(does not exist|failed|is being deleted)/, { text: 'Restore from another snapshot.' }],
  [
    /VMSnapshotContent .* does not exist|missing volumeSnapshot/,
    { text: 'The data is gone; restore from another snapshot.' },
  ],
  [/restore .* in progress|snapshot .* in progress/i, { text: 'It goes on when that is through.' }],
  [/pods using PVCs/, { text: 'End the pods that use its disks.' }],
  [/target already exists/, { text: 'Choose another name for the new virtual machine.' }],
  [/in status "Lost"|storage class .* does not exist/, { text: 'Repair the storage.' }],
  [/error patching VM/, { text: 'Correct the patches in a new restore.' }],
]

/** The remedy for a reason of a restore; undefined when waiting is all there is to do. */
export function remedyFor(reason: string | undefined): Remedy | undefined {
  if (reason === undefined) return undefined
  return remedies.find(([pattern]) => pattern.test(reason))?.[1]
}
