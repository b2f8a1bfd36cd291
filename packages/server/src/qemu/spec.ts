import { whyNotSocketPath } from './unix-socket.ts'

/** Options of one block node exactly as QMP `blockdev-add` takes them; `file` and `backing` refer to node names. */
export interface BlockdevOptions {
  readonly driver: string
  readonly 'node-name': string
  readonly [option: string]: unknown
}

/** Where a disk's bytes are. */
export type BlockSource =
  | {
      readonly kind: 'file'
      readonly format: 'raw' | 'qcow2'
      readonly path: string
      /** `direct` passes the host's page cache by; `auto` does so where the file system can. Default `auto`. */
      readonly cache?: 'auto' | 'direct' | 'writeback' | 'writethrough'
      readonly aio?: 'native' | 'threads' | undefined
    }
  | { readonly kind: 'device'; readonly path: string; readonly aio?: 'native' | 'threads' | undefined }
  /** A chain that somebody else keeps: nodes from the bottom up, `backing` naming nodes, `top` what the guest sees. */
  | { readonly kind: 'layered'; readonly nodes: readonly BlockdevOptions[]; readonly top: string }

export interface DiskSpec {
  /** Of the disk in the machine; must be unique. */
  readonly name: string
  /** Device id. Default `ua-<name>`. */
  readonly alias?: string
  readonly bus: 'virtio' | 'sata' | 'scsi' | 'usb'
  readonly serial?: string | undefined
  readonly bootIndex?: number | undefined
  readonly readonly?: boolean
  readonly cdrom?: boolean
  /** What a failed write does. Default `stop`: the guest waits until there is room again. */
  readonly errorPolicy?: 'stop' | 'ignore' | 'report' | 'enospc'
  /** May be left out for a CD drive without a medium. */
  readonly source?: BlockSource | undefined
}

export interface HostForward {
  readonly protocol: 'tcp' | 'udp'
  readonly hostAddress: string
  readonly hostPort: number
  readonly guestPort: number
}

/** User networking; the guest sees what a pod network with masquerade shows. */
export interface NetworkSpec {
  readonly name: string
  readonly mac: string
  /** Default `virtio-net-pci`. */
  readonly model?: 'virtio' | 'e1000' | 'e1000e' | 'rtl8139' | 'ne2k_pci' | 'pcnet'
  /** Default 10.0.2.0/24; gateway .1, guest .2, name server .3. */
  readonly cidr?: string
  readonly hostForwards?: readonly HostForward[]
  readonly hostname?: string
  readonly bootIndex?: number | undefined
  /** Cuts the guest off from everything but forwarded ports. */
  readonly restricted?: boolean
}

export interface QemuSpec {
  readonly name: string
  readonly uuid: string
  /** An alias such as `q35` is resolved to its versioned type, which the runtime record then names. */
  readonly machine: string
  readonly accel: 'kvm' | 'tcg'
  readonly cpus: { readonly sockets: number; readonly cores: number; readonly threads: number }
  /** A QEMU model; `host-model` and `host-passthrough` become the best the accelerator has. */
  readonly cpuModel?: string | undefined
  readonly cpuFeatures?: readonly { readonly name: string; readonly enabled: boolean }[]
  readonly memoryBytes: number
  readonly disks: readonly DiskSpec[]
  readonly networks: readonly NetworkSpec[]
  readonly serialConsole?: boolean
  readonly rng?: boolean
  readonly balloon?: boolean
  readonly guestAgent?: boolean
  readonly panicDevice?: boolean
  readonly smbios?: {
    readonly manufacturer?: string
    readonly product?: string
    readonly serial?: string
    readonly family?: string
  }
  readonly firmware?:
    | { readonly kind: 'bios' }
    | { readonly kind: 'efi'; readonly codePath: string; readonly varsPath: string; readonly secureBoot: boolean }
  readonly graphics?: 'none' | 'vnc'
  readonly tablet?: boolean
  /** A guest reboot ends the guest. */
  readonly rebootEnds?: boolean
  /** Spare PCI Express ports for devices plugged in later. Default 4; only q35 needs them. */
  readonly hotplugPorts?: number
  /** CPUs stay stopped until QMP `cont`. */
  readonly startPaused?: boolean
  /** Waits for machine state by `migrate-incoming` instead of starting. */
  readonly incoming?: boolean
  /** Default `on`, and dropped with a note in the runtime record where QEMU was built without it. */
  readonly sandbox?: 'on' | 'off'
}

/** A specification that cannot be turned into a QEMU process. Names the field and what to do. */
export class QemuSpecError extends Error {
  override readonly name = 'QemuSpecError'
  readonly field: string

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`)
    this.field = field
  }
}

const patterns = {
  /** Ids of devices and nodes; what QEMU calls well-formed. */
  id: /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/,
  nodeName: /^[A-Za-z][A-Za-z0-9_.-]{0,30}$/,
  guestName: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  word: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/,
  mac: /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i,
  serial: /^[A-Za-z0-9 _.:@+/-]{1,36}$/,
  smbiosText: /^[A-Za-z0-9 _.:@+/()-]{1,128}$/,
  hostname: /^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/,
} as const

/** Refuses a value that does not have the form; nothing else reaches QEMU's command line. */
export function checked(field: string, value: string, form: keyof typeof patterns): string {
  if (!patterns[form].test(value))
    throw new QemuSpecError(field, `${JSON.stringify(value)} is not allowed; it must match ${patterns[form].source}`)
  return value
}

export function checkedInteger(field: string, value: number, min: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw new QemuSpecError(field, `${value} must be a whole number from ${min} to ${max}`)
  return value
}

/** A path fit for QEMU's JSON options: absolute, no control characters. Commas do no harm there. */
export function checkedPath(field: string, path: string): string {
  if (!path.startsWith('/') || /\p{Cc}/u.test(path) || Buffer.byteLength(path) > 4095)
    throw new QemuSpecError(field, `${JSON.stringify(path)} must be an absolute path without control characters`)
  return path
}

export function checkedSocketPath(field: string, path: string): string {
  const why = whyNotSocketPath(path)
  if (why) throw new QemuSpecError(field, why)
  return path
}

export interface UserNetwork {
  readonly net: string
  readonly host: string
  readonly guest: string
  readonly dns: string
}

/** The addresses of a user network, by place in its range: gateway .1, guest .2, name server .3. */
export function userNetwork(field: string, cidr: string): UserNetwork {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr)
  const bytes = match?.slice(1, 5).map(Number) ?? []
  const prefix = Number(match?.[5])
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255) || !(prefix >= 8 && prefix <= 29))
    throw new QemuSpecError(field, `${JSON.stringify(cidr)} is no IPv4 range with a prefix of 8 to 29`)
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  const base = address - (address % 2 ** (32 - prefix))
  const at = (offset: number) => [24, 16, 8, 0].map((shift) => Math.floor((base + offset) / 2 ** shift) % 256).join('.')
  return { net: `${at(0)}/${prefix}`, host: at(1), guest: at(2), dns: at(3) }
}

export function checkedIpv4(field: string, address: string): string {
  const bytes = address.split('.')
  if (bytes.length !== 4 || bytes.some((byte) => !/^\d{1,3}$/.test(byte) || Number(byte) > 255))
    throw new QemuSpecError(field, `${JSON.stringify(address)} is no IPv4 address`)
  return address
}
