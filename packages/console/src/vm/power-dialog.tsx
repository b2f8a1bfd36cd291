import { Checkbox, Content, List, ListItem } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { useState } from 'react'
import { act } from '../kube/client.ts'
import { commandFor } from '../model/commands.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'

interface Props {
  /** All of them can be stopped now. */
  vms: readonly VirtualMachine[]
  action: 'stop' | 'restart'
  onClose: () => void
}

/** KubeVirt's own default. */
const defaultGraceSeconds = 30
const words = { stop: 'Stop', restart: 'Restart' } as const

/** Asks before guests are interrupted, and says how. */
export function PowerDialog({ vms, action, onClose }: Props) {
  const [forced, setForced] = useState(false)
  const [only] = vms.length === 1 ? vms : []
  const what = only === undefined ? `${vms.length} VirtualMachines` : only.metadata.name
  const label = words[action]
  const submit = async (): Promise<void> => {
    const gracePeriod = action === 'stop' ? { gracePeriod: 0 } : { gracePeriodSeconds: 0 }
    const results = await Promise.allSettled(
      vms.map((vm) => act('virtualmachines', vm, action, forced ? gracePeriod : {})),
    )
    const failed = results.flatMap((result, at) =>
      result.status === 'rejected' ? [{ name: vms[at]?.metadata.name ?? '', reason: result.reason as unknown }] : [],
    )
    const [first] = failed
    if (first === undefined) return onClose()
    if (vms.length === 1) throw first.reason
    throw new Error(failed.map(({ name, reason }) => `${name}: ${textOf(reason)}`).join('; '))
  }
  return (
    <ActionDialog
      title={`${label} VirtualMachine${only === undefined ? 's' : ''}?`}
      submitLabel={label}
      isDanger={forced}
      onSubmit={submit}
      onClose={onClose}
      command={vms
        .map((vm) => commandFor({ do: action, vm }) + (forced ? ' --grace-period=0 --force' : ''))
        .join(' &&\n')}
      variant="small"
    >
      <Content component="p">
        {forced ? (
          <>
            <strong>{what}</strong> is switched off at once. What its guest has not written to its disks yet is lost.
          </>
        ) : (
          <>
            The guest of <strong>{what}</strong> is asked to shut down. When it has not done so after{' '}
            {graceSeconds(vms)} seconds, it is switched off.
          </>
        )}{' '}
        {action === 'restart' ? 'Then it is started again.' : 'It stays off until somebody starts it.'}
      </Content>
      {only === undefined ? (
        <List>
          {vms.map(({ metadata }) => (
            <ListItem key={`${metadata.namespace}/${metadata.name}`}>{metadata.name}</ListItem>
          ))}
        </List>
      ) : null}
      <Checkbox
        id="force"
        label="Switch off at once, without asking the guest"
        isChecked={forced}
        onChange={(_, on) => setForced(on)}
      />
    </ActionDialog>
  )
}

function graceSeconds(vms: readonly VirtualMachine[]): number {
  return Math.max(...vms.map(({ spec }) => spec.template.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds))
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
