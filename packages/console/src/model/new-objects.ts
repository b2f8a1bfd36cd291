import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { OwnerReference } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import {
  type Consistency,
  consistencyAnnotation,
  expiresAtAnnotation,
  type Origin,
  originLabel,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { cloneName } from './names.ts'

export interface SnapshotChoices {
  vm: VirtualMachine
  name: string
  description?: string | undefined
  /** `spec.failureDeadline`; without it the server's default. */
  deadline?: string | undefined
  consistency?: Consistency | undefined
  /** When it is deleted by itself. */
  expiresAt?: Date | undefined
  origin?: Origin | undefined
}

/** The snapshot that the dialog "Take snapshot" creates. */
export function takeSnapshotObject(choices: SnapshotChoices): VirtualMachineSnapshot {
  const { vm, name, description, deadline, consistency, expiresAt, origin = 'manual' } = choices
  const annotations: Record<string, string> = {
    ...(description ? { description } : {}),
    // The default is left to whoever reads it, as with snapshots made elsewhere.
    ...(consistency === undefined || consistency === 'Preferred' ? {} : { [consistencyAnnotation]: consistency }),
    ...(expiresAt === undefined ? {} : { [expiresAtAnnotation]: expiresAt.toISOString() }),
  }
  return objectOf(
    VirtualMachineSnapshot,
    {
      name,
      ...namespaceOf(vm),
      labels: { [originLabel]: origin },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...ownersOf(vm),
    },
    {
      spec: {
        source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: vm.metadata.name },
        ...(deadline === undefined ? {} : { failureDeadline: deadline }),
      },
    },
  )
}

/** With the VM its snapshots go, and none of them holds it up. */
function ownersOf({ apiVersion, kind, metadata }: VirtualMachine): { ownerReferences?: OwnerReference[] } {
  const { name, uid } = metadata
  return uid === undefined ? {} : { ownerReferences: [{ apiVersion, kind, name, uid, blockOwnerDeletion: false }] }
}

function namespaceOf({ metadata }: { metadata: { namespace?: string } }): { namespace?: string } {
  return metadata.namespace === undefined ? {} : { namespace: metadata.namespace }
}

export interface CloneChoices {
  snapshot: VirtualMachineSnapshot
  /** Name of the new VM. */
  name: string
  description?: string | undefined
  start: boolean
  now: Date
}

/** The clone that the dialog "Create VirtualMachine from snapshot" creates. */
export function cloneObject({ snapshot, name, description, start, now }: CloneChoices): VirtualMachineClone {
  const patches = [
    ...(description ? [{ op: 'add', path: '/metadata/annotations/description', value: description }] : []),
    ...(start ? startPatches : []),
  ].map((patch) => JSON.stringify(patch))
  return objectOf(
    VirtualMachineClone,
    { name: cloneName(name, now.getTime()), ...namespaceOf(snapshot) },
    {
      spec: {
        source: {
          apiGroup: 'snapshot.kubevirt.io',
          kind: 'VirtualMachineSnapshot',
          name: snapshot.metadata.name,
        },
        target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name },
        volumeNamePolicy: 'PrefixTargetName',
        ...(patches.length === 0 ? {} : { patches }),
      },
    },
  )
}

/**
 * A captured VM has `running` or `runStrategy`, and never both. Which one is not known here, and only what is there can
 * be removed: so it is added first.
 */
const startPatches = [
  { op: 'add', path: '/spec/running', value: true },
  { op: 'remove', path: '/spec/running' },
  { op: 'add', path: '/spec/runStrategy', value: 'Always' },
]
