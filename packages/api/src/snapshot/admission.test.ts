import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../meta/object-meta.ts'
import { StatusError } from '../meta/status-error.ts'
import { type AdmissionCall, snapshotAdmission } from './admission.ts'
import { expiresAtAnnotation, startTargetAnnotation } from './keys.ts'
import { sameJson } from './same-json.ts'

const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'my-vm' }
const meta = { name: 'thing', namespace: 'ns' }
const ok = 'accepted'

function admit(
  resource: string,
  operation: AdmissionCall['operation'],
  object: object,
  { old, stored = {}, subresource }: { old?: object; stored?: Record<string, object>; subresource?: 'status' } = {},
): unknown {
  const rule = snapshotAdmission.find((candidate) => candidate.resource === resource)
  const read = {
    get: (_: string, plural: string, namespace: string | undefined, name: string) =>
      stored[`${plural}/${namespace}/${name}`] as KubeObject | undefined,
    list: (_: string, plural: string, namespace?: string) =>
      Object.entries(stored)
        .filter(([key]) => key.startsWith(`${plural}/${namespace}/`))
        .map(([, value]) => value as KubeObject),
  }
  const call = {
    operation,
    object: { apiVersion: 'x/v1', kind: 'X', metadata: meta, ...object },
    ...(old ? { oldObject: { apiVersion: 'x/v1', kind: 'X', metadata: meta, ...old } } : {}),
    ...(subresource ? { subresource } : {}),
    read,
  } as AdmissionCall
  try {
    const changed = rule?.admit(call)
    return changed === undefined ? ok : (changed as unknown as { spec: unknown }).spec
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    const { code, status } = error
    if (code === 400) return `400 ${error.message}`
    return [
      code,
      ...(status.details?.causes ?? []).map(({ reason, field, message }) => `${reason} ${field}: ${message}`),
    ]
  }
}

const snapshots: Record<string, [object, unknown]> = {
  'accepts a VirtualMachine': [{ source }, ok],
  'b.2-2 refuses a source without apiGroup': [
    { source: { kind: 'VirtualMachine', name: 'x' } },
    [422, 'FieldValueNotFound spec.source.apiGroup: missing apiGroup'],
  ],
  'b.2-3 refuses the empty apiGroup': [
    { source: { ...source, apiGroup: '' } },
    [422, 'FieldValueInvalid spec.source.apiGroup: invalid apiGroup'],
  ],
  'b.2-4 refuses another kind': [
    { source: { ...source, kind: 'Pod' } },
    [422, 'FieldValueInvalid spec.source.kind: invalid kind'],
  ],
  'takes a deadline without unit as seconds': [
    { source, failureDeadline: '10' },
    { source, failureDeadline: '10s' },
  ],
  'leaves a deadline of zero alone': [{ source, failureDeadline: '0' }, ok],
  'accepts a negative deadline': [{ source, failureDeadline: '-5s' }, ok],
  'accepts any deletion policy': [{ source, deletionPolicy: 'Perhaps' }, ok],
}
test.each(Object.entries(snapshots))('snapshot: %s', (_, [spec, expected]) =>
  expect(admit('virtualmachinesnapshots', 'CREATE', { spec })).toEqual(expected),
)

test.each(['soon', '', '1 m', '9'.repeat(400), '9223372037', '-9223372037', '2562048h', '5m3'])(
  'b.2-6 snapshot: refuses the deadline %j, which is no duration or none that fits',
  (failureDeadline) =>
    expect(admit('virtualmachinesnapshots', 'CREATE', { spec: { source, failureDeadline } })).toBe(
      `400 spec.failureDeadline: time: invalid duration "${failureDeadline}"; write for example 90s, 5m or 1h30m`,
    ),
)

test('snapshot: what was stored before a rule was there keeps its labels and finalizers changeable', () => {
  const old = { spec: { source: { kind: 'Pod', name: 'x' }, failureDeadline: 'soon' } }
  expect(admit('virtualmachinesnapshots', 'UPDATE', structuredClone(old), { old })).toBe(ok)
  const bare = { spec: { source, failureDeadline: '10' } }
  const canonical = { spec: { source, failureDeadline: '10s' } }
  expect(admit('virtualmachinesnapshots', 'UPDATE', canonical, { old: bare })).toBe(ok)
})

