import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  runStrategies,
  type VirtualMachine,
  type VirtualMachineInstance,
  type VirtualMachineInstanceSpec,
  type VirtualMachineSpec,
} from '@stillpoint/api/kubevirt/kinds'
import { failure, type StatusCause, type StatusError } from '@stillpoint/api/meta/status-error'
import type { Admission, AdmissionCall } from './admission-call.ts'
import { withVmiDefaults } from './defaults.ts'
import { pciTopologyAnnotation, vmiFinalizer } from './keys.ts'
import { whySpecInvalid } from './spec-rules.ts'

/** Defaults and refusals for virtual machines, for the API server. Spec vm-runtime a.3, a.4. */
export const machineAdmission: readonly Admission[] = [
  { group: 'kubevirt.io', resource: 'virtualmachines', operations: ['CREATE', 'UPDATE'], admit: admitVm },
  { group: 'kubevirt.io', resource: 'virtualmachineinstances', operations: ['CREATE', 'UPDATE'], admit: admitVmi },
]

function admitVm(call: AdmissionCall): VirtualMachine | undefined {
  if (call.subresource === 'status') return undefined
  const vm = call.object as VirtualMachine
  const before = call.oldObject as VirtualMachine | undefined
  // What is stored already stays changeable in its metadata, whatever newer rules say about its spec.
  if (before && isDeepStrictEqual(before.spec, vm.spec)) return undefined
  const causes = [...runStateCauses(vm.spec), ...templateCauses(vm.spec)]
  if (causes.length > 0) throw invalid('VirtualMachine', vm.metadata.name, causes)
  return call.operation === 'CREATE' ? vmDefaults(vm, randomUUID) : undefined
}

/** What creation fills in; users see it, and snapshots keep it. */
export function vmDefaults(vm: VirtualMachine, newUuid: () => string): VirtualMachine {
  const { template } = vm.spec
  const { domain } = template.spec
  const machine = { ...domain.machine, type: domain.machine?.type || 'q35' }
  const annotations = { ...template.metadata?.annotations }
  if (machine.type.includes('q35')) annotations[pciTopologyAnnotation] ??= 'v3'
  return {
    ...vm,
    spec: {
      ...vm.spec,
      template: {
        ...template,
        metadata: { ...template.metadata, annotations },
        spec: {
          ...template.spec,
          architecture: template.spec.architecture || 'amd64',
          domain: {
            ...domain,
            machine,
            firmware: {
              ...domain.firmware,
              uuid: domain.firmware?.uuid || newUuid(),
              serial: domain.firmware?.serial || newUuid(),
            },
          },
        },
      },
    },
  }
}

function runStateCauses({ running, runStrategy }: VirtualMachineSpec): StatusCause[] {
  if (running !== undefined && runStrategy !== undefined)
    return [
      cause(
        'spec.running',
        'Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use RunStrategy instead',
      ),
    ]
  if (running === undefined && runStrategy === undefined)
    return [cause('spec.runStrategy', 'RunStrategy must be specified')]
  if (runStrategy !== undefined && !runStrategies.some((known) => known === runStrategy))
    return [cause('spec.runStrategy', `Invalid RunStrategy (${runStrategy})`)]
  return []
}

function templateCauses(spec: VirtualMachineSpec): StatusCause[] {
  const template = spec.template as VirtualMachineSpec['template'] | undefined
  if (!template) return [cause('spec.template', 'missing virtual machine template.', 'FieldValueRequired')]
  const used = new Set((template.spec.volumes ?? []).flatMap((volume) => volume.dataVolume?.name ?? claimName(volume)))
  const unused = (spec.dataVolumeTemplates ?? []).flatMap(({ metadata }, at) =>
    used.has(metadata.name)
      ? []
      : [
          cause(
            `spec.dataVolumeTemplate[${at}]`,
            `DataVolumeTemplate entry spec.dataVolumeTemplate[${at}] must be referenced in the VMI template's 'volumes' list`,
          ),
        ],
  )
  return [...whySpecInvalid(template.spec, 'spec.template.spec'), ...unused]
}

function claimName(volume: NonNullable<VirtualMachineInstanceSpec['volumes']>[number]): string[] {
  return volume.persistentVolumeClaim ? [volume.persistentVolumeClaim.claimName] : []
}

function admitVmi(call: AdmissionCall): VirtualMachineInstance | undefined {
  const vmi = call.object as VirtualMachineInstance
  const before = call.oldObject as VirtualMachineInstance | undefined
  // Controllers own the status and may shorten the grace period of an instance; nobody else may.
  if (isOfTheSystem(call.user)) return undefined
  if (before) {
    if (!isDeepStrictEqual(before.spec, vmi.spec))
      throw invalid('VirtualMachineInstance', vmi.metadata.name, [
        cause('spec', 'update of VMI object is restricted', 'FieldValueNotSupported'),
      ])
    const { status: _, ...rest } = vmi
    return { ...rest, ...(before.status ? { status: before.status } : {}) } as VirtualMachineInstance
  }
  const causes = whySpecInvalid(vmi.spec, 'spec')
  if (causes.length > 0) throw invalid('VirtualMachineInstance', vmi.metadata.name, causes)
  const { status: _, ...rest } = vmi
  const finalizers = vmi.metadata.finalizers ?? []
  return {
    ...rest,
    metadata: {
      ...vmi.metadata,
      finalizers: finalizers.includes(vmiFinalizer) ? finalizers : [...finalizers, vmiFinalizer],
    },
    spec: withVmiDefaults(vmi.spec, vmi.metadata.name),
  } as VirtualMachineInstance
}

/** A part of the system; accounts, which users make, are not. */
function isOfTheSystem({ username }: { username: string }): boolean {
  return username.startsWith('system:') && !username.startsWith('system:serviceaccount:')
}

function cause(field: string, message: string, reason = 'FieldValueInvalid'): StatusCause {
  return { reason, message, field }
}

function invalid(kind: string, name: string, causes: StatusCause[]): StatusError {
  const first = causes[0]?.message ?? ''
  const message =
    causes.length === 1
      ? `${kind}.kubevirt.io "${name}" is invalid: ${causes[0]?.field}: ${first}`
      : `${kind}.kubevirt.io "${name}" is invalid: [${causes.map((one) => `${one.field}: ${one.message}`).join(', ')}]`
  return failure(422, 'Invalid', message, { name, group: 'kubevirt.io', kind, causes })
}
