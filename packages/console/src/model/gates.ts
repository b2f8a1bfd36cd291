import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { effectiveRunStrategy, type VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { beforeRestoreAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { retainsContent } from '@stillpoint/api/snapshot/rules'
import { utcTime } from './format.ts'
import { isActive, isUsable } from './restores.ts'

// Why an action cannot be done now: one rule each for menus, dialogs and cards. Undefined when it can.

/** A VM need not be off, nor exist: a restore stops it when asked to, and creates it when it is gone. */
export function whyNotRestore(
  vm: VirtualMachine | undefined,
  snapshot: VirtualMachineSnapshot,
  restores: readonly VirtualMachineRestore[],
): string | undefined {
  const unusable = whyUnusable(snapshot)
  if (unusable !== undefined) return unusable
  const { namespace, name } = vm?.metadata ?? {
    namespace: snapshot.metadata.namespace,
    name: snapshot.spec.source.name,
  }
  if (vm?.metadata.deletionTimestamp !== undefined) return `The virtual machine ${name} is being deleted`
  const active = restores.find(
    (restore) => isActive(restore) && restore.metadata.namespace === namespace && restore.spec.target.name === name,
  )
  const restore = vm?.status?.restoreInProgress || active?.metadata.name
  if (restore) return `The restore ${restore} is in progress`
  const taking = vm?.status?.snapshotInProgress
  return taking ? `The snapshot ${taking} is being taken` : undefined
}

/** A clone replaces nothing, so only the snapshot counts. */
export function whyNotCreateVm(snapshot: VirtualMachineSnapshot): string | undefined {
  return whyUnusable(snapshot)
}

/** Snapshots of a VM wait for each other; while it is restored there is nothing worth taking. */
export function whyNotTake({ metadata, status }: VirtualMachine): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return 'The virtual machine is being deleted'
  return status?.restoreInProgress ? `The restore ${status.restoreInProgress} is in progress` : undefined
}

function whyUnusable({ metadata, status }: VirtualMachineSnapshot): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return 'The snapshot is being deleted'
  const { phase, error } = status ?? {}
  const because = error?.message === undefined ? '' : `: ${error.message}`
  if (phase === 'Failed') return `The snapshot failed${because}`
  if (!phase || phase === 'InProgress') return `The snapshot is still being taken${because}`
  if (phase !== 'Succeeded') return `The snapshot is in the state ${phase}`
  return status?.readyToUse === true ? undefined : `The snapshot is not ready to use${because}`
}

export interface DeleteImpact {
  /** What cannot be had any more, a sentence each. */
  lost: string[]
  /** Who stands on it now. */
  inUse: string[]
  /** Why it must not be deleted now. */
  blocked?: string
}

/** What the deletion of a snapshot takes away. */
export function deleteImpact(
  snapshot: VirtualMachineSnapshot,
  {
    restores,
    clones,
    snapshots,
  }: {
    restores: readonly VirtualMachineRestore[]
    clones: readonly VirtualMachineClone[]
    snapshots: readonly VirtualMachineSnapshot[]
  },
): DeleteImpact {
  const { name, namespace } = snapshot.metadata
  const here = <T extends { metadata: { namespace?: string } }>(objects: readonly T[]): T[] =>
    objects.filter(({ metadata }) => metadata.namespace === namespace)
  const inUse = [
    ...here(restores)
      .filter((restore) => restore.spec.virtualMachineSnapshotName === name && isActive(restore))
      .map(({ metadata, spec }) => `The restore ${metadata.name} of ${spec.target.name}`),
    ...here(clones)
      .filter((clone) => readsSnapshot(clone, name))
      .map(({ metadata, spec, status }) => {
        const target = status?.targetName ?? spec.target?.name
        return `The clone ${metadata.name}${target ? ` to ${target}` : ''}`
      }),
  ]
  const undone = here(restores)
    .filter(({ metadata, status }) => status?.complete && metadata.annotations?.[beforeRestoreAnnotation] === name)
    .map(({ metadata }) => `The restore ${metadata.name} can no longer be undone`)
  const lost = [...whatIsHeld(snapshot, here(snapshots)), ...undone]
  if (inUse.length === 0) return { lost, inUse }
  return { lost, inUse, blocked: `It is being read. Wait until this has ended: ${inUse.join(', ')}` }
}

