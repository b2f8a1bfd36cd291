import { expect, test } from 'vitest'
import type { VirtualMachine } from '../kubevirt/kinds.ts'
import type { VirtualMachineSnapshotContent } from '../snapshot/kinds.ts'
import type { VirtualMachineClone } from './kinds.ts'
import { defaultTargetName, targetNameOf } from './names.ts'
import { type Obstacle, whyContentUnfit, whySourceUnfit } from './rules.ts'

const clone = (spec: object = {}) =>
  ({ metadata: { name: 'c', uid: 'uid' }, spec: { source: { name: 'vm' }, ...spec } }) as VirtualMachineClone

const volumes = [
  { name: 'root', persistentVolumeClaim: { claimName: 'root' } },
  { name: 'data', dataVolume: { name: 'data' } },
  { name: 'init', cloudInitNoCloud: { userData: '' } },
  { name: 'dump', memoryDump: { claimName: 'dump' } },
]
const specOf = (domain: object = {}) => ({ template: { spec: { domain: { devices: {}, ...domain }, volumes } } })
const tpm = specOf({ devices: { tpm: { persistent: true } } })
const efi = specOf({ firmware: { bootloader: { efi: { persistent: true } } } })
const network = { newMacAddresses: { default: '02:00:00:00:00:01' } }
const noInterface = 'spec.newMacAddresses names interfaces the virtual machine does not have: default'

const enabled = (...names: string[]) => names.map((name) => ({ name, enabled: true }))
const sources: Record<string, [object, VirtualMachine['spec'], NonNullable<VirtualMachine['status']>, unknown]> = {
  'a VM whose disks can be snapshotted is fit': [
    {},
    specOf(),
    { printableStatus: '', volumeSnapshotStatuses: enabled('root', 'data') },
    undefined,
  ],
  'a VM without status waits': [
    {},
    specOf(),
    { printableStatus: '' },
    'VMVolumeSnapshotsInvalid VirtualMachine vm has volumes that cannot be snapshotted: root (not yet known); data (not yet known)',
  ],
  'a disk that cannot be snapshotted waits with its reason': [
    {},
    specOf(),
    {
      printableStatus: '',
      volumeSnapshotStatuses: [...enabled('root'), { name: 'data', enabled: false, reason: 'why' }],
    },
    'VMVolumeSnapshotsInvalid VirtualMachine vm has volumes that cannot be snapshotted: data (why)',
  ],
  'persistent TPM is final': [
    {},
    tpm,
    { printableStatus: '' },
    'SourceVMWithBackendStorageInvalid VirtualMachine vm: persistent TPM or EFI state cannot be cloned, final',
  ],
  'persistent EFI is final': [
    {},
    efi,
    { printableStatus: '' },
    'SourceVMWithBackendStorageInvalid VirtualMachine vm: persistent TPM or EFI state cannot be cloned, final',
  ],
  'an address for no interface is final': [
    network,
    specOf(),
    { printableStatus: '' },
    `InterfaceNotFound ${noInterface}, final`,
  ],
}
const told = (obstacle: Obstacle | undefined) =>
  obstacle && `${obstacle.event} ${obstacle.text}${obstacle.final ? ', final' : ''}`

test.each(Object.entries(sources))('%s', (_, [spec, vmSpec, status, expected]) => {
  const vm = { metadata: { name: 'vm' }, spec: vmSpec, status } as VirtualMachine
  expect(told(whySourceUnfit(clone(spec), vm))).toBe(expected)
})

const contents: Record<string, [object, object | undefined, string[], unknown]> = {
  'a content with all disks is fit': [{}, specOf(), ['root', 'data'], undefined],
  'a content without a VM is not': [
    {},
    undefined,
    [],
    'SnapshotContentInvalid VirtualMachineSnapshotContent content holds no virtual machine, final',
  ],
  'a content that lacks a disk is not': [
    {},
    specOf(),
    ['root'],
    'SnapshotContentInvalid VirtualMachineSnapshotContent content lacks volumes of the virtual machine: data, final',
  ],
  'a content with persistent TPM is not': [
    {},
    tpm,
    ['root', 'data'],
    'SnapshotContentInvalid VirtualMachineSnapshotContent content: persistent TPM or EFI state cannot be cloned, final',
  ],
  'a content without an interface that gets an address is not': [
    network,
    specOf(),
    ['root', 'data'],
    `InterfaceNotFound ${noInterface}, final`,
  ],
}
test.each(Object.entries(contents))('%s', (_, [spec, captured, backed, expected]) => {
  const content = {
    metadata: { name: 'content' },
    spec: {
      source: { virtualMachine: captured === undefined ? {} : { metadata: {}, spec: captured } },
      volumeBackups: backed.map((volumeName) => ({ volumeName, persistentVolumeClaim: {} })),
    },
  } as VirtualMachineSnapshotContent
  expect(told(whyContentUnfit(clone(spec), content))).toBe(expected)
})

test('a clone that was given no target has one all the same, always the same', () => {
  expect(targetNameOf(clone())).toMatch(/^clone-vm-[0-9a-f]{5}$/)
  expect(targetNameOf(clone())).toBe(targetNameOf(clone()))
  expect(targetNameOf(clone({ target: { kind: 'VirtualMachine', name: 'copy' } }))).toBe('copy')
})

test('a default name never ends in the middle of nothing', () =>
  expect(defaultTargetName(`${'a'.repeat(50)}-${'b'.repeat(20)}`, 'x7b2k')).toBe(`clone-${'a'.repeat(50)}-x7b2k`))
