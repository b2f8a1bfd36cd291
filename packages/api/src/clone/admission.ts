import type { KubeObject } from '../meta/object-meta.ts'
import type { StatusCause } from '../meta/status-error.ts'
import { type Admission, type AdmissionCall, immutable, invalid, refuse } from '../snapshot/admission.ts'
import { lastRestoreUidAnnotation } from '../snapshot/keys.ts'
import { markPath, mayPatch, parsePatch } from '../snapshot/patches.ts'
import { sameJson } from '../snapshot/same-json.ts'
import { whyFilterInvalid } from './filters.ts'
import type { VirtualMachineClone } from './kinds.ts'
import { defaultTargetName } from './names.ts'

type Clone = VirtualMachineClone
type Spec = Clone['spec']

/** The rules of spec snapshot-restore (h.1); `newSuffix` ends the names of targets that were given none. */
export function cloneAdmission(newSuffix: () => string): readonly Admission[] {
  return [
    {
      group: 'clone.kubevirt.io',
      resource: 'virtualmachineclones',
      operations: ['CREATE', 'UPDATE'],
      webhook: 'virtualmachineclone-validator.clone.kubevirt.io',
      mutate: (object) => withGivenTarget(object, newSuffix),
      admit: (call) => (call.subresource === 'status' ? undefined : admitClone(call, newSuffix)),
    },
  ]
}

function admitClone(call: AdmissionCall, newSuffix: () => string): Clone | undefined {
  const given = call.object as Clone
  const old = call.oldObject as Clone | undefined
  // Written again without a target, it keeps the one it was given.
  const name = old === undefined ? () => newTargetName(given, newSuffix) : () => old.spec.target?.name
  const clone = withTarget(given, name)
  if (call.operation === 'UPDATE') {
    if (!sameJson(clone.spec, old?.spec)) refuse([immutable])
  } else {
    const { spec } = clone
    const causes = [
      ...sourceCauses(spec),
      ...targetCauses(call, clone),
      ...macCauses(spec),
      ...filterCauses(spec),
      ...patchCauses(spec),
    ]
    if (causes.length > 0) refuse(causes)
  }
  return clone === given ? undefined : clone
}

/** For API servers that change objects before they are judged; the object may be of any shape. */
function withGivenTarget(object: KubeObject, newSuffix: () => string): KubeObject {
  const { spec } = object as { spec?: { source?: { name?: unknown } } }
  return typeof spec?.source?.name === 'string'
    ? withTarget(object as Clone, () => newTargetName(object as Clone, newSuffix))
    : object
}

function withTarget(clone: Clone, nameIfNone: () => string | undefined): Clone {
  const { target } = clone.spec
  const name = target?.name || nameIfNone()
  if (!name || name === target?.name) return clone
  const reference = target ?? { apiGroup: 'kubevirt.io', kind: 'VirtualMachine' }
  return { ...clone, spec: { ...clone.spec, target: { ...reference, name } } }
}

function newTargetName({ spec: { source } }: Clone, newSuffix: () => string): string | undefined {
  return source.name === '' ? undefined : defaultTargetName(source.name, newSuffix())
}

function sourceCauses({ source: { apiGroup, kind, name } }: Spec): StatusCause[] {
  const missing = Object.entries({ apiGroup, kind, name }).flatMap(([member, value]): StatusCause[] =>
    value ? [] : [required(`spec.source.${member}`, `spec.source.${member} is missing`)],
  )
  if (missing.length > 0) return missing
  const known = `${kind}.${apiGroup}`
  if (known === 'VirtualMachine.kubevirt.io' || known === 'VirtualMachineSnapshot.snapshot.kubevirt.io') return []
  const kinds = 'VirtualMachine of kubevirt.io or VirtualMachineSnapshot of snapshot.kubevirt.io'
  return [invalid('spec.Source.Kind', `a ${kind} of ${apiGroup} cannot be cloned; the source is a ${kinds}`)]
}

const nameRule = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function targetCauses({ read }: AdmissionCall, { spec, metadata }: Clone): StatusCause[] {
  const { source, target } = spec
  // Only a source without a name leaves the target without one, and that is told already.
  if (!target?.name) return []
  const { apiGroup, kind, name } = target
  if (apiGroup !== 'kubevirt.io' || kind !== 'VirtualMachine')
    return [
      invalid(
        'spec.Target.Kind',
        `a ${kind} of ${apiGroup ?? 'no apiGroup'} cannot be a target; use VirtualMachine of kubevirt.io`,
      ),
    ]
  if (name.length > 253 || !nameRule.test(name))
    return [
      invalid(
        'spec.target.name',
        `${JSON.stringify(name)} is no name of an object: lower-case letters, digits, - and .`,
      ),
    ]
  if (source.kind === 'VirtualMachine' && source.name === name)
    return [invalid('spec.target.name', 'the target must have another name than the source')]
  if (read.get('kubevirt.io', 'virtualmachines', metadata.namespace, name) !== undefined)
    return [
      invalid(
        'spec.target.name',
        `VirtualMachine ${JSON.stringify(name)} exists already, and a clone replaces none; choose another name`,
      ),
    ]
  return []
}

const macRule = /^[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){5})$/i

function macCauses({ newMacAddresses = {} }: Spec): StatusCause[] {
  return Object.entries(newMacAddresses).flatMap(([name, address]): StatusCause[] => {
    const field = `spec.newMacAddresses.${name}`
    const shown = JSON.stringify(address)
    if (!macRule.test(address))
      return [invalid(field, `${shown} is no MAC address; write for example 02:00:00:00:00:01`)]
    // The lowest bit of the first byte marks addresses of groups.
    return Number.parseInt(address.slice(0, 2), 16) % 2 === 1
      ? [invalid(field, `${shown} is a multicast address; its first byte must be even`)]
      : []
  })
}

function filterCauses({ annotationFilters, labelFilters, template }: Spec): StatusCause[] {
  const lists = {
    'spec.annotations': annotationFilters,
    'spec.labels': labelFilters,
    'spec.template.annotations': template?.annotationFilters,
    'spec.template.labels': template?.labelFilters,
  }
  return Object.entries(lists).flatMap(([field, filters = []]) =>
    filters.flatMap((filter) => {
      const problem = whyFilterInvalid(filter)
      return problem === undefined ? [] : [invalid(field, problem)]
    }),
  )
}

const operations = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test'])

/** The rules of a restore's patches, told here before a snapshot is taken in vain. */
function patchCauses({ patches = [] }: Spec): StatusCause[] {
  return patches.flatMap((item, at): StatusCause[] => {
    const refused = (text: string): StatusCause[] => [invalid(`spec.patches[${at}]`, text)]
    const patch = parsePatch(item)
    if (typeof patch === 'string') return refused(`patch format is not valid - ${patch}`)
    if (!operations.has(patch.op)) return refused(`${item}: op is not one of ${[...operations].join(', ')}`)
    if (patch.path === markPath || patch.from === markPath)
      return refused(`${item}: by ${lastRestoreUidAnnotation} the restore knows its target; it cannot be patched`)
    return mayPatch(patch)
      ? []
      : refused(
          `patching is valid only for elements under /spec/ only, or a single one of /metadata/labels/ and /metadata/annotations/: ${item}`,
        )
  })
}

function required(field: string, message: string): StatusCause {
  return { reason: 'FieldValueRequired', field, message }
}
