import type { VirtualMachineSpec, Volume } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { ObjectMeta, OwnerReference } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { VirtualMachineRestore, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim, type PersistentVolumeClaimSpec, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { expect, test } from 'vitest'
import { capturedVmOf, type PlannedVolumes, planVolumes, type RestoreEntry, restoredClaim } from './restored-volumes.ts'

const namespace = 'ns'
const mark = { 'restore.kubevirt.io/lastRestoreUID': 'back-uid-1' }
const root = { name: 'root', persistentVolumeClaim: { claimName: 'root-claim' } }
const data = { name: 'data', dataVolume: { name: 'data-claim' } }
const templates = [{ metadata: { name: 'data-claim' }, spec: {} }]

function restoreOf(spec: Partial<VirtualMachineRestore['spec']> = {}, target = 'my-vm') {
  return objectOf(
    VirtualMachineRestore,
    { name: 'back', namespace, uid: 'uid-1' },
    {
      spec: {
        target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: target },
        virtualMachineSnapshotName: 'snap',
        targetReadinessPolicy: 'WaitGracePeriod',
        ...spec,
      },
    },
  )
}
const vmSpec = (volumes: Volume[], dataVolumeTemplates?: typeof templates): VirtualMachineSpec => ({
  runStrategy: 'Manual',
  template: { spec: { domain: { devices: {} }, volumes } },
  ...(dataVolumeTemplates === undefined ? {} : { dataVolumeTemplates }),
})
const targetOf = (name = 'my-vm') =>
  objectOf(VirtualMachine, { name, namespace, uid: 'vm-uid' }, { spec: vmSpec([root]) })

interface Claim {
  metadata?: Partial<ObjectMeta>
  spec?: PersistentVolumeClaimSpec
}
function contentOf(volumes: Volume[], { metadata, spec }: Claim = {}, dataVolumeTemplates?: typeof templates) {
  return objectOf(
    VirtualMachineSnapshotContent,
    { name: 'content', namespace },
    {
      spec: {
        source: {
          virtualMachine: {
            metadata: { name: 'my-vm', namespace, uid: 'vm-uid' },
            spec: vmSpec(volumes, dataVolumeTemplates),
          },
        },
        volumeBackups: volumes.map(({ name }) => ({
          volumeName: name,
          persistentVolumeClaim: { metadata: { name: `${name}-claim`, ...metadata }, spec: spec ?? {} },
          volumeSnapshotName: `vs-${name}`,
        })),
      },
    },
  )
}
const claimNamed = (name: string, metadata: Partial<ObjectMeta> = {}) =>
  objectOf(PersistentVolumeClaim, { name, namespace, ...metadata }, {})
const dataVolumeOwner = {
  apiVersion: 'cdi.kubevirt.io/v1beta1',
  kind: 'DataVolume',
  name: 'd',
  uid: 'd-uid',
  controller: true,
}

function entry(volumeName: string, persistentVolumeClaim: string, dataVolumeName?: string): RestoreEntry {
  return {
    volumeName,
    persistentVolumeClaim,
    volumeSnapshotName: `vs-${volumeName}`,
    ...(dataVolumeName === undefined ? {} : { dataVolumeName }),
  }
}

interface Plan {
  restore?: VirtualMachineRestore
  content?: ReturnType<typeof contentOf>
  claims?: PersistentVolumeClaim[]
  target?: VirtualMachine | undefined
  used?: string[]
}
const inPlace = { volumeRestorePolicy: 'InPlace' }
const prefixed = { volumeRestorePolicy: 'PrefixTargetName' }
const overrides = (...volumeRestoreOverrides: NonNullable<VirtualMachineRestore['spec']['volumeRestoreOverrides']>) =>
  restoreOf({ volumeRestoreOverrides })

