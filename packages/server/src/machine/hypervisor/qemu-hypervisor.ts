import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import * as z from 'zod'
import { describeError } from '../../controller/describe-error.ts'
import { delay } from '../../kube/informer.ts'
import { writeFileDurably } from '../../qemu/durable-file.ts'
import { type FreezeGuard, startFreezeGuard } from '../../qemu/freeze-guard.ts'
import { adopt, launch, QemuGoneError, type RunningQemu } from '../../qemu/process.ts'
import { readRuntimeRecord } from '../../qemu/runtime-record.ts'
import type { BlockSource, QemuSpec } from '../../qemu/spec.ts'
import type { MachineFolders } from '../folders.ts'
import { announceMonitor, openVolume } from './block-source.ts'
import { type Hypervisor, HypervisorError, type Machine, type MachineNews, type MachineSpec } from './hypervisor.ts'
import { endMessages, GoneMachine, QemuMachine, readEnd, writeEnd } from './qemu-machine.ts'
import { qemuSpec } from './qemu-spec.ts'

export interface QemuHypervisorOptions {
  folders: MachineFolders
  /** Which acceleration to use; decided once. */
  accelerator(): Promise<'kvm' | 'tcg'>
  log: Logger
}

const monitorsFile = 'monitors.json'
const monitorsRecord = z.array(z.string())

/** Runs guests in QEMU processes that outlive this server. */
export class QemuHypervisor implements Hypervisor {
  readonly #options: QemuHypervisorOptions
  readonly #machines = new Map<string, QemuMachine | GoneMachine>()
  /** Machines whose process may run although its monitor does not answer; why it does not. */
  readonly #unreachable = new Map<string, string>()
  readonly #closing = new AbortController()
  readonly #closed = this.#closing.signal
  #guard: FreezeGuard | undefined
  readonly #listeners: ((news: MachineNews) => void)[] = []

  constructor(options: QemuHypervisorOptions) {
    this.#options = options
  }

  onNews(listener: (news: MachineNews) => void): void {
    this.#listeners.push(listener)
  }

  get(id: string): Machine | undefined {
    const why = this.#unreachable.get(id)
    if (why !== undefined) throw new Error(`the hypervisor process of ${id} does not answer: ${why}`)
    return this.#machines.get(id)
  }

  list(): Machine[] {
    return [...this.#machines.values()]
  }

  async adopt(): Promise<void> {
    const { folders, log } = this.#options
    // Before any agent is attached: the guard of a dead server may be using its socket.
    this.#guard = await startFreezeGuard(folders.root)
    const adoptOrRetry = async (uid: string): Promise<void> => {
      try {
        await this.#adoptOne(uid, folders.pathOf(uid))
      } catch (error) {
        // The others must not suffer. This one may run and write to its disks, so nobody may take it for gone.
        log.error({ machine: uid, error: describeError(error) }, 'running machine not adopted, will retry')
        this.#unreachable.set(uid, describeError(error))
        void this.#reconnect(uid, folders.pathOf(uid))
      }
    }
    await Promise.all((await folders.list()).map(({ uid }) => adoptOrRetry(uid)))
  }

  async #adoptOne(id: string, folder: string): Promise<void> {
    const record = await readRuntimeRecord(folder)
    if (!record) return
    const monitorFiles = await readMonitorFiles(folder)
    let qemu: RunningQemu
    try {
      qemu = await adopt(record)
    } catch (error) {
      if (!(error instanceof QemuGoneError)) throw error
      // Never started: the launch is repeated as if nothing had been.
      if (error.fate === 'never-started') return
      const cause = error.fate === 'rebooted' ? 'HostRebooted' : 'Vanished'
      const end = (await readEnd(folder)) ?? { cause, message: endMessages[cause] }
      await writeEnd(folder, end)
      this.#machines.set(id, new GoneMachine(id, folder, record, end, monitorFiles))
      return
    }
    try {
      this.#machines.set(id, await this.#attach(id, folder, qemu, monitorFiles))
    } catch (error) {
      // The monitor serves one client: the next attempt must not find this one there.
      await qemu.detach()
      throw error
    }
  }

