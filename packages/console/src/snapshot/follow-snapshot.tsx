import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { untilForgotten, useObjects } from '../kube/use-objects.ts'
import { waitFor } from '../kube/wait-for.ts'
import { snapshotStatus } from '../model/snapshot-status.ts'
import { objectPath } from '../shell/paths.ts'
import { showToast, type Toast } from '../ui/toast-store.ts'
import { followByToast } from './follow-by-toast.ts'

/** Tells by a toast how a snapshot that has just been asked for is doing, and what came of it. */
export function followSnapshot(snapshot: VirtualMachineSnapshot): Promise<void> {
  const { name } = snapshot.metadata
  const link = { to: objectPath(VirtualMachineSnapshot, snapshot.metadata), text: 'Show it' }
  const outcome = (now: VirtualMachineSnapshot): Omit<Toast, 'key'> | undefined => {
    const end = ended(now)
    if (end === undefined) return undefined
    return end.tone === 'success'
      ? { tone: 'success', title: 'The snapshot is ready to use', body: name, link, passing: true }
      : { tone: 'danger', title: 'The snapshot failed', body: `${name}: ${end.reason}`, link }
  }
  return followByToast({
    definition: VirtualMachineSnapshot,
    object: snapshot,
    underWay: { tone: 'info', title: 'The snapshot is being taken', body: <Progress snapshot={snapshot} />, link },
    outcome,
    lost: `How the snapshot ${name} is doing is not known`,
  })
}

/** The same for several, by one toast. */
export async function followSnapshots(snapshots: readonly VirtualMachineSnapshot[]): Promise<void> {
  const [first] = snapshots
  if (first === undefined) return
  if (snapshots.length === 1) return followSnapshot(first)
  const key = `snapshots ${first.metadata.uid}`
  const total = snapshots.length
  const problems: string[] = []
  let ready = 0
  const tell = (): void => {
    const body = problems.length === 0 ? undefined : problems.map((problem) => <div key={problem}>{problem}</div>)
    if (ready + problems.length < total)
      showToast({ key, tone: 'info', title: `${ready} of ${total} snapshots are ready`, body })
    else if (problems.length > 0)
      showToast({ key, tone: 'danger', title: `${problems.length} of ${total} snapshots failed`, body })
    else showToast({ key, tone: 'success', title: `${total} snapshots are ready to use`, passing: true })
  }
  tell()
  const until = untilForgotten()
  const follow = async (snapshot: VirtualMachineSnapshot): Promise<void> => {
    try {
      const { tone, reason } = await waitFor(VirtualMachineSnapshot, snapshot, ended, until)
      if (tone === 'success') ready++
      else problems.push(`${snapshot.metadata.name}: ${reason}`)
    } catch (error) {
      problems.push(`${snapshot.metadata.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (!until.aborted) tell()
  }
  await Promise.all(snapshots.map(follow))
}

/** What came of a snapshot, once it is ready to use or has failed. */
function ended(snapshot: VirtualMachineSnapshot): { tone: 'success' | 'danger'; reason: string } | undefined {
  const { phase, tone, reason = '' } = snapshotStatus(snapshot, new Date())
  if (phase === 'Failed') return { tone: 'danger', reason }
  return phase === 'Succeeded' && tone === 'success' ? { tone: 'success', reason } : undefined
}

function Progress({ snapshot: { metadata } }: { snapshot: VirtualMachineSnapshot }) {
  const { items } = useObjects(VirtualMachineSnapshot, metadata.namespace)
  const found = items.find(({ metadata: { uid } }) => uid === metadata.uid)
  const reason = found === undefined ? undefined : snapshotStatus(found, new Date()).reason
  return (
    <>
      {metadata.name}
      {reason === undefined ? null : <div>{reason}</div>}
    </>
  )
}
