import { type ObjectMeta, ownedBy } from '@stillpoint/api/meta/object-meta'
import { formatBytes, parseQuantity } from '@stillpoint/api/meta/quantity'
import { objectOf } from '@stillpoint/api/schema/resource'
import { contentTypeAnnotation } from '@stillpoint/api/snapshot/keys'
import type { DataVolume, StorageProfile } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim, type PersistentVolumeClaimSpec } from '@stillpoint/api/storage/kinds'
import {
  containerizedDataImporterLabel,
  createdForDataVolumeAnnotation,
  importCertsAnnotation,
  importChecksumAnnotation,
  importEndpointAnnotation,
  importHeaderAnnotationPrefix,
  importInsecureAnnotation,
  importSecretAnnotation,
  importSourceAnnotation,
  layersDriver,
  podPhaseAnnotation,
  podReadyAnnotation,
  podRestartsAnnotation,
  preallocationAnnotation,
  uploadTargetAnnotation,
} from '../keys.ts'
import type { SourceKind } from './plan.ts'

/** What a volume is filled from, with what that takes of the specification. */
export type Source =
  | { kind: 'blank' | 'upload' | 'none' }
  | { kind: 'http'; annotations: Record<string, string> }
  | { kind: 'pvc' | 'snapshot'; namespace?: string; name: string }

/** Space a file system needs for itself, as a part of the claim: what an image of the asked size does not get. */
export const filesystemOverhead = (provisioner: string | undefined): number => (provisioner === layersDriver ? 0 : 0.06)

/** The source of a DataVolume, or why it cannot be followed. */
export function sourceOf({ spec }: DataVolume): Source | { refused: string } {
  if ((spec.pvc === undefined) === (spec.storage === undefined))
    return { refused: 'exactly one of spec.pvc and spec.storage must be set' }
  if ((spec.contentType ?? 'kubevirt') !== 'kubevirt')
    return { refused: `spec.contentType '${spec.contentType}' is not supported; leave it out or use 'kubevirt'` }
  if (spec.sourceRef) return { refused: `spec.sourceRef to a ${spec.sourceRef.kind} is not supported; use spec.source` }
  const { source } = spec
  if (!source) return fromDataSource(spec.pvc ?? spec.storage)
  const [kind, ...more] = Object.keys(source).filter((key) => source[key] !== undefined)
  if (kind === undefined || more.length > 0) return { refused: 'exactly one source must be set in spec.source' }
  if (source.blank) return { kind: 'blank' }
  if (source.upload) return { kind: 'upload' }
  if (source.pvc) return { kind: 'pvc', ...named(source.pvc) }
  if (source.snapshot) return { kind: 'snapshot', ...named(source.snapshot) }
  if (source.http) return fromHttp(source.http)
  return { refused: `spec.source.${kind} is not supported; use blank, http, upload, pvc or snapshot` }
}

export function kindOf(source: Source): SourceKind {
  return source.kind === 'none' ? 'blank' : source.kind
}

function named({ name, namespace }: { name: string; namespace?: string | undefined }) {
  return { name, ...(namespace === undefined ? {} : { namespace }) }
}

function fromDataSource(
  spec: { dataSource?: unknown; dataSourceRef?: unknown } | undefined,
): Source | { refused: string } {
  const given = spec?.dataSourceRef ?? spec?.dataSource
  return given ? { kind: 'none' } : { refused: 'spec.source must be set: blank, http, upload, pvc or snapshot' }
}

function fromHttp(http: Record<string, unknown> & { url: string }): Source | { refused: string } {
  const { url, secretRef, certConfigMap, extraHeaders, secretExtraHeaders, checksum, insecureSkipVerify } = http
  if (!URL.canParse(url) || !['http:', 'https:', 'file:'].includes(new URL(url).protocol))
    return { refused: `spec.source.http.url must be an http://, https:// or file:// address, not '${url}'` }
  if (Array.isArray(secretExtraHeaders) && secretExtraHeaders.length > 0)
    return { refused: 'spec.source.http.secretExtraHeaders is not supported; use secretRef or extraHeaders' }
  const annotations: Record<string, string> = { [importSourceAnnotation]: 'http', [importEndpointAnnotation]: url }
  if (typeof secretRef === 'string') annotations[importSecretAnnotation] = secretRef
  if (typeof certConfigMap === 'string') annotations[importCertsAnnotation] = certConfigMap
  if (typeof checksum === 'string') annotations[importChecksumAnnotation] = checksum
  if (insecureSkipVerify === true) annotations[importInsecureAnnotation] = 'true'
  if (Array.isArray(extraHeaders))
    for (const [index, header] of extraHeaders.entries())
      annotations[`${importHeaderAnnotationPrefix}${String(index).padStart(3, '0')}`] = String(header)
  return { kind: 'http', annotations }
}

