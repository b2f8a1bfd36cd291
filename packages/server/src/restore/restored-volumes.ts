import type { VirtualMachine, VirtualMachineSpec, Volume } from '@stillpoint/api/kubevirt/kinds'
import { type OwnerReference, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { formatBytes, parseQuantity } from '@stillpoint/api/meta/quantity'
import { objectOf } from '@stillpoint/api/schema/resource'
import {
  contentTypeAnnotation,
  lastRestoreUidAnnotation,
  ownedByVmAnnotation,
  persistentStateLabel,
  populatedForAnnotation,
  restoredFromVmNameLabel,
  restoredFromVmNamespaceLabel,
  restoreNameAnnotation,
} from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore, VirtualMachineSnapshotContent, VolumeBackup } from '@stillpoint/api/snapshot/kinds'
import { lastRestoreUid, restoredClaimName, shorten } from '@stillpoint/api/snapshot/names'
import { PersistentVolumeClaim, type VolumeSnapshot } from '@stillpoint/api/storage/kinds'

export type RestoreEntry = NonNullable<NonNullable<VirtualMachineRestore['status']>['restores']>[number]

export interface CapturedVm {
  name: string
  namespace: string | undefined
  uid: string | undefined
  metadata: Record<string, unknown>
  spec: VirtualMachineSpec
}

/** The VM in a content; undefined when the content holds none. */
export function capturedVmOf(content: VirtualMachineSnapshotContent): CapturedVm | undefined {
  const captured = content.spec.source.virtualMachine
  const metadata = captured?.metadata as { name?: string; namespace?: string; uid?: string } | null | undefined
  if (captured?.spec === undefined || !metadata?.name) return undefined
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    uid: metadata.uid,
    metadata: metadata as Record<string, unknown>,
    spec: captured.spec,
  }
}

export function markOf(restore: VirtualMachineRestore): string {
  return lastRestoreUid(restore.metadata.name, uidOf(restore))
}

/** Made by this very restore; a name alone proves nothing. */
export function isMadeBy(
  object: { metadata: { annotations?: Record<string, string> } },
  restore: VirtualMachineRestore,
): boolean {
  return object.metadata.annotations?.[lastRestoreUidAnnotation] === markOf(restore)
}

export type PlannedVolumes = { entries: RestoreEntry[] } | { refused: string }

interface PlanInput {
  restore: VirtualMachineRestore
  content: VirtualMachineSnapshotContent
  captured: CapturedVm
  target: VirtualMachine | undefined
  claimOf: (name: string) => PersistentVolumeClaim | undefined
  /** Claims the target stands on now. */
  claimsOfTarget: ReadonlySet<string>
}

/** Which claim each volume is restored to. Refuses what would touch data that is not the target's own. */
export function planVolumes(input: PlanInput): PlannedVolumes {
  const { restore, content, captured, target, claimOf, claimsOfTarget } = input
  const { volumeRestorePolicy: policy, volumeRestoreOverrides: overrides = [] } = restore.spec
  const entries: RestoreEntry[] = []
  const backups = (content.spec.volumeBackups ?? []).filter(
    ({ volumeName }) => volumeOf(captured.spec, volumeName)?.memoryDump === undefined,
  )
  const unknown = overrides.find(({ volumeName }) => !backups.some((backup) => backup.volumeName === volumeName))
  if (unknown)
    return {
      refused: `volumeRestoreOverrides names volume "${unknown.volumeName}", which the snapshot does not contain`,
    }
  if (policy === 'InPlace' && target !== undefined && target.metadata.name !== captured.name)
    return { refused: `volumeRestorePolicy InPlace works only for the VM that was snapshotted, ${captured.name}` }

  for (const backup of backups) {
    const { volumeName, volumeSnapshotName } = backup
    if (!volumeSnapshotName) return { refused: `volume ${volumeName} of the snapshot names no VolumeSnapshot` }
    const override = overrides.find((candidate) => candidate.volumeName === volumeName && candidate.restoreName)
    const name = override?.restoreName ?? claimNameFor(input, backup)
    const existing = claimOf(name)
    if (existing !== undefined && !isMadeBy(existing, restore)) {
      if (policy !== 'InPlace')
        return {
          refused: `PVC ${name} for volume ${volumeName} exists and does not belong to this restore; choose another name`,
        }
      if (!claimsOfTarget.has(name))
        return { refused: `PVC ${name} for volume ${volumeName} is not used by the target VM, so it is not replaced` }
    }
    const twin = entries.find(({ persistentVolumeClaim }) => persistentVolumeClaim === name)
    if (twin) return { refused: `volumes ${twin.volumeName} and ${volumeName} would both be restored to PVC ${name}` }
    const templated = templateOf(captured.spec, volumeName) !== undefined
    const owner = existing?.metadata.ownerReferences?.find(
      ({ controller, kind }) => controller && kind === 'DataVolume',
    )
    const dataVolumeName = templated ? name : policy === 'InPlace' ? owner?.name : undefined
    entries.push({
      volumeName,
      persistentVolumeClaim: name,
      volumeSnapshotName,
      ...(dataVolumeName === undefined ? {} : { dataVolumeName }),
    })
  }
  return { entries }
}

function claimNameFor({ restore, claimOf }: PlanInput, { volumeName, persistentVolumeClaim }: VolumeBackup): string {
  const uid = uidOf(restore)
  const { volumeRestorePolicy: policy, target } = restore.spec
  if (policy === 'InPlace') return (persistentVolumeClaim.metadata as { name?: string } | undefined)?.name ?? volumeName
  if (policy === 'PrefixTargetName') {
    const name = shorten(target.name, volumeName)
    const taken = claimOf(name)
    // An earlier restore's disk has that name, and the VM may stand on it.
    return taken === undefined || isMadeBy(taken, restore)
      ? name
      : shorten(target.name, `${volumeName}-${uid.slice(0, 8)}`)
  }
  return restoredClaimName(uid, volumeName)
}

