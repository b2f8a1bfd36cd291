import { Alert, AlertActionCloseButton, AlertActionLink } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { conditionOf } from '@stillpoint/api/meta/condition'
import { beforeRestoreAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { useNavigate } from 'react-router'
import { act } from '../kube/client.ts'
import { restoresOf } from '../model/belongs.ts'
import { duration, elapsedMs } from '../model/format.ts'
import { vmActions } from '../model/gates.ts'
import { remedyFor } from '../model/restore-remedy.ts'
import { isActive, restoreStatus } from '../model/restores.ts'
import { objectPath } from '../shell/paths.ts'
import { ErrorDetails } from '../ui/error-details.tsx'
import { showToast } from '../ui/toast-store.ts'
import { useDismissed } from '../ui/use-dismissed.ts'
import { useNow } from '../ui/use-now.ts'

/** A finished restore is told of for so long. */
const newsMs = 5 * 60_000

interface Props {
  vm: VirtualMachine
  restores: readonly VirtualMachineRestore[]
}

/** The restores at work on a VM, those that failed until they are dismissed, and for a while those that succeeded. */
export function RestoreBanner({ vm, restores }: Props) {
  const { dismissed, dismiss } = useDismissed('restores')
  const now = useNow()
  const isRunning = vm.status?.printableStatus === 'Running'
  const told = restoresOf(vm, restores).filter(({ metadata, status }) => {
    if (dismissed.has(metadata.uid ?? '')) return false
    if (status?.complete !== true) return true
    // The banner with the way back has told it already, and there is nothing to start.
    const undoable = metadata.annotations?.[beforeRestoreAnnotation] !== undefined && isRunning
    return !undoable && (elapsedMs(status.restoreTime, now) ?? newsMs) < newsMs
  })
  if (told.length === 0) return null
  return (
    <section aria-label="Restores" data-test="restore-banner" className="console-banner">
      {told.map((restore) => {
        const close = (): void => dismiss(restore.metadata.uid ?? '')
        const key = restore.metadata.uid ?? restore.metadata.name
        if (isActive(restore)) return <AtWork key={key} vm={vm} restore={restore} />
        return restore.status?.complete === true ? (
          <Complete key={key} vm={vm} restore={restore} close={close} />
        ) : (
          <Failed key={key} restore={restore} close={close} />
        )
      })}
    </section>
  )
}

interface RestoreProps {
  vm: VirtualMachine
  restore: VirtualMachineRestore
  close: () => void
}

function AtWork({ vm, restore }: Omit<RestoreProps, 'close'>) {
  const { label, tone, reason, sinceMs } = restoreStatus(restore, useNow(1_000))
  const remedy = remedyFor(reason)
  const stop = remedy?.stop ? vmActions(vm).find(({ id }) => id === 'stop') : undefined
  return (
    <Alert
      isInline
      component="h3"
      variant={tone === 'warning' ? 'warning' : 'info'}
      title={
        <span aria-live="polite">
          Restoring from {restore.spec.virtualMachineSnapshotName}: {label}
        </span>
      }
      actionLinks={
        <>
          {stop === undefined || stop.disabledReason !== undefined ? null : (
            <AlertActionLink onClick={() => void doTo(vm, 'stop')}>Stop the virtual machine</AlertActionLink>
          )}
          <Details restore={restore} />
        </>
      }
    >
      {reason === undefined ? null : <p>{reason}</p>}
      {remedy === undefined ? null : <p>{remedy.text}</p>}
      {sinceMs === undefined ? null : <p className="console-subtle">{duration(sinceMs)} so far</p>}
    </Alert>
  )
}

function Failed({ restore, close }: Omit<RestoreProps, 'vm'>) {
  const failure = conditionOf(restore.status?.conditions, 'Failure')
  const remedy = remedyFor(failure?.reason) ?? remedyFor(failure?.message)
  return (
    <Alert
      isInline
      component="h3"
      variant="danger"
      title={`Restoring from ${restore.spec.virtualMachineSnapshotName} failed`}
      actionClose={<AlertActionCloseButton aria-label="Dismiss" onClose={close} />}
      actionLinks={<Details restore={restore} />}
    >
      <p>{failure?.reason}</p>
      {failure?.message ? <p>{failure.message}</p> : null}
      <p>{remedy === undefined ? 'The virtual machine is as it was before.' : `${remedy.text} Then restore again.`}</p>
    </Alert>
  )
}

function Complete({ vm, restore, close }: RestoreProps) {
  const start = vmActions(vm).find(({ id }) => id === 'start')
  const state = vm.status?.printableStatus ?? 'Stopped'
  return (
    <Alert
      isInline
      component="h3"
      variant="success"
      title={`Restored from ${restore.spec.virtualMachineSnapshotName}`}
      actionClose={<AlertActionCloseButton aria-label="Dismiss" onClose={close} />}
      actionLinks={
        <>
          {state === 'Stopped' && start?.disabledReason === undefined ? (
            <AlertActionLink onClick={() => void doTo(vm, 'start')}>Start</AlertActionLink>
          ) : null}
          <Details restore={restore} />
        </>
      }
    >
      The virtual machine is {state.toLowerCase()}.
    </Alert>
  )
}

/** A button and no link: the name of a restore has that of its snapshot in it, and rows are found by links. */
function Details({ restore }: { restore: VirtualMachineRestore }) {
  const navigate = useNavigate()
  return (
    <AlertActionLink onClick={() => void navigate(objectPath(VirtualMachineRestore, restore.metadata))}>
      Details of the restore
    </AlertActionLink>
  )
}

async function doTo(vm: VirtualMachine, action: 'start' | 'stop'): Promise<void> {
  try {
    await act('virtualmachines', vm, action)
  } catch (error) {
    const title = `${vm.metadata.name} could not be ${action === 'start' ? 'started' : 'stopped'}`
    showToast({ tone: 'danger', title, body: <ErrorDetails error={error} /> })
  }
}
