import { Alert, AlertActionCloseButton, AlertActionLink } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { expiresAtAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { patch } from '../../kube/client.ts'
import { useAllowed } from '../../kube/rights.ts'
import { useObjects } from '../../kube/use-objects.ts'
import { relativeTime } from '../../model/format.ts'
import { activeRestores, undoFor } from '../../model/restores.ts'
import { showToast } from '../../ui/toast-store.ts'
import { showError } from '../../ui/toasts.tsx'
import { useDismissed } from '../../ui/use-dismissed.ts'
import { useNow } from '../../ui/use-now.ts'
import { RestoreDialog } from './restore-dialog.tsx'

/** For a day after a restore that kept the former state: the way back, and the way to keep that for longer. */
export function UndoBanner({ vm }: { vm: VirtualMachine }) {
  const { namespace } = vm.metadata
  const restores = useObjects(VirtualMachineRestore, namespace).items
  const snapshots = useObjects(VirtualMachineSnapshot, namespace).items
  const now = useNow(60_000)
  const [opened, setOpened] = useState<VirtualMachineSnapshot>()
  const { dismissed, dismiss } = useDismissed('undo')
  const undo = undoFor(vm, restores, snapshots, now)
  const shown =
    undo !== undefined && !dismissed.has(undo.restore.metadata.uid ?? '') && activeRestores(vm, restores).length === 0
  return (
    <>
      {shown ? (
        <Banner
          {...undo}
          now={now}
          onUndo={() => setOpened(undo.before)}
          onHide={() => dismiss(undo.restore.metadata.uid ?? '')}
        />
      ) : null}
      {opened === undefined ? null : <RestoreDialog snapshot={opened} onClose={() => setOpened(undefined)} />}
    </>
  )
}

interface BannerProps {
  restore: VirtualMachineRestore
  before: VirtualMachineSnapshot
  now: Date
  onUndo: () => void
  onHide: () => void
}

function Banner({ restore, before, now, onUndo, onHide }: BannerProps) {
  const { group, plural: resource } = VirtualMachineSnapshot
  const mayKeep = useAllowed({ verb: 'patch', group, resource, namespace: before.metadata.namespace })
  const [keeping, setKeeping] = useState(false)
  const expires = before.metadata.annotations?.[expiresAtAnnotation]
  const keep = async (): Promise<void> => {
    setKeeping(true)
    try {
      await keepForGood(before)
      showToast({ tone: 'success', title: 'The former state is kept', body: before.metadata.name, passing: true })
    } catch (error) {
      showError('The former state could not be kept for longer', error)
    } finally {
      setKeeping(false)
    }
  }
  return (
    <Alert
      isInline
      variant="info"
      component="h2"
      title={`Restored to ${restore.spec.virtualMachineSnapshotName} ${relativeTime(restore.status?.restoreTime, now)}`}
      data-test="undo-banner"
      className="console-undo"
      actionClose={<AlertActionCloseButton aria-label="Dismiss" onClose={onHide} />}
      actionLinks={
        <>
          <AlertActionLink onClick={onUndo}>Undo</AlertActionLink>
          {expires === undefined ? null : (
            <AlertActionLink
              isLoading={keeping}
              isAriaDisabled={keeping || mayKeep.reason !== undefined}
              title={mayKeep.reason}
              onClick={() => void keep()}
            >
              Keep
            </AlertActionLink>
          )}
        </>
      }
    >
      The state before is kept as <strong>{before.metadata.name}</strong>
      {expires === undefined ? ' until it is deleted.' : `; it is deleted ${relativeTime(expires, now)}.`}
    </Alert>
  )
}

/** Takes away the time at which it deletes itself. */
async function keepForGood(snapshot: VirtualMachineSnapshot): Promise<void> {
  await patch(VirtualMachineSnapshot, snapshot, { metadata: { annotations: { [expiresAtAnnotation]: null } } })
}
