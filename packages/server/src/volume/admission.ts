import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import { failure, type StatusError } from '@stillpoint/api/meta/status-error'
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  StorageClass,
  VolumeSnapshot,
} from '@stillpoint/api/storage/kinds'
import {
  claimFinalizer,
  defaultClassAnnotation,
  provisioningAnnotation,
  snapshotFinalizer,
  volumeFinalizer,
} from './keys.ts'

/** The parts of the API server's admission that the rules below use; the server's own types fit them. */
interface Call {
  operation: 'CREATE' | 'UPDATE' | 'DELETE'
  object: KubeObject
  oldObject?: KubeObject
  subresource?: 'status'
  user: { groups: readonly string[] }
  read: { list(group: string, plural: string, namespace?: string): readonly KubeObject[] }
}
interface Rule {
  group: string
  resource: string
  operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[]
  admit(call: Call): KubeObject | undefined
}

interface Cause {
  field: string
  reason: 'FieldValueRequired' | 'FieldValueInvalid' | 'FieldValueForbidden'
  message: string
}

/** What a real API server does to storage objects as they are written, as far as clients rely on it. */
export const volumeAdmission: readonly Rule[] = [
  { group: '', resource: 'persistentvolumeclaims', operations: ['CREATE'], admit: createClaim },
  { group: '', resource: 'persistentvolumeclaims', operations: ['UPDATE'], admit: updateClaim },
  { group: '', resource: 'persistentvolumes', operations: ['CREATE'], admit: createVolume },
  { group: '', resource: 'persistentvolumes', operations: ['UPDATE'], admit: updateVolume },
  // Ours from birth, so that the finalizer costs no write while a guest is frozen.
  {
    group: 'snapshot.storage.k8s.io',
    resource: 'volumesnapshots',
    operations: ['CREATE'],
    admit: ({ object }) => withFinalizer(object as VolumeSnapshot, snapshotFinalizer),
  },
]

function createClaim({ object, read, user }: Call): PersistentVolumeClaim {
  const claim = withFinalizer(object as PersistentVolumeClaim, claimFinalizer)
  guardRecord(claim, undefined, user)
  const spec = normalizedSource({ ...claim.spec, volumeMode: claim.spec?.volumeMode ?? 'Filesystem' })
  const storageClassName = spec.storageClassName ?? defaultClass(read)
  const causes = validateClaim(spec)
  if (causes.length > 0) throw invalid(claim, causes)
  return {
    ...claim,
    spec: { ...spec, ...(storageClassName === undefined ? {} : { storageClassName }) },
    status: { phase: 'Pending' },
  }
}

