import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { serialChardevId } from '../../qemu/arguments.ts'
import type { RunningQemu } from '../../qemu/process.ts'
import type { QmpConnection } from '../../qemu/qmp.ts'
import { readSerialTail } from '../../qemu/serial-log.ts'
import { connectUnix } from '../../qemu/unix-socket.ts'
import { type Display, LineBusyError, type SerialPort } from './hypervisor.ts'

const connectLimitMs = 5_000
/** How long QEMU may take to notice that the last client has hung up. */
const hangUpLimitMs = 1_000
const hangUpLookMs = 20

const chardevs = z.array(z.looseObject({ label: z.string(), filename: z.string() }))

/** A serial port behind a socket of QEMU's, which also logs what comes out of it. */
export class QemuSerialPort implements SerialPort {
  readonly #qmp: QmpConnection
  readonly #socket: string
  readonly #log: string | undefined

  private constructor(qmp: QmpConnection, socket: string, log: string | undefined) {
    this.#qmp = qmp
    this.#socket = socket
    this.#log = log
  }

  static of({ qmp, record }: RunningQemu): QemuSerialPort | undefined {
    const { serial } = record.sockets
    return serial === undefined ? undefined : new QemuSerialPort(qmp, serial, record.logs.serial)
  }

  async connect(): Promise<Duplex> {
    // The kernel would let us connect and QEMU never look at us: a console that stays silent for no visible reason.
    const deadline = Date.now() + hangUpLimitMs
    while (await this.#isTaken()) {
      if (Date.now() > deadline) throw new LineBusyError()
      await delay(hangUpLookMs)
    }
    return connectUnix(this.#socket, { timeoutMs: connectLimitMs })
  }

  async tail(limitBytes: number): Promise<Buffer> {
    return this.#log === undefined ? Buffer.alloc(0) : readSerialTail(this.#log, limitBytes)
  }

  async #isTaken(): Promise<boolean> {
    const known = chardevs.parse(await this.#qmp.execute('query-chardev'))
    const port = known.find(({ label }) => label === serialChardevId)
    return port !== undefined && !port.filename.startsWith('disconnected:')
  }
}

/** QEMU's VNC server. */
export class QemuDisplay implements Display {
  readonly #qmp: QmpConnection
  readonly #socket: string
  readonly #folder: string
  #screenshot: Promise<Buffer> | undefined

  private constructor(qmp: QmpConnection, socket: string, folder: string) {
    this.#qmp = qmp
    this.#socket = socket
    this.#folder = folder
  }

  static of({ qmp, record }: RunningQemu, folder: string): QemuDisplay | undefined {
    const { vnc } = record.sockets
    return vnc === undefined ? undefined : new QemuDisplay(qmp, vnc, folder)
  }

  connect(): Promise<Duplex> {
    return connectUnix(this.#socket, { timeoutMs: connectLimitMs })
  }

  /** One at a time, shared by all who ask meanwhile: QEMU does nothing else while it draws. */
  screenshot(): Promise<Buffer> {
    this.#screenshot ??= this.#take().finally(() => {
      this.#screenshot = undefined
    })
    return this.#screenshot
  }

  async #take(): Promise<Buffer> {
    const filename = join(this.#folder, `screen-${randomUUID()}.png`)
    try {
      await this.#qmp.execute('screendump', { filename, format: 'png' })
      return await readFile(filename)
    } finally {
      await rm(filename, { force: true })
    }
  }
}
