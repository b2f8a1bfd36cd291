import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'

// The tables b.2 to b.5 of spec snapshot-restore, and what is accepted on purpose. Whoever admits writes is asked
// all of it: the embedded server with the rules built in, and the webhook.

export interface Stored {
  kind: ResourceDefinition
  name: string
  spec: object
  status?: object
}

export interface Row {
  /** What is there before. */
  given?: readonly Stored[]
  create?: { kind: ResourceDefinition; name: string; spec?: object }
  /** The first of `given`, changed. */
  update?: { spec?: object; labels?: Record<string, string>; status?: object; through?: 'status' }
  expected: Verdict
}

export interface Refusal {
  code: number
  message: string
  /** `REASON FIELD: MESSAGE` each. */
  causes: string[]
}
/** `fields`: refused by the schema, the words are the API server's own. */
export type Verdict = 'accepted' | Refusal | { code: 422; fields: string[] }

const invalid = (field: string, message: string, reason = 'FieldValueInvalid'): Refusal => ({
  code: 422,
  message,
  causes: [`${reason} ${field}: ${message}`],
})
const all = (...refusals: Refusal[]): Refusal => ({
  code: 422,
  message: refusals.map(({ message }) => message).join(', '),
  causes: refusals.flatMap(({ causes }) => causes),
})
const bad = (message: string): Refusal => ({ code: 400, message, causes: [] })

const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'my-vm' }
const immutable = invalid('spec', 'spec in immutable after creation')

const takes = (spec?: object) => ({ kind: VirtualMachineSnapshot, name: 'snap', ...(spec ? { spec } : {}) })
const taken = (spec: object = { source }): Stored => ({ kind: VirtualMachineSnapshot, name: 'snap', spec })

const snapshots: Record<string, Row> = {
  'b.2-1 there is no feature gate: creation is never off': { create: takes({ source }), expected: 'accepted' },
  'b.2-2 a source without apiGroup': {
    create: takes({ source: { kind: 'VirtualMachine', name: 'my-vm' } }),
    expected: invalid('spec.source.apiGroup', 'missing apiGroup', 'FieldValueNotFound'),
  },
  'b.2-3 a source of another apiGroup': {
    create: takes({ source: { ...source, apiGroup: 'apps' } }),
    expected: invalid('spec.source.apiGroup', 'invalid apiGroup'),
  },
  'b.2-3 the empty apiGroup': {
    create: takes({ source: { ...source, apiGroup: '' } }),
    expected: invalid('spec.source.apiGroup', 'invalid apiGroup'),
  },
  'b.2-4 a source of another kind': {
    create: takes({ source: { ...source, kind: 'VirtualMachineInstance' } }),
    expected: invalid('spec.source.kind', 'invalid kind'),
  },
  'b.2-2 to 4 stop at the first hit': {
    create: takes({ source: { apiGroup: 'apps', kind: 'Pod', name: 'x' } }),
    expected: invalid('spec.source.apiGroup', 'invalid apiGroup'),
  },
  'b.2-5 another source': {
    given: [taken()],
    update: { spec: { source: { ...source, name: 'other' } } },
    expected: immutable,
  },
  'b.2-5 a deadline added later': {
    given: [taken()],
    update: { spec: { source, failureDeadline: '1m' } },
    expected: immutable,
  },
  'b.2-6 a malformed deadline at creation': {
    create: takes({ source, failureDeadline: '5x' }),
    expected: bad('spec.failureDeadline: time: invalid duration "5x"; write for example 90s, 5m or 1h30m'),
  },
  'b.2-6 a malformed deadline in an update': {
    given: [taken()],
    update: { spec: { source, failureDeadline: 'soon' } },
    expected: bad('spec.failureDeadline: time: invalid duration "soon"; write for example 90s, 5m or 1h30m'),
  },
  'b.2-7 no spec': { create: takes(), expected: { code: 422, fields: ['spec'] } },
  'b.2-7 no source': { create: takes({}), expected: { code: 422, fields: ['spec.source'] } },
  'b.2-7 no kind, no name': {
    create: takes({ source: { apiGroup: 'kubevirt.io' } }),
    expected: { code: 422, fields: ['spec.source.kind', 'spec.source.name'] },
  },
  'b.2-7 a wrong type': {
    create: takes({ source, failureDeadline: 10 }),
    expected: { code: 422, fields: ['spec.failureDeadline'] },
  },
  'accepted: a source that does not exist': { create: takes({ source }), expected: 'accepted' },
  'accepted: a source with persistent state': {
    given: [
      {
        kind: VirtualMachine,
        name: 'my-vm',
        spec: { template: { spec: { domain: { devices: { tpm: { persistent: true } } } } } },
      },
    ],
    create: takes({ source }),
    expected: 'accepted',
  },
  'accepted: an empty name': { create: takes({ source: { ...source, name: '' } }), expected: 'accepted' },
  'accepted: any deletion policy': { create: takes({ source, deletionPolicy: 'Perhaps' }), expected: 'accepted' },
  'accepted: a negative deadline': { create: takes({ source, failureDeadline: '-5s' }), expected: 'accepted' },
  'accepted: a deadline of 0': { create: takes({ source, failureDeadline: '0' }), expected: 'accepted' },
  'accepted: a deadline without unit': { create: takes({ source, failureDeadline: '10' }), expected: 'accepted' },
  'accepted: the same deadline without unit, later': {
    given: [taken({ source, failureDeadline: '10s' })],
    update: { spec: { source, failureDeadline: '10' } },
    expected: 'accepted',
  },
  'accepted: labels': { given: [taken()], update: { labels: { a: 'b' } }, expected: 'accepted' },
}