test('snapshot: a bad time of expiry is refused where it is written, and keeps nothing else from being written', () => {
  const bad = { metadata: { ...meta, annotations: { [expiresAtAnnotation]: 'soon' } }, spec: { source } }
  const refusal = [422, expect.stringMatching(/^FieldValueInvalid metadata\.annotations\[.*\]: .* write RFC 3339/)]
  expect(admit('virtualmachinesnapshots', 'CREATE', bad)).toEqual(refusal)
  expect(admit('virtualmachinesnapshots', 'UPDATE', bad, { old: { spec: { source } } })).toEqual(refusal)
  expect(admit('virtualmachinesnapshots', 'UPDATE', bad, { old: structuredClone(bad) })).toBe(ok)
  expect(admit('virtualmachinesnapshots', 'UPDATE', bad, { old: { spec: { source } }, subresource: 'status' })).toBe(ok)
})

test('restore: a start that is neither asked for nor not is refused where it is written', () => {
  const starting = (value: string) => ({
    metadata: { ...meta, annotations: { [startTargetAnnotation]: value } },
    spec: { target: source, virtualMachineSnapshotName: 'snap' },
  })
  const { spec } = starting('true')
  const refusal = [
    422,
    expect.stringMatching(/^FieldValueInvalid metadata\.annotations\[.*\]: .* must be "true" or "false"/),
  ]
  for (const value of ['true', 'false']) expect(admit('virtualmachinerestores', 'CREATE', starting(value))).toBe(ok)
  for (const value of ['True', 'yes', '1', ''])
    expect(admit('virtualmachinerestores', 'CREATE', starting(value))).toEqual(refusal)
  expect(admit('virtualmachinerestores', 'UPDATE', starting('yes'), { old: { spec } })).toEqual(refusal)
  expect(admit('virtualmachinerestores', 'UPDATE', starting('yes'), { old: starting('yes') })).toBe(ok)
})

test('a snapshot of any shape can be asked for its canonical form', () =>
  fc.assert(
    fc.property(fc.jsonValue(), (spec) => {
      const object = { apiVersion: 'x/v1', kind: 'X', metadata: meta, spec } as KubeObject
      const mutate = snapshotAdmission.find(({ resource }) => resource === 'virtualmachinesnapshots')?.mutate
      expect(mutate?.(object)).toBe(object)
    }),
  ))

test('b.2-5 snapshot: the spec is immutable, and the same deadline spelt without unit is no change', () => {
  const old = { spec: { source, failureDeadline: '10s' } }
  expect(admit('virtualmachinesnapshots', 'UPDATE', { spec: { source } }, { old })).toEqual([
    422,
    'FieldValueInvalid spec: spec in immutable after creation',
  ])
  const same = { spec: { source, failureDeadline: '10' } }
  expect(admit('virtualmachinesnapshots', 'UPDATE', same, { old })).toEqual(old.spec)
})

const base = { target: source, virtualMachineSnapshotName: 'snap' }
const withState = {
  template: { spec: { domain: { devices: { tpm: { persistent: true } } } } },
}
const content = (spec: object) => ({
  metadata: { name: 'content' },
  spec: { source: { virtualMachine: { spec } }, volumeBackups: [{ volumeName: 'root' }] },
})
const plain = { template: { spec: { domain: { devices: {} } } } }
const snap = { status: { sourceUID: 'uid-1', virtualMachineSnapshotContentName: 'content' } }
const vm = { metadata: { ...meta, name: 'my-vm', uid: 'uid-1' } }

