import { effectiveRunStrategy, type VirtualMachine } from '../kubevirt/kinds.ts'
import { parseDurationMs } from '../meta/duration.ts'
import type { KubeObject } from '../meta/object-meta.ts'
import { failure, type StatusCause, type StatusError } from '../meta/status-error.ts'
import type { VirtualMachineRestore, VirtualMachineSnapshot, VirtualMachineSnapshotContent } from './kinds.ts'
import { mayPatch, parsePatch } from './patches.ts'
import { needsBackendStorage } from './rules.ts'
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
  /** A changed object to store instead; throws StatusError to refuse. */
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
    admit: (call) => (call.subresource === 'status' ? undefined : admitSnapshot(call)),
  },
  {
    group: snapshotGroup,
    resource: 'virtualmachinerestores',
    operations: ['CREATE', 'UPDATE'],
    admit: (call) => {
      if (call.subresource !== 'status') admitRestore(call)
      return undefined
    },
  },
  {
    group: snapshotGroup,
    resource: 'virtualmachinesnapshotcontents',
    operations: ['UPDATE'],
    admit: ({ object, oldObject, subresource }) => {
      // What a VM is brought back from must be what was taken.
      if (subresource !== 'status' && changed(object, oldObject)) refuse(contentWebhook, [immutable])
      return undefined
    },
  },
  {
    group: 'kubevirt.io',
    resource: 'virtualmachines',
    operations: ['UPDATE'],
    admit: ({ object, oldObject }) => {
      if (oldObject !== undefined) admitVm(object as VirtualMachine, oldObject as VirtualMachine)
      return undefined
    },
  },
]

const snapshotWebhook = 'virtualmachinesnapshot-validator.snapshot.kubevirt.io'
const contentWebhook = 'virtualmachinesnapshotcontent-validator.snapshot.kubevirt.io'
const restoreWebhook = 'virtualmachinerestore-validator.snapshot.kubevirt.io'
const vmWebhook = 'virtualmachine-validator.kubevirt.io'

function admitSnapshot({ operation, object, oldObject }: AdmissionCall): KubeObject | undefined {
  const snapshot = withCanonicalDeadline(object as VirtualMachineSnapshot)
  if (operation === 'CREATE') {
    const cause = sourceCause(snapshot.spec.source, 'spec.source')
    if (cause) refuse(snapshotWebhook, [cause])
  } else if (changed(snapshot, oldObject)) refuse(snapshotWebhook, [immutable])
  return snapshot === object ? undefined : snapshot
}

/** A number without unit means seconds, and is stored with its unit. */
function withCanonicalDeadline(snapshot: VirtualMachineSnapshot): VirtualMachineSnapshot {
  const text = snapshot.spec.failureDeadline
  if (text === undefined || text === '0') return snapshot
  if (/^[+-]?\d+$/.test(text)) return { ...snapshot, spec: { ...snapshot.spec, failureDeadline: `${Number(text)}s` } }
  if (parseDurationMs(text) !== undefined) return snapshot
  throw badRequest(
    snapshotWebhook,
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
  if (call.operation === 'UPDATE') {
    if (changed(restore, call.oldObject)) refuse(restoreWebhook, [immutable])
    return
  }
  const target = sourceCause(restore.spec.target, 'spec.target')
  const causes = target
    ? [target]
    : [...patchCauses(restore), ...snapshotCauses(call, restore), ...overrideCauses(restore), ...policyCauses(restore)]
  causes.push(...rivalCauses(call, restore))
  if (causes.length > 0) refuse(restoreWebhook, causes)
}

/** One restore per target at a time. One that has failed for good does nothing any more and blocks nobody. */
function rivalCauses({ read }: AdmissionCall, restore: VirtualMachineRestore): StatusCause[] {
  const rivals = read.list(
    snapshotGroup,
    'virtualmachinerestores',
    restore.metadata.namespace,
  ) as VirtualMachineRestore[]
  const rival = rivals.find(
    ({ spec, status, metadata }) =>
      metadata.name !== restore.metadata.name &&
      status?.complete !== true &&
      !status?.conditions?.some(({ type, status: value }) => type === 'Failure' && value === 'True') &&
      sameJson(spec.target, restore.spec.target),
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
  if (!name && other) throw badRequest(restoreWebhook, 'snapshot content name is nil in vmSnapshot status')
  const content = name
    ? (read.get(snapshotGroup, 'virtualmachinesnapshotcontents', namespace, name) as
        | VirtualMachineSnapshotContent
        | undefined)
    : undefined
  if (content === undefined) {
    if (!other) return []
    throw badRequest(
      restoreWebhook,
      `virtualmachinesnapshotcontents.${snapshotGroup} ${JSON.stringify(name)} not found`,
    )
  }
  const causes: StatusCause[] = []
  const captured = content.spec.source.virtualMachine?.spec
  if (other && captured !== undefined && needsBackendStorage(captured))
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
  const { snapshotInProgress, restoreInProgress } = old.status ?? {}
  const locked = (message: string): StatusCause[] => [{ reason: 'FieldValueNotSupported', field: 'spec', message }]
  if (snapshotInProgress) {
    if (!sameJson(vm.spec.template?.spec?.volumes ?? [], old.spec.template?.spec?.volumes ?? []))
      refuse(vmWebhook, locked(`Cannot update vm disks or volumes until snapshot "${snapshotInProgress}" completes`))
    if (vm.spec.running !== old.spec.running || vm.spec.runStrategy !== old.spec.runStrategy)
      refuse(vmWebhook, locked(`Cannot update vm running state until snapshot "${snapshotInProgress}" completes`))
  }
  if (restoreInProgress && effectiveRunStrategy(vm.spec) !== effectiveRunStrategy(old.spec))
    refuse(vmWebhook, locked(`Cannot update VM runStrategy until restore "${restoreInProgress}" completes`))
}

function changed(object: KubeObject, old: KubeObject | undefined): boolean {
  return old !== undefined && !sameJson((object as { spec?: unknown }).spec, (old as { spec?: unknown }).spec)
}

export function invalid(field: string, message: string): StatusCause {
  return { reason: 'FieldValueInvalid', field, message }
}

const shownCauses = 10

export function refuse(webhook: string, causes: readonly StatusCause[]): never {
  const shown = causes.slice(0, shownCauses).map(({ message }) => message)
  if (causes.length > shownCauses) shown.push(`and ${causes.length - shownCauses} more`)
  throw failure(422, 'Invalid', `admission webhook "${webhook}" denied the request: ${shown.join(', ')}`, {
    causes: [...causes],
  })
}

function badRequest(webhook: string, message: string): StatusError {
  return failure(400, 'BadRequest', `admission webhook "${webhook}" denied the request: ${message}`)
}