const target = source
const base = { target, virtualMachineSnapshotName: 'snap' }
const restores = (spec?: object) => ({ kind: VirtualMachineRestore, name: 'back', ...(spec ? { spec } : {}) })
const rival = (status?: object, spec: object = base): Stored => ({
  kind: VirtualMachineRestore,
  name: 'first',
  spec,
  ...(status ? { status } : {}),
})
const stateful = { template: { spec: { domain: { devices: { tpm: { persistent: true } } } } } }
const efi = {
  template: { spec: { domain: { devices: {}, firmware: { bootloader: { efi: { persistent: true } } } } } },
}
const plain = { template: { spec: { domain: { devices: {} } } } }
const captured = (vm: object): Stored[] => [
  {
    ...taken(),
    status: { sourceUID: 'another', virtualMachineSnapshotContentName: 'content' },
  },
  {
    kind: VirtualMachineSnapshotContent,
    name: 'content',
    spec: {
      source: { virtualMachine: { spec: vm } },
      volumeBackups: [{ volumeName: 'root', persistentVolumeClaim: {} }],
    },
  },
]
const machine: Stored = { kind: VirtualMachine, name: 'my-vm', spec: { runStrategy: 'Always', ...plain } }
const backend = invalid(
  'spec',
  'Restore to a different VM is not supported when snapshotted VM has backend storage (persistent TPM or EFI)',
)
const inProgress = invalid('spec.target', 'VirtualMachineRestore "first" in progress')
const noVolume = invalid(
  'spec.volumeRestoreOverrides[0].volumeName',
  'must provide a volume name',
  'FieldValueRequired',
)
const noField = invalid(
  'spec.volumeRestoreOverrides[1]',
  'must provide at least one overriden field',
  'FieldValueRequired',
)
const outside = (item: string): Refusal =>
  invalid(
    'spec.patches',
    `patching is valid only for elements under /spec/ only, or a single one of /metadata/labels/ and /metadata/annotations/: ${item}`,
  )
const malformed = (item: string, why: string): Refusal =>
  invalid('spec.patches', `patch format is not valid - ${item} ${why}`)
const here = invalid('spec.volumeRestorePolicy', `volume restore policy "Here" doesn't exist`)
const me = invalid('spec.volumeOwnershipPolicy', `volume ownership policy "Me" doesn't exist`)
const metadataPatch = '{"op": "replace", "path": "/metadata/name", "value": "x"}'

