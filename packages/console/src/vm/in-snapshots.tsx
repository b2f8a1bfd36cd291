import type { VmDisk } from '../model/vm-disks.ts'
import { ToneIcon } from '../ui/tone.tsx'

const words = {
  included: { tone: 'success', text: 'Included' },
  recreated: { tone: 'info', text: 'Recreated automatically' },
  missing: { tone: 'warning', text: 'Left out' },
} as const

/** Whether snapshots include a disk, and why not. */
export function InSnapshots({ disk }: { disk: VmDisk }) {
  const { tone, text } = words[disk.inSnapshots]
  return (
    <div>
      <span className="console-nowrap">
        <ToneIcon tone={tone} /> {text}
      </span>
      {disk.reason === undefined ? null : <div className="console-subtle">{disk.reason}</div>}
    </div>
  )
}
