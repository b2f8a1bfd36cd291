import type { OwnerReference } from '@stillpoint/api/meta/object-meta'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { retainedClaimAnnotation, retainedForAnnotation, retainedPolicyAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import {
  type PersistentVolume,
  PersistentVolumeClaim,
  type PersistentVolumeClaimSpec,
} from '@stillpoint/api/storage/kinds'

// A claim that is replaced in place has to go before the new one can have its name. Its volume stays meanwhile: with the
// policy Retain, and a note of the claim it belongs to.
//
//   Bound to the old claim ─retain─→ Released ─→ new claim bound: release ─→ the volume's own policy again
//                                        └─→ given up: rebind ─→ old claim made again ─→ bound: release

/** What is written on the old volume about the claim that stood on it. */
interface ClaimNote {
  name: string
  namespace: string
  volumeName: string
  dataVolumeName?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  spec: PersistentVolumeClaimSpec
}

export interface Retained {
  volume: PersistentVolume
  claim: ClaimNote
}

export function retainedFor({ metadata }: VirtualMachineRestore): string {
  return `${metadata.namespace}/${metadata.name}/${metadata.uid}`
}

/** `namespace/name` of the restore that a volume is retained for. */
export function restoreOfRetained({ metadata }: PersistentVolume): string | undefined {
  const [namespace, name] = metadata.annotations?.[retainedForAnnotation]?.split('/') ?? []
  return namespace && name ? `${namespace}/${name}` : undefined
}

/** The note on a volume that is retained for this very restore. */
export function retainedOf(volume: PersistentVolume, restore: VirtualMachineRestore): Retained | undefined {
  const { annotations } = volume.metadata
  if (annotations?.[retainedForAnnotation] !== retainedFor(restore)) return undefined
  return { volume, claim: JSON.parse(annotations[retainedClaimAnnotation] ?? '') as ClaimNote }
}

// How the claim came to its volume is not true of one that is bound to it by name.
const dropped = ['pv.kubernetes.io/', 'volume.beta.kubernetes.io/', 'volume.kubernetes.io/', 'volume.stillpoint.dev/']

/** Keeps a volume when its claim goes, and notes the claim so that it can be made again. */
export function retainPatch(
  volume: PersistentVolume,
  { metadata, spec }: PersistentVolumeClaim,
  restore: VirtualMachineRestore,
  dataVolumeName: string | undefined,
): object {
  const note: ClaimNote = {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    volumeName: volume.metadata.name,
    ...(dataVolumeName === undefined ? {} : { dataVolumeName }),
    ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
    annotations: Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(([key]) => !dropped.some((prefix) => key.startsWith(prefix))),
    ),
    ...(metadata.ownerReferences === undefined ? {} : { ownerReferences: metadata.ownerReferences }),
    spec: spec ?? {},
  }
  return {
    metadata: {
      uid: uidOf(volume),
      resourceVersion: volume.metadata.resourceVersion,
      annotations: {
        [retainedForAnnotation]: retainedFor(restore),
        [retainedPolicyAnnotation]: volume.spec?.persistentVolumeReclaimPolicy ?? 'Delete',
        [retainedClaimAnnotation]: JSON.stringify(note),
      },
    },
    spec: { persistentVolumeReclaimPolicy: 'Retain' },
  }
}

/** Reserves the volume for a claim of the old name, whichever comes. */
export function rebindPatch(volume: PersistentVolume): object {
  return {
    metadata: { uid: uidOf(volume), resourceVersion: volume.metadata.resourceVersion },
    spec: { claimRef: { uid: null, resourceVersion: null } },
  }
}

/** The old claim, to be bound to its old volume. */
export function claimAgain({ claim }: Retained): PersistentVolumeClaim {
  const { name, namespace, labels, annotations, ownerReferences, spec, volumeName } = claim
  return objectOf(
    PersistentVolumeClaim,
    {
      name,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
    { spec: { ...spec, volumeName } },
  )
}

/** Takes the note off; with `policy`, what becomes of the volume is again decided by its own. */
export function releasePatch(volume: PersistentVolume, { policy }: { policy: boolean }): object {
  return {
    metadata: {
      uid: uidOf(volume),
      annotations: {
        [retainedForAnnotation]: null,
        [retainedPolicyAnnotation]: null,
        [retainedClaimAnnotation]: null,
      },
    },
    ...(policy
      ? {
          spec: {
            persistentVolumeReclaimPolicy: volume.metadata.annotations?.[retainedPolicyAnnotation] ?? 'Retain',
          },
        }
      : {}),
  }
}
