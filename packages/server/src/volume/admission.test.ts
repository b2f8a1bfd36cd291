import { StatusError } from '@stillpoint/api/meta/status-error'
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '@stillpoint/api/storage/kinds'
import { expect, test } from 'vitest'
import { normalizedSource, volumeAdmission } from './admission.ts'
import { provisioningAnnotation } from './keys.ts'

const standard = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'd',
}
const read = { list: () => [standard] }
const admin = { groups: ['system:masters'] }
const valid: PersistentVolumeClaimSpec = {
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: '1Gi' } },
}
const claimOf = (
  spec: PersistentVolumeClaimSpec,
  more: Partial<PersistentVolumeClaim> = {},
): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'disk', namespace: 'default' },
  spec,
  ...more,
})

function admit(
  operation: 'CREATE' | 'UPDATE',
  object: PersistentVolumeClaim,
  oldObject?: PersistentVolumeClaim,
  user: { groups: string[] } = admin,
) {
  const rule = volumeAdmission.find(
    ({ resource, operations }) => resource === 'persistentvolumeclaims' && operations.includes(operation),
  )
  return rule?.admit({ operation, object, ...(oldObject ? { oldObject } : {}), user, read }) as PersistentVolumeClaim
}

function refusal(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(StatusError)
    return (error as Error).message
  }
  throw new Error('it was not refused')
}

test('a new claim gets its mode, the default class, and protection', () => {
  const claim = admit('CREATE', claimOf(valid))
  expect(claim.spec).toMatchObject({ volumeMode: 'Filesystem', storageClassName: 'standard' })
  expect(claim.metadata.finalizers).toEqual(['kubernetes.io/pvc-protection'])
  expect(claim.status).toEqual({ phase: 'Pending' })
})

test('an empty class means none', () => {
  expect(admit('CREATE', claimOf({ ...valid, storageClassName: '' })).spec?.storageClassName).toBe('')
})

const { accessModes: _, ...modeless } = valid
test.each<[string, PersistentVolumeClaimSpec, RegExp]>([
  ['no access mode', modeless, /spec\.accessModes: Required value: at least 1 access mode is required/],
  ['no size', { accessModes: ['ReadWriteOnce'] }, /spec\.resources\[storage\]: Required value/],
  ['a size of nothing', { ...valid, resources: { requests: { storage: '0' } } }, /must be greater than zero/],
  [
    'two different sources',
    {
      ...valid,
      dataSource: { kind: 'PersistentVolumeClaim', name: 'a' },
      dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'b' },
    },
    /must match dataSourceRef/,
  ],
])('a claim with %s is refused', (_, spec, text) => expect(refusal(() => admit('CREATE', claimOf(spec)))).toMatch(text))

const snapshot = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 's' }
test.each<[string, PersistentVolumeClaimSpec, PersistentVolumeClaimSpec]>([
  ['a dataSource is mirrored', { dataSource: snapshot }, { dataSource: snapshot, dataSourceRef: snapshot }],
  ['a dataSourceRef is mirrored', { dataSourceRef: snapshot }, { dataSource: snapshot, dataSourceRef: snapshot }],
  [
    'one in another namespace is not',
    { dataSourceRef: { ...snapshot, namespace: 'n' } },
    { dataSourceRef: { ...snapshot, namespace: 'n' } },
  ],
  ['a dataSource of another kind is dropped', { dataSource: { kind: 'ConfigMap', name: 'c' } }, {}],
  [
    'a dataSourceRef of another kind is kept',
    { dataSourceRef: { kind: 'ConfigMap', name: 'c' } },
    { dataSourceRef: { kind: 'ConfigMap', name: 'c' } },
  ],
])('%s', (_, given, wanted) => expect(normalizedSource(given)).toEqual(wanted))

const pending = claimOf(
  { ...valid, storageClassName: 'standard', volumeMode: 'Block' },
  { status: { phase: 'Pending' } },
)
const bound = claimOf(
  { ...pending.spec, volumeName: 'pv' },
  { status: { phase: 'Bound', capacity: { storage: '1Gi' } } },
)
test('a specification does not change', () => {
  const changed = claimOf({ ...pending.spec, volumeMode: 'Filesystem' })
  expect(refusal(() => admit('UPDATE', changed, pending))).toContain(
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
  )
})

test('a volume is given once', () => {
  expect(() => admit('UPDATE', bound, pending)).not.toThrow()
  expect(refusal(() => admit('UPDATE', claimOf({ ...bound.spec, volumeName: 'other' }), bound))).toContain('immutable')
})

test('a bound claim does not shrink, nor grow where its class does not', () => {
  const sized = (storage: string) => claimOf({ ...bound.spec, resources: { requests: { storage } } })
  expect(refusal(() => admit('UPDATE', sized('1Mi'), bound))).toContain('field can not be less than status.capacity')
  expect(refusal(() => admit('UPDATE', sized('2Gi'), bound))).toContain('must support resize')
})

test('only a controller writes down what the driver was asked for', () => {
  const forged = claimOf(valid)
  forged.metadata.annotations = { [provisioningAnnotation]: '{}' }
  expect(refusal(() => admit('CREATE', forged, undefined, { groups: ['system:authenticated'] }))).toContain('Forbidden')
})
