import { identityPatches } from '@stillpoint/api/clone/identity-patches'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { OwnerReference } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { beforeRestoreAnnotation, startTargetAnnotation } from '@stillpoint/api/snapshot/keys'
import {
  type ReadinessPolicy,
  VirtualMachineRestore,
  type VirtualMachineSnapshot,
  type VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { relativeTime, utcTime } from './format.ts'
import { beforeRestoreName, cloneNameFor, restoreName } from './names.ts'
import { takeSnapshotObject } from './new-objects.ts'

export { cloneObject, takeSnapshotObject } from './new-objects.ts'

export const namings = ['InPlace', 'PrefixTargetName', 'RandomizeNames'] as const
export type Naming = (typeof namings)[number]

export interface RestoreChoices {
  /** The VM to bring back; undefined when it is gone, and is made again. */
  vm: VirtualMachine | undefined
  snapshot: VirtualMachineSnapshot
  now: Date
  /** Stop a running guest; otherwise the restore waits until somebody does. */
  stop: boolean
  startAfter: boolean
  /** Take a snapshot of what is replaced, to go back to. */
  keepCurrent: boolean
  mode: 'replace' | 'new'
  /** Name of the new VM. */
  newName?: string | undefined
  /** Names of the claims. Default `InPlace`, they stay what they were; of a VM that is gone, new ones. */
  naming?: Naming | undefined
  /** With it a new VM gets an identity of its own; without, it has the MAC addresses and UUID of the old one. */
  content?: VirtualMachineSnapshotContent | undefined
}

export interface RestorePlan {
  /** To be created first, and to be ready before the restore is created. */
  before?: VirtualMachineSnapshot
  restore: VirtualMachineRestore
}

/** How long the snapshot of what a restore replaced is kept. */
export const beforeRestoreKeptMs = 24 * 3_600_000

/** The objects that the dialog "Restore snapshot" creates. */
export function planRestore(choices: RestoreChoices): RestorePlan {
  const { vm, snapshot, now, startAfter } = choices
  const before = beforeRestore(choices)
  const annotations = {
    ...(startAfter ? { [startTargetAnnotation]: 'true' } : {}),
    ...(before === undefined ? {} : { [beforeRestoreAnnotation]: before.metadata.name }),
  }
  const { namespace } = snapshot.metadata
  const isNew = choices.mode === 'new'
  const name = isNew ? (choices.newName ?? cloneNameFor(snapshot)) : snapshot.spec.source.name
  const ownerReferences = isNew ? [] : ownersFor(vm, snapshot)
  const patches = isNew ? newIdentity(choices.content) : []
  const restore = objectOf(
    VirtualMachineRestore,
    {
      name: restoreName(snapshot, now.getTime()),
      ...(namespace === undefined ? {} : { namespace }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(ownerReferences.length === 0 ? {} : { ownerReferences }),
    },
    {
      spec: {
        target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name },
        virtualMachineSnapshotName: snapshot.metadata.name,
        targetReadinessPolicy: readiness(choices),
        volumeRestorePolicy: namingFor(choices),
        ...(patches.length === 0 ? {} : { patches }),
      },
    },
  )
  return before === undefined ? { restore } : { before, restore }
}

/** A new VM cannot have the claims of the old one, and claims that outlived their VM are not replaced in place. */
function namingFor({ mode, naming, vm }: RestoreChoices): Naming {
  if (mode === 'new') return naming === undefined || naming === 'InPlace' ? 'PrefixTargetName' : naming
  return naming ?? (vm === undefined ? 'PrefixTargetName' : 'InPlace')
}

/**
 * `StopTarget` only when a person agreed to it. Else it waits, without end: who wants to shut down the guest by hand
 * takes the time that takes, the lock is not held meanwhile, and giving up is deleting the restore. A new VM is not
 * waited for: one of that name that runs is somebody else's.
 */
function readiness({ mode, stop }: RestoreChoices): ReadinessPolicy {
  if (mode === 'new') return 'FailImmediate'
  return stop ? 'StopTarget' : 'WaitEventually'
}

function beforeRestore({ vm, snapshot, now, keepCurrent, mode }: RestoreChoices): VirtualMachineSnapshot | undefined {
  if (!keepCurrent || mode === 'new' || vm === undefined) return undefined
  return takeSnapshotObject({
    vm,
    name: beforeRestoreName(vm, now),
    description: `State of ${vm.metadata.name} before it was restored to ${snapshot.metadata.name}`,
    expiresAt: new Date(now.getTime() + beforeRestoreKeptMs),
    origin: 'before-restore',
  })
}

/**
 * As those of the snapshot, but no VM other than the target: what belongs to a VM that is gone, or that it is not to
 * change, goes with it.
 */
function ownersFor(vm: VirtualMachine | undefined, { metadata }: VirtualMachineSnapshot): OwnerReference[] {
  return (metadata.ownerReferences ?? []).filter(
    ({ kind, uid }) => kind !== 'VirtualMachine' || (uid !== undefined && uid === vm?.metadata.uid),
  )
}

function newIdentity(content: VirtualMachineSnapshotContent | undefined): string[] {
  const captured = content?.spec.source.virtualMachine?.spec
  return captured === undefined ? [] : identityPatches({}, captured).map((patch) => JSON.stringify(patch))
}

export interface RestoreText {
  question: string
  /** The moment it goes back to: absolute, and how long ago. */
  when: string
  ago: string
  /** The disks that go back. */
  disks: string[]
  /** What is replaced. */
  replaced: string
  /** What becomes of the present state when it is kept, and when not. */
  kept: string
  notKept: string
}

/** What the dialog "Restore snapshot" says. */
export function restoreText(vm: VirtualMachine | undefined, snapshot: VirtualMachineSnapshot, now: Date): RestoreText {
  const target = vm?.metadata.name ?? snapshot.spec.source.name
  const time = snapshot.status?.creationTime ?? snapshot.metadata.creationTimestamp
  const when = utcTime(time)
  const ago = relativeTime(time, now)
  const disks = snapshot.status?.snapshotVolumes?.includedVolumes ?? []
  const where = disks.length === 0 ? 'to the definition of the virtual machine' : `on ${disks.join(', ')}`
  const name = beforeRestoreName({ metadata: { name: target } }, now)
  return {
    question: `Restore ${target} from the snapshot ${snapshot.metadata.name}?`,
    when,
    ago,
    disks,
    replaced:
      vm === undefined
        ? `${target} does not exist any more and is created as it was at ${when} (${ago}).`
        : `Changes made since ${when} (${ago}) ${where} will be replaced.`,
    kept: `The current state is kept as “${name}” for 24 h, and Undo goes back to it.`,
    notKept: 'The current state is not kept. Take a snapshot of it first if it may be wanted again.',
  }
}
