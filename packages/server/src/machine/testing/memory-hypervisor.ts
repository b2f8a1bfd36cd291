import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FreezeResult, ThawResult } from '../../qemu/guest-agent.ts'
import { GuestAgentError } from '../../qemu/guest-agent.ts'
import type {
  EndCause,
  Hypervisor,
  Machine,
  MachineAgent,
  MachineNews,
  MachineSpec,
  MachineState,
} from '../hypervisor/hypervisor.ts'
import { MemoryDisplay, MemorySerialPort } from './memory-consoles.ts'

/** Guests as a few fields: they boot at once, have an agent when told so, and obey. */
export class MemoryHypervisor implements Hypervisor {
  readonly machines = new Map<string, MemoryMachine>()
  readonly launched: MachineSpec[] = []
  /** Makes the next launches fail. */
  launchError: Error | undefined
  readonly #listeners: ((news: MachineNews) => void)[] = []

  async adopt(): Promise<void> {}

  onNews(listener: (news: MachineNews) => void): void {
    this.#listeners.push(listener)
  }

  /** What a server leaves behind when it ends; the guests stay. */
  forgetListeners(): void {
    this.#listeners.length = 0
  }

  get(id: string): Machine | undefined {
    return this.machines.get(id)
  }

  list(): Machine[] {
    return [...this.machines.values()]
  }

  async launch(spec: MachineSpec): Promise<Machine> {
    if (this.launchError) throw this.launchError
    const known = this.machines.get(spec.id)
    if (known) return known
    await mkdir(spec.folder, { recursive: true })
    const machine = new MemoryMachine(spec, (news) => {
      for (const listener of this.#listeners) listener({ id: spec.id, ...news })
    })
    this.machines.set(spec.id, machine)
    this.launched.push(spec)
    return machine
  }

  async forget(id: string): Promise<void> {
    const machine = this.machines.get(id)
    this.machines.delete(id)
    if (machine) await rm(machine.folder, { recursive: true, force: true })
  }

  async close(): Promise<void> {}
}

export class MemoryMachine implements Machine {
  readonly id: string
  readonly folder: string
  readonly accelerator = 'tcg'
  readonly machineType = 'pc-q35-7.2'
  readonly thawing: Machine['thawing']
  readonly agent = new MemoryAgent()
  readonly serial: MemorySerialPort | undefined
  readonly display: MemoryDisplay | undefined
  readonly spec: MachineSpec
  /** Whether the guest ends when asked to. */
  obeys = true
  ends: EndCause[] = []
  shutdownsAsked = 0
  state: MachineState = { kind: 'prelaunch' }
  readonly #tell: (news: Omit<MachineNews, 'id'>) => void
  readonly #stateListeners = new Set<() => void>()

  constructor(spec: MachineSpec, tell: (news: Omit<MachineNews, 'id'>) => void) {
    this.id = spec.id
    this.folder = spec.folder
    this.spec = spec
    this.#tell = tell
    this.serial = spec.serialConsole ? new MemorySerialPort() : undefined
    this.display = spec.graphics ? new MemoryDisplay() : undefined
    this.thawing = { agentSocket: join(spec.folder, 'qga') }
    this.agent.onShutdown = () => this.#asked()
  }

