import { type VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { Link } from 'react-router'
import { useListed } from '../kube/use-objects.ts'
import { isRestoredFrom } from '../model/restore-list.ts'
import { objectPath } from '../shell/paths.ts'

interface Props {
  restore: VirtualMachineRestore
  /** The namespace whose snapshots the page reads; undefined: all. */
  listed: string | undefined
  /** All of them are known: what is not among them is not there. */
  known: boolean
}

/** The snapshot of a restore, or that it is gone. */
export function SnapshotLink({ restore, listed, known }: Props) {
  const { namespace = '' } = restore.metadata
  const name = restore.spec.virtualMachineSnapshotName
  const found = useListed(VirtualMachineSnapshot, listed, { namespace, name })
  const gone = found ? !isRestoredFrom(restore, found) : known
  if (gone)
    return (
      <>
        {name} <span className="console-subtle">(deleted)</span>
      </>
    )
  return (
    <Link to={objectPath(VirtualMachineSnapshot, { namespace, name })} className="console-name">
      {name}
    </Link>
  )
}
