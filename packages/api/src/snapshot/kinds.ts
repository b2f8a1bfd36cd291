import * as z from 'zod'
import { vmSpec } from '../kubevirt/kinds.ts'
import {
  looseObject,
  ownConditions,
  stringMap,
  strings,
  time,
  typedLocalObjectReference,
  wordOf,
} from '../schema/fields.ts'
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

const error = z.object({
  time: time.optional().describe('When it happened.'),
  message: z.string().optional().describe('A sentence about it.'),
})

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
    spec: z
      .object({
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
      })
      .describe('Desired state. Cannot be updated.'),
    status: z
      .object({
        sourceUID: z.string().optional().describe('UID of the virtual machine it is of.'),
        virtualMachineSnapshotContentName: z
          .string()
          .optional()
          .describe('The VirtualMachineSnapshotContent that holds what was taken.'),
        creationTime: time.nullable().optional().describe('The moment whose data it holds.'),
        phase: wordOf<SnapshotPhase | ''>()
          .optional()
          .describe('How far it is: InProgress, Succeeded, Failed, Deleting or Unknown.'),
        readyToUse: z.boolean().optional().describe('True when a virtual machine can be restored from it.'),
        error: error.optional().describe('What went wrong last.'),
        conditions: ownConditions.optional().describe('Conditions: Progressing, Ready and, if so, Failure.'),
        indications: z
          .array(wordOf<Indication>())
          .meta({ 'x-kubernetes-list-type': 'set' })
          .optional()
          .describe('Deprecated twin of sourceIndications.'),
        sourceIndications: z
          .array(
            z.object({
              indication: wordOf<Indication>().describe('One word for it.'),
              message: z.string().describe('A sentence about it.'),
            }),
          )
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('How the guest was found and what was achieved while the snapshot was taken.'),
        snapshotVolumes: z
          .object({
            includedVolumes: strings
              .meta({ 'x-kubernetes-list-type': 'set' })
              .optional()
              .describe('Volumes the snapshot has.'),
            excludedVolumes: strings
              .meta({ 'x-kubernetes-list-type': 'set' })
              .optional()
              .describe('Volumes it does not have, because they cannot be snapshotted.'),
          })
          .optional()
          .describe('Which volumes of the virtual machine are in it.'),
      })
      .optional()
      .describe('What came of it.'),
  },
  columns: [
    { name: 'SourceKind', type: 'string', jsonPath: '.spec.source.kind' },
    { name: 'SourceName', type: 'string', jsonPath: '.spec.source.name' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    ...readiness,
  ],
  selectableFields: ['.spec.source.name'],
})
export type VirtualMachineSnapshot = ObjectOf<typeof VirtualMachineSnapshot>

const volumeBackup = z.object({
  volumeName: z.string().describe('Name of the volume in the virtual machine.'),
  persistentVolumeClaim: z
    .object({
      metadata: looseObject.optional().describe('Metadata of the claim.'),
      spec: pvcSpec.optional().describe('Spec of the claim.'),
    })
    .describe('The claim as it was.'),
  volumeSnapshotName: z.string().optional().describe('The VolumeSnapshot with the data.'),
})
export type VolumeBackup = z.output<typeof volumeBackup>