const plans: Record<string, [Plan, PlannedVolumes]> = {
  'a.8 RandomizeNames: from the UID of the restore': [{}, { entries: [entry('root', 'restore-uid-1-root')] }],
  'a.8 InPlace: the name of the original claim': [
    { restore: restoreOf(inPlace), used: ['root-claim'] },
    { entries: [entry('root', 'root-claim')] },
  ],
  'a.8 PrefixTargetName: target and volume': [
    { restore: restoreOf(prefixed, 'copy') },
    { entries: [entry('root', 'copy-root')] },
  ],
  'a.8 an override beats the policy': [
    { restore: restoreOf({ ...prefixed, volumeRestoreOverrides: [{ volumeName: 'root', restoreName: 'mine' }] }) },
    { entries: [entry('root', 'mine')] },
  ],
  'a.8 the first override of a volume that has a name': [
    {
      restore: overrides(
        { volumeName: 'root', labels: {} },
        { volumeName: 'root', restoreName: 'first' },
        { volumeName: 'root', restoreName: 'second' },
      ),
    },
    { entries: [entry('root', 'first')] },
  ],
  'd.6-1 one entry per volume, with the DataVolume of a template': [
    { content: contentOf([root, data], {}, templates) },
    { entries: [entry('root', 'restore-uid-1-root'), entry('data', 'restore-uid-1-data', 'restore-uid-1-data')] },
  ],
  'd.6-1 a memory dump is left away': [
    { content: contentOf([root, { name: 'dump', memoryDump: { claimName: 'dump-claim' } }]) },
    { entries: [entry('root', 'restore-uid-1-root')] },
  ],
  'd.6-1 a DataVolume without template is none of the restored': [
    { content: contentOf([data]) },
    { entries: [entry('data', 'restore-uid-1-data')] },
  ],
  'd.6-1 a backup without VolumeSnapshot can never be restored': [
    {
      content: {
        ...contentOf([root]),
        spec: { ...contentOf([root]).spec, volumeBackups: [{ volumeName: 'root', persistentVolumeClaim: {} }] },
      },
    },
    { refused: 'volume root of the snapshot names no VolumeSnapshot' },
  ],
  'd.6-2 InPlace notes the DataVolume that controls the claim': [
    {
      restore: restoreOf(inPlace),
      content: contentOf([data]),
      claims: [claimNamed('data-claim', { ownerReferences: [dataVolumeOwner] })],
      used: ['data-claim'],
    },
    { entries: [entry('data', 'data-claim', 'd')] },
  ],
  'd.6-2 InPlace notes no other kind of owner': [
    {
      restore: restoreOf(inPlace),
      claims: [claimNamed('root-claim', { ownerReferences: [{ ...dataVolumeOwner, kind: 'VirtualMachine' }] })],
      used: ['root-claim'],
    },
    { entries: [entry('root', 'root-claim')] },
  ],
  'd.6-4 an override names claim and DataVolume of a template': [
    {
      restore: overrides({ volumeName: 'data', restoreName: 'mine' }),
      content: contentOf([data], {}, templates),
    },
    { entries: [entry('data', 'mine', 'mine')] },
  ],
  'd.6-4 InPlace keeps the name of the template': [
    {
      restore: restoreOf(inPlace),
      content: contentOf([data], {}, templates),
      claims: [claimNamed('data-claim', { ownerReferences: [dataVolumeOwner] })],
      used: ['data-claim'],
    },
    { entries: [entry('data', 'data-claim', 'data-claim')] },
  ],
  'd.6 W-12 a foreign claim of the name is refused': [
    {
      restore: overrides({ volumeName: 'root', restoreName: 'mine' }),
      claims: [claimNamed('mine', { annotations: { 'restore.kubevirt.io/lastRestoreUID': 'other' } })],
    },
    { refused: 'PVC mine for volume root exists and does not belong to this restore; choose another name' },
  ],
  'd.6 W-12 its own claim is taken again': [
    {
      restore: overrides({ volumeName: 'root', restoreName: 'mine' }),
      claims: [claimNamed('mine', { annotations: mark })],
    },
    { entries: [entry('root', 'mine')] },
  ],
  'd.6 W-12 a prefixed name that is taken gives way to another': [
    { restore: restoreOf(prefixed), claims: [claimNamed('my-vm-root')] },
    { entries: [entry('root', 'my-vm-root-uid-1')] },
  ],
  'd.6 W-13 InPlace replaces nothing that the target does not use': [
    { restore: restoreOf(inPlace), claims: [claimNamed('root-claim')], used: [] },
    { refused: 'PVC root-claim for volume root is not used by the target VM, so it is not replaced' },
  ],
  'd.6 W-13 InPlace is for the VM that was snapshotted': [
    { restore: restoreOf(inPlace, 'other'), target: targetOf('other') },
    { refused: 'volumeRestorePolicy InPlace works only for the VM that was snapshotted, my-vm' },
  ],
  'd.6 W-13 one claim for two volumes is refused': [
    {
      restore: overrides({ volumeName: 'root', restoreName: 'x' }, { volumeName: 'data', restoreName: 'x' }),
      content: contentOf([root, data]),
    },
    { refused: 'volumes root and data would both be restored to PVC x' },
  ],
  'd.6 W-13 an override of a volume that is not restored is refused': [
    { restore: overrides({ volumeName: 'dump', restoreName: 'x' }) },
    { refused: 'volumeRestoreOverrides names volume "dump", which the snapshot does not contain' },
  ],
}
test.each(Object.entries(plans))('%s', (_, [given, expected]) => {
  const { restore = restoreOf(), content = contentOf([root]), claims = [], used = [] } = given
  const captured = capturedVmOf(content)
  if (captured === undefined) throw new Error('the content has no VM')
  const target = 'target' in given ? given.target : targetOf()
  const planned = planVolumes({
    restore,
    content,
    captured,
    target,
    claimOf: (name) => claims.find(({ metadata }) => metadata.name === name),
    claimsOfTarget: new Set(used),
  })
  expect(planned).toEqual(expected)
})

