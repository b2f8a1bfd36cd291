import * as z from 'zod'
import { conditions, labelSelector, looseObject, quantity, stringMap, strings, time } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'

// The storage kinds of Kubernetes and of the CSI snapshotter that this product reads and writes.

export const dataSource = z.object({
  apiGroup: z.string().optional(),
  kind: z.string(),
  name: z.string(),
  namespace: z.string().optional(),
})

export const pvcSpec = z.object({
  accessModes: strings.meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
  selector: labelSelector.optional(),
  resources: z
    .object({ requests: z.record(z.string(), quantity).optional(), limits: z.record(z.string(), quantity).optional() })
    .optional(),
  volumeName: z.string().optional().describe('The PersistentVolume this claim is bound to.'),
  storageClassName: z.string().optional(),
  volumeMode: z.string().optional().describe('Filesystem (default) or Block.'),
  dataSource: dataSource.optional().describe('The VolumeSnapshot or claim the new volume starts from.'),
  dataSourceRef: dataSource.optional(),
  volumeAttributesClassName: z.string().optional(),
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
    spec: pvcSpec.optional(),
    status: z
      .object({
        phase: z.enum(['Pending', 'Bound', 'Lost']).optional(),
        accessModes: strings.optional(),
        capacity: z.record(z.string(), quantity).optional(),
        conditions: conditions.optional(),
      })
      .optional(),
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
        capacity: z.record(z.string(), quantity).optional(),
        accessModes: strings.optional(),
        persistentVolumeReclaimPolicy: z.string().optional(),
        storageClassName: z.string().optional(),
        volumeMode: z.string().optional(),
        mountOptions: strings.optional(),
        claimRef: z
          .object({
            apiVersion: z.string().optional(),
            kind: z.string().optional(),
            name: z.string().optional(),
            namespace: z.string().optional(),
            uid: z.string().optional(),
            resourceVersion: z.string().optional(),
          })
          .optional(),
        csi: z
          .object({
            driver: z.string(),
            volumeHandle: z.string(),
            readOnly: z.boolean().optional(),
            fsType: z.string().optional(),
            volumeAttributes: stringMap.optional(),
          })
          .optional(),
        nodeAffinity: looseObject.optional(),
      })
      .optional(),
    status: z
      .object({
        phase: z.enum(['Pending', 'Available', 'Bound', 'Released', 'Failed']).optional(),
        message: z.string().optional(),
        reason: z.string().optional(),
        lastPhaseTransitionTime: time.optional(),
      })
      .optional(),
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
    provisioner: z.string(),
    parameters: stringMap.optional(),
    reclaimPolicy: z.enum(['Delete', 'Retain']).default('Delete'),
    volumeBindingMode: z.enum(['Immediate', 'WaitForFirstConsumer']).default('Immediate'),
    allowVolumeExpansion: z.boolean().optional(),
    mountOptions: strings.optional(),
    allowedTopologies: z.array(looseObject).optional(),
  },
})
export type StorageClass = ObjectOf<typeof StorageClass>

const snapshotGroup = { group: 'snapshot.storage.k8s.io', version: 'v1' }
const snapshotError = z.object({ time: time.optional(), message: z.string().optional() })

export const VolumeSnapshot = resource({
  ...snapshotGroup,
  kind: 'VolumeSnapshot',
  plural: 'volumesnapshots',
  shortNames: ['vs'],
  description: "A user's request for a point-in-time copy of a volume.",
  fields: {
    spec: z.object({
      source: z.object({
        persistentVolumeClaimName: z.string().optional(),
        volumeSnapshotContentName: z.string().optional(),
      }),
      volumeSnapshotClassName: z.string().optional(),
    }),
    status: z
      .object({
        boundVolumeSnapshotContentName: z.string().optional(),
        creationTime: time.optional(),
        readyToUse: z.boolean().optional(),
        restoreSize: quantity.optional(),
        error: snapshotError.optional(),
        volumeGroupSnapshotName: z.string().optional(),
      })
      .optional(),
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
    spec: z.object({
      volumeSnapshotRef: z.object({
        apiVersion: z.string().optional(),
        kind: z.string().optional(),
        name: z.string().optional(),
        namespace: z.string().optional(),
        uid: z.string().optional(),
        resourceVersion: z.string().optional(),
      }),
      deletionPolicy: z.enum(['Delete', 'Retain']),
      driver: z.string(),
      volumeSnapshotClassName: z.string().optional(),
      sourceVolumeMode: z.string().optional(),
      source: z.object({ volumeHandle: z.string().optional(), snapshotHandle: z.string().optional() }),
    }),
    status: z
      .object({
        snapshotHandle: z.string().optional(),
        creationTime: z
          .number()
          .meta({ type: 'integer', format: 'int64' })
          .optional()
          .describe('Nanoseconds since 1970.'),
        readyToUse: z.boolean().optional(),
        restoreSize: z.int().min(0).optional(),
        error: snapshotError.optional(),
        volumeGroupSnapshotHandle: z.string().optional(),
      })
      .optional(),
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
    driver: z.string(),
    deletionPolicy: z.enum(['Delete', 'Retain']),
    parameters: stringMap.optional(),
  },
  columns: [
    { name: 'Driver', type: 'string', jsonPath: '.driver' },
    { name: 'DeletionPolicy', type: 'string', jsonPath: '.deletionPolicy' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})
export type VolumeSnapshotClass = ObjectOf<typeof VolumeSnapshotClass>
