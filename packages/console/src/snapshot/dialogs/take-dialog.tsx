import { Alert } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { Consistency } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { create } from '../../kube/client.ts'
import { useAllowed } from '../../kube/rights.ts'
import { useObjects } from '../../kube/use-objects.ts'
import { snapshotsOf } from '../../model/belongs.ts'
import { commandFor } from '../../model/commands.ts'
import { disksOf } from '../../model/disks.ts'
import { whyNotTake } from '../../model/gates.ts'
import { defaultSnapshotName, whyNotName } from '../../model/names.ts'
import { takeSnapshotObject } from '../../model/restore-plan.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'
import { correctIt, TextField } from '../../ui/text-field.tsx'
import { followSnapshot } from '../follow-snapshot.tsx'
import { ConsistencyField, useAgentState } from './consistency-field.tsx'
import { DeadlineField, deadlineValue, noneGiven } from './deadline-field.tsx'
import { acknowledgeIt, DisksSection } from './disks-section.tsx'
import { useLiveVm } from './use-live.ts'

interface Props {
  vm: VirtualMachine
  onClose: () => void
}

/** Takes a snapshot of one VM. */
export function TakeSnapshotDialog({ vm: given, onClose }: Props) {
  const vm = useLiveVm(given)
  const { namespace } = vm.metadata
  const snapshots = useObjects(VirtualMachineSnapshot, namespace).items
  const right = useAllowed({
    verb: 'create',
    group: 'snapshot.kubevirt.io',
    resource: 'virtualmachinesnapshots',
    namespace,
  })
  const [name, setName] = useState(() => defaultSnapshotName(given, new Date()))
  const [description, setDescription] = useState('')
  const [consistency, setConsistency] = useState<Consistency>('Preferred')
  const [deadline, setDeadline] = useState(noneGiven)
  const [acknowledged, setAcknowledged] = useState(false)
  const agent = useAgentState(vm, snapshotsOf(vm, snapshots).own)

  const nameProblem = whyNotName(name, new Set(snapshots.map(({ metadata }) => metadata.name)))
  const { value, error: deadlineProblem } = deadlineValue(deadline)
  const object = takeSnapshotObject({ vm, name, description, deadline: value, consistency })
  const take = async (): Promise<void> => {
    void followSnapshot(await create(VirtualMachineSnapshot, object))
    onClose()
  }
  return (
    <ActionDialog
      title="Take snapshot"
      submitLabel="Save"
      onSubmit={take}
      onClose={onClose}
      focus="#name"
      command={commandFor({ do: 'create', object })}
      disabledReason={
        right.reason ??
        whyNotTake(vm) ??
        (nameProblem !== undefined || deadlineProblem !== undefined ? correctIt : undefined) ??
        (disksOf(vm).needsAcknowledgement && !acknowledged ? acknowledgeIt : undefined)
      }
    >
      {vm.status?.printableStatus === 'Running' ? (
        <Alert isInline variant="info" title="Taking snapshot of running VirtualMachine." component="h2" />
      ) : null}
      <TextField id="name" label="Name" isRequired value={name} onChange={setName} problem={nameProblem} />
      <TextField id="description" label="Description" multiline value={description} onChange={setDescription} />
      <ConsistencyField value={consistency} onChange={setConsistency} state={agent} />
      <DeadlineField deadline={deadline} onChange={setDeadline} />
      <DisksSection vm={vm} acknowledged={acknowledged} onAcknowledge={setAcknowledged} />
    </ActionDialog>
  )
}
