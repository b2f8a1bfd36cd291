import type { VirtualMachine, VirtualMachineSpec } from '../kubevirt/kinds.ts'
import { parseDurationMs } from '../meta/duration.ts'
import type { KubeObject } from '../meta/object-meta.ts'
import { failure, type StatusCause, type StatusError } from '../meta/status-error.ts'
import { expiryCause } from './expiry.ts'
import { startTargetAnnotation } from './keys.ts'
import type { VirtualMachineRestore, VirtualMachineSnapshot, VirtualMachineSnapshotContent } from './kinds.ts'
import { mayPatch, parsePatch } from './patches.ts'
import { capturesBackendStorage, hasEnded } from './rules.ts'
import { sameJson } from './same-json.ts'

/** What the rules are told of a write; the API server's admission call has this shape. */
export interface AdmissionCall {
  operation: 'CREATE' | 'UPDATE' | 'DELETE'
  object: KubeObject
  oldObject?: KubeObject
  subresource?: 'status'
  read: {
    get(group: string, plural: string, namespace: string | undefined, name: string): KubeObject | undefined
    list(group: string, plural: string, namespace?: string): readonly KubeObject[]
  }
}

export interface Admission {
  group: string
  resource: string
  operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[]
  /** The webhook this rule stands for. The API server puts its name before the text of a refusal. */
  webhook: string
  /** What is stored instead of an object; the object itself where nothing is to change. It may be of any shape. */
  mutate?(object: KubeObject): KubeObject
  /** A changed object to store instead, as `mutate` makes it; throws StatusError to refuse. */
  admit(call: AdmissionCall): KubeObject | undefined
}

const snapshotGroup = 'snapshot.kubevirt.io'
export const immutable: StatusCause = {
  reason: 'FieldValueInvalid',
  field: 'spec',
  message: 'spec in immutable after creation',
}

/** The rules of spec snapshot-restore (b): snapshots, restores, contents, and the locks on virtual machines. */
export const snapshotAdmission: readonly Admission[] = [
  {
    group: snapshotGroup,
    resource: 'virtualmachinesnapshots',
    operations: ['CREATE', 'UPDATE'],
    webhook: 'virtualmachinesnapshot-validator.snapshot.kubevirt.io',
    mutate: withCanonicalDeadline,
    admit: (call) => (call.subresource === 'status' ? undefined : admitSnapshot(call)),
  },
  {
    group: snapshotGroup,
    resource: 'virtualmachinerestores',
    operations: ['CREATE', 'UPDATE'],
    webhook: 'virtualmachinerestore-validator.snapshot.kubevirt.io',
    admit: (call) => {
      if (call.subresource !== 'status') admitRestore(call)
      return undefined
    },
  },
  {
    group: snapshotGroup,
    resource: 'virtualmachinesnapshotcontents',
    operations: ['UPDATE'],
    webhook: 'virtualmachinesnapshotcontent-validator.snapshot.kubevirt.io',
    admit: ({ object, oldObject, subresource }) => {
      // What a VM is brought back from must be what was taken.
      if (subresource !== 'status' && changed(object, oldObject)) refuse([immutable])
      return undefined
    },
  },
  {
    group: 'kubevirt.io',
    resource: 'virtualmachines',
    operations: ['UPDATE'],
    webhook: 'virtualmachine-validator.kubevirt.io',
    admit: ({ object, oldObject }) => {
      if (oldObject !== undefined) admitVm(object as VirtualMachine, oldObject as VirtualMachine)
      return undefined
    },
  },
]

function admitSnapshot({ operation, object, oldObject }: AdmissionCall): KubeObject | undefined {
  const expiry = expiryCause(object, oldObject)
  if (expiry) refuse([expiry])
  // Labels and finalizers can always be changed, also of what older rules let in.
  if (operation === 'UPDATE' && !changed(object, oldObject)) return undefined
  const snapshot = withCanonicalDeadline(object) as VirtualMachineSnapshot
  requireDeadline(snapshot.spec.failureDeadline)
  if (operation === 'CREATE') {
    const cause = sourceCause(snapshot.spec.source, 'spec.source')
    if (cause) refuse([cause])
  } else if (oldObject !== undefined && changed(snapshot, withCanonicalDeadline(oldObject))) refuse([immutable])
  return snapshot === object ? undefined : snapshot
}

/** A deadline that is a number without unit means seconds, and is stored with its unit. */
function withCanonicalDeadline(object: KubeObject): KubeObject {
  const { spec } = object as { spec?: { failureDeadline?: unknown } | null }
  const text = spec?.failureDeadline
  if (typeof text !== 'string' || text === '0' || !/^[+-]?\d+$/.test(text) || !isDeadline(text)) return object
  return { ...object, spec: { ...spec, failureDeadline: `${Number(text)}s` } } as KubeObject
}

