import type { Disk, VirtualMachineInstance, VirtualMachineInstanceSpec } from '@stillpoint/api/kubevirt/kinds'
import { controllerOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import { firmwareUuid } from '../defaults.ts'
import type { MachineDisk, MachineNic, MachineSpec } from '../hypervisor/hypervisor.ts'
import { loopbackAddress, stableMac } from './mac-address.ts'

export interface Surroundings {
  folder: string
  /** Where each volume of the spec can be opened. */
  paths: ReadonlyMap<string, { path: string; readOnly: boolean }>
  /** Loopback addresses of other guests. */
  takenAddresses: ReadonlySet<string>
}

type Domain = VirtualMachineInstanceSpec['domain']

/** What to start for an instance. Pure: the same instance gives the same machine, as guests store what they see. */
export function machineSpec(vmi: VirtualMachineInstance, around: Surroundings): MachineSpec {
  const { spec, metadata } = vmi
  const { domain } = spec
  const devices: Domain['devices'] & {
    inputs?: { type?: string }[]
    autoattachGraphicsDevice?: boolean
  } = domain.devices
  const firmware: Domain['firmware'] & { bootloader?: { efi?: { secureBoot?: boolean } } } = domain.firmware ?? {}
  const efi = firmware.bootloader?.efi
  return {
    id: uidOf(vmi),
    name: `${metadata.namespace}.${metadata.name}`,
    folder: around.folder,
    machineType: domain.machine?.type || 'q35',
    uuid: firmwareUuid(spec, metadata.name),
    serial: firmware.serial || undefined,
    memoryBytes: memoryBytes(domain),
    cpu: cpuOf(domain),
    disks: disksOf(devices.disks ?? [], around.paths),
    nics: nicsOf(vmi, around.takenAddresses),
    ...(efi ? { efi: { secureBoot: efi.secureBoot !== false } } : {}),
    rng: devices.rng !== undefined,
    tablet: devices.inputs?.some(({ type }) => type === 'tablet') ?? false,
    graphics: devices.autoattachGraphicsDevice !== false,
    serialConsole: devices.autoattachSerialConsole !== false,
    rebootEnds: (domain as { rebootPolicy?: unknown }).rebootPolicy === 'Terminate',
    acpi: hasAcpi(spec),
  }
}

export function hasAcpi(spec: VirtualMachineInstanceSpec): boolean {
  const { features } = spec.domain as { features?: { acpi?: { enabled?: boolean } } }
  return features?.acpi?.enabled !== false
}

/** Guest memory, else what is requested, else the limit. Undefined sizes are refused at admission. */
export function memoryBytes(domain: Domain): number {
  const { memory, resources } = domain
  const text = memory?.guest ?? resources?.requests?.memory ?? resources?.limits?.memory
  const bytes = parseQuantity(`${text ?? ''}`)
  if (bytes === undefined || bytes < 1024 * 1024)
    throw new Error(`spec.domain.memory.guest: ${text === undefined ? 'missing' : `'${text}' is no memory size`}`)
  return bytes
}

function cpuOf({ cpu, resources }: Domain): MachineSpec['cpu'] {
  const named = resources?.limits?.cpu ?? resources?.requests?.cpu
  const fromResources = cpu?.cores || cpu?.sockets || cpu?.threads ? undefined : parseQuantity(`${named ?? ''}`)
  return {
    model: cpu?.model || undefined,
    sockets: cpu?.sockets || Math.max(1, Math.ceil(fromResources ?? 1)),
    cores: cpu?.cores || 1,
    threads: cpu?.threads || 1,
  }
}

const buses = ['virtio', 'sata', 'scsi', 'usb'] as const

export function busOf(disk: Disk): (typeof buses)[number] {
  const target = disk.disk ?? disk.cdrom ?? disk.lun
  // SATA is the default on amd64, and the only bus a CD-ROM shares with virtio-less guests.
  return buses.find((bus) => bus === target?.bus) ?? 'sata'
}

function disksOf(disks: readonly Disk[], paths: Surroundings['paths']): MachineDisk[] {
  // As soon as one disk has a boot order, those without are not tried.
  const ordered = disks.some(({ bootOrder }) => bootOrder !== undefined)
  return disks.flatMap((disk, at) => {
    const source = paths.get(disk.name)
    if (!source) return []
    const kind = disk.cdrom ? 'cdrom' : 'disk'
    const target = disk.disk ?? disk.cdrom
    const readOnly = source.readOnly || (kind === 'cdrom' ? target?.readonly !== false : target?.readonly === true)
    return {
      name: disk.name,
      path: source.path,
      kind,
      bus: busOf(disk),
      // A serial on every disk lets the agent's file systems be matched to disks.
      serial: disk.serial ?? (kind === 'disk' ? disk.name.slice(0, 20) : undefined),
      readOnly,
      bootIndex: ordered ? disk.bootOrder : at + 1,
      cache: (['none', 'writethrough', 'writeback'] as const).find((cache) => cache === disk.cache),
      io: (['threads', 'native'] as const).find((io) => io === disk.io),
    } satisfies MachineDisk
  })
}

/** Target names as guests without agent are told: `vda`, `sda`, in disk order per family. */
export function targetNames(disks: readonly Disk[]): Map<string, string> {
  const counts = { vd: 0, sd: 0 }
  return new Map(
    disks.map((disk) => {
      const family = busOf(disk) === 'virtio' ? 'vd' : 'sd'
      const at = counts[family]
      counts[family] += 1
      return [disk.name, `${family}${letters(at)}`]
    }),
  )
}

function letters(at: number): string {
  const last = String.fromCharCode(97 + (at % 26))
  return at < 26 ? last : letters(Math.floor(at / 26) - 1) + last
}

/** Name of the guest: `hostname`, else the instance's name up to the first dot. */
export function hostNameOf({ spec, metadata }: VirtualMachineInstance): string {
  return spec.hostname || metadata.name.split('.')[0] || metadata.name
}

/** What stays the same as long as the VM exists: its uid, or the instance's own when it has none. */
function identityOf(vmi: VirtualMachineInstance): string {
  return controllerOf(vmi)?.uid ?? uidOf(vmi)
}

export function addressOf(vmi: VirtualMachineInstance, taken: ReadonlySet<string>): string {
  return loopbackAddress(identityOf(vmi), taken)
}

export function macOf(vmi: VirtualMachineInstance, nic: { name: string; macAddress?: string | undefined }): string {
  return (nic.macAddress ?? stableMac(identityOf(vmi), nic.name)).toLowerCase().replaceAll('-', ':')
}

function nicsOf(vmi: VirtualMachineInstance, taken: ReadonlySet<string>): MachineNic[] {
  const { spec } = vmi
  const { interfaces = [] } = spec.domain.devices
  return interfaces.flatMap((nic) => {
    if (nic.state === 'absent') return []
    const network = spec.networks?.find(({ name }) => name === nic.name)
    if (!network?.pod)
      throw new Error(
        `spec.networks: '${nic.name}' is not a pod network; on one machine only 'pod' networks are offered`,
      )
    const cidr = (network.pod as { vmNetworkCIDR?: string }).vmNetworkCIDR ?? '10.0.2.0/24'
    const address = addressOf(vmi, taken)
    const inNetwork = addressesOf(cidr)
    return {
      name: nic.name,
      mac: macOf(vmi, nic),
      model: nic.model ?? 'virtio',
      network: { cidr, ...inNetwork },
      hostname: hostNameOf(vmi),
      forwards: (nic.ports ?? []).map(({ port, protocol }) => ({
        protocol: protocol?.toLowerCase() === 'udp' ? 'udp' : 'tcp',
        hostAddress: address,
        hostPort: port,
        guestPort: port,
      })),
    } satisfies MachineNic
  })
}

/** The first three addresses of the network: router, guest, name server. */
function addressesOf(cidr: string): { host: string; guest: string; dns: string } {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr)
  const bytes = match?.slice(1, 5).map(Number) ?? []
  const bits = Number(match?.[5])
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255) || bits < 8 || bits > 29)
    throw new Error(`spec.networks: vmNetworkCIDR '${cidr}' is no IPv4 network of 8 to 29 bits`)
  const base = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  const network = base - (base % 2 ** (32 - bits))
  const at = (offset: number): string =>
    [24, 16, 8, 0].map((shift) => Math.floor((network + offset) / 2 ** shift) % 256).join('.')
  return { host: at(1), guest: at(2), dns: at(3) }
}
