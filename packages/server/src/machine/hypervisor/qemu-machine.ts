import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import * as z from 'zod'
import { describeError } from '../../controller/describe-error.ts'
import { delay } from '../../kube/informer.ts'
import { agentPortId } from '../../qemu/arguments.ts'
import { writeFileDurably } from '../../qemu/durable-file.ts'
import { GuestAgent } from '../../qemu/guest-agent.ts'
import type { RunningQemu } from '../../qemu/process.ts'
import type { QmpEvent } from '../../qemu/qmp.ts'
import type { RuntimeRecord } from '../../qemu/runtime-record.ts'
import { withdrawMonitor } from './block-source.ts'
import {
  type EndCause,
  endCauses,
  type Machine,
  type MachineAgent,
  type MachineNews,
  type MachineState,
} from './hypervisor.ts'
import { QemuDisplay, QemuSerialPort } from './qemu-consoles.ts'

const endRecord = z.object({ cause: z.enum(endCauses), message: z.string() })
type EndRecord = z.output<typeof endRecord>

/** Why a guest ended, kept beside it: the process cannot be asked any more once it is gone. */
export async function readEnd(folder: string): Promise<EndRecord | undefined> {
  let text: string
  try {
    text = await readFile(join(folder, 'end.json'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return endRecord.parse(JSON.parse(text))
}

export async function writeEnd(folder: string, record: EndRecord): Promise<void> {
  await writeFileDurably(join(folder, 'end.json'), `${JSON.stringify(record)}\n`)
}

export const endMessages: Record<EndCause, string> = {
  GuestShutdown: 'the guest powered off',
  GuestReset: 'the guest rebooted, and its reboot policy is Terminate',
  Quit: 'ended without asking the guest',
  Killed: 'the guest did not end within its grace period',
  GuestPanicked: 'the guest panicked',
  InternalError: 'the hypervisor stopped for an internal error',
  Vanished: 'the hypervisor process is gone; it crashed or was killed',
  HostRebooted: 'this computer was restarted while the guest ran',
}

/** What `query-status` says, as a state. */
export function stateOf(status: string, pausedByUs: 'requested' | 'io-error' | 'other'): MachineState {
  const ended = (cause: EndCause): MachineState => ({ kind: 'ended', cause, message: endMessages[cause] })
  switch (status) {
    case 'running':
    case 'suspended':
      return { kind: 'running' }
    case 'prelaunch':
    case 'inmigrate':
      return { kind: 'prelaunch' }
    case 'io-error':
      return { kind: 'paused', cause: 'io-error' }
    case 'shutdown':
      return ended('GuestShutdown')
    case 'guest-panicked':
      return ended('GuestPanicked')
    case 'internal-error':
      return ended('InternalError')
    default:
      return { kind: 'paused', cause: pausedByUs }
  }
}

export interface QemuMachineOptions {
  id: string
  folder: string
  qemu: RunningQemu
  /** Marks beside layered volumes that name this machine's monitor; they go when the process has gone. */
  monitorFiles: readonly string[]
  log: Logger
  tell(news: Omit<MachineNews, 'id'>): void
  /** The process is there, but its monitor has to be connected anew. */
  onMonitorLost(): void
}

const monitorGraceMs = 2_000
const agentConnectMs = 5_000
const agentRetryMs = 1_000
const pausedFile = 'paused'

/** A guest in a QEMU process, ours or an earlier server's. */
export class QemuMachine implements Machine {
  readonly id: string
  readonly folder: string
  readonly qemu: RunningQemu
  readonly serial: QemuSerialPort | undefined
  readonly display: QemuDisplay | undefined
  readonly #options: QemuMachineOptions
  readonly #listeners = new Set<() => void>()
  #state: MachineState
  #agent: GuestAgent | undefined
  #agentTimer: NodeJS.Timeout | undefined
  #detached = false

  private constructor(options: QemuMachineOptions, state: MachineState) {
    this.id = options.id
    this.folder = options.folder
    this.qemu = options.qemu
    this.serial = QemuSerialPort.of(options.qemu)
    this.display = QemuDisplay.of(options.qemu, options.folder)
    this.#options = options
    this.#state = state
  }

  /** Listens to a running QEMU and its guest's agent. */
  static async attach(options: QemuMachineOptions): Promise<QemuMachine> {
    const { qemu, folder } = options
    const early: QmpEvent[] = []
    const stop = qemu.qmp.onEvent((event) => early.push(event))
    const { status } = await qemu.qmp.execute<{ status: string }>('query-status')
    const cause = (await exists(join(folder, pausedFile))) ? 'requested' : 'other'
    const known = await readEnd(folder)
    const machine = new QemuMachine(options, known ? { kind: 'ended', ...known } : stateOf(status, cause))
    stop()
    qemu.qmp.onEvent((event) => machine.#take(event))
    for (const event of early) machine.#take(event)
    if (machine.#state.kind === 'ended') await machine.#keepEnd(machine.#state.cause, machine.#state.message)
    void qemu.exited.then((exit) => machine.#exited(exit))
    void qemu.qmp.closed.then((error) => machine.#monitorLost(error))
    // Waited for: a guest that was left frozen has to be thawed at once.
    if (machine.#state.kind !== 'ended') await machine.#connectAgent()
    return machine
  }

  get state(): MachineState {
    return this.#state
  }

  get accelerator(): 'kvm' | 'tcg' {
    return this.qemu.record.accel
  }

  get machineType(): string {
    return this.qemu.record.machine
  }

  get thawing(): Machine['thawing'] {
    return thawingOf(this.qemu.record)
  }

  get agent(): MachineAgent | undefined {
    return this.#agent
  }

  onStateChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async run(): Promise<void> {
    await this.qemu.qmp.execute('cont')
    await rm(join(this.folder, pausedFile), { force: true })
    this.#set({ kind: 'running' })
  }

  async pause(): Promise<void> {
    // QEMU does not remember who stopped it, and a pause of the user's must outlive the server.
    await writeFileDurably(join(this.folder, pausedFile), '')
    await this.qemu.qmp.execute('stop')
    this.#set({ kind: 'paused', cause: 'requested' })
  }

  async reset(): Promise<void> {
    await this.qemu.qmp.execute('system_reset')
  }

  async powerButton(): Promise<void> {
    await this.qemu.qmp.execute('system_powerdown')
  }

  async end(cause: EndCause): Promise<void> {
    if (this.#state.kind !== 'ended') await this.#keepEnd(cause, endMessages[cause])
    const { how, durationMs } = await this.qemu.terminate({ graceMs: 0 })
    this.#options.log.info({ machine: this.id, how, durationMs }, 'hypervisor process ended')
    await this.#closeAgent()
    for (const file of this.#options.monitorFiles) await withdrawMonitor(file)
    if (this.#state.kind !== 'ended') this.#set({ kind: 'ended', cause, message: endMessages[cause] })
  }

  /** Lets go of the process, which runs on. */
  async detach(): Promise<void> {
    this.#detached = true
    await this.#closeAgent()
    await this.qemu.detach()
  }

  #set(state: MachineState, news: Omit<MachineNews, 'id'> = {}): void {
    // An end is final: what comes after it, such as the STOP of a guest that powered off, is part of it.
    if (this.#state.kind === 'ended') return
    this.#state = state
    for (const listener of [...this.#listeners]) listener()
    this.#options.tell(news)
  }

  #ended(cause: EndCause, message = endMessages[cause]): void {
    if (this.#state.kind === 'ended') return
    this.#keepEnd(cause, message).catch((error) => {
      this.#options.log.error({ machine: this.id, error: describeError(error) }, 'end of the guest not kept')
    })
    this.#set({ kind: 'ended', cause, message })
  }

  async #keepEnd(cause: EndCause, message: string): Promise<void> {
    if ((await readEnd(this.folder)) === undefined) await writeEnd(this.folder, { cause, message })
  }

  #take({ event, data }: QmpEvent): void {
    this.#options.log.debug({ machine: this.id, event, data }, 'hypervisor event')
    const fields = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>
    switch (event) {
      case 'SHUTDOWN':
        this.#ended(shutdownCause(fields.reason))
        return
      case 'GUEST_PANICKED':
        if (fields.action !== 'run') this.#ended('GuestPanicked')
        return
      case 'RESET':
        this.#options.tell({ restarted: true })
        return
      case 'RESUME':
        this.#set({ kind: 'running' })
        return
      case 'STOP':
        void this.#askStatus()
        return
      case 'BLOCK_IO_ERROR': {
        const full = fields.nospace === true ? ', because the disk of this computer is full' : ''
        const message = `${fields.operation} on ${fields['node-name'] ?? fields.device} failed (${fields.reason})${full}`
        this.#options.tell({ event: { type: 'Warning', reason: 'IOerror', message } })
        return
      }
      case 'BLOCK_IMAGE_CORRUPTED':
        this.#options.tell({
          event: { type: 'Warning', reason: 'ImageCorrupted', message: `${fields['node-name']}: ${fields.msg}` },
        })
        return
      default:
    }
  }

  async #askStatus(): Promise<void> {
    try {
      const { status } = await this.qemu.qmp.execute<{ status: string }>('query-status')
      const state = stateOf(status, (await exists(join(this.folder, pausedFile))) ? 'requested' : 'other')
      if (state.kind === 'ended') this.#ended(state.cause)
      else this.#set(state)
    } catch (error) {
      // The end of the process tells itself.
      this.#options.log.debug({ machine: this.id, error: describeError(error) }, 'state of the guest not read')
    }
  }

  async #exited({ code, signal }: { code: number | undefined; signal: string | undefined }): Promise<void> {
    await this.#closeAgent()
    if (this.#state.kind === 'ended') return
    const how = signal ?? (code === undefined ? undefined : `exit code ${code}`)
    const last = await this.qemu.logTail()
    const detail = [how, last].filter((text) => text !== undefined && text !== '').join(': ')
    this.#ended('Vanished', detail === '' ? endMessages.Vanished : `${endMessages.Vanished} (${detail})`)
  }

  /** The monitor ends with the process, a moment before its exit shows. Without an exit the connection has broken. */
  async #monitorLost(error: Error | undefined): Promise<void> {
    const timeUp = new AbortController()
    const late = delay(monitorGraceMs, timeUp.signal)
    await Promise.race([this.qemu.exited, late])
    timeUp.abort()
    if (this.#detached || this.qemu.hasExited) return
    this.#options.log.warn({ machine: this.id, error: describeError(error) }, 'monitor connection lost')
    this.#options.onMonitorLost()
  }

  async #connectAgent(): Promise<void> {
    const path = this.qemu.record.sockets.agent
    if (path === undefined || this.#detached || this.qemu.hasExited) return
    let agent: GuestAgent
    try {
      agent = await GuestAgent.attach(path, { timeoutMs: agentConnectMs })
    } catch (error) {
      this.#options.log.warn({ machine: this.id, error: describeError(error) }, 'guest agent socket not reached')
      this.#agentTimer = setTimeout(() => void this.#connectAgent(), agentRetryMs)
      return
    }
    if (this.#detached) {
      await agent.close()
      return
    }
    this.#agent = agent
    const stop = agent.followPort(this.qemu.qmp, agentPortId)
    void agent.closed.then(() => {
      stop()
      if (this.#agent === agent) this.#agent = undefined
      this.#agentTimer = setTimeout(() => void this.#connectAgent(), agentRetryMs)
    })
    this.#options.tell({})
  }

  async #closeAgent(): Promise<void> {
    const wasDetached = this.#detached
    this.#detached = true
    clearTimeout(this.#agentTimer)
    await this.#agent?.close()
    clearTimeout(this.#agentTimer)
    this.#agent = undefined
    this.#detached = wasDetached || this.qemu.hasExited
  }
}

function shutdownCause(reason: unknown): EndCause {
  switch (reason) {
    case 'guest-reset':
      return 'GuestReset'
    case 'guest-panic':
      return 'GuestPanicked'
    case 'host-qmp-quit':
      return 'Quit'
    case 'host-error':
      return 'InternalError'
    // A signal from outside, as the kernel's when memory is short.
    case 'host-signal':
      return 'Vanished'
    default:
      return 'GuestShutdown'
  }
}

function thawingOf({ sockets, process }: RuntimeRecord): Machine['thawing'] {
  return { agentSocket: sockets.agent ?? '', qmpSocket: sockets.qmp, process }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** A guest whose process is gone: nothing is left but the reason. */
export class GoneMachine implements Machine {
  readonly id: string
  readonly folder: string
  readonly state: MachineState
  readonly accelerator: 'kvm' | 'tcg'
  readonly machineType: string
  readonly agent = undefined
  readonly serial = undefined
  readonly display = undefined
  readonly thawing: Machine['thawing']
  readonly #monitorFiles: readonly string[]

  constructor(id: string, folder: string, record: RuntimeRecord, end: EndRecord, monitorFiles: readonly string[]) {
    this.id = id
    this.folder = folder
    this.state = { kind: 'ended', ...end }
    this.accelerator = record.accel
    this.machineType = record.machine
    this.thawing = thawingOf(record)
    this.#monitorFiles = monitorFiles
  }

  onStateChange(): () => void {
    return () => {}
  }

  run = (): Promise<void> => this.#refuse()
  pause = (): Promise<void> => this.#refuse()
  reset = (): Promise<void> => this.#refuse()
  powerButton = (): Promise<void> => this.#refuse()

  async end(): Promise<void> {
    for (const file of this.#monitorFiles) await withdrawMonitor(file)
  }

  async #refuse(): Promise<never> {
    throw new Error(`the guest has ended: ${this.state.kind === 'ended' ? this.state.message : ''}`)
  }
}
