import { expect, test } from 'vitest'
import { mayPatch, parsePatch } from '../snapshot/patches.ts'
import { unknownInterfaces } from './identity-patches.ts'
import type { VirtualMachineClone } from './kinds.ts'
import { type Captured, clonePatches } from './patches.ts'

const clone = (spec: Partial<VirtualMachineClone['spec']>) => ({ spec }) as VirtualMachineClone
const domain = '/spec/template/spec/domain'
const nic = (at: number) => `${domain}/devices/interfaces/${at}/macAddress`

function vm({
  interfaces,
  firmware,
  template,
  ...metadata
}: {
  interfaces?: { name: string; macAddress?: string }[]
  firmware?: { uuid?: string; serial?: string; bootloader?: object }
  template?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  labels?: Record<string, string>
  annotations?: Record<string, string>
}): Captured {
  const devices = interfaces === undefined ? {} : { interfaces }
  return {
    metadata,
    spec: {
      template: {
        ...(template === undefined ? {} : { metadata: template }),
        spec: { domain: { devices, ...(firmware === undefined ? {} : { firmware }) } },
      },
    },
  }
}

const two = [{ name: 'default', macAddress: '02:00:00:00:00:01' }, { name: 'blue' }]
const patchTemplate = (map: string) => `{"op":"add","path":"/spec/template/metadata/${map}/a","value":"b"}`

const cases: Record<string, [Partial<VirtualMachineClone['spec']>, Captured, unknown[]]> = {
  'nothing of a VM that has nothing': [{}, vm({}), []],
  'no address is inherited': [{}, vm({ interfaces: two }), [{ op: 'remove', path: nic(0) }]],
  'addresses are given by interface name': [
    { newMacAddresses: { blue: '02:00:00:00:00:02' } },
    vm({ interfaces: two }),
    [
      { op: 'remove', path: nic(0) },
      { op: 'add', path: nic(1), value: '02:00:00:00:00:02' },
    ],
  ],
  'an interface may be named like a member of every object': [
    {},
    vm({ interfaces: [{ name: 'constructor', macAddress: '02:00:00:00:00:01' }] }),
    [{ op: 'remove', path: nic(0) }],
  ],
  'uuid and serial are not inherited': [
    {},
    vm({ firmware: { uuid: 'u', serial: 's' } }),
    [
      { op: 'remove', path: `${domain}/firmware/serial` },
      { op: 'remove', path: `${domain}/firmware/uuid` },
    ],
  ],
  'firmware without either is left alone': [{}, vm({ firmware: { bootloader: {} } }), []],
  'a serial is given': [
    { newSMBiosSerial: 'new' },
    vm({ firmware: { uuid: 'u' } }),
    [
      { op: 'add', path: `${domain}/firmware/serial`, value: 'new' },
      { op: 'remove', path: `${domain}/firmware/uuid` },
    ],
  ],
  'a serial is given to a VM without firmware': [
    { newSMBiosSerial: 'new' },
    vm({}),
    [{ op: 'add', path: `${domain}/firmware`, value: { serial: 'new' } }],
  ],
  'what no filter is for is kept': [{}, vm({ labels: { a: '1' }, template: { labels: { a: '1' } } }), []],
  'labels and annotations not selected are removed, keys escaped': [
    { labelFilters: ['keep'], annotationFilters: [] },
    vm({ labels: { keep: '1', 'a.b/c~d': '2' }, annotations: { x: '1', 'restore.kubevirt.io/lastRestoreUID': 'r-1' } }),
    [
      { op: 'remove', path: '/metadata/labels/a.b~1c~0d' },
      { op: 'remove', path: '/metadata/annotations/x' },
    ],
  ],
  'the template has filters of its own': [
    { template: { labelFilters: ['*', '!no'], annotationFilters: ['yes'] } },
    vm({ labels: { no: '1' }, template: { labels: { no: '1', a: '2' }, annotations: { a: '1', yes: '2' } } }),
    [
      { op: 'remove', path: '/spec/template/metadata/labels/no' },
      { op: 'remove', path: '/spec/template/metadata/annotations/a' },
    ],
  ],
  'filters for maps that are not there': [
    { labelFilters: [], annotationFilters: ['a'], template: { labelFilters: [], annotationFilters: [] } },
    vm({}),
    [],
  ],
  'the patches of the user come last': [
    { patches: ['{"op":"add","path":"/spec/x","value":1}'] },
    vm({ interfaces: two }),
    [
      { op: 'remove', path: nic(0) },
      { op: 'add', path: '/spec/x', value: 1 },
    ],
  ],
  'a template without metadata gets the map a patch adds to': [
    { patches: [patchTemplate('labels')] },
    vm({}),
    [
      { op: 'add', path: '/spec/template/metadata', value: { labels: {} } },
      { op: 'add', path: '/spec/template/metadata/labels/a', value: 'b' },
    ],
  ],
  'a template with metadata keeps it': [
    { patches: [patchTemplate('labels'), patchTemplate('annotations')] },
    vm({ template: { labels: { x: 'y' } } }),
    [
      { op: 'add', path: '/spec/template/metadata/annotations', value: {} },
      { op: 'add', path: '/spec/template/metadata/labels/a', value: 'b' },
      { op: 'add', path: '/spec/template/metadata/annotations/a', value: 'b' },
    ],
  ],
}
test.each(Object.entries(cases))('%s', (_, [spec, captured, expected]) => {
  const patches = clonePatches(clone(spec), captured)
  expect(patches.map((patch) => JSON.parse(patch))).toEqual(expected)
  // What is generated must pass the rule of the restore it is for.
  for (const item of patches) {
    const patch = parsePatch(item)
    expect(typeof patch === 'string' ? patch : mayPatch(patch)).toBe(true)
  }
})

test('addresses for interfaces that are not there are found', () => {
  const addresses = { newMacAddresses: { blue: '', red: '', constructor: '' } }
  expect(unknownInterfaces(clone(addresses).spec, vm({ interfaces: two }).spec)).toEqual(['red', 'constructor'])
  expect(unknownInterfaces(clone({}).spec, vm({}).spec)).toEqual([])
})
