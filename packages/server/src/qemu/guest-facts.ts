import { guestText } from './agent-replies.ts'

// A guest may claim to have a million file systems; nobody wants to see, store or send them.
const listLimit = 256

export interface AgentInfo {
  readonly version: string
  readonly commands: readonly { readonly name: string; readonly enabled: boolean }[]
}

export interface GuestOsInfo {
  readonly id: string
  readonly name: string
  readonly prettyName: string
  readonly version: string
  readonly versionId: string
  readonly machine: string
  readonly kernelRelease: string
  readonly kernelVersion: string
}

export interface GuestFilesystem {
  /** The block device in the guest, such as `vda1`. */
  readonly name: string
  readonly mountpoint: string
  readonly type: string
  readonly usedBytes: number | undefined
  readonly totalBytes: number | undefined
  readonly disks: readonly { readonly busType: string; readonly serial: string; readonly device: string }[]
}

export interface GuestUser {
  readonly user: string
  readonly domain: string
  readonly loginTimeSeconds: number
}

export interface GuestInterface {
  readonly name: string
  readonly mac: string
  readonly addresses: readonly { readonly address: string; readonly family: 'ipv4' | 'ipv6'; readonly prefix: number }[]
}

export interface GuestTimezone {
  readonly zone: string
  readonly offsetSeconds: number
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.slice(0, listLimit).map(fieldsOf) : []
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

// Everything below takes what is usable and leaves out the rest: a guest with an odd agent should lose a fact, not
// its place in the list.

export function readAgentInfo(reply: unknown): AgentInfo {
  const fields = fieldsOf(reply)
  const commands = Array.isArray(fields.supported_commands)
    ? fields.supported_commands.slice(0, 1000).map(fieldsOf)
    : []
  return {
    version: guestText(fields.version, 100),
    commands: commands.map((command) => ({ name: guestText(command.name, 100), enabled: command.enabled === true })),
  }
}

export function readOsInfo(reply: unknown): GuestOsInfo {
  const fields = fieldsOf(reply)
  const text = (name: string) => guestText(fields[name], 256)
  return {
    id: text('id'),
    name: text('name'),
    prettyName: text('pretty-name'),
    version: text('version'),
    versionId: text('version-id'),
    machine: text('machine'),
    kernelRelease: text('kernel-release'),
    kernelVersion: text('kernel-version'),
  }
}

export function readFilesystems(reply: unknown): GuestFilesystem[] {
  return listOf(reply).map((fields) => ({
    name: guestText(fields.name, 256),
    mountpoint: guestText(fields.mountpoint),
    type: guestText(fields.type, 64),
    usedBytes: numberOf(fields['used-bytes']),
    totalBytes: numberOf(fields['total-bytes']),
    disks: listOf(fields.disk).map((disk) => ({
      busType: guestText(disk['bus-type'], 32),
      serial: guestText(disk.serial, 256),
      device: guestText(disk.dev, 256),
    })),
  }))
}

export function readUsers(reply: unknown): GuestUser[] {
  return listOf(reply).map((fields) => ({
    user: guestText(fields.user, 256),
    domain: guestText(fields.domain, 256),
    loginTimeSeconds: numberOf(fields['login-time']) ?? 0,
  }))
}

export function readInterfaces(reply: unknown): GuestInterface[] {
  return listOf(reply).map((fields) => ({
    name: guestText(fields.name, 64),
    mac: guestText(fields['hardware-address'], 64),
    addresses: listOf(fields['ip-addresses']).map((address) => ({
      address: guestText(address['ip-address'], 64),
      family: address['ip-address-type'] === 'ipv6' ? 'ipv6' : 'ipv4',
      prefix: numberOf(address.prefix) ?? 0,
    })),
  }))
}

export function readTimezone(reply: unknown): GuestTimezone {
  const fields = fieldsOf(reply)
  return { zone: guestText(fields.zone, 64), offsetSeconds: numberOf(fields.offset) ?? 0 }
}

export function readHostName(reply: unknown): string {
  return guestText(fieldsOf(reply)['host-name'], 256)
}

export interface GuestExecStatus {
  readonly exited: boolean
  readonly exitCode: number | undefined
  readonly signal: number | undefined
  readonly stdout: Buffer
  readonly stderr: Buffer
}

export function readExecStatus(reply: unknown): GuestExecStatus {
  const fields = fieldsOf(reply)
  const data = (name: string) =>
    typeof fields[name] === 'string' ? Buffer.from(fields[name], 'base64') : Buffer.alloc(0)
  return {
    exited: fields.exited === true,
    exitCode: numberOf(fields.exitcode),
    signal: numberOf(fields.signal),
    stdout: data('out-data'),
    stderr: data('err-data'),
  }
}

export function readPid(reply: unknown): number | undefined {
  return numberOf(fieldsOf(reply).pid)
}

// What Linux's freeze ioctl and Windows' VSS serve. vfat, for one, has no freeze and is left out without a word.
const freezableTypes = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'f2fs',
  'jfs',
  'reiserfs',
  'nilfs2',
  'gfs2',
  'ocfs2',
  'bcachefs',
  'ntfs',
  'refs',
])

/**
 * Splits mounted file systems into those a freeze reaches and those it silently skips. The agent returns only a
 * number, and counts a device mounted twice once, hence the distinct device names.
 */
export function freezableFilesystems(filesystems: readonly GuestFilesystem[]): {
  freezable: string[]
  skipped: GuestFilesystem[]
} {
  const freezable = filesystems.filter(({ type }) => freezableTypes.has(type.toLowerCase()))
  return {
    freezable: [...new Set(freezable.map(({ name }) => name))],
    skipped: filesystems.filter(({ type }) => !freezableTypes.has(type.toLowerCase())),
  }
}
