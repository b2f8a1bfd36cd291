import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { expect, test } from 'vitest'
import { vm } from './testing/objects.ts'
import { vmFacts } from './vm-facts.ts'

const machine = vm({
  spec: {
    running: false,
    template: {
      spec: { domain: { cpu: { cores: 2, sockets: 2 }, memory: { guest: '2Gi' }, devices: {} } },
    },
  },
})
const instance: VirtualMachineInstance = {
  apiVersion: 'kubevirt.io/v1',
  kind: 'VirtualMachineInstance',
  metadata: { name: 'web-1', namespace: 'shop' },
  spec: { domain: { resources: { requests: { memory: '512Mi' } }, devices: {} } },
  status: {
    nodeName: 'node-1',
    guestOSInfo: { name: 'Fedora Linux', version: '43', prettyName: '' },
    interfaces: [
      { ipAddress: '10.0.2.2', ipAddresses: ['10.0.2.2', 'fe80::1'] },
      { ipAddress: '10.0.2.2' },
      { mac: 'x' },
    ],
  },
}

test('of one that does not run, what its definition says', () =>
  expect(vmFacts(machine, undefined)).toEqual({
    size: '4 CPU | 2 GiB',
    runStrategy: 'Halted',
    os: undefined,
    addresses: [],
    node: undefined,
  }))

test('of one that runs, what is true of the instance', () =>
  expect(vmFacts(machine, instance)).toEqual({
    size: '1 CPU | 512 MiB',
    runStrategy: 'Halted',
    os: 'Fedora Linux 43',
    addresses: ['10.0.2.2', 'fe80::1'],
    node: 'node-1',
  }))

test('the name of the system for people comes first', () => {
  const named = { ...instance, status: { guestOSInfo: { name: 'alpine', prettyName: 'Alpine Linux v3.22' } } }
  expect(vmFacts(machine, named).os).toBe('Alpine Linux v3.22')
})
