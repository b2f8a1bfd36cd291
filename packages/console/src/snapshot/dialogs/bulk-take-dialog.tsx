import { Alert } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import type { Consistency } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useRef, useState } from 'react'
import { create, get } from '../../kube/client.ts'
import { commandsFor } from '../../model/commands.ts'
import { disksOf } from '../../model/disks.ts'
import { whyNotTake } from '../../model/gates.ts'
import { bulkName, bulkSuffix, randomText, whyNotSuffix } from '../../model/names.ts'
import { takeSnapshotObject } from '../../model/restore-plan.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'
import { correctIt, TextField } from '../../ui/text-field.tsx'
import { followSnapshots } from '../follow-snapshot.tsx'
import { BulkDisks } from './bulk-disks.tsx'
import { BulkResults, type Result } from './bulk-results.tsx'
import { ConsistencyField } from './consistency-field.tsx'
import { DeadlineField, deadlineValue, noneGiven } from './deadline-field.tsx'
import { Acknowledgement, acknowledgeIt } from './disks-section.tsx'

interface Props {
  vms: readonly VirtualMachine[]
  onClose: () => void
}

/** Takes a snapshot of each of several VMs, all at once; what failed can be tried again by itself. */
export function BulkTakeDialog({ vms, onClose }: Props) {
  const [suffix, setSuffix] = useState(() => bulkSuffix(new Date()))
  const [description, setDescription] = useState('')
  const [consistency, setConsistency] = useState<Consistency>('Preferred')
  const [deadline, setDeadline] = useState(noneGiven)
  const [acknowledged, setAcknowledged] = useState(false)
  const [results, setResults] = useState<ReadonlyMap<string, Result>>(new Map())
  const [randoms] = useState(() => new Map(vms.map((vm) => [keyOf(vm), randomText(Math.random)])))
  // What a second press leaves alone; at hand at once, whatever is drawn.
  const created = useRef(new Set<string>())

  const fit = vms.filter((vm) => whyNotTake(vm) === undefined)
  const suffixProblem = whyNotSuffix(
    suffix,
    vms.map(({ metadata }) => metadata.name),
  )
  const { value, error: deadlineProblem } = deadlineValue(deadline)
  const needsAcknowledgement = fit.some((vm) => disksOf(vm).needsAcknowledgement)
  const objectOf = (vm: VirtualMachine): VirtualMachineSnapshot => {
    const name = bulkName(vm, randoms.get(keyOf(vm)) ?? '', suffix)
    return takeSnapshotObject({ vm, name, description, deadline: value, consistency })
  }
  const takeOne = async (vm: VirtualMachine): Promise<VirtualMachineSnapshot | undefined> => {
    const tell = (result: Result): void => setResults((known) => new Map(known).set(keyOf(vm), result))
    tell({ state: 'asked' })
    try {
      const snapshot = await createOnce(objectOf(vm))
      created.current.add(keyOf(vm))
      tell({ state: 'created', name: snapshot.metadata.name })
      return snapshot
    } catch (error) {
      tell({ state: 'failed', error })
      return undefined
    }
  }
  const take = async (): Promise<void> => {
    const taken = await Promise.all(fit.filter((vm) => !created.current.has(keyOf(vm))).map(takeOne))
    void followSnapshots(taken.filter((snapshot) => snapshot !== undefined))
    if (!taken.includes(undefined)) onClose()
  }
  const failed = [...results.values()].filter(({ state }) => state === 'failed').length
  return (
    <ActionDialog
      title="Take snapshots"
      submitLabel={failed > 0 ? `Retry failed (${failed})` : 'Save'}
      onSubmit={take}
      onClose={onClose}
      closesWhileBusy
      cancelLabel={results.size > 0 ? 'Close' : 'Cancel'}
      focus="#suffix"
      command={commandsFor(fit.map((vm) => ({ do: 'create', object: objectOf(vm) })))}
      disabledReason={
        (fit.length === 0 ? 'There is no VirtualMachine to take a snapshot of.' : undefined) ??
        (suffixProblem !== undefined || deadlineProblem !== undefined ? correctIt : undefined) ??
        (needsAcknowledgement && !acknowledged ? acknowledgeIt : undefined)
      }
    >
      {results.size === 0 ? null : <BulkResults vms={fit} resultOf={(vm) => results.get(keyOf(vm))} />}
      <TextField
        id="suffix"
        label="Suffix"
        isRequired
        value={suffix}
        onChange={setSuffix}
        problem={suffixProblem}
        help="Each snapshot is named {VM name}-{6 random}-{suffix}."
      />
      <TextField id="description" label="Description" multiline value={description} onChange={setDescription} />
      <ConsistencyField value={consistency} onChange={setConsistency} stateKnown={false} />
      <DeadlineField deadline={deadline} onChange={setDeadline} />
      <LeftOut vms={vms} />
      <BulkDisks vms={fit} />
      {needsAcknowledgement ? <Acknowledgement checked={acknowledged} onChange={setAcknowledged} /> : null}
    </ActionDialog>
  )
}

/** Of a request whose answer was lost the snapshot may be there: its random part says that it is this one. */
async function createOnce(object: VirtualMachineSnapshot): Promise<VirtualMachineSnapshot> {
  try {
    return await create(VirtualMachineSnapshot, object)
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return get(VirtualMachineSnapshot, object.metadata.namespace, object.metadata.name)
  }
}

/** The VMs of which no snapshot can be taken now, and why not; the others are not held up by them. */
function LeftOut({ vms }: { vms: readonly VirtualMachine[] }) {
  const reasons = vms.flatMap((vm) => {
    const why = whyNotTake(vm)
    return why === undefined ? [] : [{ name: vm.metadata.name, why }]
  })
  if (reasons.length === 0) return null
  return (
    <Alert isInline variant="warning" title={`Left out (${reasons.length})`} component="h2">
      {reasons.map(({ name, why }) => (
        <p key={name}>
          <strong>{name}</strong> – {why}
        </p>
      ))}
    </Alert>
  )
}

function keyOf({ metadata }: VirtualMachine): string {
  return `${metadata.namespace}/${metadata.name}`
}
