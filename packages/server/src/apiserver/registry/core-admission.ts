import type { ConfigMap, Secret } from '@stillpoint/api/core/config'
import { storedSecret } from '@stillpoint/api/core/secret-data'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { accountAnnotation, tokenSecretType } from '../auth/token-secret.ts'
import { jsonEqual } from '../json.ts'
import type { Admission, AdmissionCall } from './admission.ts'
import { type FieldError, fieldError, invalid } from './errors.ts'
import { namespaceAdmission } from './namespace-admission.ts'

type Data = Record<string, string>
type StorageClass = KubeObject & Record<'provisioner' | 'parameters' | 'reclaimPolicy' | 'volumeBindingMode', unknown>
type Lease = KubeObject & { spec?: { leaseDurationSeconds?: number; leaseTransitions?: number } }

const dataLimitBytes = 1024 * 1024
const dataKeyPattern = /^[-._a-zA-Z0-9]{1,253}$/
const dataKeyText =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
const requiredKeys: Record<string, readonly string[]> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
}
const writes = ['CREATE', 'UPDATE'] as const

/** What a real server's own code for these kinds does, beyond their schemas. */
export const coreAdmission: readonly Admission[] = [
  namespaceAdmission,
  { group: '', resource: 'configmaps', operations: writes, admit: admitConfigMap },
  { group: '', resource: 'secrets', operations: writes, admit: admitSecret },
  { group: 'storage.k8s.io', resource: 'storageclasses', operations: ['UPDATE'], admit: admitStorageClass },
  { group: 'coordination.k8s.io', resource: 'leases', operations: writes, admit: admitLease },
]

function admitConfigMap({ object, oldObject }: AdmissionCall): undefined {
  const { data = {}, binaryData = {} } = object as ConfigMap
  const both = Object.keys(data).filter((key) => Object.hasOwn(binaryData, key))
  refuse('configmaps', object, [
    ...badKeys('data', data),
    ...badKeys('binaryData', binaryData),
    ...both.map((key) => fieldError('invalid', `data[${key}]`, 'duplicate of key present in binaryData', key)),
    ...tooLarge('', [data, binaryData]),
    ...frozen(object as ConfigMap, oldObject as ConfigMap | undefined, ['data', 'binaryData', 'immutable']),
  ])
}

function admitSecret({ object, oldObject }: AdmissionCall): Secret {
  const secret = storedSecret(object as Secret)
  const before = oldObject as Secret | undefined
  const { type = '', data = {} } = secret
  refuse('secrets', object, [
    ...badKeys('data', data),
    ...tooLarge('data', [data]),
    ...(before && before.type !== type ? [fieldError('invalid', 'type', 'field is immutable', type)] : []),
    ...(Object.hasOwn(requiredKeys, type) ? (requiredKeys[type] ?? []) : [])
      .filter((key) => !Object.hasOwn(data, key))
      .map((key) => fieldError('required', `data[${key}]`, '')),
    ...(type === tokenSecretType && !object.metadata.annotations?.[accountAnnotation]
      ? [fieldError('required', `metadata.annotations[${accountAnnotation}]`, '')]
      : []),
    ...frozen(secret, before, ['data', 'immutable']),
  ])
  return secret
}

function admitStorageClass({ object, oldObject }: AdmissionCall): undefined {
  if (!oldObject) return
  const [now, before] = [object as StorageClass, oldObject as StorageClass]
  const changed = (field: keyof StorageClass) => !jsonEqual(now[field], before[field])
  const updatesForbidden = (['parameters', 'provisioner', 'reclaimPolicy'] as const)
    .filter(changed)
    .map((field) => fieldError('forbidden', field, `updates to ${field} are forbidden.`))
  const mode = 'volumeBindingMode'
  refuse('storageclasses', object, [
    ...updatesForbidden,
    ...(changed(mode) ? [fieldError('invalid', mode, 'field is immutable', now[mode])] : []),
  ])
}

function admitLease({ object }: AdmissionCall): undefined {
  const { leaseDurationSeconds: duration, leaseTransitions: transitions } = (object as Lease).spec ?? {}
  refuse('leases', object, [
    ...(duration !== undefined && duration <= 0
      ? [fieldError('invalid', 'spec.leaseDurationSeconds', 'must be greater than 0', duration)]
      : []),
    ...(transitions !== undefined && transitions < 0
      ? [fieldError('invalid', 'spec.leaseTransitions', 'must be greater than or equal to 0', transitions)]
      : []),
  ])
}

function badKeys(field: string, data: Data): FieldError[] {
  return Object.keys(data)
    .filter((key) => !dataKeyPattern.test(key) || key === '.' || key.startsWith('..'))
    .map((key) => fieldError('invalid', `${field}[${key}]`, dataKeyText, key))
}

function tooLarge(field: string, maps: readonly Data[]): FieldError[] {
  const bytes = maps.flatMap((data) => Object.values(data)).reduce((sum, value) => sum + Buffer.byteLength(value), 0)
  return bytes > dataLimitBytes ? [fieldError('tooLong', field, `may not be more than ${dataLimitBytes} bytes`)] : []
}

function frozen<T extends { immutable?: boolean | undefined }>(
  now: T,
  before: T | undefined,
  fields: (keyof T & string)[],
): FieldError[] {
  if (before?.immutable !== true) return []
  return fields
    .filter((field) => !jsonEqual(now[field], before[field]))
    .map((field) => fieldError('forbidden', field, 'field is immutable when `immutable` is set'))
}

function refuse(plural: string, { apiVersion, kind, metadata }: KubeObject, errors: readonly FieldError[]): void {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  if (errors.length > 0) throw invalid({ group, plural, kind }, metadata.name, errors)
}
