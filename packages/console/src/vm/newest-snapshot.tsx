import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { Link } from 'react-router'
import { snapshotStatus } from '../model/snapshot-status.ts'
import { objectPath } from '../shell/paths.ts'
import { Timestamp } from '../ui/timestamp.tsx'
import { ToneIcon } from '../ui/tone.tsx'
import { useNow } from '../ui/use-now.ts'

/** The newest snapshot of a VM: how it fares, its name as a link, its age. */
export function NewestSnapshot({ snapshot }: { snapshot: VirtualMachineSnapshot | undefined }) {
  const now = useNow()
  if (!snapshot) return '-'
  const { tone, running, label } = snapshotStatus(snapshot, now)
  return (
    <div>
      <ToneIcon tone={tone} running={running} />{' '}
      <Link to={objectPath(VirtualMachineSnapshot, snapshot.metadata)} className="console-name">
        {snapshot.metadata.name}
      </Link>
      <div className="console-subtle">
        {label}, <Timestamp at={snapshot.metadata.creationTimestamp} />
      </div>
    </div>
  )
}
