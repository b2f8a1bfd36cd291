import { describe, expect, test } from 'vitest'
import { customResourceDefinition } from '../schema/crd.ts'
import type { JsonSchema, ResourceDefinition } from '../schema/resource.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot, VirtualMachineSnapshotContent } from './kinds.ts'

// The tables of spec snapshot-restore a.1 to a.5, a row a test. What a published schema says of a field is put in
// words: type or format, list and map type, `nullable`, `required`, `preserves`, enum and default.

const definitions = { VirtualMachineSnapshot, VirtualMachineSnapshotContent, VirtualMachineRestore } as const
type Kind = keyof typeof definitions

describe('a.1 resource definitions', () => {
  const names: Record<Kind, { plural: string; singular: string; shortNames: string[] }> = {
    VirtualMachineSnapshot: {
      plural: 'virtualmachinesnapshots',
      singular: 'virtualmachinesnapshot',
      shortNames: ['vmsnapshot', 'vmsnapshots'],
    },
    VirtualMachineSnapshotContent: {
      plural: 'virtualmachinesnapshotcontents',
      singular: 'virtualmachinesnapshotcontent',
      shortNames: ['vmsnapshotcontent', 'vmsnapshotcontents'],
    },
    VirtualMachineRestore: {
      plural: 'virtualmachinerestores',
      singular: 'virtualmachinerestore',
      shortNames: ['vmrestore', 'vmrestores'],
    },
  }
  const crdOf = (kind: string) => customResourceDefinition(definitions[kind as Kind]).spec
  const all = Object.keys(names)

  test.each(all)('%s: plural, singular, kind, list kind, short names, categories', (kind) =>
    expect(crdOf(kind).names).toEqual({ ...names[kind as Kind], kind, listKind: `${kind}List`, categories: ['all'] }),
  )
  test.each(all)('%s: group and scope', (kind) =>
    expect(crdOf(kind)).toMatchObject({ group: 'snapshot.kubevirt.io', scope: 'Namespaced' }),
  )
  test.each(all)('%s: v1beta1 is stored, both versions are served, nothing is converted', (kind) => {
    const { versions, conversion } = crdOf(kind)
    expect(versions.map(({ name, served, storage }) => [name, served, storage])).toEqual([
      ['v1beta1', true, true],
      ['v1alpha1', true, false],
    ])
    expect(conversion).toEqual({ strategy: 'None' })
    expect(versions[1]?.schema).toEqual(versions[0]?.schema)
  })
  test.each(all)('%s: a status subresource in both versions, no scale', (kind) =>
    expect(crdOf(kind).versions.map(({ subresources }) => subresources)).toEqual([{ status: {} }, { status: {} }]),
  )

  const columns: Record<Kind, string[]> = {
    VirtualMachineSnapshot: [
      'SourceKind string .spec.source.kind',
      'SourceName string .spec.source.name',
      'Phase string .status.phase',
      'ReadyToUse boolean .status.readyToUse',
      'CreationTime date .status.creationTime',
      'Error string .status.error.message',
    ],
    VirtualMachineSnapshotContent: [
      'ReadyToUse boolean .status.readyToUse',
      'CreationTime date .status.creationTime',
      'Error string .status.error.message',
    ],
    VirtualMachineRestore: [
      'TargetKind string .spec.target.kind',
      'TargetName string .spec.target.name',
      'Complete boolean .status.complete',
      'RestoreTime date .status.restoreTime',
    ],
  }
  test.each(Object.entries(columns))('%s: its columns, in order, and no Age', (kind, wanted) => {
    for (const { additionalPrinterColumns = [] } of crdOf(kind).versions)
      expect(additionalPrinterColumns.map(({ name, type, jsonPath }) => `${name} ${type} ${jsonPath}`)).toEqual(wanted)
  })

  const selectable: Record<Kind, string[]> = {
    VirtualMachineSnapshot: ['.spec.source.name'],
    VirtualMachineSnapshotContent: [],
    VirtualMachineRestore: ['.spec.target.name', '.spec.virtualMachineSnapshotName'],
  }
  test.each(Object.entries(selectable))('%s: fields it can be listed by', (kind, wanted) => {
    for (const { selectableFields = [] } of crdOf(kind).versions)
      expect(selectableFields.map(({ jsonPath }) => jsonPath)).toEqual(wanted)
  })
})

const reference = (path: string): Record<string, string> => ({
  [path]: 'object atomic required',
  [`${path}.apiGroup`]: 'string',
  [`${path}.kind`]: 'string required',
  [`${path}.name`]: 'string required',
})
const conditions: Record<string, string> = {
  'status.conditions': 'array atomic',
  'status.conditions[]': 'object',
  'status.conditions[].type': 'string required',
  'status.conditions[].status': 'string required',
  'status.conditions[].lastProbeTime': 'date-time nullable',
  'status.conditions[].lastTransitionTime': 'date-time nullable',
  'status.conditions[].reason': 'string',
  'status.conditions[].message': 'string',
}
const error = (path: string): Record<string, string> => ({
  [path]: 'object',
  [`${path}.time`]: 'date-time',
  [`${path}.message`]: 'string',
})
const base: Record<string, string> = {
  apiVersion: 'string',
  kind: 'string',
  metadata: 'object',
  spec: 'object required',
  status: 'object',
}