const restoreRows: Record<string, Row> = {
  'b.3-1 there is no feature gate: creation is never off': { create: restores(base), expected: 'accepted' },
  'b.3-2 a target without apiGroup': {
    create: restores({ ...base, target: { kind: 'VirtualMachine', name: 'my-vm' } }),
    expected: invalid('spec.target.apiGroup', 'missing apiGroup', 'FieldValueNotFound'),
  },
  'b.3-3 a target of another apiGroup': {
    create: restores({ ...base, target: { ...target, apiGroup: 'apps' } }),
    expected: invalid('spec.target.apiGroup', 'invalid apiGroup'),
  },
  'b.3-3 the empty apiGroup': {
    create: restores({ ...base, target: { ...target, apiGroup: '' } }),
    expected: invalid('spec.target.apiGroup', 'invalid apiGroup'),
  },
  'b.3-4 a target of another kind': {
    create: restores({ ...base, target: { ...target, kind: 'Pod' } }),
    expected: invalid('spec.target.kind', 'invalid kind'),
  },
  'b.3-5 a second restore of one target': { given: [rival()], create: restores(base), expected: inProgress },
  'b.3-5 also when the first has begun': {
    given: [rival({ complete: false })],
    create: restores(base),
    expected: inProgress,
  },
  'b.3-5 not when the first is complete': {
    given: [rival({ complete: true })],
    create: restores(base),
    expected: 'accepted',
  },
  'b.3-5 not for another target': {
    given: [rival(undefined, { ...base, target: { ...target, name: 'other' } })],
    create: restores(base),
    expected: 'accepted',
  },
  'b.3-5 not when the first has failed for good, unlike the reference (W-19)': {
    given: [rival({ complete: false, conditions: [{ type: 'Failure', status: 'True' }] })],
    create: restores(base),
    expected: 'accepted',
  },
  'b.3-6 a patch that is no JSON': {
    create: restores({ ...base, patches: ['{"op"'] }),
    expected: malformed('{"op"', 'is not valid JSON'),
  },
  'b.3-7 a patch outside': {
    create: restores({ ...base, patches: [metadataPatch] }),
    expected: outside(metadataPatch),
  },
  'b.3-8 persistent TPM, and the target is missing': {
    given: captured(stateful),
    create: restores(base),
    expected: backend,
  },
  'b.3-8 persistent EFI, and the target has another UID': {
    given: [...captured(efi), machine],
    create: restores(base),
    expected: backend,
  },
  'b.3-8 not for a VM without such state': { given: captured(plain), create: restores(base), expected: 'accepted' },
  'b.3-9 another target, and the snapshot has no content name': {
    given: [taken()],
    create: restores(base),
    expected: bad('snapshot content name is nil in vmSnapshot status'),
  },
  'b.3-10 another target, and the content is missing': {
    given: captured(plain).slice(0, 1),
    create: restores(base),
    expected: bad('virtualmachinesnapshotcontents.snapshot.kubevirt.io "content" not found'),
  },
  'b.3-11 and 12 empty overrides': {
    create: restores({ ...base, volumeRestoreOverrides: [{ restoreName: 'a' }, { volumeName: 'root' }] }),
    expected: all(noVolume, noField),
  },
  'b.3-12 labels or annotations are enough': {
    create: restores({
      ...base,
      volumeRestoreOverrides: [
        { volumeName: 'root', labels: { a: 'b' } },
        { volumeName: 'data', annotations: { a: 'b' } },
      ],
    }),
    expected: 'accepted',
  },
  'b.3-13 an unknown restore policy': {
    create: restores({ ...base, volumeRestorePolicy: 'Here' }),
    expected: here,
  },
  'b.3-14 an unknown ownership policy': {
    create: restores({ ...base, volumeOwnershipPolicy: 'Me' }),
    expected: me,
  },
  'b.3-15 a readiness policy outside its enum': {
    create: restores({ ...base, targetReadinessPolicy: 'Perhaps' }),
    expected: { code: 422, fields: ['spec.targetReadinessPolicy'] },
  },
  'b.3 no spec, by the schema': { create: restores(), expected: { code: 422, fields: ['spec'] } },
  'b.3 no target and no snapshot, by the schema': {
    create: restores({}),
    expected: { code: 422, fields: ['spec.target', 'spec.virtualMachineSnapshotName'] },
  },
  'b.3-16 another snapshot': {
    given: [rival()],
    update: { spec: { ...base, virtualMachineSnapshotName: 'other' } },
    expected: immutable,
  },
  'b.3 causes of 6 to 8 and 11 to 14 accumulate, and 5 comes on top': {
    given: [rival(), ...captured(stateful)],
    create: restores({
      ...base,
      patches: ['[]', metadataPatch],
      volumeRestoreOverrides: [{ restoreName: 'a' }, { volumeName: 'root' }],
      volumeRestorePolicy: 'Here',
      volumeOwnershipPolicy: 'Me',
    }),
    expected: all(
      malformed('[]', 'is not a JSON object'),
      outside(metadataPatch),
      backend,
      noVolume,
      noField,
      here,
      me,
      inProgress,
    ),
  },
  'b.3 causes 2 to 4 replace 6 to 14': {
    create: restores({ ...base, target: { ...target, kind: 'Pod' }, volumeRestorePolicy: 'Here' }),
    expected: invalid('spec.target.kind', 'invalid kind'),
  },
  'b.1 more than ten causes are counted in the message': {
    create: restores({ ...base, patches: Array(12).fill('1') }),
    expected: {
      code: 422,
      message: `${Array(10).fill('patch format is not valid - 1 is not a JSON object').join(', ')}, and 2 more`,
      causes: Array(12).fill('FieldValueInvalid spec.patches: patch format is not valid - 1 is not a JSON object'),
    },
  },
  'accepted: a snapshot that does not exist yet': { create: restores(base), expected: 'accepted' },
  'accepted: a running target': {
    given: [machine],
    create: restores(base),
    expected: 'accepted',
  },
  'accepted: labels': { given: [rival()], update: { labels: { a: 'b' } }, expected: 'accepted' },
  'also refused: an override of a volume that is not in the snapshot': {
    given: captured(plain),
    create: restores({ ...base, volumeRestoreOverrides: [{ volumeName: 'data', restoreName: 'a' }] }),
    expected: invalid('spec.volumeRestoreOverrides[0].volumeName', 'volume "data" is not in the snapshot'),
  },
  'also refused: one name for two volumes': {
    create: restores({
      ...base,
      volumeRestoreOverrides: [
        { volumeName: 'root', restoreName: 'a' },
        { volumeName: 'data', restoreName: 'a' },
      ],
    }),
    expected: invalid(
      'spec.volumeRestoreOverrides[1].restoreName',
      'restore name "a" is used for two volumes',
      'FieldValueDuplicate',
    ),
  },
}

