import * as z from 'zod'
import { vmSpec } from '../kubevirt/kinds.ts'
import { conditions, looseObject, stringMap, strings, time, typedLocalObjectReference } from '../schema/fields.ts'
import { type Column, type ObjectOf, resource } from '../schema/resource.ts'
import { pvcSpec } from '../storage/kinds.ts'

// snapshot.kubevirt.io. Field names, enums and columns: spec snapshot-restore (a).

export const phases = ['InProgress', 'Succeeded', 'Failed', 'Deleting', 'Unknown'] as const
export type SnapshotPhase = (typeof phases)[number]

export const indications = [
  'Online',
  'NoGuestAgent',
  'GuestAgent',
  'QuiesceTimeout',
  'QuiesceFailed',
  'Paused',
  'PartialSnapshot',
] as const
export type Indication = (typeof indications)[number]

const group = {
  group: 'snapshot.kubevirt.io',
  version: 'v1beta1',
  versions: [{ name: 'v1beta1' }, { name: 'v1alpha1' }],
  categories: ['all'],
}

const error = z.object({ time: time.optional(), message: z.string().optional() })

const readiness: Column[] = [
  { name: 'ReadyToUse', type: 'boolean', jsonPath: '.status.readyToUse' },
  { name: 'CreationTime', type: 'date', jsonPath: '.status.creationTime' },
  { name: 'Error', type: 'string', jsonPath: '.status.error.message' },
]

export const VirtualMachineSnapshot = resource({
  ...group,
  kind: 'VirtualMachineSnapshot',
  plural: 'virtualmachinesnapshots',
  shortNames: ['vmsnapshot', 'vmsnapshots'],
  description: 'A request to create a snapshot of a virtual machine, and what came of it.',
  fields: {
    spec: z.object({
      source: typedLocalObjectReference.describe('The VirtualMachine of the same namespace to snapshot.'),
      deletionPolicy: z
        .string()
        .optional()
        .describe('Delete (default) or Retain: what happens to the content when the snapshot is deleted.'),
      failureDeadline: z
        .string()
        .optional()
        .describe(
          'Time the snapshot may take before it is Failed. Default 5m; 0 means no deadline; seconds without unit.',
        ),
    }),
    status: z
      .object({
        sourceUID: z.string().optional(),
        virtualMachineSnapshotContentName: z.string().optional(),
        creationTime: time.nullable().optional(),
        phase: z.enum(['', ...phases]).optional(),
        readyToUse: z.boolean().optional(),
        error: error.optional(),
        conditions: conditions.optional(),
        indications: z
          .array(z.enum(indications))
          .meta({ 'x-kubernetes-list-type': 'set' })
          .optional()
          .describe('Deprecated twin of sourceIndications.'),
        sourceIndications: z
          .array(z.object({ indication: z.enum(indications), message: z.string() }))
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('How the guest was found and what was achieved while the snapshot was taken.'),
        snapshotVolumes: z
          .object({
            includedVolumes: strings.meta({ 'x-kubernetes-list-type': 'set' }).optional(),
            excludedVolumes: strings.meta({ 'x-kubernetes-list-type': 'set' }).optional(),
          })
          .optional(),
      })
      .optional(),
  },
  columns: [
    { name: 'SourceKind', type: 'string', jsonPath: '.spec.source.kind' },
    { name: 'SourceName', type: 'string', jsonPath: '.spec.source.name' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    ...readiness,
  ],
})
export type VirtualMachineSnapshot = ObjectOf<typeof VirtualMachineSnapshot>

const volumeBackup = z.object({
  volumeName: z.string(),
  persistentVolumeClaim: z.object({ metadata: looseObject.optional(), spec: pvcSpec.optional() }),
  volumeSnapshotName: z.string().optional(),
})
export type VolumeBackup = z.output<typeof volumeBackup>

export const VirtualMachineSnapshotContent = resource({
  ...group,
  kind: 'VirtualMachineSnapshotContent',
  plural: 'virtualmachinesnapshotcontents',
  shortNames: ['vmsnapshotcontent', 'vmsnapshotcontents'],
  description: 'The provisioned snapshot of a virtual machine: its definition and the snapshots of its volumes.',
  fields: {
    spec: z.object({
      virtualMachineSnapshotName: z.string().optional(),
      source: z.object({
        virtualMachine: z
          .object({
            metadata: looseObject.nullable().optional(),
            spec: vmSpec.optional(),
            status: looseObject.optional(),
          })
          .optional(),
      }),
      volumeBackups: z.array(volumeBackup).meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
    }),
    status: z
      .object({
        creationTime: time.nullable().optional(),
        readyToUse: z.boolean().optional(),
        error: error.optional(),
        volumeSnapshotStatus: z
          .array(
            z.object({
              volumeSnapshotName: z.string(),
              creationTime: time.nullable().optional(),
              readyToUse: z.boolean().optional(),
              error: error.optional(),
            }),
          )
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional(),
      })
      .optional(),
  },
  columns: readiness,
})
export type VirtualMachineSnapshotContent = ObjectOf<typeof VirtualMachineSnapshotContent>

export const readinessPolicies = ['StopTarget', 'WaitGracePeriod', 'FailImmediate', 'WaitEventually'] as const
export type ReadinessPolicy = (typeof readinessPolicies)[number]

export const VirtualMachineRestore = resource({
  ...group,
  kind: 'VirtualMachineRestore',
  plural: 'virtualmachinerestores',
  shortNames: ['vmrestore', 'vmrestores'],
  description: 'A request to restore a virtual machine from a snapshot, and what came of it.',
  fields: {
    spec: z.object({
      target: typedLocalObjectReference.describe('The VirtualMachine to restore into; created when missing.'),
      virtualMachineSnapshotName: z.string(),
      targetReadinessPolicy: z
        .enum(readinessPolicies)
        .default('WaitGracePeriod')
        .describe('What to do while the target is running.'),
      volumeRestorePolicy: z.string().optional().describe('RandomizeNames (default), InPlace or PrefixTargetName.'),
      volumeOwnershipPolicy: z.string().optional().describe('Vm (default) or None.'),
      volumeRestoreOverrides: z
        .array(
          z.object({
            volumeName: z.string().optional(),
            restoreName: z.string().optional(),
            labels: stringMap.optional(),
            annotations: stringMap.optional(),
          }),
        )
        .meta({ 'x-kubernetes-list-type': 'atomic' })
        .optional(),
      patches: strings.meta({ 'x-kubernetes-list-type': 'atomic' }).optional(),
    }),
    status: z
      .object({
        restores: z
          .array(
            z.object({
              volumeName: z.string(),
              persistentVolumeClaim: z.string(),
              volumeSnapshotName: z.string(),
              dataVolumeName: z.string().optional(),
            }),
          )
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional(),
        restoreTime: time.nullable().optional(),
        deletedDataVolumes: strings.meta({ 'x-kubernetes-list-type': 'set' }).optional(),
        complete: z.boolean().optional(),
        conditions: conditions.optional(),
      })
      .optional(),
  },
  columns: [
    { name: 'TargetKind', type: 'string', jsonPath: '.spec.target.kind' },
    { name: 'TargetName', type: 'string', jsonPath: '.spec.target.name' },
    { name: 'Complete', type: 'boolean', jsonPath: '.status.complete' },
    { name: 'RestoreTime', type: 'date', jsonPath: '.status.restoreTime' },
  ],
})
export type VirtualMachineRestore = ObjectOf<typeof VirtualMachineRestore>