const fields: Record<Kind, Record<string, string>> = {
  // a.2, a.3
  VirtualMachineSnapshot: {
    ...base,
    ...reference('spec.source'),
    'spec.deletionPolicy': 'string',
    'spec.failureDeadline': 'string',
    'status.sourceUID': 'string',
    'status.virtualMachineSnapshotContentName': 'string',
    'status.creationTime': 'date-time nullable',
    'status.phase': 'string',
    'status.readyToUse': 'boolean',
    ...error('status.error'),
    ...conditions,
    'status.indications': 'array set',
    'status.indications[]': 'string',
    'status.sourceIndications': 'array atomic',
    'status.sourceIndications[]': 'object',
    'status.sourceIndications[].indication': 'string required',
    'status.sourceIndications[].message': 'string required',
    'status.snapshotVolumes': 'object',
    'status.snapshotVolumes.includedVolumes': 'array set',
    'status.snapshotVolumes.includedVolumes[]': 'string',
    'status.snapshotVolumes.excludedVolumes': 'array set',
    'status.snapshotVolumes.excludedVolumes[]': 'string',
  },
  // a.4
  VirtualMachineSnapshotContent: {
    ...base,
    'spec.virtualMachineSnapshotName': 'string',
    'spec.source': 'object required',
    'spec.source.virtualMachine': 'object',
    'spec.source.virtualMachine.metadata': 'object nullable preserves',
    // We do not model all of a VM, and must give back what was taken.
    'spec.source.virtualMachine.spec': 'object preserves',
    'spec.source.virtualMachine.status': 'object preserves',
    'spec.volumeBackups': 'array atomic',
    'spec.volumeBackups[]': 'object',
    'spec.volumeBackups[].volumeName': 'string required',
    'spec.volumeBackups[].persistentVolumeClaim': 'object required',
    'spec.volumeBackups[].persistentVolumeClaim.metadata': 'object preserves',
    'spec.volumeBackups[].persistentVolumeClaim.spec': 'object',
    'spec.volumeBackups[].volumeSnapshotName': 'string',
    'status.creationTime': 'date-time nullable',
    'status.readyToUse': 'boolean',
    ...error('status.error'),
    'status.volumeSnapshotStatus': 'array atomic',
    'status.volumeSnapshotStatus[]': 'object',
    'status.volumeSnapshotStatus[].volumeSnapshotName': 'string required',
    'status.volumeSnapshotStatus[].creationTime': 'date-time nullable',
    'status.volumeSnapshotStatus[].readyToUse': 'boolean',
    ...error('status.volumeSnapshotStatus[].error'),
  },
  // a.5
  VirtualMachineRestore: {
    ...base,
    ...reference('spec.target'),
    'spec.virtualMachineSnapshotName': 'string required',
    'spec.targetReadinessPolicy':
      'string enum StopTarget|WaitGracePeriod|FailImmediate|WaitEventually default WaitGracePeriod',
    'spec.volumeRestorePolicy': 'string',
    'spec.volumeOwnershipPolicy': 'string',
    'spec.volumeRestoreOverrides': 'array atomic',
    'spec.volumeRestoreOverrides[]': 'object',
    'spec.volumeRestoreOverrides[].volumeName': 'string',
    'spec.volumeRestoreOverrides[].restoreName': 'string',
    'spec.volumeRestoreOverrides[].labels': 'object of string',
    'spec.volumeRestoreOverrides[].annotations': 'object of string',
    'spec.patches': 'array atomic',
    'spec.patches[]': 'string',
    'status.restores': 'array atomic',
    'status.restores[]': 'object',
    'status.restores[].volumeName': 'string required',
    'status.restores[].persistentVolumeClaim': 'string required',
    'status.restores[].volumeSnapshotName': 'string required',
    'status.restores[].dataVolumeName': 'string',
    'status.restoreTime': 'date-time',
    'status.deletedDataVolumes': 'array set',
    'status.deletedDataVolumes[]': 'string',
    'status.complete': 'boolean',
    ...conditions,
  },
}

/** Foreign schemas inside ours: not described further here. */
const foreign = [
  'spec.source.virtualMachine.spec',
  'spec.source.virtualMachine.status',
  'spec.volumeBackups[].persistentVolumeClaim.spec',
]

describe.each(Object.entries(fields))('a.2 to a.5, %s', (kind, rows) => {
  const found = described(definitions[kind as Kind])
  test.each(Object.entries(rows))('%s is %s', (path, wanted) => expect(found.get(path)).toBe(wanted))
  test('has no other field', () => expect([...found.keys()].filter((path) => !(path in rows))).toEqual([]))
})

function described(definition: ResourceDefinition): Map<string, string> {
  const found = new Map<string, string>()
  const visit = (schema: JsonSchema, path: string): void => {
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      const at = path === '' ? name : `${path}.${name}`
      found.set(at, inWords(child, schema.required?.includes(name) ?? false))
      if (foreign.includes(at)) continue
      visit(child, at)
      if (child.items) {
        found.set(`${at}[]`, inWords(child.items, false))
        visit(child.items, `${at}[]`)
      }
    }
  }
  visit(definition.schema(), '')
  return found
}

function inWords(schema: JsonSchema, required: boolean): string {
  return [
    schema.format ?? schema.type,
    schema['x-kubernetes-list-type'],
    schema['x-kubernetes-map-type'],
    ...(typeof schema.additionalProperties === 'object' ? ['of', schema.additionalProperties.type] : []),
    ...(schema.nullable ? ['nullable'] : []),
    ...(schema['x-kubernetes-preserve-unknown-fields'] ? ['preserves'] : []),
    ...(required ? ['required'] : []),
    ...(schema.enum ? ['enum', schema.enum.join('|')] : []),
    ...(schema.default === undefined ? [] : ['default', String(schema.default)]),
  ]
    .filter((word) => word !== undefined)
    .join(' ')
}
