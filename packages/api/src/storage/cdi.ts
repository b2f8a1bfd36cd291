import * as z from 'zod'
import { conditions, looseObject, quantity, strings } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { dataSource, pvcSpec } from './kinds.ts'

// cdi.kubevirt.io: spec vm-runtime (f).

const group = { group: 'cdi.kubevirt.io', version: 'v1beta1' }

const object = {
  namespace: z.string().optional().describe('Namespace of the source. Default: that of the DataVolume.'),
  name: z.string().describe('Name of the source.'),
}

/** `spec` of a DataVolume and of a dataVolumeTemplate. */
export const dataVolumeSpec = z.looseObject({
  source: z
    .looseObject({
      blank: z.object({}).optional().describe('Nothing: an empty volume.'),
      http: z
        .looseObject({ url: z.string().describe('Address of a disk image.') })
        .optional()
        .describe('A disk image that is downloaded.'),
      upload: z.object({}).optional().describe('A disk image that a user sends.'),
      pvc: z.object(object).optional().describe('The content of a claim.'),
      snapshot: z.object(object).optional().describe('The content of a VolumeSnapshot.'),
    })
    .optional()
    .describe('What fills the volume; exactly one.'),
  sourceRef: z
    .looseObject({ kind: z.string().describe('Kind of the source.'), ...object })
    .optional()
    .describe('Where the source is described, instead of source.'),
  pvc: pvcSpec.optional().describe('The claim to create, exactly so.'),
  storage: z
    .looseObject({
      accessModes: strings.optional().describe('How the volume may be used.'),
      volumeMode: z.string().optional().describe('Filesystem or Block.'),
      storageClassName: z.string().optional().describe('Class of the volume. Default: the class marked as default.'),
      resources: z
        .object({
          requests: z.record(z.string(), quantity).optional().describe('Smallest size wanted, under the key storage.'),
          limits: z.record(z.string(), quantity).optional().describe('Largest size accepted, under the key storage.'),
        })
        .optional()
        .describe('The size of the volume.'),
      dataSource: dataSource.optional().describe('The VolumeSnapshot or claim the new volume starts from.'),
    })
    .optional()
    .describe('The claim to create; what is not given comes from the StorageProfile of the class.'),
  contentType: z.string().optional().describe('kubevirt (a disk image, default) or archive.'),
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
    spec: dataVolumeSpec.describe('Desired state.'),
    status: z
      .looseObject({
        claimName: z.string().optional().describe('The claim that was created.'),
        phase: z.string().optional().describe('How far the filling is; Succeeded at the end.'),
        progress: z.string().optional().describe('Part of the data that is there, in percent.'),
        restartCount: z.int().optional().describe('How often the filling was begun anew.'),
        conditions: conditions.optional().describe('Conditions: Bound, Running and Ready.'),
      })
      .optional()
      .describe('Observed state.'),
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
        snapshotClass: z.string().optional().describe('VolumeSnapshotClass to use with the class.'),
        cloneStrategy: z.string().optional().describe('How volumes are copied.'),
        claimPropertySets: z.array(looseObject).optional().describe('Access and volume modes to use, best first.'),
      })
      .optional()
      .describe('What an administrator says.'),
    status: z
      .looseObject({
        storageClass: z.string().optional().describe('The class.'),
        provisioner: z.string().optional().describe('Driver of the class.'),
        snapshotClass: z.string().optional().describe('VolumeSnapshotClass in use with the class.'),
        cloneStrategy: z.string().optional().describe('How volumes are copied.'),
        claimPropertySets: z.array(looseObject).optional().describe('Access and volume modes in use, best first.'),
        conditions: conditions.optional().describe('Conditions.'),
      })
      .optional()
      .describe('What is in force.'),
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
    spec: z
      .looseObject({ uploadProxyURLOverride: z.string().optional().describe('Where images are to be uploaded to.') })
      .optional()
      .describe('What an administrator says.'),
    status: z
      .looseObject({
        uploadProxyURL: z.string().optional().describe('Where images are uploaded to.'),
        filesystemOverhead: z
          .object({
            global: z.string().optional().describe('For all classes, as 0.05.'),
            storageClass: z.record(z.string(), z.string()).optional().describe('By class.'),
          })
          .optional()
          .describe('Part of a file system volume that is not available to the image in it.'),
        scratchSpaceStorageClass: z.string().optional().describe('Class of the space imports work in.'),
        preallocation: z.boolean().optional().describe('Whether the space of volumes is taken in advance.'),
      })
      .optional()
      .describe('What is in force.'),
  },
})
export type CDIConfig = ObjectOf<typeof CDIConfig>
