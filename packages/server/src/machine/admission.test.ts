import { VirtualMachine, VirtualMachineInstance, type VirtualMachineSpec } from '@stillpoint/api/kubevirt/kinds'
import { StatusError } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import { describe, expect, test } from 'vitest'
import { machineAdmission, vmDefaults } from './admission.ts'
import type { AdmissionCall } from './admission-call.ts'

const disks = [{ name: 'root', disk: { bus: 'virtio' } }]
const volumes = [{ name: 'root', persistentVolumeClaim: { claimName: 'c' } }]
const vmiSpec = { domain: { memory: { guest: '64Mi' }, devices: { disks } }, volumes }
type VmiSpec = VirtualMachineSpec['template']['spec']

function vm(spec: Partial<VirtualMachineSpec>, template: Partial<VmiSpec> = {}): VirtualMachine {
  const whole = { runStrategy: 'Halted', template: { spec: { ...vmiSpec, ...template } }, ...spec }
  return objectOf(VirtualMachine, { namespace: 'default', name: 'web' }, { spec: whole as VirtualMachineSpec })
}
const user = { username: 'admin', groups: ['system:masters'] }

function admit(call: Pick<AdmissionCall, 'object'> & Partial<AdmissionCall>): unknown {
  const whole: AdmissionCall = { operation: 'CREATE', user, ...call }
  const plural = whole.object.kind === 'VirtualMachine' ? 'virtualmachines' : 'virtualmachineinstances'
  const rule = machineAdmission.find(({ resource }) => resource === plural)
  return rule?.admit(whole)
}

function causesOf(object: VirtualMachine): unknown {
  try {
    admit({ object })
    return 'admitted'
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    expect(error.code).toBe(422)
    return error.status.details?.causes?.map(({ field, message }) => `${field}: ${message}`)
  }
}

test.each<[string, VirtualMachine, string]>([
  ['no run strategy', vm({ runStrategy: undefined }), 'spec.runStrategy: RunStrategy must be specified'],
  [
    'two run states',
    vm({ running: true }),
    'spec.running: Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use RunStrategy instead',
  ],
  ['an unknown run strategy', vm({ runStrategy: 'Often' }), 'spec.runStrategy: Invalid RunStrategy (Often)'],
  ['a receiver', vm({ runStrategy: 'WaitAsReceiver' }), 'spec.runStrategy: Invalid RunStrategy (WaitAsReceiver)'],
  [
    'a disk without volume',
    vm({}, { volumes: [] }),
    "spec.template.spec.domain.devices.disks[0].Name: spec.template.spec.domain.devices.disks[0].Name 'root' not found.",
  ],
  [
    'a volume with two sources',
    vm({}, { volumes: [{ name: 'root', dataVolume: { name: 'd' }, persistentVolumeClaim: { claimName: 'c' } }] }),
    'spec.template.spec.volumes[0]: spec.template.spec.volumes[0] must have exactly one source type set',
  ],
  [
    'no memory',
    vm({}, { domain: { devices: { disks } } }),
    'spec.template.spec.domain.memory.guest: spec.domain.memory.guest: missing',
  ],
  [
    'a network without interface',
    vm({}, { networks: [{ name: 'lan', pod: {} }] }),
    "spec.template.spec.networks[0].name: spec.template.spec.networks[0].name 'lan' not found.",
  ],
  [
    'a data volume template that no volume uses',
    vm({ dataVolumeTemplates: [{ metadata: { name: 'd' }, spec: {} }] }),
    "spec.dataVolumeTemplate[0]: DataVolumeTemplate entry spec.dataVolumeTemplate[0] must be referenced in the VMI template's 'volumes' list",
  ],
])('a VM with %s is refused', (_, object, cause) => {
  expect(causesOf(object)).toEqual([cause])
})

test('a VM that was stored before a rule can still change its labels', () => {
  const old = vm({ runStrategy: 'Often' })
  expect(admit({ operation: 'UPDATE', object: old, oldObject: old })).toBeUndefined()
})

test('creation fills in what the guest will see, and nothing that is given is changed', () => {
  let next = 0
  const newUuid = (): string => {
    next += 1
    return `uuid-${next}`
  }
  const filled = vmDefaults(vm({}), newUuid)
  expect(filled.spec.template).toMatchObject({
    metadata: { annotations: { 'kubevirt.io/pci-topology-version': 'v3' } },
    spec: {
      architecture: 'amd64',
      domain: { machine: { type: 'q35' }, firmware: { uuid: 'uuid-1', serial: 'uuid-2' } },
    },
  })
  expect(vmDefaults(filled, newUuid)).toEqual(filled)
})

describe('an instance', () => {
  const vmi = objectOf(VirtualMachineInstance, { namespace: 'default', name: 'web' }, { spec: vmiSpec })
  const changed = { ...vmi, spec: { ...vmiSpec, hostname: 'x' } }

  test('made by a user gets a network and the finalizer', () => {
    expect(admit({ object: vmi })).toMatchObject({
      metadata: { finalizers: ['kubevirt.io/foregroundDeleteVirtualMachine'] },
      spec: { networks: [{ name: 'default', pod: {} }], domain: { devices: { interfaces: [{ name: 'default' }] } } },
    })
  })
  test('has a spec that only controllers change', () => {
    const update = { operation: 'UPDATE' as const, object: changed, oldObject: vmi }
    expect(() => admit(update)).toThrow('update of VMI object is restricted')
    expect(admit({ ...update, user: { username: 'system:controller', groups: [] } })).toBeUndefined()
  })
  test('keeps its status when a user sends another', () => {
    const stored = { ...vmi, status: { phase: 'Running' } }
    const object = { ...vmi, status: { phase: 'Failed' } }
    const update = { operation: 'UPDATE' as const, object, oldObject: stored }
    expect(admit(update)).toMatchObject({ status: { phase: 'Running' } })
    const account = { username: 'system:serviceaccount:default:builder', groups: ['system:serviceaccounts'] }
    expect(admit({ ...update, user: account })).toMatchObject({ status: { phase: 'Running' } })
  })
})