  async launch(spec: MachineSpec): Promise<Machine> {
    const known = this.get(spec.id)
    if (known) return known
    const { folder } = spec
    const opened = await Promise.all(spec.disks.map(async (disk) => ({ disk, ...(await openVolume(disk)) })))
    const monitorFiles = opened.flatMap(({ monitorFile }) => monitorFile ?? [])
    await writeFileDurably(join(folder, monitorsFile), `${JSON.stringify(monitorFiles)}\n`)
    const accel = await this.#options.accelerator()
    const sources = new Map<string, BlockSource>(opened.map(({ disk, source }) => [disk.name, source]))
    const firmware = spec.efi ? await prepareEfi(folder, spec.efi.secureBoot) : undefined
    const qemu = await startQemu(qemuSpec(spec, { accel, sources, ...(firmware ? { firmware } : {}) }), folder)
    try {
      for (const file of monitorFiles) await announceMonitor(file, qemu.record.sockets.storage)
      // A layer may have been put on while QEMU was opening what was on top before. No guest has written yet.
      for (const { disk, source } of opened) {
        const now = await openVolume(disk)
        if (source.kind === 'layered' && (now.source.kind !== 'layered' || now.source.top !== source.top))
          throw new Error(`disk ${disk.name} was cut while it was being opened; opening it anew`)
      }
      const machine = await this.#attach(spec.id, folder, qemu, monitorFiles)
      this.#machines.set(spec.id, machine)
      return machine
    } catch (error) {
      await qemu.terminate({ graceMs: 0 })
      throw error
    }
  }

  async forget(id: string): Promise<void> {
    this.#machines.delete(id)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(
      [...this.#machines.values()].map(async (machine) => {
        if (machine instanceof QemuMachine) await machine.detach()
      }),
    )
    // Last: it takes over the guests that are still frozen, and needs their agents' sockets.
    await this.#guard?.close()
  }

  #publish(news: MachineNews): void {
    for (const listener of this.#listeners) listener(news)
  }

  /** Connects anew to a process whose monitor connection has broken. */
  async #reconnect(id: string, folder: string): Promise<void> {
    const { log } = this.#options
    for (let pauseMs = 100; !this.#closed.aborted; pauseMs = Math.min(pauseMs * 2, 10_000)) {
      try {
        const lost = this.#machines.get(id)
        if (lost instanceof QemuMachine) await lost.detach()
        await this.#adoptOne(id, folder)
        this.#unreachable.delete(id)
        this.#publish({ id })
        return
      } catch (error) {
        this.#unreachable.set(id, describeError(error))
        log.warn({ machine: id, error: describeError(error) }, 'monitor not reached again, will retry')
      }
      await delay(pauseMs, this.#closed)
    }
  }

  #attach(id: string, folder: string, qemu: RunningQemu, monitorFiles: readonly string[]): Promise<QemuMachine> {
    return QemuMachine.attach({
      id,
      folder,
      qemu,
      monitorFiles,
      log: this.#options.log,
      tell: (news) => {
        // Told when it is reachable again.
        if (!this.#unreachable.has(id)) this.#publish({ id, ...news })
      },
      onMonitorLost: () => void this.#reconnect(id, folder),
    })
  }
}

async function startQemu(spec: QemuSpec, folder: string): Promise<RunningQemu> {
  try {
    return await launch(spec, folder)
  } catch (error) {
    for (let at: unknown = error; at instanceof Error; at = at.cause)
      if ((at as NodeJS.ErrnoException).code === 'ENOENT' && (at as NodeJS.ErrnoException).syscall?.startsWith('spawn'))
        throw new HypervisorError(
          'HypervisorNotFound',
          'qemu-system-x86_64 is not installed; on Debian: apt-get install qemu-system-x86 qemu-utils',
          { cause: error },
        )
    throw error
  }
}

async function readMonitorFiles(folder: string): Promise<string[]> {
  try {
    return monitorsRecord.parse(JSON.parse(await readFile(join(folder, monitorsFile), 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const ovmf = '/usr/share/OVMF'

/** Firmware with a store of variables of its own, fresh at each start. */
async function prepareEfi(folder: string, secureBoot: boolean): Promise<NonNullable<QemuSpec['firmware']>> {
  const suffix = secureBoot ? '.ms.fd' : '.fd'
  const varsPath = join(folder, 'efi-vars.fd')
  try {
    await copyFile(`${ovmf}/OVMF_VARS_4M${suffix}`, varsPath)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new HypervisorError('FirmwareNotFound', 'EFI firmware is not installed; on Debian: apt-get install ovmf', {
      cause: error,
    })
  }
  return { kind: 'efi', codePath: `${ovmf}/OVMF_CODE_4M${suffix}`, varsPath, secureBoot }
}