const restores: Record<string, [object, Record<string, object>, unknown]> = {
  'accepts a snapshot that does not exist yet': [base, {}, ok],
  'b.3-2 refuses a target without apiGroup': [
    { ...base, target: { kind: 'VirtualMachine', name: 'x' } },
    {},
    [422, 'FieldValueNotFound spec.target.apiGroup: missing apiGroup'],
  ],
  'b.3-5 refuses a second restore of one target': [
    base,
    { 'virtualmachinerestores/ns/first': { metadata: { ...meta, name: 'first' }, spec: base } },
    [422, 'FieldValueInvalid spec.target: VirtualMachineRestore "first" in progress'],
  ],
  'b.3-5 comes on top of 2 to 4': [
    { ...base, target: { ...source, kind: 'Pod' }, volumeRestorePolicy: 'Here' },
    {
      'virtualmachinerestores/ns/first': {
        metadata: { ...meta, name: 'first' },
        spec: { ...base, target: { ...source, kind: 'Pod' } },
      },
    },
    [
      422,
      'FieldValueInvalid spec.target.kind: invalid kind',
      'FieldValueInvalid spec.target: VirtualMachineRestore "first" in progress',
    ],
  ],
  'does not count a restore that has failed for good': [
    base,
    {
      'virtualmachinerestores/ns/first': {
        metadata: { ...meta, name: 'first' },
        spec: base,
        status: { complete: false, conditions: [{ type: 'Failure', status: 'True' }] },
      },
    },
    ok,
  ],
  'b.3-8 refuses persistent state for another VM': [
    base,
    {
      'virtualmachinesnapshots/ns/snap': snap,
      'virtualmachinesnapshotcontents/ns/content': content(withState),
    },
    [
      422,
      'FieldValueInvalid spec: Restore to a different VM is not supported when snapshotted VM has backend storage (persistent TPM or EFI)',
    ],
  ],
  'accepts persistent state for the same VM': [
    base,
    {
      'virtualmachines/ns/my-vm': vm,
      'virtualmachinesnapshots/ns/snap': snap,
      'virtualmachinesnapshotcontents/ns/content': content(withState),
    },
    ok,
  ],
  'b.3-9 refuses another target while the snapshot has no content': [
    base,
    { 'virtualmachinesnapshots/ns/snap': {} },
    '400 snapshot content name is nil in vmSnapshot status',
  ],
  'b.3-11 and 12 refuse empty overrides': [
    { ...base, volumeRestoreOverrides: [{ restoreName: 'a' }, { volumeName: 'root' }] },
    {},
    [
      422,
      'FieldValueRequired spec.volumeRestoreOverrides[0].volumeName: must provide a volume name',
      'FieldValueRequired spec.volumeRestoreOverrides[1]: must provide at least one overriden field',
    ],
  ],
  'refuses one name for two volumes': [
    {
      ...base,
      volumeRestoreOverrides: [
        { volumeName: 'root', restoreName: 'a' },
        { volumeName: 'data', restoreName: 'a' },
      ],
    },
    {},
    [422, 'FieldValueDuplicate spec.volumeRestoreOverrides[1].restoreName: restore name "a" is used for two volumes'],
  ],
  'refuses an override of a volume that is not in the snapshot': [
    { ...base, volumeRestoreOverrides: [{ volumeName: 'data', restoreName: 'a' }] },
    {
      'virtualmachines/ns/my-vm': vm,
      'virtualmachinesnapshots/ns/snap': snap,
      'virtualmachinesnapshotcontents/ns/content': content(plain),
    },
    [422, 'FieldValueInvalid spec.volumeRestoreOverrides[0].volumeName: volume "data" is not in the snapshot'],
  ],
  'b.3-13 and 14 refuse unknown policies': [
    { ...base, volumeRestorePolicy: 'Here', volumeOwnershipPolicy: 'Me' },
    {},
    [
      422,
      `FieldValueInvalid spec.volumeRestorePolicy: volume restore policy "Here" doesn't exist`,
      `FieldValueInvalid spec.volumeOwnershipPolicy: volume ownership policy "Me" doesn't exist`,
    ],
  ],
}
test.each(Object.entries(restores))('restore: %s', (_, [spec, stored, expected]) =>
  expect(admit('virtualmachinerestores', 'CREATE', { spec }, { stored })).toEqual(expected),
)

