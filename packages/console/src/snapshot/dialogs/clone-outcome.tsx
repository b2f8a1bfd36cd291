import { Alert } from '@patternfly/react-core'
import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { Link } from 'react-router'
import { cloneStatus, cloneTarget } from '../../model/clone-status.ts'
import { objectPath } from '../../shell/paths.ts'

/** How far a clone is, and what came of it. */
export function CloneOutcome({ clone }: { clone: VirtualMachineClone }) {
  const name = cloneTarget(clone)
  const { label, tone, running, reason } = cloneStatus(clone)
  const alert = { isInline: true, isLiveRegion: true, component: 'h2' } as const
  if (running)
    return (
      <Alert {...alert} variant="info" title="This dialog may be closed; the clone goes on." data-test="clone-running">
        {label} – <strong>{name}</strong>
        {reason === undefined ? null : <div>{reason}</div>}
      </Alert>
    )
  if (tone === 'success')
    return (
      <Alert
        {...alert}
        variant="success"
        title="Clone completed successfully"
        data-test="clone-completed"
        actionLinks={
          <Link to={objectPath(VirtualMachine, { namespace: clone.metadata.namespace ?? '', name })}>Open it</Link>
        }
      >
        <strong>{name}</strong> has been created.
      </Alert>
    )
  return (
    <Alert {...alert} variant="danger" title={`${name} could not be created`} data-test="clone-failed">
      {reason}
    </Alert>
  )
}
