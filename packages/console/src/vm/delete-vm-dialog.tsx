import { Alert, Button, Checkbox, Content, FormGroup } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { type ReactNode, useMemo, useState } from 'react'
import { patch, remove } from '../kube/client.ts'
import { useObjects } from '../kube/use-objects.ts'
import { claimSize } from '../model/claims.ts'
import { commandsFor } from '../model/commands.ts'
import { consistencyShown } from '../model/consistency.ts'
import { type Belonging, belongingsOf, planVmDeletion, vmDeletionSteps } from '../model/delete-vm.ts'
import { snapshotStatus } from '../model/snapshot-status.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { Loading } from '../ui/states.tsx'
import { Timestamp } from '../ui/timestamp.tsx'

interface Props {
  vm: VirtualMachine
  onClose: () => void
  onDeleted?: () => void
}

const kinds: readonly ResourceDefinition[] = [DataVolume, PersistentVolumeClaim, VirtualMachineSnapshot]

/** Deletes a VM, and of its disks and snapshots those that are ticked. */
export function DeleteVmDialog({ vm, onClose, onDeleted }: Props) {
  const { namespace, name } = vm.metadata
  const claims = useObjects(PersistentVolumeClaim, namespace)
  const dataVolumes = useObjects(DataVolume, namespace)
  const snapshots = useObjects(VirtualMachineSnapshot, namespace)
  /** What the user has said; all else is as proposed. */
  const [said, setSaid] = useState<ReadonlyMap<string, boolean>>(new Map())
  const lists = [claims, dataVolumes, snapshots]
  // A list that may not be read has nothing to tick; who cannot see a disk cannot keep it.
  const known = lists.every(({ status, complete }) => status === 'forbidden' || (status === 'ready' && complete))
  const hidden = lists.some(({ status }) => status === 'forbidden' || status === 'failed')
  const belongings = useMemo(
    () => belongingsOf(vm, { claims: claims.items, dataVolumes: dataVolumes.items, snapshots: snapshots.items }),
    [vm, claims.items, dataVolumes.items, snapshots.items],
  )
  const isDeleted = ({ key, deleted }: Belonging): boolean => said.get(key) ?? deleted
  const plan = planVmDeletion(vm, belongings, new Set(belongings.filter(isDeleted).map(({ key }) => key)))
  const say = (which: readonly Belonging[], deleted: boolean): void =>
    setSaid(new Map([...said, ...which.map(({ key }) => [key, deleted] as const)]))

  const submit = async (): Promise<void> => {
    for (const { object, ownerReferences } of plan.detach) {
      const { resourceVersion, uid } = object.metadata
      await patch(kindOf(object), object, { metadata: { uid, resourceVersion, ownerReferences } })
    }
    await remove(VirtualMachine, vm)
    for (const object of plan.remove) await removeOnce(object)
    onClose()
    onDeleted?.()
  }

  return (
    <ActionDialog
      title="Delete VirtualMachine?"
      submitLabel="Delete"
      isDanger
      onSubmit={submit}
      onClose={onClose}
      disabledReason={known || hidden ? undefined : 'What belongs to it is still being looked up.'}
      command={commandsFor(vmDeletionSteps(vm, plan))}
    >
      <Content component="p">
        <strong>{name}</strong> in namespace <strong>{namespace}</strong> is switched off and deleted. This cannot be
        undone.
      </Content>
      {vm.status?.snapshotInProgress || vm.status?.restoreInProgress ? (
        <Alert
          isInline
          variant="warning"
          component="h2"
          title={`${vm.status.restoreInProgress ? 'A restore into it' : 'A snapshot of it'} is in progress and is given up.`}
        />
      ) : null}
      {hidden ? (
        <Alert
          isInline
          variant="warning"
          component="h2"
          title="You may not see all disks and snapshots: those that it owns are deleted with it."
        />
      ) : null}
      {known || hidden ? (
        <>
          <Group
            label="Disks to delete with it"
            belongings={belongings.filter(({ kind }) => kind === 'disk')}
            isDeleted={isDeleted}
            onSay={say}
            describe={(object) => <DiskText object={object} claims={claims.items} />}
          >
            A disk that is not ticked stays as it is, with its data.
          </Group>
          <Group
            label="Snapshots to delete with it"
            belongings={belongings.filter(({ kind }) => kind === 'snapshot')}
            isDeleted={isDeleted}
            onSay={say}
            describe={(object) => <SnapshotText snapshot={object as VirtualMachineSnapshot} />}
          >
            Snapshots made in the console are owned by the VirtualMachine and would be deleted with it, as by kubectl
            delete. Those not ticked are detached first and stay: the VirtualMachine can be made again from them.
          </Group>
        </>
      ) : (
        <Loading what="disks and snapshots" />
      )}
    </ActionDialog>
  )
}

interface GroupProps {
  label: string
  belongings: readonly Belonging[]
  isDeleted: (belonging: Belonging) => boolean
  onSay: (which: readonly Belonging[], deleted: boolean) => void
  describe: (object: KubeObject) => ReactNode
  children: ReactNode
}

function Group({ label, belongings, isDeleted, onSay, describe, children }: GroupProps) {
  if (belongings.length === 0) return null
  return (
    <FormGroup role="group" label={label} fieldId={label.replaceAll(' ', '-')}>
      <Content component="small">{children}</Content>
      {belongings.map((belonging) => (
        <Checkbox
          key={belonging.key}
          id={belonging.key.replaceAll(' ', '-')}
          label={belonging.object.metadata.name}
          description={describe(belonging.object)}
          isChecked={isDeleted(belonging)}
          onChange={(_, on) => onSay([belonging], on)}
        />
      ))}
      {belongings.length > 1 ? (
        <div>
          <Button variant="link" isInline onClick={() => onSay(belongings, true)}>
            Tick all
          </Button>
          {' · '}
          <Button variant="link" isInline onClick={() => onSay(belongings, false)}>
            Keep all
          </Button>
        </div>
      ) : null}
    </FormGroup>
  )
}

function DiskText({ object, claims }: { object: KubeObject; claims: readonly PersistentVolumeClaim[] }) {
  const claim = claims.find(({ metadata }) => metadata.name === object.metadata.name)
  return [object.kind, claim && claimSize(claim)].filter((part) => part !== undefined).join(', ')
}

function SnapshotText({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const { label } = snapshotStatus(snapshot, new Date())
  const text = label === 'Succeeded' ? consistencyShown(snapshot).label : label
  return (
    <>
      <Timestamp at={snapshot.metadata.creationTimestamp} />, {text}
    </>
  )
}

function kindOf({ kind }: KubeObject): ResourceDefinition {
  const definition = kinds.find((each) => each.kind === kind)
  if (!definition) throw new Error(`${kind} is no kind of disk or snapshot`)
  return definition
}

/** What is gone already, for example with another one, is as wanted. */
async function removeOnce(object: KubeObject): Promise<void> {
  try {
    await remove(kindOf(object), object)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