interface Restored {
  restore?: VirtualMachineRestore
  claim?: Claim
  restoreSize?: string | number
  target?: VirtualMachine | undefined
  entry?: RestoreEntry
}
function restored(given: Restored): PersistentVolumeClaim {
  const { restore = restoreOf(), claim = {}, restoreSize } = given
  const content = contentOf([root], claim)
  const captured = capturedVmOf(content)
  const [backup] = content.spec.volumeBackups ?? []
  if (captured === undefined || backup === undefined) throw new Error('the content has no VM')
  const volumeSnapshot = objectOf(
    VolumeSnapshot,
    { name: 'vs-root', namespace },
    {
      spec: { source: {} },
      status: { readyToUse: true, ...(restoreSize === undefined ? {} : { restoreSize }) },
    },
  )
  return restoredClaim({
    restore,
    captured,
    target: 'target' in given ? given.target : targetOf(),
    backup,
    entry: given.entry ?? entry('root', 'new'),
    volumeSnapshot,
  })
}

const labels = {
  'restore.kubevirt.io/source-vm-name': 'my-vm',
  'restore.kubevirt.io/source-vm-namespace': 'ns',
}
const annotations = { 'restore.kubevirt.io/name': 'back', ...mark }
const request = (storage: string) => ({ spec: { resources: { requests: { storage } } } })
const ownedBySource: OwnerReference = {
  apiVersion: 'kubevirt.io/v1',
  kind: 'VirtualMachine',
  name: 'my-vm',
  uid: 'vm-uid',
}