const patchTo = (path: string, op = 'replace') => JSON.stringify({ op, path, value: 'x' })
const escaped = '{"op": "replace", "p\\u0061th": "/status", "value": "x"}'
const moves = '{"op": "move", "from": "/metadata/name", "path": "/spec/x"}'
const patches: Record<string, Row> = Object.fromEntries([
  ...['/spec/running', '/spec/template/spec/domain', '/metadata/labels/a', '/metadata/annotations/a~1b'].map((path) => [
    `b.4 accepted: a patch of ${path}`,
    { create: restores({ ...base, patches: [patchTo(path)] }), expected: 'accepted' },
  ]),
  ...[
    '/metadata',
    '/metadata/name',
    '/metadata/labels',
    '/metadata/annotations',
    '/spec',
    '/kind',
    '/apiVersion',
    '/status',
    '/status/ready',
    '',
  ].map((path) => [
    `b.4 refused: a patch of '${path}'`,
    { create: restores({ ...base, patches: [patchTo(path)] }), expected: outside(patchTo(path)) },
  ]),
  [
    'b.4 accepted: values with colons and commas, and objects',
    {
      create: restores({
        ...base,
        patches: [
          '{"op": "replace", "path": "/spec/template/spec/domain/devices/interfaces/0/macAddress", "value": "02:00:00:00:00:01"}',
          '{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"a": "b,c", "d": "e"}}',
        ],
      }),
      expected: 'accepted',
    },
  ],
  [
    'b.4 refused: a member name written with an escape',
    { create: restores({ ...base, patches: [escaped] }), expected: outside(escaped) },
  ],
  [
    'b.4 refused: what is moved from outside',
    { create: restores({ ...base, patches: [moves] }), expected: outside(moves) },
  ],
  [
    'b.4 refused: an operation without path',
    {
      create: restores({ ...base, patches: ['{"op": "remove"}'] }),
      expected: malformed('{"op": "remove"}', 'needs the members op and path'),
    },
  ],
]) as Record<string, Row>