export interface Surroundings {
  defaultClassName?: string
  provisionerOf(className: string): string | undefined
  profileOf(className: string): StorageProfile | undefined
  /** Size of the claim or snapshot the volume is made from. */
  sourceBytes?: number
}

/** The claim a DataVolume asks for, or why there can be none. */
export function claimFor(
  dataVolume: DataVolume,
  source: Source,
  surroundings: Surroundings,
): { claim: PersistentVolumeClaim } | { refused: string } {
  const spec = claimSpec(dataVolume, source, surroundings)
  if ('refused' in spec) return spec
  const { metadata } = dataVolume
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...annotations } = metadata.annotations ?? {}
  const claimMetadata: ObjectMeta = {
    name: metadata.name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    labels: { ...metadata.labels, [containerizedDataImporterLabel]: 'containerized-data-importer' },
    annotations: {
      ...annotations,
      [contentTypeAnnotation]: 'kubevirt',
      [podRestartsAnnotation]: '0',
      [preallocationAnnotation]: 'false',
      [createdForDataVolumeAnnotation]: metadata.uid ?? '',
      ...fillAnnotations(source),
    },
    ownerReferences: [ownedBy(dataVolume)],
  }
  return { claim: objectOf(PersistentVolumeClaim, claimMetadata, spec) }
}

/** What tells `fills/` that there is something to write into the volume. */
function fillAnnotations(source: Source): Record<string, string> {
  const waiting = { [podPhaseAnnotation]: 'Pending', [podReadyAnnotation]: 'false' }
  if (source.kind === 'http') return { ...source.annotations, ...waiting }
  if (source.kind === 'upload') return { [uploadTargetAnnotation]: '', ...waiting }
  if (source.kind === 'blank') return { [importSourceAnnotation]: 'none', ...waiting }
  return {}
}

function claimSpec(
  { spec, metadata }: DataVolume,
  source: Source,
  surroundings: Surroundings,
): { spec: PersistentVolumeClaimSpec } | { refused: string } {
  const given = spec.pvc ?? spec.storage ?? {}
  const className = given.storageClassName ?? surroundings.defaultClassName
  const sized = spec.storage ? sizedForImage(spec.storage, className, surroundings) : { ...spec.pvc }
  const bytes = parseQuantity(String(sized.resources?.requests?.storage ?? ''))
  const { sourceBytes } = surroundings
  if (bytes === undefined) return { refused: 'spec.storage.resources.requests.storage must be set to a size' }
  if (sourceBytes !== undefined && bytes < sourceBytes)
    return {
      refused: `the asked ${formatBytes(bytes)} are less than the ${formatBytes(sourceBytes)} of the source; ask for at least as much`,
    }
  return {
    spec: {
      ...sized,
      ...(className === undefined ? {} : { storageClassName: className }),
      ...dataSourceFor(source, metadata.namespace),
    } as PersistentVolumeClaimSpec,
  }
}

function sizedForImage(
  storage: NonNullable<DataVolume['spec']['storage']>,
  className: string | undefined,
  { profileOf, provisionerOf, sourceBytes }: Surroundings,
): PersistentVolumeClaimSpec {
  const [preferred] = (className === undefined ? undefined : profileOf(className)?.status?.claimPropertySets) ?? []
  const { accessModes, volumeMode } = (preferred ?? {}) as { accessModes?: string[]; volumeMode?: string }
  const mode = storage.volumeMode ?? volumeMode ?? 'Filesystem'
  const requests = { ...storage.resources?.requests }
  requests.storage ??= sourceBytes === undefined ? '' : formatBytes(sourceBytes)
  const imageBytes = parseQuantity(String(requests.storage))
  const overhead = filesystemOverhead(className === undefined ? undefined : provisionerOf(className))
  // The asked size is that of the disk the guest sees; a file system takes its part on top.
  if (
    imageBytes !== undefined &&
    mode === 'Filesystem' &&
    overhead > 0 &&
    storage.resources?.requests?.storage !== undefined
  )
    requests.storage = `${Math.ceil(imageBytes / (1 - overhead))}`
  return {
    ...storage,
    accessModes: storage.accessModes ?? accessModes ?? ['ReadWriteOnce'],
    volumeMode: mode,
    resources: { ...storage.resources, requests },
  }
}

function dataSourceFor(source: Source, namespace: string | undefined): PersistentVolumeClaimSpec {
  if (source.kind !== 'pvc' && source.kind !== 'snapshot') return {}
  const elsewhere = source.namespace !== undefined && source.namespace !== namespace
  const reference = {
    ...(source.kind === 'snapshot' ? { apiGroup: 'snapshot.storage.k8s.io' } : {}),
    kind: source.kind === 'snapshot' ? 'VolumeSnapshot' : 'PersistentVolumeClaim',
    name: source.name,
  }
  return elsewhere
    ? { dataSourceRef: { ...reference, namespace: source.namespace } }
    : { dataSource: reference, dataSourceRef: reference }
}
