import type { VirtualMachineSpec } from '@stillpoint/api/kubevirt/kinds'
import { expect, test } from 'vitest'
import { cpuText, memoryText, type SpecChange, specChanges } from './spec-changes.ts'

interface Given {
  spec?: Partial<VirtualMachineSpec>
  instance?: Record<string, unknown>
  domain?: Record<string, unknown>
  devices?: Record<string, unknown>
}
function specOf({ spec = {}, instance = {}, domain = {}, devices = {} }: Given = {}): VirtualMachineSpec {
  return {
    ...spec,
    template: { ...spec.template, spec: { ...instance, domain: { ...domain, devices } } },
  } as VirtualMachineSpec
}
const claim = (name: string, claimName: string) => ({ name, persistentVolumeClaim: { claimName } })
const cloudInit = (userData: string) => ({ name: 'init', cloudInitNoCloud: { userData } })

const cases: Record<string, [Given, Given, SpecChange[]]> = {
  'nothing between equals': [{ domain: { cpu: { cores: 2 } } }, { domain: { cpu: { cores: 2 } } }, []],
  'processors and memory in their units': [
    { domain: { cpu: { cores: 4 }, memory: { guest: '4Gi' } } },
    { domain: { cpu: { cores: 2 }, memory: { guest: '2Gi' } } },
    [
      { part: 'CPU', from: '4 CPUs', to: '2 CPUs' },
      { part: 'Memory', from: '4Gi', to: '2Gi' },
    ],
  ],
  'a disk that came since': [
    { instance: { volumes: [claim('root', 'a'), claim('data', 'b')] } },
    { instance: { volumes: [claim('root', 'a')] } },
    [{ part: 'Volume data', from: 'disk on a claim', to: 'none' }],
  ],
  'other settings of a disk and a card': [
    { devices: { disks: [{ name: 'root', disk: { bus: 'sata' } }], interfaces: [{ name: 'lan', model: 'e1000' }] } },
    { devices: { disks: [{ name: 'root', disk: { bus: 'virtio' } }], interfaces: [] } },
    [
      { part: 'Disk root', from: 'sata', to: 'virtio' },
      { part: 'Network interface lan', from: 'e1000', to: 'none' },
    ],
  ],
  'nothing when only claims have other names, or are made by a DataVolume': [
    {
      instance: { volumes: [claim('root', 'restore-1-root')] },
      spec: { dataVolumeTemplates: [{ metadata: { name: 'restore-1-root' }, spec: {} }] },
    },
    { instance: { volumes: [{ name: 'root', dataVolume: { name: 'root' } }] } },
    [],
  ],
  'nothing of the run state': [{ spec: { runStrategy: 'Always' } }, { spec: { running: false } }, []],
  'nothing of a revision of the same instance type': [
    { spec: { instancetype: { kind: 'I', name: 'small', revisionName: 'r1' } } },
    { spec: { instancetype: { kind: 'I', name: 'small', revisionName: 'r2' } } },
    [],
  ],
  'another instance type': [
    { spec: { instancetype: { name: 'large' } } },
    { spec: { instancetype: { name: 'small' } } },
    [{ part: 'Instance type', from: 'large', to: 'small' }],
  ],
  'nothing of a UUID that only one has': [{ domain: { firmware: { uuid: 'u' } } }, {}, []],
  'another UUID': [
    { domain: { firmware: { uuid: 'u' } } },
    { domain: { firmware: { uuid: 'v' } } },
    [{ part: 'Firmware UUID', from: 'u', to: 'v' }],
  ],
  'other firmware': [
    { domain: { firmware: { bootloader: { efi: {} } } } },
    { domain: { firmware: { bootloader: { bios: {} } } } },
    [{ part: 'Firmware' }],
  ],
  'other cloud-init data of the same kind': [
    { instance: { volumes: [cloudInit('a')] } },
    { instance: { volumes: [cloudInit('b')] } },
    [{ part: 'Volume init', from: 'cloudInitNoCloud', to: 'cloudInitNoCloud' }],
  ],
  'what no other part has, by its name': [
    { instance: { hostname: 'a', affinity: { x: 1 } }, domain: { clock: {} }, devices: { rng: {} } },
    { instance: { hostname: 'b' } },
    [
      { part: 'Device rng', to: 'none' },
      { part: 'Hardware clock', to: 'none' },
      { part: 'Setting hostname', from: 'a', to: 'b' },
      { part: 'Setting affinity', to: 'none' },
    ],
  ],
}
test.each(Object.entries(cases))('it tells %s', (_, [now, then, expected]) =>
  expect(specChanges(specOf(now), specOf(then))).toEqual(expected),
)

test('processors are counted as the guest sees them', () => {
  expect(cpuText(specOf({ domain: { cpu: { sockets: 2, cores: 2, threads: 2, model: 'host-model' } } }))).toBe(
    '8 CPUs (host-model)',
  )
  expect(cpuText(specOf({ domain: { cpu: {} } }))).toBe('1 CPU')
  expect(cpuText(specOf())).toBeUndefined()
})

test('memory is that of the guest, else what is requested for it', () => {
  const resources = { requests: { memory: '1Gi' } }
  expect(memoryText(specOf({ domain: { memory: { guest: '2Gi' }, resources } }))).toBe('2Gi')
  expect(memoryText(specOf({ domain: { resources } }))).toBe('1Gi')
})