const parts: Record<string, [Restored, pick: (claim: PersistentVolumeClaim) => unknown, expected: unknown]> = {
  'd.6-claim name': [{}, ({ metadata }) => [metadata.namespace, metadata.name], ['ns', 'new']],
  'd.6-claim labels: the captured ones but for the state, and where it comes from': [
    { claim: { metadata: { labels: { app: 'x', 'persistent-state-for': 'my-vm' } } } },
    ({ metadata }) => metadata.labels,
    { app: 'x', ...labels },
  ],
  'd.6-claim labels: those of the override on top': [
    {
      claim: { metadata: { labels: { app: 'x' } } },
      restore: overrides(
        { volumeName: 'other', labels: { app: 'no' } },
        { volumeName: 'root', labels: { app: 'y' } },
        { volumeName: 'root', labels: { app: 'z', late: 'z' } },
      ),
    },
    ({ metadata }) => metadata.labels,
    { app: 'y', ...labels },
  ],
  'd.6-claim annotations: the captured ones but for those of provisioners': [
    {
      claim: {
        metadata: {
          annotations: {
            keep: 'me',
            'pv.kubernetes.io/bind-completed': 'yes',
            'volume.beta.kubernetes.io/storage-provisioner': 'x',
            'volume.kubernetes.io/selected-node': 'x',
            'cdi.kubevirt.io/storage.condition.running': 'x',
            'cdi.kubevirt.io/storage.contentType': 'kubevirt',
            'k8s.io/CloneRequest': 'x',
            'k8s.io/CloneOf': 'x',
            'volume.stillpoint.dev/driver': 'x',
          },
        },
      },
    },
    ({ metadata }) => metadata.annotations,
    { keep: 'me', 'cdi.kubevirt.io/storage.contentType': 'kubevirt', ...annotations },
  ],
  'd.6-claim annotations: those of the first override on top': [
    {
      restore: overrides(
        { volumeName: 'root', annotations: { a: 'first' } },
        { volumeName: 'root', annotations: { a: 'second' } },
      ),
    },
    ({ metadata }) => metadata.annotations,
    { ...annotations, a: 'first' },
  ],
  'd.6-claim annotations: an override takes none of the marks away': [
    {
      restore: overrides({ volumeName: 'root', annotations: { 'restore.kubevirt.io/lastRestoreUID': 'x', b: 'y' } }),
    },
    ({ metadata }) => metadata.annotations,
    { ...annotations, b: 'y' },
  ],
  'd.6-claim access modes, storage class, volume mode and limits as captured': [
    {
      claim: {
        spec: {
          accessModes: ['ReadWriteMany'],
          storageClassName: 'fast',
          volumeMode: 'Block',
          resources: { limits: { storage: '9Gi' }, requests: { storage: '1Gi' } },
        },
      },
    },
    ({ spec }) => [spec?.accessModes, spec?.storageClassName, spec?.volumeMode, spec?.resources],
    [['ReadWriteMany'], 'fast', 'Block', { limits: { storage: '9Gi' }, requests: { storage: '1Gi' } }],
  ],
  'd.6-claim size: the captured request when it is larger': [
    { claim: request('2Gi'), restoreSize: '1Gi' },
    ({ spec }) => spec?.resources?.requests?.storage,
    '2Gi',
  ],
  'd.6-claim size: what the snapshot needs when that is larger': [
    { claim: request('1500M'), restoreSize: '1500Mi' },
    ({ spec }) => spec?.resources?.requests?.storage,
    '1500Mi',
  ],
  'd.6-claim size: the same in other units stays as it was captured': [
    { claim: request('1Gi'), restoreSize: 1_073_741_824 },
    ({ spec }) => spec?.resources?.requests?.storage,
    '1Gi',
  ],
  'd.6-claim size: a number of bytes is written as a quantity': [
    { claim: request('1Gi'), restoreSize: 2_147_483_648 },
    ({ spec }) => spec?.resources?.requests?.storage,
    '2Gi',
  ],
  'd.6-claim size: what the snapshot needs when none was captured': [
    { restoreSize: '1Gi' },
    ({ spec }) => spec?.resources?.requests?.storage,
    '1Gi',
  ],
  'd.6-claim size: the captured request when the snapshot does not say': [
    { claim: request('1Gi') },
    ({ spec }) => spec?.resources?.requests?.storage,
    '1Gi',
  ],
  'd.6-claim data source and its reference': [
    {},
    ({ spec }) => [spec?.dataSource, spec?.dataSourceRef],
    Array(2).fill({ apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'vs-root' }),
  ],
  'd.6-claim volume, selector and finalizers are not carried over': [
    {
      claim: {
        metadata: { finalizers: ['kubernetes.io/pvc-protection'], uid: 'old' },
        spec: { volumeName: 'pv', selector: { matchLabels: { a: 'b' } } },
      },
    },
    ({ metadata, spec }) => [metadata.finalizers, metadata.uid, spec?.volumeName, spec?.selector],
    [undefined, undefined, undefined, undefined],
  ],
  'd.6-owner of a DataVolume: none, it is adopted': [
    { entry: entry('root', 'new', 'new') },
    ({ metadata }) => [metadata.ownerReferences, metadata.annotations],
    [undefined, { ...annotations, 'cdi.kubevirt.io/storage.populatedFor': 'new' }],
  ],
  'd.6-owner of a template, with ownership None as well': [
    { entry: entry('root', 'new', 'new'), restore: restoreOf({ volumeOwnershipPolicy: 'None' }) },
    ({ metadata }) => metadata.annotations?.['cdi.kubevirt.io/storage.populatedFor'],
    'new',
  ],
  'd.6-owner with ownership None: none': [
    {
      restore: restoreOf({ volumeOwnershipPolicy: 'None' }),
      claim: { metadata: { ownerReferences: [ownedBySource] } },
    },
    ({ metadata }) => [metadata.ownerReferences, metadata.annotations],
    [undefined, annotations],
  ],
  'd.6-owner with ownership None and a new target: none to come': [
    {
      target: undefined,
      restore: restoreOf({ volumeOwnershipPolicy: 'None' }, 'copy'),
      claim: { metadata: { ownerReferences: [ownedBySource] } },
    },
    ({ metadata }) => [metadata.ownerReferences, metadata.annotations],
    [undefined, annotations],
  ],
  'd.6-owner a target that exists, W-36 whether or not the original was owned': [
    {},
    ({ metadata }) => metadata.ownerReferences,
    [
      {
        apiVersion: 'kubevirt.io/v1',
        kind: 'VirtualMachine',
        name: 'my-vm',
        uid: 'vm-uid',
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  ],
  'd.6-owner a new target, of a claim the source owned: to be given to it': [
    { target: undefined, claim: { metadata: { ownerReferences: [ownedBySource] } } },
    ({ metadata }) => [metadata.ownerReferences, metadata.annotations],
    [undefined, { ...annotations, 'restore.kubevirt.io/owned-by-vm': 'back' }],
  ],
  'd.6-owner a new target, of a claim the source owned among others: to be given to it': [
    {
      target: undefined,
      claim: { metadata: { ownerReferences: [{ ...ownedBySource, kind: 'Other' }, ownedBySource] } },
    },
    ({ metadata }) => metadata.annotations?.['restore.kubevirt.io/owned-by-vm'],
    'back',
  ],
  'd.6-owner a new target, of a claim nobody owned: none': [
    { target: undefined },
    ({ metadata }) => [metadata.ownerReferences, metadata.annotations],
    [undefined, annotations],
  ],
  'd.6-owner a new target, of a claim a namesake owned: none': [
    { target: undefined, claim: { metadata: { ownerReferences: [{ ...ownedBySource, uid: 'other' }] } } },
    ({ metadata }) => [metadata.ownerReferences, metadata.annotations],
    [undefined, annotations],
  ],
}
test.each(Object.entries(parts))('%s', (_, [given, pick, expected]) => expect(pick(restored(given))).toEqual(expected))

test('d.6-claim W-51 a name too long for a label is left out', () => {
  const content = contentOf([root])
  const captured = capturedVmOf(content)
  const [backup] = content.spec.volumeBackups ?? []
  if (captured === undefined || backup === undefined) throw new Error('the content has no VM')
  const claim = restoredClaim({
    restore: restoreOf(),
    captured: { ...captured, name: 'v'.repeat(64) },
    target: undefined,
    backup,
    entry: entry('root', 'new'),
    volumeSnapshot: objectOf(VolumeSnapshot, { name: 'vs-root', namespace }, { spec: { source: {} } }),
  })
  expect(claim.metadata.labels).toEqual({ 'restore.kubevirt.io/source-vm-namespace': 'ns' })
})