const format = expect.stringMatching(/^FieldValueInvalid spec\.patches: patch format is not valid/)
const outside = expect.stringMatching(
  /^FieldValueInvalid spec\.patches: patching is valid only for elements under \/spec\/ only/,
)
const patches: [string, unknown][] = [
  [
    '{"op": "replace", "path": "/spec/template/spec/domain/devices/interfaces/0/macAddress", "value": "02:00:00:00:00:01"}',
    ok,
  ],
  ['{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"a": "b", "c": "d"}}', ok],
  ['{"op": "add", "path": "/metadata/labels/app.kubernetes.io~1name", "value": "x"}', ok],
  ['{"op": "remove", "path": "/metadata/annotations/a"}', ok],
  ['{"op": "copy", "from": "/spec/running", "path": "/spec/template/x"}', ok],
  ['{"op": "copy", "from": "/metadata/name", "path": "/spec/template/x"}', [422, outside]],
  ['{"op": "replace", "path": "/metadata", "value": "x"}', [422, outside]],
  ['{"op": "replace", "path": "/metadata/name", "value": "x"}', [422, outside]],
  ['{"op": "replace", "path": "/metadata/labels", "value": "x"}', [422, outside]],
  ['{"op": "replace", "path": "/spec", "value": "x"}', [422, outside]],
  ['{"op": "replace", "path": "/kind", "value": "x"}', [422, outside]],
  ['{"op": "replace", "path": "/status/ready", "value": "x"}', [422, outside]],
  ['{"op": "replace", "p\\u0061th": "/status", "value": "x"}', [422, outside]],
  ['{"op": "remove", "path": "/metadata/annotations/restore.kubevirt.io~1lastRestoreUID"}', [422, outside]],
  ['{"op": "replace"', [422, format]],
  ['[]', [422, format]],
  ['{"op": "replace"}', [422, format]],
]
test.each(patches)('restore: patch %s', (patch, expected) =>
  expect(admit('virtualmachinerestores', 'CREATE', { spec: { ...base, patches: [patch] } })).toEqual(expected),
)

const volumes = [{ name: 'root', persistentVolumeClaim: { claimName: 'root' } }]
const vmSpec = (spec: object = {}, volume: unknown = volumes) => ({
  runStrategy: 'Manual',
  template: { spec: { domain: { devices: {} }, volumes: volume } },
  ...spec,
})
const locks: Record<string, [object, object, object, unknown]> = {
  'no volumes change under a snapshot': [
    vmSpec(),
    vmSpec({}, []),
    { snapshotInProgress: 's' },
    [422, 'FieldValueNotSupported spec: Cannot update vm disks or volumes until snapshot "s" completes'],
  ],
  'no run state changes under a snapshot': [
    vmSpec(),
    vmSpec({ runStrategy: 'Halted' }),
    { snapshotInProgress: 's' },
    [422, 'FieldValueNotSupported spec: Cannot update vm running state until snapshot "s" completes'],
  ],
  'no run strategy changes under a restore': [
    vmSpec(),
    vmSpec({ runStrategy: 'Always' }),
    { restoreInProgress: 'r' },
    [422, 'FieldValueNotSupported spec: Cannot update VM runStrategy until restore "r" completes'],
  ],
  'volumes may change under a restore': [vmSpec(), vmSpec({}, []), { restoreInProgress: 'r' }, ok],
  'a strategy we do not know is a strategy': [
    vmSpec({ runStrategy: 'Halted' }),
    vmSpec({ runStrategy: 'WaitAsReceiver' }),
    { restoreInProgress: 'r' },
    [422, 'FieldValueNotSupported spec: Cannot update VM runStrategy until restore "r" completes'],
  ],
  'running: false is Halted': [
    vmSpec({ runStrategy: 'Halted' }),
    { ...vmSpec(), runStrategy: undefined, running: false },
    { restoreInProgress: 'r' },
    ok,
  ],
  'anything else may change': [vmSpec(), vmSpec({ other: 1 }), { snapshotInProgress: 's' }, ok],
  'without a lock everything may': [vmSpec(), vmSpec({ runStrategy: 'Always' }, []), {}, ok],
}
test.each(Object.entries(locks))('virtual machine: %s', (_, [before, after, status, expected]) =>
  expect(admit('virtualmachines', 'UPDATE', { spec: after, status: {} }, { old: { spec: before, status } })).toEqual(
    expected,
  ),
)

test('a content cannot be edited, its status can', () => {
  const old = { spec: { a: 1 } }
  expect(admit('virtualmachinesnapshotcontents', 'UPDATE', { spec: { a: 2 } }, { old })).toEqual([
    422,
    'FieldValueInvalid spec: spec in immutable after creation',
  ])
  expect(admit('virtualmachinesnapshotcontents', 'UPDATE', { spec: { a: 1 }, status: {} }, { old })).toBe(ok)
})

test('any text as a patch is either accepted or refused', () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.record({ op: fc.string(), path: fc.string() }).map((x) => JSON.stringify(x)),
      ),
      (patch) => {
        const answer = admit('virtualmachinerestores', 'CREATE', { spec: { ...base, patches: [patch] } })
        expect(answer === ok || Array.isArray(answer)).toBe(true)
      },
    ),
  ))

test('a value is the same as its copy', () =>
  fc.assert(fc.property(fc.jsonValue(), (value) => sameJson(value, structuredClone(value)))))
