import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../meta/object-meta.ts'
import { StatusError } from '../meta/status-error.ts'
import type { AdmissionCall } from '../snapshot/admission.ts'
import { cloneAdmission } from './admission.ts'

const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'my-vm' }
const snapshot = { apiGroup: 'snapshot.kubevirt.io', kind: 'VirtualMachineSnapshot', name: 'snap' }
const target = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'copy' }
const ok = 'accepted'

const [rule] = cloneAdmission(() => 'x7b2k')

function admit(spec: object, { old, subresource }: { old?: object; subresource?: 'status' } = {}): unknown {
  const metadata = { name: 'thing', namespace: 'ns' }
  const object = (of: object) => ({ apiVersion: 'x/v1', kind: 'X', metadata, spec: of })
  const taken = { apiVersion: 'x/v1', kind: 'X', metadata: { name: 'taken', namespace: 'ns' } }
  const call: AdmissionCall = {
    operation: old === undefined ? 'CREATE' : 'UPDATE',
    object: object(spec),
    ...(old === undefined ? {} : { oldObject: object(old) }),
    ...(subresource === undefined ? {} : { subresource }),
    read: {
      get: (group, plural, namespace, name) =>
        `${group}/${plural}/${namespace}/${name}` === 'kubevirt.io/virtualmachines/ns/taken' ? taken : undefined,
      list: () => [],
    },
  }
  try {
    const changed = rule?.admit(call) as (KubeObject & { spec: unknown }) | undefined
    return changed === undefined ? ok : changed.spec
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return [
      error.code,
      ...(error.status.details?.causes ?? []).map(({ reason, field, message }) => `${reason} ${field}: ${message}`),
    ]
  }
}

const refused = (field: string, message: string, reason = 'FieldValueInvalid') => [
  422,
  `${reason} ${field}: ${message}`,
]
const supported = 'the source is a VirtualMachine of kubevirt.io or VirtualMachineSnapshot of snapshot.kubevirt.io'
const patch = (item: unknown) => ({ source, target, patches: ['{"op":"remove","path":"/spec/a"}', item] })
const long = 'a'.repeat(60)

