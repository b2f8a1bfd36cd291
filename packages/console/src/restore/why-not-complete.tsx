import { AlertActionLink } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { useObject } from '../kube/use-objects.ts'
import { vmActions } from '../model/gates.ts'
import { remedyOf, whyNotComplete } from '../model/restore-why.ts'
import { useNow } from '../ui/use-now.ts'
import { WhyPanel } from '../ui/why-panel.tsx'
import { PowerDialog } from '../vm/power-dialog.tsx'

interface Props {
  restore: VirtualMachineRestore
}

/** Why a restore is not complete, since when, and what to do; nothing when it is. */
export function WhyNotComplete({ restore }: Props) {
  const why = whyNotComplete(restore, useNow(1_000))
  if (why === undefined) return null
  const stop = remedyOf(restore)?.stop === true
  return <WhyPanel why={why} actions={stop ? <StopTarget restore={restore} /> : undefined} />
}

function StopTarget({ restore: { metadata, spec } }: Props) {
  const [asking, setAsking] = useState(false)
  const { object: vm } = useObject(VirtualMachine, metadata.namespace, spec.target.name)
  const stop = vm && vmActions(vm).find(({ id }) => id === 'stop')
  if (vm === undefined || stop === undefined) return null
  return (
    <>
      {stop.disabledReason === undefined ? (
        <AlertActionLink onClick={() => setAsking(true)}>Stop the virtual machine</AlertActionLink>
      ) : null}
      {asking ? <PowerDialog vms={[vm]} action="stop" onClose={() => setAsking(false)} /> : null}
    </>
  )
}
