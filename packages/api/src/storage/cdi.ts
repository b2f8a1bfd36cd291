import * as z from 'zod'
import { conditions, looseObject, quantity, strings } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { dataSource, pvcSpec } from './kinds.ts'

// cdi.kubevirt.io: spec vm-runtime (f).

const group = { group: 'cdi.kubevirt.io', version: 'v1beta1' }

/** `spec` of a DataVolume and of a dataVolumeTemplate. */
export const dataVolumeSpec = z.looseObject({
  source: z
    .looseObject({
      blank: z.object({}).optional(),
      http: z.looseObject({ url: z.string() }).optional(),
      upload: z.object({}).optional(),
      pvc: z.object({ namespace: z.string().optional(), name: z.string() }).optional(),
      snapshot: z.object({ namespace: z.string().optional(), name: z.string() }).optional(),
    })
    .optional(),
  sourceRef: z.looseObject({ kind: z.string(), name: z.string(), namespace: z.string().optional() }).optional(),
  pvc: pvcSpec.optional(),
  storage: z
    .looseObject({
      accessModes: strings.optional(),
      volumeMode: z.string().optional(),
      storageClassName: z.string().optional(),
      resources: z
        .object({
          requests: z.record(z.string(), quantity).optional(),
          limits: z.record(z.string(), quantity).optional(),
        })
        .optional(),
      dataSource: dataSource.optional(),
    })
    .optional(),
  contentType: z.string().optional(),
})
export type DataVolumeSpec = z.output<typeof dataVolumeSpec>

export const DataVolume = resource({
  ...group,
  kind: 'DataVolume',
  plural: 'datavolumes',
  shortNames: ['dv', 'dvs'],
  categories: ['all'],
  description: 'A claim together with what fills it.',
  fields: {
    spec: dataVolumeSpec,
    status: z
      .looseObject({
        claimName: z.string().optional(),
        phase: z.string().optional(),
        progress: z.string().optional(),
        restartCount: z.int().optional(),
        conditions: conditions.optional(),
      })
      .optional(),
  },
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Progress', type: 'string', jsonPath: '.status.progress' },
    { name: 'Restarts', type: 'integer', jsonPath: '.status.restartCount' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})
export type DataVolume = ObjectOf<typeof DataVolume>

export const StorageProfile = resource({
  ...group,
  kind: 'StorageProfile',
  plural: 'storageprofiles',
  scope: 'Cluster',
  description: 'What is known about a StorageClass beyond what it says itself; one per class, of the same name.',
  fields: {
    spec: z
      .looseObject({
        snapshotClass: z.string().optional(),
        cloneStrategy: z.string().optional(),
        claimPropertySets: z.array(looseObject).optional(),
      })
      .optional(),
    status: z
      .looseObject({
        storageClass: z.string().optional(),
        provisioner: z.string().optional(),
        snapshotClass: z.string().optional(),
        cloneStrategy: z.string().optional(),
        claimPropertySets: z.array(looseObject).optional(),
        conditions: conditions.optional(),
      })
      .optional(),
  },
})
export type StorageProfile = ObjectOf<typeof StorageProfile>

export const CDIConfig = resource({
  ...group,
  kind: 'CDIConfig',
  plural: 'cdiconfigs',
  scope: 'Cluster',
  description: 'What clients need to know about imports and uploads. There is one, named config.',
  fields: {
    spec: z.looseObject({ uploadProxyURLOverride: z.string().optional() }).optional(),
    status: z
      .looseObject({
        uploadProxyURL: z.string().optional().describe('Where images are uploaded to.'),
        filesystemOverhead: z
          .object({
            global: z.string().optional(),
            storageClass: z.record(z.string(), z.string()).optional(),
          })
          .optional(),
        scratchSpaceStorageClass: z.string().optional(),
        preallocation: z.boolean().optional(),
      })
      .optional(),
  },
})
export type CDIConfig = ObjectOf<typeof CDIConfig>