function defaultClass(read: Call['read']): string | undefined {
  const classes = read.list('storage.k8s.io', 'storageclasses') as readonly StorageClass[]
  return classes
    .filter(({ metadata }) => metadata.annotations?.[defaultClassAnnotation] === 'true')
    .toSorted(
      (a, b) =>
        (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
        a.metadata.name.localeCompare(b.metadata.name),
    )[0]?.metadata.name
}

/**
 * `dataSource` and `dataSourceRef` say the same unless the latter can say more. A `dataSource` of a kind that no volume
 * is made from is dropped, as in Kubernetes.
 */
export function normalizedSource(spec: PersistentVolumeClaimSpec): PersistentVolumeClaimSpec {
  const { dataSource, dataSourceRef, ...rest } = spec
  if (dataSourceRef) {
    const mirrored = dataSourceRef.namespace === undefined && isVolumeSource(dataSourceRef) ? dataSourceRef : undefined
    const both = dataSource ?? mirrored
    return { ...rest, ...(both ? { dataSource: both } : {}), dataSourceRef }
  }
  if (!dataSource || !isVolumeSource(dataSource)) return rest
  return { ...rest, dataSource, dataSourceRef: dataSource }
}

function isVolumeSource({ apiGroup = '', kind }: { apiGroup?: string | undefined; kind: string }): boolean {
  return (
    (apiGroup === '' && kind === 'PersistentVolumeClaim') ||
    (apiGroup === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot')
  )
}

const accessModes = ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']

function validateClaim(spec: PersistentVolumeClaimSpec): Cause[] {
  const causes: Cause[] = []
  const modes = spec.accessModes ?? []
  if (modes.length === 0)
    causes.push({
      field: 'spec.accessModes',
      reason: 'FieldValueRequired',
      message: 'Required value: at least 1 access mode is required',
    })
  for (const mode of modes)
    if (!accessModes.includes(mode))
      causes.push({
        field: 'spec.accessModes',
        reason: 'FieldValueInvalid',
        message: `Unsupported value: "${mode}": supported values: ${accessModes
          .toSorted()
          .map((each) => `"${each}"`)
          .join(', ')}`,
      })
  if (modes.includes('ReadWriteOncePod') && modes.length > 1)
    causes.push({
      field: 'spec.accessModes',
      reason: 'FieldValueForbidden',
      message: 'Forbidden: may not use ReadWriteOncePod with other access modes',
    })
  const requested = spec.resources?.requests?.storage
  const size = requested === undefined ? undefined : parseQuantity(String(requested))
  if (requested === undefined)
    causes.push({ field: 'spec.resources[storage]', reason: 'FieldValueRequired', message: 'Required value' })
  else if (size === undefined || size <= 0)
    causes.push({
      field: 'spec.resources[storage]',
      reason: 'FieldValueInvalid',
      message: `Invalid value: "${requested}": must be greater than zero`,
    })
  if (!['Filesystem', 'Block'].includes(spec.volumeMode ?? ''))
    causes.push({
      field: 'spec.volumeMode',
      reason: 'FieldValueInvalid',
      message: `Unsupported value: "${spec.volumeMode}": supported values: "Block", "Filesystem"`,
    })
  const { dataSource, dataSourceRef } = spec
  if (dataSource && dataSourceRef && canonical(dataSource) !== canonical(dataSourceRef))
    causes.push({
      field: 'spec',
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${canonical(dataSource)}: must match dataSourceRef`,
    })
  return causes
}

function updateClaim({ object, oldObject, subresource, user, read }: Call): undefined {
  const claim = object as PersistentVolumeClaim
  const old = oldObject as PersistentVolumeClaim | undefined
  if (!old) return
  guardRecord(claim, old, user)
  if (subresource !== undefined) return
  const before = frozenPart(old.spec, old)
  const after = frozenPart(claim.spec, old)
  if (canonical(before) !== canonical(after))
    throw invalid(claim, [
      {
        field: 'spec',
        reason: 'FieldValueForbidden',
        message: `Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${difference(before, after)}`,
      },
    ])
  checkResize(claim, old, read)
}

/** What of a spec must stay. A class and a volume may be given once to a claim that has none. */
function frozenPart(spec: PersistentVolumeClaimSpec | undefined, old: PersistentVolumeClaim): Record<string, unknown> {
  const { resources, volumeAttributesClassName, volumeName, storageClassName, ...rest } = spec ?? {}
  const bound = old.status?.phase === 'Bound'
  return {
    ...rest,
    ...(old.spec?.volumeName ? { volumeName } : {}),
    ...(old.spec?.storageClassName === undefined ? {} : { storageClassName }),
    limits: resources?.limits,
    ...(bound ? {} : { requests: resources?.requests, volumeAttributesClassName }),
  }
}

function checkResize(claim: PersistentVolumeClaim, old: PersistentVolumeClaim, read: Call['read']): void {
  const sizeOf = (text: unknown): number => parseQuantity(String(text ?? '0')) ?? 0
  const wanted = sizeOf(claim.spec?.resources?.requests?.storage)
  const previous = sizeOf(old.spec?.resources?.requests?.storage)
  if (wanted === previous) return
  if (wanted < sizeOf(old.status?.capacity?.storage))
    throw invalid(claim, [
      {
        field: 'spec.resources.requests.storage',
        reason: 'FieldValueForbidden',
        message: 'Forbidden: field can not be less than status.capacity',
      },
    ])
  const storageClass = (read.list('storage.k8s.io', 'storageclasses') as readonly StorageClass[]).find(
    ({ metadata }) => metadata.name === old.spec?.storageClassName,
  )
  if (wanted > previous && storageClass?.allowVolumeExpansion !== true)
    throw failure(
      403,
      'Forbidden',
      `persistentvolumeclaims "${claim.metadata.name}" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize`,
      { name: claim.metadata.name, kind: 'persistentvolumeclaims' },
    )
}

/** The record names volumes and snapshots of the driver: who may forge it could reach the data of others. */
function guardRecord(claim: PersistentVolumeClaim, old: PersistentVolumeClaim | undefined, user: Call['user']): void {
  const text = claim.metadata.annotations?.[provisioningAnnotation]
  if (text === undefined || text === old?.metadata.annotations?.[provisioningAnnotation]) return
  if (user.groups.includes('system:masters')) return
  throw invalid(claim, [
    {
      field: `metadata.annotations[${provisioningAnnotation}]`,
      reason: 'FieldValueForbidden',
      message: 'Forbidden: is written by the volume controller only',
    },
  ])
}

function createVolume({ object }: Call): PersistentVolume {
  const volume = withFinalizer(object as PersistentVolume, volumeFinalizer)
  return {
    ...volume,
    spec: { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem', ...volume.spec },
    status: { phase: 'Pending' },
  }
}

function updateVolume({ object, oldObject, subresource }: Call): undefined {
  const volume = object as PersistentVolume
  const old = oldObject as PersistentVolume | undefined
  if (!old || subresource !== undefined || canonical(volume.spec?.csi) === canonical(old.spec?.csi)) return
  throw invalid(volume, [
    {
      field: 'spec.persistentvolumesource',
      reason: 'FieldValueForbidden',
      message: `Forbidden: spec.persistentvolumesource is immutable after creation\n${difference({ csi: old.spec?.csi }, { csi: volume.spec?.csi })}`,
    },
  ])
}

function withFinalizer<T extends KubeObject>(object: T, finalizer: string): T {
  const finalizers = object.metadata.finalizers ?? []
  if (finalizers.includes(finalizer)) return object
  return { ...object, metadata: { ...object.metadata, finalizers: [...finalizers, finalizer] } }
}

function invalid({ apiVersion, kind, metadata }: KubeObject, causes: readonly Cause[]): StatusError {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`)
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : undefined
  const message = `${kind} "${metadata.name}" is invalid: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`
  const of = { name: metadata.name, kind, ...(group === undefined ? {} : { group }) }
  return failure(422, 'Invalid', message, { ...of, causes: [...causes] })
}

function difference(before: Record<string, unknown>, after: Record<string, unknown>): string {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => canonical(before[key]) !== canonical(after[key]),
  )
  return keys.map((key) => `- ${key}: ${canonical(before[key])}\n+ ${key}: ${canonical(after[key])}`).join('\n')
}

/** JSON with sorted keys, so that equal values are equal texts. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, each: unknown) =>
      each !== null && typeof each === 'object' && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : each,
    ) ?? 'null'
  )
}