  set(state: MachineState, news: Omit<MachineNews, 'id'> = {}): void {
    const begins = this.state.kind === 'prelaunch' && state.kind === 'running'
    this.state = state
    if (begins) this.serial?.print('>')
    if (state.kind === 'ended') {
      this.serial?.end()
      this.display?.end()
    }
    for (const listener of [...this.#stateListeners]) listener()
    this.#tell(news)
  }

  onStateChange(listener: () => void): () => void {
    this.#stateListeners.add(listener)
    return () => this.#stateListeners.delete(listener)
  }

  async run(): Promise<void> {
    this.set({ kind: 'running' })
  }

  async pause(): Promise<void> {
    this.set({ kind: 'paused', cause: 'requested' })
  }

  async reset(): Promise<void> {
    this.agent.frozen = false
    this.set({ kind: 'running' }, { restarted: true })
  }

  async powerButton(): Promise<void> {
    this.#asked()
  }

  async end(cause: EndCause): Promise<void> {
    this.ends.push(cause)
    this.agent.setAnswering(false)
    if (this.state.kind !== 'ended') this.set({ kind: 'ended', cause, message: cause })
  }

  #asked(): void {
    this.shutdownsAsked += 1
    if (this.obeys) this.set({ kind: 'ended', cause: 'GuestShutdown', message: 'the guest powered off' })
  }
}

export class MemoryAgent implements MachineAgent {
  answering = false
  frozen = false
  freezes = 0
  thaws = 0
  freezeError: GuestAgentError | undefined
  thawError: GuestAgentError | undefined
  /** What every question is answered with. */
  infoError: GuestAgentError | undefined
  onShutdown: () => void = () => {}
  readonly #handlers = new Set<(answering: boolean) => void>()

  setAnswering(answering: boolean): void {
    if (answering === this.answering) return
    this.answering = answering
    for (const handler of [...this.#handlers]) handler(answering)
  }

  onPresence(handler: (answering: boolean) => void): () => void {
    this.#handlers.add(handler)
    return () => this.#handlers.delete(handler)
  }

  async ping(): Promise<void> {}

  async sync(): Promise<void> {
    if (!this.answering) throw new GuestAgentError('guest-sync-delimited', 'Timeout', 'no reply')
  }

  async info() {
    if (this.infoError) throw this.infoError
    const names = [
      ...['guest-ping', 'guest-get-time', 'guest-info', 'guest-shutdown', 'guest-network-get-interfaces'],
      ...['guest-get-fsinfo', 'guest-get-host-name', 'guest-get-users', 'guest-get-timezone', 'guest-get-osinfo'],
    ]
    return { version: '7.2.0', commands: names.map((name) => ({ name, enabled: true })) }
  }

  async osInfo() {
    return {
      id: 'debian',
      name: 'Debian GNU/Linux',
      prettyName: 'Debian GNU/Linux 12 (bookworm)',
      version: '12 (bookworm)',
      versionId: '12',
      machine: 'x86_64',
      kernelRelease: '6.1.0',
      kernelVersion: '#1 SMP',
    }
  }

  async fsInfo() {
    const disks = [{ busType: 'virtio', serial: 'root', device: '/dev/vda1' }]
    return [{ name: 'vda1', mountpoint: '/', type: 'ext4', usedBytes: 1_000, totalBytes: 10_000, disks }]
  }

  async hostName() {
    return 'guest'
  }

  async timezone() {
    return { zone: 'UTC', offsetSeconds: 0 }
  }

  async users() {
    return [{ user: 'root', domain: '', loginTimeSeconds: 1 }]
  }

  async networkInterfaces() {
    return [
      { name: 'lo', mac: '00:00:00:00:00:00', addresses: [] },
      {
        name: 'tun0',
        mac: '0a:00:00:00:00:01',
        addresses: [{ address: '10.9.0.1', family: 'ipv4' as const, prefix: 24 }],
      },
    ]
  }

  async freezeStatus(): Promise<'frozen' | 'thawed'> {
    return this.frozen ? 'frozen' : 'thawed'
  }

  async freeze(): Promise<FreezeResult> {
    if (this.freezeError) throw this.freezeError
    if (this.frozen)
      throw new GuestAgentError('guest-fsfreeze-freeze', 'CommandNotFound', 'disabled: the agent is in frozen state')
    this.frozen = true
    this.freezes += 1
    return { frozenFilesystems: 3, startedAt: new Date(), endedAt: new Date() }
  }

  async thaw(): Promise<ThawResult> {
    if (this.thawError) throw this.thawError
    this.thaws += 1
    const thawedFilesystems = this.frozen ? 3 : 0
    this.frozen = false
    return { thawedFilesystems, startedAt: new Date(), endedAt: new Date() }
  }

  async shutdown(): Promise<void> {
    this.onShutdown()
  }

  async setTime(): Promise<void> {}
}
