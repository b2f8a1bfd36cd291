import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildArguments } from './arguments.ts'
import { nodeName } from './block-options.ts'
import { parseStat } from './linux-process.ts'
import { parseMachineTypes } from './machine-type.ts'
import { processPaths } from './runtime-record.ts'
import { type DiskSpec, type QemuSpec, QemuSpecError, userNetwork } from './spec.ts'

const base: QemuSpec = {
  name: 'vm-1',
  uuid: '0f5c3a9e-7d2b-4c1e-9a4d-3b2f1e0d9c8b',
  machine: 'q35',
  accel: 'tcg',
  cpus: { sockets: 1, cores: 2, threads: 1 },
  memoryBytes: 256 * 1024 * 1024,
  disks: [],
  networks: [],
}
const build = (changes: Partial<QemuSpec>, directIo: string[] = [], dir = '/run/sp/vm1') =>
  buildArguments({ ...base, ...changes }, 'pc-q35-7.2', processPaths(dir), new Set(directIo))
const line = (...args: Parameters<typeof build>) => build(...args).join(' ')
const disk = (changes: Partial<DiskSpec> = {}): DiskSpec => ({
  name: 'root',
  bus: 'virtio',
  source: { kind: 'file', format: 'qcow2', path: '/v/disk.qcow2' },
  ...changes,
})

const expected: Record<string, [Parameters<typeof build>, RegExp]> = {
  'the CPUs wait and the process stays': [[{}], /-S -no-shutdown/],
  'the model follows the accelerator': [[{ accel: 'kvm', cpuModel: 'host-model' }], /-accel kvm -cpu host /],
  'emulation takes the best model it has': [[{ cpuModel: 'host-passthrough' }], /-cpu max /],
  'CPU features are switched by name': [[{ cpuFeatures: [{ name: 'vmx', enabled: false }] }], /-cpu max,vmx=off/],
  'memory is rounded up to whole MiB': [[{ memoryBytes: 100_000_000 }], /-m 96 /],
  'qcow2 never follows its header': [[{ disks: [disk()] }], /"driver":"qcow2".*"backing":null/],
  'the page cache is passed by where the file system can': [
    [{ disks: [disk()] }, ['/v/disk.qcow2']],
    /"direct":true.*"aio":"native"/,
  ],
  'and used where it cannot': [[{ disks: [disk()] }], /"direct":false.*"aio":"threads"/],
  'a failed write stops the guest': [[{ disks: [disk()] }], /werror=stop,rerror=stop/],
  'serial and boot order reach the device': [
    [{ disks: [disk({ serial: 'S1', bootIndex: 1 })] }],
    /id=ua-root,drive=d-root,serial=S1,bootindex=1/,
  ],
  'a CD drive may be empty': [[{ disks: [{ name: 'cd', bus: 'sata', cdrom: true }] }], /ide-cd,bus=ide\.0,id=ua-cd/],
  'a SCSI disk brings its controller': [
    [{ disks: [disk({ bus: 'scsi' })] }],
    /virtio-scsi-pci,id=scsi0 .*scsi-hd,bus=scsi0\.0/,
  ],
  'a write-through disk has no write cache': [
    [{ disks: [disk({ source: { kind: 'file', format: 'raw', path: '/d', cache: 'writethrough' } })] }],
    /write-cache=off/,
  ],
  'a network card has a fixed address whatever disks there are': [
    [{ disks: [disk()], networks: [{ name: 'default', mac: '02:00:00:00:00:01' }] }],
    /virtio-net-pci.*virtio-blk-pci/,
  ],
  'ports are forwarded to the guest’s address': [
    [
      {
        networks: [
          {
            name: 'n',
            mac: '02:00:00:00:00:01',
            cidr: '10.5.0.0/16',
            hostForwards: [{ protocol: 'tcp', hostAddress: '127.1.2.3', hostPort: 22, guestPort: 2222 }],
          },
        ],
      },
    ],
    /"host":"10\.5\.0\.1","dhcpstart":"10\.5\.0\.2".*tcp:127\.1\.2\.3:22-10\.5\.0\.2:2222/,
  ],
  'a layered disk is given node by node': [
    [
      {
        disks: [
          disk({
            source: {
              kind: 'layered',
              top: 'l1',
              nodes: [
                { driver: 'qcow2', 'node-name': 'l0', backing: null, file: { driver: 'file', filename: '/a,b' } },
                { driver: 'qcow2', 'node-name': 'l1', backing: 'l0', file: { driver: 'file', filename: '/c' } },
              ],
            },
          }),
        ],
      },
    ],
    /"l0".*"backing":"l0".*drive=l1/,
  ],
}
test.each(Object.entries(expected))('%s', (_, [args, pattern]) => expect(line(...args)).toMatch(pattern))

const layered = (nodes: object[], top = 'a') =>
  disk({ source: { kind: 'layered', top, nodes: nodes as { driver: string; 'node-name': string }[] } })
