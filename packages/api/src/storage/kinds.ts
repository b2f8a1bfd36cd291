import * as z from 'zod'
import { conditions, labelSelector, looseObject, quantity, stringMap, strings, time } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'

// The storage kinds of Kubernetes and of the CSI snapshotter that this product reads and writes.

export const dataSource = z.object({
  apiGroup: z.string().optional().describe('API group of the source; empty for the core group.'),
  kind: z.string().describe('VolumeSnapshot or PersistentVolumeClaim.'),
  name: z.string().describe('Name of the source.'),
  namespace: z.string().optional().describe('Namespace of the source. Default: that of the claim.'),
})

export const pvcSpec = z.object({
  accessModes: strings
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('How the volume may be used: ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod.'),
  selector: labelSelector.optional().describe('Labels of the volumes that may be bound.'),
  resources: z
    .object({
      requests: z.record(z.string(), quantity).optional().describe('Smallest size wanted, under the key storage.'),
      limits: z.record(z.string(), quantity).optional().describe('Largest size accepted, under the key storage.'),
    })
    .optional()
    .describe('The size of the volume.'),
  volumeName: z.string().optional().describe('The PersistentVolume this claim is bound to.'),
  storageClassName: z.string().optional().describe('Class of the volume. Default: the class marked as default.'),
  volumeMode: z.string().optional().describe('Filesystem (default) or Block.'),
  dataSource: dataSource
    .meta({ 'x-kubernetes-map-type': 'atomic' })
    .optional()
    .describe('The VolumeSnapshot or claim the new volume starts from.'),
  dataSourceRef: dataSource.optional().describe('Like dataSource, for sources of any kind; both say the same.'),
  volumeAttributesClassName: z.string().optional().describe('Class of attributes that can be changed later.'),
})
export type PersistentVolumeClaimSpec = z.output<typeof pvcSpec>

export const PersistentVolumeClaim = resource({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  origin: 'builtin',
  description: "A user's request for and claim to a persistent volume.",
  fields: {
    spec: pvcSpec.optional().describe('Desired state.'),
    status: z
      .object({
        phase: z.enum(['Pending', 'Bound', 'Lost']).optional().describe('Pending, Bound or Lost.'),
        accessModes: strings.optional().describe('How the bound volume may be used.'),
        capacity: z.record(z.string(), quantity).optional().describe('Size of the bound volume.'),
        conditions: conditions.optional().describe('Conditions.'),
      })
      .optional()
      .describe('Observed state.'),
  },
})
export type PersistentVolumeClaim = ObjectOf<typeof PersistentVolumeClaim>

export const PersistentVolume = resource({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  shortNames: ['pv'],
  scope: 'Cluster',
  origin: 'builtin',
  description: 'A volume provisioned on this machine or cluster.',
  fields: {
    spec: z
      .object({
        capacity: z.record(z.string(), quantity).optional().describe('Size, under the key storage.'),
        accessModes: strings.optional().describe('How the volume may be used.'),
        persistentVolumeReclaimPolicy: z
          .string()
          .optional()
          .describe('Delete or Retain: what happens to the volume when its claim is gone.'),
        storageClassName: z.string().optional().describe('Class of the volume.'),
        volumeMode: z.string().optional().describe('Filesystem (default) or Block.'),
        mountOptions: strings.optional().describe('Options for mounting the volume.'),
        claimRef: z
          .object({
            apiVersion: z.string().optional().describe('API version of the claim.'),
            kind: z.string().optional().describe('Kind of the claim.'),
            name: z.string().optional().describe('Name of the claim.'),
            namespace: z.string().optional().describe('Namespace of the claim.'),
            uid: z.string().optional().describe('UID of the claim.'),
            resourceVersion: z.string().optional().describe('Version of the claim the reference was made for.'),
          })
          .optional()
          .describe('The claim the volume belongs to.'),
        csi: z
          .object({
            driver: z.string().describe('Name of the CSI driver.'),
            volumeHandle: z.string().describe('What the driver calls the volume.'),
            readOnly: z.boolean().optional().describe('If true, the volume cannot be written to.'),
            fsType: z.string().optional().describe('File system to make on it.'),
            volumeAttributes: stringMap.optional().describe('What the driver wants to be told when it is used.'),
          })
          .optional()
          .describe('Where the storage driver has the volume.'),
        nodeAffinity: looseObject.optional().describe('Nodes the volume can be used on.'),
      })
      .optional()
      .describe('The volume.'),
    status: z
      .object({
        phase: z
          .enum(['Pending', 'Available', 'Bound', 'Released', 'Failed'])
          .optional()
          .describe('Pending, Available, Bound, Released or Failed.'),
        message: z.string().optional().describe('A sentence about the phase.'),
        reason: z.string().optional().describe('One word about the phase.'),
        lastPhaseTransitionTime: time.optional().describe('When the phase began.'),
      })
      .optional()
      .describe('Observed state.'),
  },
})
export type PersistentVolume = ObjectOf<typeof PersistentVolume>

