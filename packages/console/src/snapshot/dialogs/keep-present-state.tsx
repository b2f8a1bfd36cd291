import { Spinner } from '@patternfly/react-core'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { create } from '../../kube/client.ts'
import { useObject } from '../../kube/use-objects.ts'
import { waitFor } from '../../kube/wait-for.ts'
import { snapshotStatus, snapshotSteps } from '../../model/snapshot-status.ts'
import { showToast } from '../../ui/toast-store.ts'
import { useNow } from '../../ui/use-now.ts'
import { useLiveSnapshot } from './use-live.ts'

/**
 * Takes the snapshot of what a restore replaces, and waits until it can be gone back to. `began` is told of it. Rejects
 * when it cannot be had, and when `signal` is aborted; then nothing may be restored.
 */
export async function keepPresentState(
  object: VirtualMachineSnapshot,
  began: (snapshot: VirtualMachineSnapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  // Closed while the server was asked whether it would take the restore: then nothing is left behind.
  signal.throwIfAborted()
  const { name } = object.metadata
  try {
    const before = await create(VirtualMachineSnapshot, object)
    began(before)
    await waitFor(VirtualMachineSnapshot, before, usable, signal)
  } catch (error) {
    if (signal.aborted) {
      const body = `Nothing has been restored. The snapshot ${name} of the present state stays for 24 h.`
      showToast({ tone: 'info', title: 'The restore was given up', body, passing: true })
      throw error
    }
    throw new NotKeptError(name, error)
  }
}

class NotKeptError extends Error {
  constructor(name: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`the present state could not be kept as ${name}, so nothing has been restored: ${why}`, { cause })
    this.name = 'NotKeptError'
  }
}

function usable(snapshot: VirtualMachineSnapshot): true | undefined {
  const { phase, tone, reason } = snapshotStatus(snapshot, new Date())
  if (phase === 'Failed' || phase === 'Deleting') throw new Error(reason ?? `it is ${phase}`)
  return phase === 'Succeeded' && tone === 'success' ? true : undefined
}

/** How far the snapshot of the present state is. */
export function KeepingProgress({ before }: { before: VirtualMachineSnapshot }) {
  const snapshot = useLiveSnapshot(before) ?? before
  const contentName = snapshot.status?.virtualMachineSnapshotContentName
  const content = useObject(
    contentName ? VirtualMachineSnapshotContent : undefined,
    before.metadata.namespace,
    contentName ?? '',
  ).object
  const now = useNow(1_000)
  const step = snapshotSteps(snapshot, content, now).find(({ state }) => state === 'current')?.name
  const { reason } = snapshotStatus(snapshot, now)
  return (
    <p data-test="keeping-progress">
      <Spinner isInline aria-label="Under way" /> Keeping the present state as <strong>{before.metadata.name}</strong>
      {step === undefined ? '' : `: ${step}`}
      {reason === undefined ? null : <span className="console-subtle"> – {reason}</span>}
    </p>
  )
}
