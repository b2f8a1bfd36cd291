import { diskNodes } from './block-options.ts'
import {
  checked,
  checkedInteger,
  checkedIpv4,
  checkedPath,
  checkedSocketPath,
  type DiskSpec,
  type NetworkSpec,
  type QemuSpec,
  QemuSpecError,
  userNetwork,
} from './spec.ts'

/** Files of one QEMU process. Sockets have short names: their whole path must fit into 107 bytes. */
export interface ProcessPaths {
  readonly qmp: string
  /** A second monitor, left to whoever owns the volumes. */
  readonly storage: string
  readonly agent: string
  readonly serial: string
  readonly vnc: string
  readonly pidFile: string
  readonly serialLog: string
}

/** Device id of the guest agent's port, as VSERPORT_CHANGE events name it. */
export const agentPortId = 'qga0'
/** The guest's first serial port, as `query-chardev` names it. */
export const serialChardevId = 'ser0'
/** Device id under which a disk is known to QMP. */
export function diskAlias(disk: DiskSpec): string {
  return disk.alias ?? `ua-${disk.name}`
}

const mib = 1024 * 1024

/**
 * QEMU's command line for a specification. Every value in it has been checked against a pattern or is JSON, so that
 * nothing in a name or a path can become an option. The order of devices is the order of their PCI addresses: what
 * every machine has comes first, disks come last, and adding a disk moves no network card.
 */
export function buildArguments(
  spec: QemuSpec,
  machine: string,
  paths: ProcessPaths,
  directIo: ReadonlySet<string>,
): string[] {
  const { cpus } = spec
  const memoryMib = Math.ceil(checkedInteger('memoryBytes', spec.memoryBytes, 8 * mib, 2 ** 46) / mib)
  const sockets = checkedInteger('cpus.sockets', cpus.sockets, 1, 64)
  const cores = checkedInteger('cpus.cores', cpus.cores, 1, 255)
  const threads = checkedInteger('cpus.threads', cpus.threads, 1, 8)
  checkedInteger('cpus', sockets * cores * threads, 1, 255)
  const efi = spec.firmware?.kind === 'efi' ? spec.firmware : undefined

  const args = [
    ['-name', `guest=${checked('name', spec.name, 'guestName')},debug-threads=on`],
    ['-nodefaults'],
    ['-no-user-config'],
    // The CPUs wait until both we and the record of the process are ready.
    ['-S'],
    // A guest that ends leaves its process behind to be asked why; a vanished process is never normal.
    ['-no-shutdown'],
    ['-pidfile', checkedSocketPath('pidFile', paths.pidFile)],
    ['-machine', machineOption(machine, efi)],
    ['-accel', spec.accel === 'kvm' ? 'kvm' : 'tcg,thread=multi'],
    ['-cpu', cpuOption(spec)],
    ['-smp', `sockets=${sockets},cores=${cores},threads=${threads}`],
    ['-m', String(memoryMib)],
    ['-object', JSON.stringify({ 'qom-type': 'memory-backend-ram', id: 'mem', size: memoryMib * mib })],
    ['-uuid', checked('uuid', spec.uuid, 'uuid')],
    ...smbios(spec),
    ...(efi ? efiOptions(efi) : []),
    ['-rtc', 'base=utc'],
    ...(spec.rebootEnds ? [['-action', 'reboot=shutdown']] : []),
    ...socketChardev('qmp', paths.qmp),
    ['-mon', 'chardev=qmp,mode=control'],
    ...socketChardev('storage', paths.storage),
    ['-mon', 'chardev=storage,mode=control'],
    ...serialConsole(spec, paths),
    ...hotplugPorts(spec, machine),
    ['-device', 'virtio-serial-pci,id=vs0'],
    ...guestAgent(spec, paths),
    ...(spec.disks.some(({ bus }) => bus === 'scsi') ? [['-device', 'virtio-scsi-pci,id=scsi0']] : []),
    ...graphics(spec, paths),
    ...(spec.rng === false
      ? []
      : [
          ['-object', 'rng-random,id=rng0,filename=/dev/urandom'],
          ['-device', 'virtio-rng-pci,rng=rng0,id=rngdev0'],
        ]),
    ...(spec.balloon ? [['-device', 'virtio-balloon-pci,id=balloon0']] : []),
    ...(spec.panicDevice === false ? [] : [['-device', 'pvpanic-pci,id=panic0']]),
    ...spec.networks.flatMap((network) => networkOptions(network)),
    ...diskOptions(spec.disks, machine, directIo),
    ...(spec.incoming ? [['-incoming', 'defer']] : []),
    ...(spec.sandbox === 'off'
      ? []
      : [['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']]),
  ]
  unique(
    'networks',
    spec.networks.map(({ name }) => name),
  )
  unique('disks', spec.disks.map(diskAlias))
  return args.flat()
}