const refused: Record<string, [Partial<QemuSpec>, RegExp]> = {
  'a name that would be an option': [{ name: 'a,debug-threads=off' }, /^name: /],
  'a name that would be a flag': [{ name: '-S' }, /^name: /],
  'a serial with a comma': [{ disks: [disk({ serial: 'a,id=b' })] }, /disks\[root\]\.serial/],
  'an alias with a comma': [{ disks: [disk({ alias: 'a,b' })] }, /alias/],
  'a CPU model with a comma': [{ cpuModel: 'max,+vmx' }, /cpuModel/],
  'a relative path': [{ disks: [disk({ source: { kind: 'device', path: 'dev/sda' } })] }, /absolute/],
  'a MAC that is none': [{ networks: [{ name: 'n', mac: 'x' }] }, /mac/],
  'a network range that is none': [
    { networks: [{ name: 'n', mac: '02:00:00:00:00:01', cidr: '10.0.0.0/33' }] },
    /cidr/,
  ],
  'two disks of one name': [{ disks: [disk(), disk()] }, /listed twice/],
  'a CD on virtio': [{ disks: [disk({ cdrom: true })] }, /sata or scsi/],
  'a disk without source': [{ disks: [disk({ source: undefined })] }, /only a CD drive may be empty/],
  'a seventh SATA disk': [
    { disks: Array.from({ length: 7 }, (_, at) => disk({ name: `d${at}`, bus: 'sata' })) },
    /at most 6/,
  ],
  'a layer that QEMU would look up by itself': [
    { disks: [layered([{ driver: 'qcow2', 'node-name': 'a', file: { driver: 'file' } }])] },
    /backing: must be given/,
  ],
  'a layer over an unknown one': [
    { disks: [layered([{ driver: 'qcow2', 'node-name': 'a', backing: 'b' }])] },
    /not listed before/,
  ],
  'a layer of a driver that goes elsewhere': [{ disks: [layered([{ driver: 'ssh', 'node-name': 'a' }])] }, /none of/],
  'a top that is not there': [{ disks: [layered([{ driver: 'raw', 'node-name': 'a' }], 'b')] }, /not among the nodes/],
  'too little memory': [{ memoryBytes: 4096 }, /memoryBytes/],
  'no CPU': [{ cpus: { sockets: 0, cores: 1, threads: 1 } }, /cpus\.sockets/],
  'a serial number of the machine with an equals sign': [{ smbios: { serial: 'a=b' } }, /smbios\.serial/],
}
test.each(Object.entries(refused))('refuses %s', (_, [changes, pattern]) => {
  expect(() => build(changes)).toThrow(QemuSpecError)
  expect(() => build(changes)).toThrow(pattern)
})

test('refuses a folder that is too long for sockets', () => {
  expect(() => build({}, [], `/run/${'x'.repeat(100)}`)).toThrow(/107.*shorter/)
})

test('no text given for a name becomes an option of its own', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom('name', 'uuid', 'cpuModel'), (text, field) => {
      let args: string[]
      try {
        args = build({ [field]: text })
      } catch (err) {
        expect(err).toBeInstanceOf(QemuSpecError)
        return
      }
      expect(args.length).toBe(build({}).length)
      expect(args.filter((arg) => arg.includes(text)).every((arg) => arg === text || !/[,=]/.test(text))).toBe(true)
    }),
  )
})

test('the same specification gives the same command line', () => {
  const spec = {
    disks: [disk(), disk({ name: 'b', bus: 'sata' })],
    networks: [{ name: 'n', mac: '02:00:00:00:00:01' }],
  }
  expect(build(spec)).toEqual(build(spec))
})

test.each([
  ['10.0.2.0/24', { net: '10.0.2.0/24', host: '10.0.2.1', guest: '10.0.2.2', dns: '10.0.2.3' }],
  [
    '192.168.255.77/29',
    { net: '192.168.255.72/29', host: '192.168.255.73', guest: '192.168.255.74', dns: '192.168.255.75' },
  ],
])('addresses of %s', (cidr, addresses) => expect(userNetwork('x', cidr)).toEqual(addresses))

test('node names keep to 31 characters and stay different', () => {
  expect(nodeName('d', 'root')).toBe('d-root')
  const long = [nodeName('d', 'x'.repeat(40)), nodeName('d', 'x'.repeat(41)), nodeName('d', 'ä')]
  expect(long.every((name) => /^[A-Za-z][\w.-]{0,30}$/.test(name))).toBe(true)
  expect(new Set(long).size).toBe(3)
})

test('aliases of machine types are resolved', () => {
  const types = parseMachineTypes(
    'Supported machines are:\nq35   Standard PC (alias of pc-q35-7.2)\npc-q35-7.2   Standard PC\n',
  )
  expect([...types]).toEqual([
    ['q35', 'pc-q35-7.2'],
    ['pc-q35-7.2', 'pc-q35-7.2'],
  ])
})

test.each([
  ['12 (qemu-system-x86) S 1 12 12 0 -1 4 5 6 7 8 9 10 11 12 20 0 5 0 4711 99', { state: 'S', startTime: '4711' }],
  ['12 (a) R (b) Z 1 12 12 0 -1 4 5 6 7 8 9 10 11 12 20 0 5 0 42 99', { state: 'Z', startTime: '42' }],
  ['nonsense', undefined],
])('reads the state of a process from %j', (text, expected) => expect(parseStat(text)).toEqual(expected))