export function volumeOf(spec: VirtualMachineSpec, name: string): Volume | undefined {
  return spec.template.spec.volumes?.find((volume) => volume.name === name)
}

/** The dataVolumeTemplate behind a volume, if that is where its disk comes from. */
export function templateOf(spec: VirtualMachineSpec, volumeName: string) {
  const dataVolume = volumeOf(spec, volumeName)?.dataVolume?.name
  return dataVolume === undefined
    ? undefined
    : spec.dataVolumeTemplates?.find(({ metadata }) => metadata.name === dataVolume)
}

const droppedAnnotations = [
  'pv.kubernetes.io',
  // How the original was made is no business of the copy.
  'volume.stillpoint.dev',
  'volume.beta.kubernetes.io',
  'cdi.kubevirt.io',
  'volume.kubernetes.io',
  'k8s.io/CloneRequest',
  'k8s.io/CloneOf',
]

/** The claim a volume is restored to: spec snapshot-restore (d.6). */
export function restoredClaim(input: {
  restore: VirtualMachineRestore
  captured: CapturedVm
  target: VirtualMachine | undefined
  backup: VolumeBackup
  entry: RestoreEntry
  volumeSnapshot: VolumeSnapshot
}): PersistentVolumeClaim {
  const { restore, captured, backup, entry, volumeSnapshot } = input
  const original = (backup.persistentVolumeClaim.metadata ?? {}) as {
    labels?: Record<string, string>
    annotations?: Record<string, string>
    ownerReferences?: OwnerReference[]
  }
  const spec = backup.persistentVolumeClaim.spec ?? {}
  const override = restore.spec.volumeRestoreOverrides?.find(({ volumeName }) => volumeName === entry.volumeName)
  const { [persistentStateLabel]: _, ...labels } = original.labels ?? {}
  const annotations = Object.fromEntries(
    Object.entries(original.annotations ?? {}).filter(
      ([key]) => key === contentTypeAnnotation || !droppedAnnotations.some((prefix) => key.startsWith(prefix)),
    ),
  )
  const dataSource = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: entry.volumeSnapshotName }
  const size = largerOf(spec.resources?.requests?.storage, volumeSnapshot.status?.restoreSize)
  const ownership = ownershipOf(input, original.ownerReferences)
  return objectOf(
    PersistentVolumeClaim,
    {
      name: entry.persistentVolumeClaim,
      namespace: restore.metadata.namespace ?? '',
      labels: {
        ...labels,
        ...labelOf(restoredFromVmNameLabel, captured.name),
        ...labelOf(restoredFromVmNamespaceLabel, captured.namespace),
        ...override?.labels,
      },
      annotations: {
        ...annotations,
        ...override?.annotations,
        // Last: a claim without these is nobody's, and would neither be used nor removed.
        [restoreNameAnnotation]: restore.metadata.name,
        [lastRestoreUidAnnotation]: markOf(restore),
        ...ownership.annotations,
      },
      ...(ownership.owner === undefined ? {} : { ownerReferences: [ownership.owner] }),
    },
    {
      spec: {
        ...(spec.accessModes === undefined ? {} : { accessModes: spec.accessModes }),
        ...(spec.storageClassName === undefined ? {} : { storageClassName: spec.storageClassName }),
        ...(spec.volumeMode === undefined ? {} : { volumeMode: spec.volumeMode }),
        resources: {
          ...spec.resources,
          ...(size === undefined ? {} : { requests: { ...spec.resources?.requests, storage: size } }),
        },
        dataSource,
        dataSourceRef: dataSource,
      },
    },
  )
}

/** Who owns a restored claim at creation, or what it says about its owner to be. */
function ownershipOf(
  {
    restore,
    captured,
    target,
    entry,
  }: {
    restore: VirtualMachineRestore
    captured: CapturedVm
    target: VirtualMachine | undefined
    entry: RestoreEntry
  },
  owners: readonly OwnerReference[] | undefined,
): { owner?: OwnerReference; annotations: Record<string, string> } {
  if (entry.dataVolumeName !== undefined) return { annotations: { [populatedForAnnotation]: entry.dataVolumeName } }
  if (restore.spec.volumeOwnershipPolicy === 'None') return { annotations: {} }
  if (target !== undefined) return { owner: ownedBy(target), annotations: {} }
  const owned = owners?.some(
    ({ kind, name, uid }) => kind === 'VirtualMachine' && name === captured.name && uid === captured.uid,
  )
  return { annotations: owned ? { [ownedByVmAnnotation]: restore.metadata.name } : {} }
}

/** A name too long for a label is left out: the label serves searches, the restore must not fail for it. */
function labelOf(key: string, value: string | undefined): Record<string, string> {
  return value === undefined || value.length > 63 ? {} : { [key]: value }
}

/** The larger of the captured request and what the storage needs. */
function largerOf(
  requested: string | number | undefined,
  needed: string | number | undefined,
): string | number | undefined {
  if (requested === undefined || needed === undefined) return requested ?? needed
  const [requestedBytes, neededBytes] = [parseQuantity(`${requested}`), parseQuantity(`${needed}`)]
  if (requestedBytes === undefined || neededBytes === undefined || neededBytes <= requestedBytes) return requested
  return typeof needed === 'number' ? formatBytes(needed) : needed
}
