import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { duration } from '../model/format.ts'
import { restoreStatus } from '../model/restores.ts'
import { useNow } from '../ui/use-now.ts'

/** Said in the row of a snapshot that is being restored. */
export function RestoringNote({ restore }: { restore: VirtualMachineRestore }) {
  const { label, sinceMs } = restoreStatus(restore, useNow(1_000))
  return (
    <div className="console-reason" data-test="restoring">
      Being restored: {label}
      {sinceMs === undefined ? null : `, ${duration(sinceMs)}`}
    </div>
  )
}
