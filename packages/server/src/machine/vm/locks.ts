import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'

/** Why running or runStrategy cannot be changed now, in the words of the VM's admission. Spec snapshot-restore b.5. */
export function whyRunStateFixed({ status }: VirtualMachine): string | undefined {
  const { snapshotInProgress, restoreInProgress } = status ?? {}
  if (snapshotInProgress) return `Cannot update vm running state until snapshot "${snapshotInProgress}" completes`
  if (restoreInProgress) return `Cannot update VM runStrategy until restore "${restoreInProgress}" completes`
  return undefined
}

/** Why no start may be asked for: the disks of the VM are being exchanged. */
export function whyNotStarted({ status }: VirtualMachine): string | undefined {
  const restore = status?.restoreInProgress
  return restore ? `Cannot start VM until restore "${restore}" completes` : undefined
}