function whatIsHeld(snapshot: VirtualMachineSnapshot, others: readonly VirtualMachineSnapshot[]): string[] {
  const { spec, status } = snapshot
  const vm = spec.source.name
  if (!status?.phase || status.phase === 'InProgress') return ['It is still being taken, and is given up']
  if (status.phase !== 'Succeeded') return []
  const point = `The state of ${vm} of ${utcTime(status.creationTime ?? snapshot.metadata.creationTimestamp)}`
  const kept = `Its content ${status.virtualMachineSnapshotContentName ?? ''} is kept (deletionPolicy ${spec.deletionPolicy}), but nothing can be restored from it here`
  const last = !others.some(
    (other) => other.metadata.name !== snapshot.metadata.name && isUsable(other) && isOfSameVm(other, snapshot),
  )
  return [
    retainsContent(snapshot) ? kept : point,
    ...(last && isUsable(snapshot) ? [`The last usable snapshot of ${vm}`] : []),
  ]
}

function isOfSameVm(a: VirtualMachineSnapshot, b: VirtualMachineSnapshot): boolean {
  return a.spec.source.name === b.spec.source.name && a.status?.sourceUID === b.status?.sourceUID
}

/** One that has succeeded may still read it: until all disks of the copy are filled it names the snapshot. */
function readsSnapshot({ spec, status }: VirtualMachineClone, name: string): boolean {
  if (spec.source.kind !== 'VirtualMachineSnapshot' || spec.source.name !== name) return false
  if (status?.phase === 'Failed') return false
  return status?.phase !== 'Succeeded' || status.snapshotName === name
}

export interface VmAction {
  id: 'start' | 'stop' | 'restart' | 'pause' | 'unpause'
  label: string
  disabledReason?: string
}

const runningWords = new Set(['Running', 'Paused', 'Migrating'])

/** What can be done about whether a VM runs, and why not: the rules of the actions of the API. */
export function vmActions(vm: VirtualMachine): VmAction[] {
  const { status, metadata } = vm
  const word = status?.printableStatus ?? 'Stopped'
  const strategy = effectiveRunStrategy(vm.spec)
  const byItself = strategy === 'Always' || strategy === 'Once'
  const live = runningWords.has(word) || word === 'Starting' || status?.created === true
  const stopping = word === 'Stopping' ? 'It is stopping' : undefined
  const notRunning = live ? undefined : 'It is not running'

  const whyNot: Record<VmAction['id'], string | undefined> = {
    start:
      stopping ??
      (word === 'Starting' ? 'It is starting already' : live ? 'It is running already' : undefined) ??
      (byItself ? `It starts by itself: its run strategy is ${strategy}` : undefined),
    stop: stopping ?? (byItself ? undefined : notRunning),
    restart:
      stopping ?? notRunning ?? (strategy === 'Once' ? 'Its run strategy Once does not start it again' : undefined),
    pause:
      stopping ??
      notRunning ??
      (word === 'Paused' ? 'It is paused already' : word === 'Running' ? undefined : `It is ${word}`),
    unpause: stopping ?? notRunning ?? (word === 'Paused' ? undefined : 'It is not paused'),
  }
  const held =
    metadata.deletionTimestamp !== undefined
      ? 'It is being deleted'
      : status?.snapshotInProgress
        ? `The snapshot ${status.snapshotInProgress} is being taken`
        : status?.restoreInProgress
          ? `The restore ${status.restoreInProgress} is in progress`
          : undefined
  const labels = { start: 'Start', stop: 'Stop', restart: 'Restart', pause: 'Pause', unpause: 'Unpause' } as const
  return (Object.keys(labels) as VmAction['id'][]).map((id) => {
    const disabledReason = held ?? whyNot[id]
    return { id, label: labels[id], ...(disabledReason === undefined ? {} : { disabledReason }) }
  })
}
