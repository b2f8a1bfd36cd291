import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { uuidV5 } from '../defaults.ts'
import { loopbackAddress, stableMac } from './mac-address.ts'
import { machineSpec, memoryBytes, targetNames } from './machine-spec.ts'

type Domain = Parameters<typeof memoryBytes>[0]

function instance(domain: Partial<Domain>, spec: object = {}): VirtualMachineInstance {
  return objectOf(
    VirtualMachineInstance,
    { namespace: 'default', name: 'web.example', uid: 'u1' },
    { spec: { domain: { memory: { guest: '64Mi' }, devices: {}, ...domain }, ...spec } },
  )
}
const specOf = (vmi: VirtualMachineInstance, names: string[] = []) =>
  machineSpec(vmi, {
    folder: '/m',
    paths: new Map(names.map((name) => [name, { path: `/v/${name}`, readOnly: false }])),
    takenAddresses: new Set(),
  })

describe('memory', () => {
  test.each<[Partial<Domain>, number]>([
    [{ memory: { guest: '1Gi' } }, 2 ** 30],
    [{ resources: { requests: { memory: '512Mi' } } }, 2 ** 29],
    [{ resources: { limits: { memory: '512Mi' } } }, 2 ** 29],
  ])('%j are %d bytes', (domain, bytes) => {
    expect(memoryBytes({ devices: {}, ...domain })).toBe(bytes)
  })
  test.each([undefined, 'lots', '0', '-1Gi'])('%s is refused with the field to change', (guest) => {
    expect(() => memoryBytes({ devices: {}, memory: guest === undefined ? {} : { guest } })).toThrow(
      'spec.domain.memory.guest',
    )
  })
})

test('disks boot in their order, unless somebody gives one', () => {
  const disk = (name: string, bootOrder?: number) => ({
    name,
    disk: { bus: 'virtio' },
    ...(bootOrder ? { bootOrder } : {}),
  })
  const orders = (disks: ReturnType<typeof disk>[]) =>
    specOf(instance({ devices: { disks } }), ['a', 'b']).disks.map(({ bootIndex }) => bootIndex)
  expect(orders([disk('a'), disk('b')])).toEqual([1, 2])
  expect(orders([disk('a'), disk('b', 1)])).toEqual([undefined, 1])
})

test('a CD-ROM is read-only and on SATA unless told otherwise', () => {
  const spec = specOf(instance({ devices: { disks: [{ name: 'cd', cdrom: {} }] } }), ['cd'])
  expect(spec.disks).toMatchObject([{ kind: 'cdrom', bus: 'sata', readOnly: true, serial: undefined }])
})

test('CPUs follow the topology, else what is requested', () => {
  const cpu = (domain: Partial<Domain>) => specOf(instance(domain)).cpu
  expect(cpu({})).toMatchObject({ sockets: 1, cores: 1, threads: 1 })
  expect(cpu({ cpu: { cores: 4, threads: 2 } })).toMatchObject({ sockets: 1, cores: 4, threads: 2 })
  expect(cpu({ resources: { requests: { cpu: '1500m' }, limits: { cpu: '3' } } })).toMatchObject({ sockets: 3 })
})

test('a pod network shows the guest the addresses of a cluster, and forwards the ports that are listed', () => {
  const devices = { interfaces: [{ name: 'default', masquerade: {}, ports: [{ port: 22 }] }] }
  const [nic] = specOf(instance({ devices }, { networks: [{ name: 'default', pod: {} }] })).nics
  expect(nic).toMatchObject({
    hostname: 'web',
    network: { cidr: '10.0.2.0/24', host: '10.0.2.1', guest: '10.0.2.2', dns: '10.0.2.3' },
    forwards: [{ protocol: 'tcp', hostPort: 22, guestPort: 22 }],
  })
  expect(nic?.forwards[0]?.hostAddress).toMatch(/^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./)
})

test('a network that this machine does not offer is refused by name', () => {
  const vmi = instance(
    { devices: { interfaces: [{ name: 'lan', bridge: {} }] } },
    { networks: [{ name: 'lan', multus: {} }] },
  )
  expect(() => specOf(vmi)).toThrow("spec.networks: 'lan' is not a pod network")
})

test('target names count per bus family', () => {
  const disks = [
    { name: 'a', disk: { bus: 'virtio' } },
    { name: 'b', disk: { bus: 'sata' } },
    { name: 'c', disk: { bus: 'virtio' } },
    { name: 'd', cdrom: {} },
  ]
  expect([...targetNames(disks).values()]).toEqual(['vda', 'sda', 'vdb', 'sdb'])
})

test('addresses stay the same for a VM and differ between VMs', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.uuid(), (a, b) => {
      fc.pre(a !== b)
      expect(stableMac(a, 'default')).toMatch(/^02:00:00(:[0-9a-f]{2}){3}$/)
      expect(stableMac(a, 'default')).toBe(stableMac(a, 'default'))
      const first = loopbackAddress(a, new Set())
      expect(loopbackAddress(a, new Set())).toBe(first)
      expect(loopbackAddress(b, new Set([loopbackAddress(b, new Set())]))).not.toBe(loopbackAddress(b, new Set()))
    }),
  )
})

test('a machine without a firmware uuid gets the one its name stands for', () => {
  // RFC 4122, appendix B, checked against other implementations.
  expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2')
  expect(specOf(instance({})).uuid).toBe(specOf(instance({})).uuid)
})