const creations: Record<string, [object, unknown]> = {
  'accepts a VM': [{ source, target }, ok],
  'accepts a snapshot, also onto the name of its VM': [{ source: snapshot, target: { ...target, name: 'my-vm' } }, ok],
  'names a missing target': [{ source }, { source, target: { ...target, name: 'clone-my-vm-x7b2k' } }],
  'names a target without name': [
    { source: snapshot, target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine' } },
    { source: snapshot, target: { ...target, name: 'clone-snap-x7b2k' } },
  ],
  'names a target with the empty name': [
    { source, target: { ...target, name: '' } },
    { source, target: { ...target, name: 'clone-my-vm-x7b2k' } },
  ],
  'keeps the name of a target within a label': [
    { source: { ...source, name: long } },
    { source: { ...source, name: long }, target: { ...target, name: `clone-${'a'.repeat(51)}-x7b2k` } },
  ],
  'refuses a source without apiGroup': [
    { source: { kind: 'VirtualMachine', name: 'x' }, target },
    refused('spec.source.apiGroup', 'spec.source.apiGroup is missing', 'FieldValueRequired'),
  ],
  'refuses a source without kind and name': [
    { source: { apiGroup: 'kubevirt.io', kind: '', name: '' } },
    [
      422,
      'FieldValueRequired spec.source.kind: spec.source.kind is missing',
      'FieldValueRequired spec.source.name: spec.source.name is missing',
    ],
  ],
  'refuses a source of another kind': [
    { source: { apiGroup: 'v1', kind: 'Pod', name: 'x' }, target },
    refused('spec.Source.Kind', `a Pod of v1 cannot be cloned; ${supported}`),
  ],
  'refuses a source of the right kind in the wrong group': [
    { source: { ...snapshot, apiGroup: 'kubevirt.io' }, target },
    refused('spec.Source.Kind', `a VirtualMachineSnapshot of kubevirt.io cannot be cloned; ${supported}`),
  ],
  'refuses a target of another kind': [
    { source, target: { ...target, kind: 'VirtualMachineInstance' } },
    refused(
      'spec.Target.Kind',
      'a VirtualMachineInstance of kubevirt.io cannot be a target; use VirtualMachine of kubevirt.io',
    ),
  ],
  'refuses a target without apiGroup': [
    { source, target: { kind: 'VirtualMachine', name: 'copy' } },
    refused(
      'spec.Target.Kind',
      'a VirtualMachine of no apiGroup cannot be a target; use VirtualMachine of kubevirt.io',
    ),
  ],
  'refuses the source as target': [
    { source, target: source },
    refused('spec.target.name', 'the target must have another name than the source'),
  ],
  'refuses a target that exists': [
    { source, target: { ...target, name: 'taken' } },
    refused(
      'spec.target.name',
      'VirtualMachine "taken" exists already, and a clone replaces none; choose another name',
    ),
  ],
  'refuses a target that cannot be a name': [
    { source, target: { ...target, name: 'My Copy' } },
    refused('spec.target.name', '"My Copy" is no name of an object: lower-case letters, digits, - and .'),
  ],
  'accepts MAC addresses in both writings': [
    { source, target, newMacAddresses: { a: '02:00:00:00:00:01', b: '02-00-00-00-00-AB' } },
    ok,
  ],
  'refuses a malformed MAC address': [
    { source, target, newMacAddresses: { a: '02:00:00:00:00:01', b: '02:00:00-00:00:02' } },
    refused('spec.newMacAddresses.b', '"02:00:00-00:00:02" is no MAC address; write for example 02:00:00:00:00:01'),
  ],
  'refuses the address of a group': [
    { source, target, newMacAddresses: { a: '03:00:00:00:00:01' } },
    refused('spec.newMacAddresses.a', '"03:00:00:00:00:01" is a multicast address; its first byte must be even'),
  ],
  'accepts filters': [
    { source, target, labelFilters: ['*', '!someKey/*'], template: { annotationFilters: ['^a\\.b/', '!*'] } },
    ok,
  ],
  'refuses an empty filter': [
    { source, target, labelFilters: ['*', '!'] },
    refused('spec.labels', 'filter "!" is empty; write a regular expression, or * for every key'),
  ],
  'refuses a filter that is no expression': [
    { source, target, annotationFilters: ['a('] },
    refused(
      'spec.annotations',
      'filter "a(" is not a regular expression: error parsing regexp: missing closing ): `a(`',
    ),
  ],
  'refuses a negation inside a filter of the template': [
    { source, target, template: { labelFilters: ['a!b'], annotationFilters: ['b!'] } },
    [
      422,
      'FieldValueInvalid spec.template.annotations: filter "b!" may have "!" only at its beginning',
      'FieldValueInvalid spec.template.labels: filter "a!b" may have "!" only at its beginning',
    ],
  ],
  'accepts patches with colons, commas and objects': [
    patch('{"op": "add", "path": "/metadata/labels/a.b~1c", "value": {"x": "1:2,3"}}'),
    ok,
  ],
  'refuses a patch that is no JSON': [
    patch('op: remove'),
    refused('spec.patches[1]', 'patch format is not valid - op: remove is not valid JSON'),
  ],
  'refuses a patch of what is not the spec': [
    patch('{"op": "add", "path": "/metadata/name", "value": "x"}'),
    refused(
      'spec.patches[1]',
      'patching is valid only for elements under /spec/ only, or a single one of /metadata/labels/ and /metadata/annotations/: {"op": "add", "path": "/metadata/name", "value": "x"}',
    ),
  ],
  'refuses a patch by its parsed path, not by its writing': [
    patch('{"op": "add", "\\u0070ath": "/status/x", "value": "x"}'),
    refused(
      'spec.patches[1]',
      'patching is valid only for elements under /spec/ only, or a single one of /metadata/labels/ and /metadata/annotations/: {"op": "add", "\\u0070ath": "/status/x", "value": "x"}',
    ),
  ],
  'refuses an unknown operation': [
    patch('{"op":"set","path":"/spec/x","value":1}'),
    refused(
      'spec.patches[1]',
      '{"op":"set","path":"/spec/x","value":1}: op is not one of add, remove, replace, move, copy, test',
    ),
  ],
  'refuses a patch of the mark of the restore': [
    patch('{"op":"remove","path":"/metadata/annotations/restore.kubevirt.io~1lastRestoreUID"}'),
    refused(
      'spec.patches[1]',
      '{"op":"remove","path":"/metadata/annotations/restore.kubevirt.io~1lastRestoreUID"}: by restore.kubevirt.io/lastRestoreUID the restore knows its target; it cannot be patched',
    ),
  ],
  'tells all that is wrong at once': [
    { source: { ...source, kind: 'X' }, target: { ...target, name: 'taken' }, newMacAddresses: { a: '' } },
    [
      422,
      `FieldValueInvalid spec.Source.Kind: a X of kubevirt.io cannot be cloned; ${supported}`,
      'FieldValueInvalid spec.target.name: VirtualMachine "taken" exists already, and a clone replaces none; choose another name',
      'FieldValueInvalid spec.newMacAddresses.a: "" is no MAC address; write for example 02:00:00:00:00:01',
    ],
  ],
}
test.each(Object.entries(creations))('%s', (_, [spec, expected]) => expect(admit(spec)).toEqual(expected))

const old = { source, target }
const updates: Record<string, [object, object, unknown]> = {
  'an unchanged spec is accepted, also when its target exists by now': [
    { source, target: { ...target, name: 'taken' } },
    { source, target: { ...target, name: 'taken' } },
    ok,
  ],
  'a changed spec is refused': [
    old,
    { source, target, newSMBiosSerial: 'x' },
    refused('spec', 'spec in immutable after creation'),
  ],
  'written again without target, it keeps the one it was given': [old, { source }, old],
  'written again without target, one that was given none stays without': [{ source }, { source }, ok],
}
test.each(Object.entries(updates))('%s', (_, [before, after, expected]) =>
  expect(admit(after, { old: before })).toEqual(expected),
)

test('the status is written freely', () => expect(admit({ source: {} }, { old, subresource: 'status' })).toBe(ok))

test('whatever is sent is accepted or refused, never a crash', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('', '!', '*', '!*', '02:00:00:00:00:01', '{"op":"add","path":"/"}'),
  )
  const reference = fc.record({ apiGroup: text, kind: text, name: text }, { requiredKeys: ['kind', 'name'] })
  const texts = fc.array(text)
  const anySpec = fc.record(
    {
      source: reference,
      target: reference,
      patches: texts,
      labelFilters: texts,
      template: fc.record({ annotationFilters: texts }),
      newMacAddresses: fc.dictionary(text, text),
    },
    { requiredKeys: ['source'] },
  )
  fc.assert(
    fc.property(anySpec, (spec) => {
      const answer = admit(spec)
      expect(Array.isArray(answer) ? answer[0] : 422).toBe(422)
    }),
  )
})