export const StorageClass = resource({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  scope: 'Cluster',
  origin: 'builtin',
  description: 'How volumes of a class are provisioned.',
  fields: {
    provisioner: z.string().describe('Name of the driver that makes the volumes.'),
    parameters: stringMap.optional().describe('What the driver is told when it makes a volume.'),
    reclaimPolicy: z
      .enum(['Delete', 'Retain'])
      .default('Delete')
      .describe('Delete or Retain: what happens to a volume when its claim is gone.'),
    volumeBindingMode: z
      .enum(['Immediate', 'WaitForFirstConsumer'])
      .default('Immediate')
      .describe('When volumes are made: Immediate, with the claim; WaitForFirstConsumer, when it is first used.'),
    allowVolumeExpansion: z.boolean().optional().describe('Whether claims may grow.'),
    mountOptions: strings.optional().describe('Options for mounting the volumes.'),
    allowedTopologies: z.array(looseObject).optional().describe('Where volumes may be made.'),
  },
})
export type StorageClass = ObjectOf<typeof StorageClass>

const snapshotGroup = { group: 'snapshot.storage.k8s.io', version: 'v1' }
const snapshotError = z.object({
  time: time.optional().describe('When it happened.'),
  message: z.string().optional().describe('A sentence about it.'),
})

export const VolumeSnapshot = resource({
  ...snapshotGroup,
  kind: 'VolumeSnapshot',
  plural: 'volumesnapshots',
  shortNames: ['vs'],
  description: "A user's request for a point-in-time copy of a volume.",
  fields: {
    spec: z
      .object({
        source: z
          .object({
            persistentVolumeClaimName: z.string().optional().describe('The claim to take a snapshot of.'),
            volumeSnapshotContentName: z.string().optional().describe('A snapshot that exists already.'),
          })
          .describe('What the snapshot is of: exactly one of the two.'),
        volumeSnapshotClassName: z.string().optional().describe('Class of the snapshot. Default: that of the driver.'),
      })
      .describe('Desired state.'),
    status: z
      .object({
        boundVolumeSnapshotContentName: z.string().optional().describe('The content it is bound to.'),
        creationTime: time.optional().describe('The moment whose data it holds.'),
        readyToUse: z.boolean().optional().describe('True when volumes can be made from it.'),
        restoreSize: quantity.optional().describe('Smallest size of a volume made from it.'),
        error: snapshotError.optional().describe('What went wrong last.'),
        volumeGroupSnapshotName: z.string().optional().describe('The group snapshot it is part of.'),
      })
      .optional()
      .describe('Observed state.'),
  },
  columns: [
    { name: 'ReadyToUse', type: 'boolean', jsonPath: '.status.readyToUse' },
    { name: 'SourcePVC', type: 'string', jsonPath: '.spec.source.persistentVolumeClaimName' },
    { name: 'SourceSnapshotContent', type: 'string', jsonPath: '.spec.source.volumeSnapshotContentName' },
    { name: 'RestoreSize', type: 'string', jsonPath: '.status.restoreSize' },
    { name: 'SnapshotClass', type: 'string', jsonPath: '.spec.volumeSnapshotClassName' },
    { name: 'SnapshotContent', type: 'string', jsonPath: '.status.boundVolumeSnapshotContentName' },
    { name: 'CreationTime', type: 'date', jsonPath: '.status.creationTime' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})
export type VolumeSnapshot = ObjectOf<typeof VolumeSnapshot>

export const VolumeSnapshotContent = resource({
  ...snapshotGroup,
  kind: 'VolumeSnapshotContent',
  plural: 'volumesnapshotcontents',
  shortNames: ['vsc', 'vscs'],
  scope: 'Cluster',
  description: 'A point-in-time copy of a volume in the storage system.',
  fields: {
    spec: z
      .object({
        volumeSnapshotRef: z
          .object({
            apiVersion: z.string().optional().describe('API version of the snapshot.'),
            kind: z.string().optional().describe('Kind of the snapshot.'),
            name: z.string().optional().describe('Name of the snapshot.'),
            namespace: z.string().optional().describe('Namespace of the snapshot.'),
            uid: z.string().optional().describe('UID of the snapshot.'),
            resourceVersion: z.string().optional().describe('Version of the snapshot the reference was made for.'),
          })
          .describe('The VolumeSnapshot it belongs to.'),
        deletionPolicy: z
          .enum(['Delete', 'Retain'])
          .describe('Delete or Retain: what happens to the data when the snapshot is deleted.'),
        driver: z.string().describe('Name of the CSI driver.'),
        volumeSnapshotClassName: z.string().optional().describe('Class of the snapshot.'),
        sourceVolumeMode: z.string().optional().describe('Filesystem or Block: the mode of the volume it is of.'),
        source: z
          .object({
            volumeHandle: z.string().optional().describe('What the driver calls the volume to take a snapshot of.'),
            snapshotHandle: z.string().optional().describe('What the driver calls a snapshot that exists already.'),
          })
          .describe('What the snapshot is of: exactly one of the two.'),
      })
      .describe('Desired state.'),
    status: z
      .object({
        snapshotHandle: z.string().optional().describe('What the driver calls the snapshot.'),
        creationTime: z
          .number()
          .meta({ type: 'integer', format: 'int64' })
          .optional()
          .describe('The moment whose data it holds, in nanoseconds since 1970.'),
        readyToUse: z.boolean().optional().describe('True when volumes can be made from it.'),
        restoreSize: z.int().min(0).optional().describe('Smallest size of a volume made from it, in bytes.'),
        error: snapshotError.optional().describe('What went wrong last.'),
        volumeGroupSnapshotHandle: z.string().optional().describe('What the driver calls the group it is part of.'),
      })
      .optional()
      .describe('Observed state.'),
  },
  columns: [
    { name: 'ReadyToUse', type: 'boolean', jsonPath: '.status.readyToUse' },
    { name: 'RestoreSize', type: 'integer', jsonPath: '.status.restoreSize' },
    { name: 'DeletionPolicy', type: 'string', jsonPath: '.spec.deletionPolicy' },
    { name: 'Driver', type: 'string', jsonPath: '.spec.driver' },
    { name: 'VolumeSnapshotClass', type: 'string', jsonPath: '.spec.volumeSnapshotClassName' },
    { name: 'VolumeSnapshot', type: 'string', jsonPath: '.spec.volumeSnapshotRef.name' },
    { name: 'VolumeSnapshotNamespace', type: 'string', jsonPath: '.spec.volumeSnapshotRef.namespace' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})
export type VolumeSnapshotContent = ObjectOf<typeof VolumeSnapshotContent>

export const VolumeSnapshotClass = resource({
  ...snapshotGroup,
  kind: 'VolumeSnapshotClass',
  plural: 'volumesnapshotclasses',
  shortNames: ['vsclass', 'vsclasses'],
  scope: 'Cluster',
  description: 'How snapshots of volumes are taken and what becomes of them.',
  fields: {
    driver: z.string().describe('Name of the CSI driver that takes the snapshots.'),
    deletionPolicy: z
      .enum(['Delete', 'Retain'])
      .describe('Delete or Retain: what happens to the data when a snapshot is deleted.'),
    parameters: stringMap.optional().describe('What the driver is told when it takes a snapshot.'),
  },
  columns: [
    { name: 'Driver', type: 'string', jsonPath: '.driver' },
    { name: 'DeletionPolicy', type: 'string', jsonPath: '.deletionPolicy' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})
export type VolumeSnapshotClass = ObjectOf<typeof VolumeSnapshotClass>
