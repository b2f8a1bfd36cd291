import { FormGroup, Radio } from '@patternfly/react-core'
import { type VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { Consistency } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { actionPath, request } from '../../kube/client.ts'
import { useObject } from '../../kube/use-objects.ts'
import { useRead } from '../../kube/use-read.ts'
import { type AgentState, agentSentence, agentState } from '../../model/agent-state.ts'
import { ToneIcon } from '../../ui/tone.tsx'

const choices: readonly { value: Consistency; label: string; description: string }[] = [
  {
    value: 'Preferred',
    label: 'Preferred',
    description: 'Freezes the guest’s file systems if its agent answers, and takes the disks as they are otherwise.',
  },
  {
    value: 'Required',
    label: 'Required',
    description: 'Fails rather than take the disks of a guest that could not be frozen.',
  },
  {
    value: 'CrashConsistent',
    label: 'Crash-consistent',
    description: 'Freezes nothing: the disks are as after a power cut, and the guest does not pause.',
  },
]

interface Props {
  value: Consistency
  onChange: (value: Consistency) => void
  /** The present state of the guest; a dialog for several VMs has none. */
  state?: AgentState | undefined
  stateKnown?: boolean
}

/** How consistent the data must be, beside what can be had at present. */
export function ConsistencyField({ value, onChange, state, stateKnown = true }: Props) {
  const { tone, text } = agentSentence(state, value)
  return (
    <FormGroup label="Consistency" role="radiogroup" fieldId="consistency" isStack>
      {stateKnown ? (
        <p data-test="agent-state">
          <ToneIcon tone={tone} /> {text}
        </p>
      ) : null}
      {choices.map((choice) => (
        <Radio
          key={choice.value}
          id={`consistency-${choice.value}`}
          name="consistency"
          label={choice.label}
          description={choice.description}
          isChecked={value === choice.value}
          onChange={() => onChange(choice.value)}
        />
      ))}
    </FormGroup>
  )
}

/** The present state of a VM's guest; undefined while it is not known, and when it may not be seen. */
export function useAgentState(
  { metadata: { namespace, name }, status: vmStatus }: VirtualMachine,
  snapshots: readonly VirtualMachineSnapshot[],
): AgentState | undefined {
  const { status, object } = useObject(VirtualMachineInstance, namespace, name)
  const connected = agentState(object, { snapshots: [] }).kind === 'connected'
  // Only a number beside the state: without the right to it, or without an answer, the state stands alone.
  const fileSystems = useRead(connected ? `${namespace}/${name}` : '', (signal) =>
    request<{ items?: unknown[] }>(actionPath('virtualmachineinstances', namespace ?? '', name, 'filesystemlist'), {
      signal,
    }),
  ).value?.items?.length
  // An instance that has only just begun or ended; the VM's own status lags behind it, or leads.
  if (object === undefined && vmStatus?.printableStatus === 'Running') return undefined
  return status === 'ready' || status === 'gone' ? agentState(object, { fileSystems, snapshots }) : undefined
}