const volumes = [
  { name: 'root', persistentVolumeClaim: { claimName: 'root' } },
  { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
]
const vmSpec = (spec: object = {}, its: unknown = volumes) => ({
  runStrategy: 'Manual',
  template: { spec: { domain: { devices: {} }, volumes: its } },
  ...spec,
})
const locked = (status: object, spec: object = vmSpec()): Stored[] => [
  { kind: VirtualMachine, name: 'my-vm', spec, status },
]
const bySnapshot = { snapshotInProgress: 's' }
const byRestore = { restoreInProgress: 'r' }
const keeps = (message: string) => invalid('spec', message, 'FieldValueNotSupported')
const noVolumes = keeps('Cannot update vm disks or volumes until snapshot "s" completes')
const noRunState = keeps('Cannot update vm running state until snapshot "s" completes')
const noStrategy = keeps('Cannot update VM runStrategy until restore "r" completes')
const withRunning = { template: vmSpec().template, running: false }

const locks: Record<string, Row> = {
  'b.5-1 a volume less, under a snapshot': {
    given: locked(bySnapshot),
    update: { spec: vmSpec({}, volumes.slice(1)) },
    expected: noVolumes,
  },
  'b.5-1 volumes in another order': {
    given: locked(bySnapshot),
    update: { spec: vmSpec({}, volumes.toReversed()) },
    expected: noVolumes,
  },
  'b.5-1 another claim': {
    given: locked(bySnapshot),
    update: {
      spec: vmSpec({}, [volumes[0], { name: 'data', persistentVolumeClaim: { claimName: 'other' } }]),
    },
    expected: noVolumes,
  },
  'b.5-1 comes before b.5-2': {
    given: locked(bySnapshot),
    update: { spec: vmSpec({ runStrategy: 'Always' }, []) },
    expected: noVolumes,
  },
  'b.5-2 another run strategy, under a snapshot': {
    given: locked(bySnapshot),
    update: { spec: vmSpec({ runStrategy: 'Halted' }) },
    expected: noRunState,
  },
  'b.5-2 running, changed': {
    given: locked(bySnapshot, withRunning),
    update: { spec: { ...withRunning, running: true } },
    expected: noRunState,
  },
  'b.5-2 a switch from running to the same run strategy': {
    given: locked(bySnapshot, withRunning),
    update: { spec: vmSpec({ runStrategy: 'Halted' }) },
    expected: noRunState,
  },
  'b.5-3 another run strategy, under a restore': {
    given: locked(byRestore),
    update: { spec: vmSpec({ runStrategy: 'Always' }) },
    expected: noStrategy,
  },
  'b.5-3 accepted: a switch from running to the same run strategy': {
    given: locked(byRestore, withRunning),
    update: { spec: vmSpec({ runStrategy: 'Halted' }) },
    expected: 'accepted',
  },
  'b.5-3 accepted: volumes, under a restore': {
    given: locked(byRestore),
    update: { spec: vmSpec({}, []) },
    expected: 'accepted',
  },
  'b.5 accepted under a snapshot: labels': {
    given: locked(bySnapshot),
    update: { labels: { a: 'b' } },
    expected: 'accepted',
  },
  'b.5 accepted under a snapshot: processors and memory': {
    given: locked(bySnapshot),
    update: {
      spec: vmSpec({
        template: { spec: { domain: { devices: {}, cpu: { cores: 2 }, memory: { guest: '2Gi' } }, volumes } },
      }),
    },
    expected: 'accepted',
  },
  'b.5 accepted under a snapshot: the status, and with it the end of the lock': {
    given: locked(bySnapshot),
    update: { status: {}, through: 'status' },
    expected: 'accepted',
  },
  'b.5 accepted without a lock: everything': {
    given: locked({}),
    update: { spec: vmSpec({ runStrategy: 'Always' }, []) },
    expected: 'accepted',
  },
}

const contents: Record<string, Row> = {
  'W-30 the spec of a content cannot be changed': {
    given: captured(plain).slice(1),
    update: { spec: { source: {}, volumeBackups: [] } },
    expected: immutable,
  },
  'accepted: labels of a content': {
    given: captured(plain).slice(1),
    update: { labels: { a: 'b' } },
    expected: 'accepted',
  },
  'accepted: any content at creation': {
    create: { kind: VirtualMachineSnapshotContent, name: 'content', spec: { source: {} } },
    expected: 'accepted',
  },
}

export const tables: Record<string, Record<string, Row>> = {
  'b.2 VirtualMachineSnapshot': snapshots,
  'b.3 VirtualMachineRestore': restoreRows,
  'b.4 patches': patches,
  'b.5 locks on the VirtualMachine': locks,
  'a.4 VirtualMachineSnapshotContent': contents,
}
