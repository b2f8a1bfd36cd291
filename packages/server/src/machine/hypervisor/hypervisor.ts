import type { Duplex } from 'node:stream'
import type { GuestAgent } from '../../qemu/guest-agent.ts'
import type { ProcessIdentity } from '../../qemu/linux-process.ts'

/** How a guest's run was over. */
export const endCauses = [
  /** The guest powered itself off, or obeyed a request to. */
  'GuestShutdown',
  /** A guest reboot, where the reboot policy makes it an end. */
  'GuestReset',
  /** Ended by us without asking the guest: a grace period of zero, or nothing was running yet. */
  'Quit',
  /** Ended by us after the guest had not obeyed within its grace period. */
  'Killed',
  'GuestPanicked',
  /** The hypervisor stopped for an error of its own. */
  'InternalError',
  /** The process is gone and nobody knows why. */
  'Vanished',
  /** The machine was restarted under it. */
  'HostRebooted',
] as const
export type EndCause = (typeof endCauses)[number]

export type MachineState =
  /** The process is there, no instruction has run yet. */
  | { kind: 'prelaunch' }
  | { kind: 'running' }
  | { kind: 'paused'; cause: 'requested' | 'io-error' | 'other' }
  /** The guest is over. The process may still be there until `end`. */
  | { kind: 'ended'; cause: EndCause; message: string }

/** How a published volume is opened: what `stat` and the CSI driver say it is. */
export interface MachineDisk {
  name: string
  /** Path a CSI driver, or we, have put there: block device, folder with `disk.img`, raw file or layered description. */
  path: string
  kind: 'disk' | 'cdrom'
  bus: 'virtio' | 'sata' | 'scsi' | 'usb'
  serial?: string | undefined
  readOnly: boolean
  bootIndex?: number | undefined
  cache?: 'none' | 'writethrough' | 'writeback' | undefined
  io?: 'threads' | 'native' | undefined
}

export interface MachineNic {
  name: string
  mac: string
  model: string
  network: { cidr: string; host: string; guest: string; dns: string }
  hostname: string
  forwards: { protocol: 'tcp' | 'udp'; hostAddress: string; hostPort: number; guestPort: number }[]
}

export interface MachineSpec {
  /** UID of the instance. */
  id: string
  name: string
  /** Folder of this machine, owned by the controller; removed by `forget`. */
  folder: string
  machineType: string
  uuid: string
  serial?: string | undefined
  memoryBytes: number
  cpu: { model?: string | undefined; sockets: number; cores: number; threads: number }
  disks: MachineDisk[]
  nics: MachineNic[]
  efi?: { secureBoot: boolean } | undefined
  rng: boolean
  tablet: boolean
  graphics: boolean
  serialConsole: boolean
  rebootEnds: boolean
  acpi: boolean
}

/** The part of the guest agent the controllers use. */
export type MachineAgent = Pick<
  GuestAgent,
  | 'answering'
  | 'onPresence'
  | 'sync'
  | 'ping'
  | 'info'
  | 'osInfo'
  | 'fsInfo'
  | 'hostName'
  | 'timezone'
  | 'users'
  | 'networkInterfaces'
  | 'freezeStatus'
  | 'freeze'
  | 'thaw'
  | 'shutdown'
  | 'setTime'
>

/** The serial line of a guest. */
export interface SerialPort {
  /** Connects to the line, which has room for one: throws `LineBusyError` while somebody else is connected. */
  connect(): Promise<Duplex>
  /** The end of what the guest has written there since it was started, also while nobody was connected. */
  tail(limitBytes: number): Promise<Buffer>
}

/** Somebody else is connected to a serial line. */
export class LineBusyError extends Error {
  constructor() {
    super('another program on this computer is connected to the serial console; end it first')
    this.name = 'LineBusyError'
  }
}

/** The screen, keyboard and pointer of a guest. */
export interface Display {
  /** Connects to an RFB server (RFC 6143), which takes several clients. */
  connect(): Promise<Duplex>
  /** What the screen shows, as a PNG file. */
  screenshot(): Promise<Buffer>
}

/** One guest with its process. Its commands fail when the process does not answer. */
export interface Machine {
  readonly id: string
  readonly folder: string
  readonly state: MachineState
  readonly accelerator: 'kvm' | 'tcg'
  /** The versioned type. */
  readonly machineType: string
  /** What somebody else needs to thaw the guest when this server is dead. */
  readonly thawing: { agentSocket: string; qmpSocket?: string | undefined; process?: ProcessIdentity | undefined }
  /** Undefined while its socket is not connected. */
  readonly agent: MachineAgent | undefined
  /** Undefined where the machine was made without one, or is gone. */
  readonly serial: SerialPort | undefined
  /** Undefined where the machine was made without one, or is gone. */
  readonly display: Display | undefined
  /** Starts or continues the CPUs. */
  run(): Promise<void>
  pause(): Promise<void>
  reset(): Promise<void>
  /** Presses the power button; the guest may ignore it. */
  powerButton(): Promise<void>
  /** Calls the listener at each change of the state; the function returned ends it. */
  onStateChange(listener: () => void): () => void
  /**
   * Ends the process, politely, then firmly, and returns when it is gone and its disks are free. The cause is kept
   * durably first, unless one is known already. May be repeated.
   */
  end(cause: EndCause): Promise<void>
}

export interface MachineNews {
  id: string
  /** What happened, in the words of an event for the user; undefined for a change that needs no telling. */
  event?: { type: 'Normal' | 'Warning'; reason: string; message: string }
  /** The guest began anew: what was frozen is not. */
  restarted?: boolean
}

/** Runs guests. Knows no Kubernetes resource. */
export interface Hypervisor {
  /** Finds the machines that outlived the last server. To be awaited before any other call. */
  adopt(): Promise<void>
  /** Called at each change of a machine's state or agent. */
  onNews(listener: (news: MachineNews) => void): void
  /** Throws when there may be a process that cannot be reached just now: it must not be taken for gone. */
  get(id: string): Machine | undefined
  list(): Machine[]
  /** Starts the process with its CPUs stopped. Repeated for a machine that exists, it answers that one. */
  launch(spec: MachineSpec): Promise<Machine>
  /** Drops what is known of an ended machine and removes its folder. */
  forget(id: string): Promise<void>
  /** Lets go of all machines, which keep running. */
  close(): Promise<void>
}

/** No guest can be started here until a person has done something about it. */
export class HypervisorError extends Error {
  readonly reason: string
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HypervisorError'
    this.reason = reason
  }
}