/** The longest duration there is elsewhere: 64 bits of nanoseconds, 292 years. */
const maxDurationMs = 2 ** 63 / 1e6

function isDeadline(text: string): boolean {
  return Math.abs(parseDurationMs(text) ?? Number.NaN) < maxDurationMs
}

function requireDeadline(text: string | undefined): void {
  if (text === undefined || isDeadline(text)) return
  throw badRequest(
    `spec.failureDeadline: time: invalid duration ${JSON.stringify(text)}; write for example 90s, 5m or 1h30m`,
  )
}

/** What is wrong with a reference to a VirtualMachine; the first thing only. */
function sourceCause(
  reference: { apiGroup?: string | undefined; kind: string },
  field: string,
): StatusCause | undefined {
  if (reference.apiGroup === undefined)
    return { reason: 'FieldValueNotFound', field: `${field}.apiGroup`, message: 'missing apiGroup' }
  if (reference.apiGroup !== 'kubevirt.io')
    return { reason: 'FieldValueInvalid', field: `${field}.apiGroup`, message: 'invalid apiGroup' }
  if (reference.kind !== 'VirtualMachine')
    return { reason: 'FieldValueInvalid', field: `${field}.kind`, message: 'invalid kind' }
  return undefined
}

function admitRestore(call: AdmissionCall): void {
  const restore = call.object as VirtualMachineRestore
  const start = startCauses(restore, call.oldObject)
  if (call.operation === 'UPDATE') {
    if (changed(restore, call.oldObject)) refuse([immutable])
    if (start.length > 0) refuse(start)
    return
  }
  const target = sourceCause(restore.spec.target, 'spec.target')
  const causes = target
    ? [target]
    : [...patchCauses(restore), ...snapshotCauses(call, restore), ...overrideCauses(restore), ...policyCauses(restore)]
  causes.push(...start, ...rivalCauses(call, restore))
  if (causes.length > 0) refuse(causes)
}

/** Only `true` starts the target, so what was meant as that must not pass for no. What is stored already stays. */
function startCauses({ metadata }: VirtualMachineRestore, old: KubeObject | undefined): StatusCause[] {
  const value = metadata.annotations?.[startTargetAnnotation]
  if (value === undefined || value === 'true' || value === 'false') return []
  if (value === old?.metadata.annotations?.[startTargetAnnotation]) return []
  return [
    invalid(
      `metadata.annotations[${startTargetAnnotation}]`,
      `${startTargetAnnotation} must be "true" or "false", not ${JSON.stringify(value.slice(0, 64))}`,
    ),
  ]
}

/** One restore per target at a time. One that has failed for good does nothing any more and blocks nobody. */
function rivalCauses({ read }: AdmissionCall, restore: VirtualMachineRestore): StatusCause[] {
  const rivals = read.list(
    snapshotGroup,
    'virtualmachinerestores',
    restore.metadata.namespace,
  ) as VirtualMachineRestore[]
  const rival = rivals.find(
    (other) =>
      other.metadata.name !== restore.metadata.name &&
      !hasEnded(other) &&
      sameJson(other.spec.target, restore.spec.target),
  )
  if (rival === undefined) return []
  return [invalid('spec.target', `VirtualMachineRestore ${JSON.stringify(rival.metadata.name)} in progress`)]
}

function patchCauses({ spec }: VirtualMachineRestore): StatusCause[] {
  return (spec.patches ?? []).flatMap((item): StatusCause[] => {
    const patch = parsePatch(item)
    if (typeof patch === 'string') return [invalid('spec.patches', `patch format is not valid - ${patch}`)]
    if (mayPatch(patch)) return []
    return [
      invalid(
        'spec.patches',
        `patching is valid only for elements under /spec/ only, or a single one of /metadata/labels/ and /metadata/annotations/: ${item}`,
      ),
    ]
  })
}