function machineOption(machine: string, efi: { secureBoot: boolean } | undefined): string {
  const smm = efi?.secureBoot ? ',smm=on' : ''
  return `${checked('machine', machine, 'word')},memory-backend=mem,usb=off${smm}`
}

function cpuOption(spec: QemuSpec): string {
  const model = spec.cpuModel ?? 'host-model'
  const best = model === 'host-model' || model === 'host-passthrough' || model === 'host'
  const name = best ? (spec.accel === 'kvm' ? 'host' : 'max') : checked('cpuModel', model, 'word')
  const features = (spec.cpuFeatures ?? []).map(
    (feature) => `,${checked('cpuFeatures', feature.name, 'word')}=${feature.enabled ? 'on' : 'off'}`,
  )
  return name + features.join('')
}

function smbios({ smbios: given, uuid }: QemuSpec): string[][] {
  if (!given) return []
  const fields = Object.entries(given).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${checked(`smbios.${key}`, value, 'smbiosText')}`],
  )
  return [['-smbios', ['type=1', ...fields, `uuid=${uuid}`].join(',')]]
}

function efiOptions(efi: { codePath: string; varsPath: string; secureBoot: boolean }): string[][] {
  const node = (name: string, path: string, readonly: boolean) => [
    '-blockdev',
    JSON.stringify({
      driver: 'file',
      'node-name': name,
      filename: checkedPath('firmware', path),
      'read-only': readonly,
    }),
  ]
  const secure = efi.secureBoot ? [['-global', 'driver=cfi.pflash01,property=secure,value=on']] : []
  return [
    node('efi-code', efi.codePath, true),
    node('efi-vars', efi.varsPath, false),
    ['-machine', 'pflash0=efi-code,pflash1=efi-vars'],
    ...secure,
  ]
}

function socketChardev(id: string, path: string, more = ''): string[][] {
  return [['-chardev', `socket,id=${id},path=${checkedSocketPath(`socket ${id}`, path)},server=on,wait=off${more}`]]
}

function serialConsole(spec: QemuSpec, paths: ProcessPaths): string[][] {
  if (spec.serialConsole === false) return []
  // Appending, so that the log may be cut short from outside while it is written.
  const log = `,logfile=${checkedSocketPath('serialLog', paths.serialLog)},logappend=on`
  return [
    ...socketChardev(serialChardevId, paths.serial, log),
    ['-device', `isa-serial,chardev=${serialChardevId},id=serial0`],
  ]
}

function hotplugPorts(spec: QemuSpec, machine: string): string[][] {
  if (!machine.includes('q35')) return []
  const count = checkedInteger('hotplugPorts', spec.hotplugPorts ?? 4, 0, 16)
  return Array.from({ length: count }, (_, index) => ['-device', `pcie-root-port,id=rp${index},chassis=${index + 1}`])
}

function guestAgent(spec: QemuSpec, paths: ProcessPaths): string[][] {
  if (spec.guestAgent === false) return []
  return [
    ...socketChardev('qga', paths.agent),
    ['-device', `virtserialport,bus=vs0.0,chardev=qga,name=org.qemu.guest_agent.0,id=${agentPortId}`],
  ]
}

function graphics(spec: QemuSpec, paths: ProcessPaths): string[][] {
  const usb = spec.tablet || spec.disks.some(({ bus }) => bus === 'usb') ? [['-device', 'qemu-xhci,id=usb0']] : []
  const tablet = spec.tablet ? [['-device', 'usb-tablet,bus=usb0.0,id=tablet0']] : []
  const display =
    spec.graphics === 'vnc'
      ? [
          ['-device', 'VGA,id=video0'],
          ['-display', 'none'],
          ['-vnc', `unix:${checkedSocketPath('vnc socket', paths.vnc)}`],
        ]
      : [['-display', 'none']]
  return [...usb, ...display, ...tablet]
}

const nicModels = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  rtl8139: 'rtl8139',
  ne2k_pci: 'ne2k_pci',
  pcnet: 'pcnet',
} as const

function networkOptions(network: NetworkSpec): string[][] {
  const field = `networks[${network.name}]`
  const id = checked(`${field}.name`, `net-${network.name}`, 'id')
  const { net, host, guest, dns } = userNetwork(`${field}.cidr`, network.cidr ?? '10.0.2.0/24')
  const backend = {
    type: 'user',
    id,
    net,
    host,
    dhcpstart: guest,
    dns,
    ipv6: false,
    ...(network.hostname ? { hostname: checked(`${field}.hostname`, network.hostname, 'hostname') } : {}),
    ...(network.restricted ? { restrict: true } : {}),
    ...(network.hostForwards?.length
      ? {
          hostfwd: network.hostForwards.map((forward, index) => {
            const at = `${field}.hostForwards[${index}]`
            if (forward.protocol !== 'tcp' && forward.protocol !== 'udp')
              throw new QemuSpecError(`${at}.protocol`, 'must be tcp or udp')
            const from = `${checkedIpv4(at, forward.hostAddress)}:${checkedInteger(at, forward.hostPort, 1, 65535)}`
            return { str: `${forward.protocol}:${from}-${guest}:${checkedInteger(at, forward.guestPort, 1, 65535)}` }
          }),
        }
      : {}),
  }
  const model = nicModels[network.model ?? 'virtio']
  if (!model) throw new QemuSpecError(`${field}.model`, `must be one of ${Object.keys(nicModels).join(', ')}`)
  const boot = network.bootIndex === undefined ? '' : `,bootindex=${checkedInteger(field, network.bootIndex, 0, 65535)}`
  return [
    ['-netdev', JSON.stringify(backend)],
    [
      '-device',
      `${model},netdev=${id},id=nic-${network.name},mac=${checked(`${field}.mac`, network.mac, 'mac')}${boot}`,
    ],
  ]
}

function diskOptions(disks: readonly DiskSpec[], machine: string, directIo: ReadonlySet<string>): string[][] {
  const options: string[][] = []
  let sata = 0
  let scsi = 0
  // Q35 has six SATA ports built in; the older machine has none.
  const builtIn = machine.includes('q35')
  if (disks.some(({ bus }) => bus === 'sata') && !builtIn) options.push(['-device', 'ich9-ahci,id=ahci0'])
  for (const disk of disks) {
    const field = `disks[${disk.name}]`
    const readonly = disk.readonly ?? disk.cdrom ?? false
    const properties = [`id=${checked(`${field}.alias`, diskAlias(disk), 'id')}`]
    if (disk.source) {
      const direct = disk.source.kind === 'file' && directIo.has(disk.source.path)
      const { nodes, top } = diskNodes(disk.name, disk.source, { readonly, direct })
      for (const node of nodes) options.push(['-blockdev', JSON.stringify(node)])
      properties.push(`drive=${top}`)
      // The guest sees no write cache, and QEMU flushes after every write.
      if (disk.source.kind === 'file' && disk.source.cache === 'writethrough') properties.push('write-cache=off')
    } else if (!disk.cdrom) {
      throw new QemuSpecError(`${field}.source`, 'must be given; only a CD drive may be empty')
    }
    if (disk.serial !== undefined) properties.push(`serial=${checked(`${field}.serial`, disk.serial, 'serial')}`)
    if (disk.bootIndex !== undefined)
      properties.push(`bootindex=${checkedInteger(`${field}.bootIndex`, disk.bootIndex, 0, 65535)}`)
    const policy = disk.errorPolicy ?? 'stop'
    if (!disk.cdrom) properties.push(`werror=${policy}`, `rerror=${policy === 'enospc' ? 'report' : policy}`)
    options.push(['-device', [diskDevice(field, disk, readonly), ...properties].join(',')])
  }
  return options

  function diskDevice(field: string, disk: DiskSpec, readonly: boolean): string {
    switch (disk.bus) {
      case 'virtio':
        if (disk.cdrom) throw new QemuSpecError(`${field}.bus`, 'a CD drive needs sata or scsi; virtio has none')
        return 'virtio-blk-pci'
      case 'sata': {
        if (!disk.cdrom && readonly)
          throw new QemuSpecError(`${field}.readonly`, 'a SATA disk cannot be read-only; use virtio, scsi or a cdrom')
        if (sata >= 6)
          throw new QemuSpecError(`${field}.bus`, 'at most 6 SATA disks; use virtio or scsi for the others')
        const device = `${disk.cdrom ? 'ide-cd' : 'ide-hd'},bus=${builtIn ? 'ide' : 'ahci0'}.${sata}`
        sata += 1
        return device
      }
      case 'scsi': {
        const device = `${disk.cdrom ? 'scsi-cd' : 'scsi-hd'},bus=scsi0.0,scsi-id=${scsi}`
        scsi += 1
        return device
      }
      case 'usb':
        if (disk.cdrom) throw new QemuSpecError(`${field}.bus`, 'a CD drive needs sata or scsi')
        return 'usb-storage,bus=usb0.0'
      default:
        throw new QemuSpecError(
          `${field}.bus`,
          `${JSON.stringify(disk.bus satisfies never)} is none of virtio, sata, scsi, usb`,
        )
    }
  }
}

function unique(field: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new QemuSpecError(field, `${JSON.stringify(twice)} is listed twice`)
}