export const VirtualMachineSnapshotContent = resource({
  ...group,
  kind: 'VirtualMachineSnapshotContent',
  plural: 'virtualmachinesnapshotcontents',
  shortNames: ['vmsnapshotcontent', 'vmsnapshotcontents'],
  description: 'The provisioned snapshot of a virtual machine: its definition and the snapshots of its volumes.',
  fields: {
    spec: z
      .object({
        virtualMachineSnapshotName: z.string().optional().describe('The VirtualMachineSnapshot it belongs to.'),
        source: z
          .object({
            virtualMachine: z
              .object({
                metadata: looseObject.nullable().optional().describe('Its metadata.'),
                spec: vmSpec.optional().describe('Its spec.'),
                status: looseObject.optional().describe('Its status.'),
              })
              .optional()
              .describe('The virtual machine as it was.'),
          })
          .describe('What the snapshot is of.'),
        volumeBackups: z
          .array(volumeBackup)
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('The volumes, and where their data is.'),
      })
      .describe('What was taken. Cannot be updated.'),
    status: z
      .object({
        creationTime: time.nullable().optional().describe('The moment whose data it holds.'),
        readyToUse: z.boolean().optional().describe('True when a virtual machine can be restored from it.'),
        error: error.optional().describe('What went wrong last.'),
        volumeSnapshotStatus: z
          .array(
            z.object({
              volumeSnapshotName: z.string().describe('Name of the VolumeSnapshot.'),
              creationTime: time.nullable().optional().describe('The moment whose data it holds.'),
              readyToUse: z.boolean().optional().describe('True when volumes can be made from it.'),
              error: error.optional().describe('What went wrong last.'),
            }),
          )
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('The snapshots of the volumes.'),
      })
      .optional()
      .describe('Observed state.'),
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
    spec: z
      .object({
        target: typedLocalObjectReference.describe('The VirtualMachine to restore into; created when missing.'),
        virtualMachineSnapshotName: z.string().describe('The VirtualMachineSnapshot to restore from.'),
        targetReadinessPolicy: z
          .enum(readinessPolicies)
          .default('WaitGracePeriod')
          .describe(
            'What to do while the target is running. WaitGracePeriod: wait some minutes for it to stop, then fail. ' +
              'WaitEventually: wait without end. FailImmediate: fail. StopTarget: stop it.',
          ),
        volumeRestorePolicy: z
          .string()
          .optional()
          .describe(
            'Names of the new claims. RandomizeNames (default): new ones. PrefixTargetName: new ones that begin with the ' +
              'name of the target. InPlace: those of the old claims, which are replaced.',
          ),
        volumeOwnershipPolicy: z
          .string()
          .optional()
          .describe('Vm (default): the new claims are deleted with the virtual machine. None: they are not.'),
        volumeRestoreOverrides: z
          .array(
            z.object({
              volumeName: z.string().optional().describe('Name of the volume in the virtual machine.'),
              restoreName: z.string().optional().describe('Name of its new claim.'),
              labels: stringMap.optional().describe('Labels of its new claim.'),
              annotations: stringMap.optional().describe('Annotations of its new claim.'),
            }),
          )
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('What is to be different for single volumes.'),
        patches: strings
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('JSON patch operations, one a text, on the virtual machine that is created.'),
      })
      .describe('Desired state. Cannot be updated.'),
    status: z
      .object({
        restores: z
          .array(
            z.object({
              volumeName: z.string().describe('Name of the volume in the virtual machine.'),
              persistentVolumeClaim: z.string().describe('Its new claim.'),
              volumeSnapshotName: z.string().describe('The VolumeSnapshot its data comes from.'),
              dataVolumeName: z.string().optional().describe('The DataVolume of the new claim.'),
            }),
          )
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('The restored volumes.'),
        restoreTime: time.optional().describe('When the restore was complete.'),
        deletedDataVolumes: strings
          .meta({ 'x-kubernetes-list-type': 'set' })
          .optional()
          .describe('DataVolumes of the virtual machine that were deleted because others took their place.'),
        complete: z.boolean().optional().describe('True when the virtual machine is restored.'),
        conditions: ownConditions.optional().describe('Conditions: Progressing, Ready and, if so, Failure.'),
      })
      .optional()
      .describe('What came of it.'),
  },
  columns: [
    { name: 'TargetKind', type: 'string', jsonPath: '.spec.target.kind' },
    { name: 'TargetName', type: 'string', jsonPath: '.spec.target.name' },
    { name: 'Complete', type: 'boolean', jsonPath: '.status.complete' },
    { name: 'RestoreTime', type: 'date', jsonPath: '.status.restoreTime' },
  ],
  selectableFields: ['.spec.target.name', '.spec.virtualMachineSnapshotName'],
})
export type VirtualMachineRestore = ObjectOf<typeof VirtualMachineRestore>