/** What can only be checked when the snapshot is there already. */
function snapshotCauses({ read }: AdmissionCall, restore: VirtualMachineRestore): StatusCause[] {
  const { namespace } = restore.metadata
  const { virtualMachineSnapshotName, target, volumeRestoreOverrides = [] } = restore.spec
  const snapshot = read.get(snapshotGroup, 'virtualmachinesnapshots', namespace, virtualMachineSnapshotName) as
    | VirtualMachineSnapshot
    | undefined
  if (snapshot === undefined) return []
  const vm = read.get('kubevirt.io', 'virtualmachines', namespace, target.name)
  const other = vm === undefined || vm.metadata.uid !== snapshot.status?.sourceUID
  const name = snapshot.status?.virtualMachineSnapshotContentName
  if (!name && other) throw badRequest('snapshot content name is nil in vmSnapshot status')
  const content = name
    ? (read.get(snapshotGroup, 'virtualmachinesnapshotcontents', namespace, name) as
        | VirtualMachineSnapshotContent
        | undefined)
    : undefined
  if (content === undefined) {
    if (!other) return []
    throw badRequest(`virtualmachinesnapshotcontents.${snapshotGroup} ${JSON.stringify(name)} not found`)
  }
  const causes: StatusCause[] = []
  if (other && capturesBackendStorage(content))
    causes.push(
      invalid(
        'spec',
        'Restore to a different VM is not supported when snapshotted VM has backend storage (persistent TPM or EFI)',
      ),
    )
  const known = new Set(content.spec.volumeBackups?.map(({ volumeName }) => volumeName))
  for (const [index, { volumeName }] of volumeRestoreOverrides.entries())
    if (volumeName && !known.has(volumeName))
      causes.push(
        invalid(`spec.volumeRestoreOverrides[${index}].volumeName`, `volume "${volumeName}" is not in the snapshot`),
      )
  return causes
}

function overrideCauses({ spec }: VirtualMachineRestore): StatusCause[] {
  const causes: StatusCause[] = []
  const names = new Set<string>()
  for (const [index, override] of (spec.volumeRestoreOverrides ?? []).entries()) {
    const field = `spec.volumeRestoreOverrides[${index}]`
    const { volumeName, restoreName, labels, annotations } = override
    if (!volumeName)
      causes.push({
        reason: 'FieldValueRequired',
        field: `${field}.volumeName`,
        message: 'must provide a volume name',
      })
    if (!restoreName && labels === undefined && annotations === undefined)
      causes.push({ reason: 'FieldValueRequired', field, message: 'must provide at least one overriden field' })
    if (restoreName && names.has(restoreName))
      causes.push({
        reason: 'FieldValueDuplicate',
        field: `${field}.restoreName`,
        message: `restore name "${restoreName}" is used for two volumes`,
      })
    if (restoreName) names.add(restoreName)
  }
  return causes
}

function policyCauses({ spec }: VirtualMachineRestore): StatusCause[] {
  const { volumeRestorePolicy: volumes, volumeOwnershipPolicy: ownership } = spec
  const causes: StatusCause[] = []
  if (volumes && !['RandomizeNames', 'InPlace', 'PrefixTargetName'].includes(volumes))
    causes.push(invalid('spec.volumeRestorePolicy', `volume restore policy "${volumes}" doesn't exist`))
  if (ownership && !['Vm', 'None'].includes(ownership))
    causes.push(invalid('spec.volumeOwnershipPolicy', `volume ownership policy "${ownership}" doesn't exist`))
  return causes
}

/** The locks of spec snapshot-restore (b.5), judged by the status as it is stored. */
function admitVm(vm: VirtualMachine, old: VirtualMachine): void {
  if (!changed(vm, old)) return
  const { snapshotInProgress, restoreInProgress } = old.status ?? {}
  const locked = (message: string): StatusCause[] => [{ reason: 'FieldValueNotSupported', field: 'spec', message }]
  if (snapshotInProgress) {
    if (!sameJson(vm.spec.template?.spec?.volumes ?? [], old.spec.template?.spec?.volumes ?? []))
      refuse(locked(`Cannot update vm disks or volumes until snapshot "${snapshotInProgress}" completes`))
    if (vm.spec.running !== old.spec.running || vm.spec.runStrategy !== old.spec.runStrategy)
      refuse(locked(`Cannot update vm running state until snapshot "${snapshotInProgress}" completes`))
  }
  if (restoreInProgress && strategyOf(vm.spec) !== strategyOf(old.spec))
    refuse(locked(`Cannot update VM runStrategy until restore "${restoreInProgress}" completes`))
}

/** As it is written: a strategy we do not know is a strategy. */
function strategyOf({ running, runStrategy }: VirtualMachineSpec): string {
  if (running !== undefined) return running ? 'Always' : 'Halted'
  return runStrategy ?? 'Halted'
}

function changed(object: KubeObject, old: KubeObject | undefined): boolean {
  return old !== undefined && !sameJson((object as { spec?: unknown }).spec, (old as { spec?: unknown }).spec)
}

export function invalid(field: string, message: string): StatusCause {
  return { reason: 'FieldValueInvalid', field, message }
}

const shownCauses = 10

export function refuse(causes: readonly StatusCause[]): never {
  const shown = causes.slice(0, shownCauses).map(({ message }) => message)
  if (causes.length > shownCauses) shown.push(`and ${causes.length - shownCauses} more`)
  throw failure(422, 'Invalid', shown.join(', '), { causes: [...causes] })
}

function badRequest(message: string): StatusError {
  return failure(400, 'BadRequest', message)
}
