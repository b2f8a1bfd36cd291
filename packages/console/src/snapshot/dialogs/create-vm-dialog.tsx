import { Checkbox } from '@patternfly/react-core'
import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { whyContentUnfit } from '@stillpoint/api/clone/rules'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useState } from 'react'
import { create } from '../../kube/client.ts'
import { useAllowed } from '../../kube/rights.ts'
import { useObjects } from '../../kube/use-objects.ts'
import { cloneStatus } from '../../model/clone-status.ts'
import { commandFor } from '../../model/commands.ts'
import { whyNotCreateVm } from '../../model/gates.ts'
import { cloneNameFor, whyNotName } from '../../model/names.ts'
import { cloneObject } from '../../model/restore-plan.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'
import { correctIt, TextField } from '../../ui/text-field.tsx'
import { followClone } from '../follow-clone.ts'
import { CapturedSummaryList } from './captured-summary-list.tsx'
import { CloneOutcome } from './clone-outcome.tsx'
import { useLiveSnapshot } from './use-live.ts'
import { useContent } from './use-restore-facts.ts'

interface Props {
  snapshot: VirtualMachineSnapshot
  onClose: () => void
}

/** Makes a new VM of a snapshot, and tells how far it is. */
export function CreateVmDialog({ snapshot: given, onClose }: Props) {
  const { namespace } = given.metadata
  const snapshot = useLiveSnapshot(given)
  const content = useContent(snapshot ?? given)
  const vms = useObjects(VirtualMachine, namespace).items
  const { group, plural: resource } = VirtualMachineClone
  const right = useAllowed({ verb: 'create', group, resource, namespace })
  const [name, setName] = useState(() => cloneNameFor(given))
  const [description, setDescription] = useState('')
  const [start, setStart] = useState(false)
  const [now] = useState(() => new Date())
  const [made, setMade] = useState<VirtualMachineClone>()
  const clones = useObjects(made && VirtualMachineClone, namespace).items
  const clone = clones.find(({ metadata }) => metadata.uid === made?.metadata.uid) ?? made

  const nameProblem = whyNotName(name, new Set(vms.map(({ metadata }) => metadata.name)))
  const object = cloneObject({ snapshot: given, name, description, start, now })
  const unfit = content.is === 'known' && content.value ? whyContentUnfit(object, content.value)?.text : undefined
  const close = (): void => {
    if (clone !== undefined && cloneStatus(clone).running) void followClone(clone)
    onClose()
  }
  return (
    <ActionDialog
      title="Create VirtualMachine from snapshot"
      submitLabel="Create"
      onSubmit={async () => setMade(await create(VirtualMachineClone, object))}
      onClose={close}
      focus="#clone-name"
      command={made === undefined ? commandFor({ do: 'create', object }) : undefined}
      disabledReason={
        right.reason ??
        (snapshot === undefined ? 'The snapshot has been deleted' : whyNotCreateVm(snapshot)) ??
        unfit ??
        (nameProblem === undefined ? undefined : correctIt)
      }
      outcome={clone === undefined ? undefined : <CloneOutcome clone={clone} />}
    >
      {made === undefined ? (
        <>
          <TextField id="clone-name" label="Name" isRequired value={name} onChange={setName} problem={nameProblem} />
          <TextField id="description" label="Description" multiline value={description} onChange={setDescription} />
          <Checkbox
            id="start-clone"
            label="Start VirtualMachine once created"
            isChecked={start}
            onChange={(_, checked) => setStart(checked)}
          />
        </>
      ) : null}
      <CapturedSummaryList snapshot={snapshot ?? given} content={content} />
    </ActionDialog>
  )
}
