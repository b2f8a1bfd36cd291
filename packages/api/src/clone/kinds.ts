import * as z from 'zod'
import { ownConditions, stringMap, strings, time, typedLocalObjectReference } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'

// clone.kubevirt.io: spec snapshot-restore (h.1).

export const clonePhases = [
  'SnapshotInProgress',
  'CreatingTargetVM',
  'RestoreInProgress',
  'Succeeded',
  'Failed',
  'Unknown',
] as const
export type ClonePhase = (typeof clonePhases)[number]

export const volumeNamePolicies = ['RandomizeNames', 'PrefixTargetName'] as const

const filters = (what: string) =>
  strings
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe(
      `Which ${what} are copied: regular expressions of keys. "!" in front keeps keys out and wins; "*" alone is every ` +
        'key. Without filters all are copied.',
    )

export const VirtualMachineClone = resource({
  group: 'clone.kubevirt.io',
  version: 'v1beta1',
  versions: [{ name: 'v1beta1' }, { name: 'v1alpha1' }],
  categories: ['all'],
  kind: 'VirtualMachineClone',
  plural: 'virtualmachineclones',
  shortNames: ['vmclone', 'vmclones'],
  description: 'A request for a copy of a virtual machine, and what came of it.',
  fields: {
    spec: z
      .object({
        source: typedLocalObjectReference.describe(
          'The VirtualMachine (kubevirt.io) or VirtualMachineSnapshot (snapshot.kubevirt.io) of the same namespace to copy.',
        ),
        target: z
          .object({
            apiGroup: z.string().optional().describe('API group of the object: kubevirt.io.'),
            kind: z.string().describe('Kind of the object: VirtualMachine.'),
            name: z.string().optional().describe('Name of the object.'),
          })
          .meta({ 'x-kubernetes-map-type': 'atomic' })
          .optional()
          .describe('The VirtualMachine to create. Without a name it gets one made of the name of the source.'),
        annotationFilters: filters('annotations of the virtual machine'),
        labelFilters: filters('labels of the virtual machine'),
        template: z
          .object({
            annotationFilters: filters('annotations of its template'),
            labelFilters: filters('labels of its template'),
          })
          .optional()
          .describe('The same for the template of the instance.'),
        newMacAddresses: stringMap
          .optional()
          .describe('MAC addresses by interface name. Interfaces that are not named get one when the copy starts.'),
        newSMBiosSerial: z.string().optional().describe('Serial number the guest sees. Default: a new one.'),
        patches: strings
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .optional()
          .describe('JSON patch operations, one a text, on the virtual machine that is created.'),
        volumeNamePolicy: z
          .enum(volumeNamePolicies)
          .optional()
          .describe(
            'Names of the new claims. RandomizeNames (default): new ones. PrefixTargetName: new ones that begin with ' +
              'the name of the target.',
          ),
      })
      .describe('Desired state. Cannot be updated.'),
    status: z
      .object({
        creationTime: time.nullable().optional().describe('When the copy was there.'),
        phase: z
          .enum(['', ...clonePhases])
          .optional()
          .describe(`How far it is: ${clonePhases.join(', ')}.`),
        conditions: ownConditions.optional().describe('Conditions: Progressing and Ready.'),
        snapshotName: z
          .string()
          .nullable()
          .optional()
          .describe('The VirtualMachineSnapshot in use; gone when it is not needed any more.'),
        restoreName: z
          .string()
          .nullable()
          .optional()
          .describe('The VirtualMachineRestore in use; gone when it is not needed any more.'),
        targetName: z.string().nullable().optional().describe('The VirtualMachine that was created.'),
      })
      .optional()
      .describe('What came of it.'),
  },
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'SourceVirtualMachine', type: 'string', jsonPath: '.spec.source.name' },
    { name: 'TargetVirtualMachine', type: 'string', jsonPath: '.spec.target.name' },
  ],
})
export type VirtualMachineClone = ObjectOf<typeof VirtualMachineClone>
