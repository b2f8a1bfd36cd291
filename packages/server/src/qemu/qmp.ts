import type { Socket } from 'node:net'
import { LineSplitter } from './json-lines.ts'
import { connectUnix } from './unix-socket.ts'

// The reply to query-qmp-schema has about 200 kB; block graphs of hundreds of nodes a few MB.
const lineLimitBytes = 32 * 1024 * 1024
const defaultTimeoutMs = 10_000

/**
 * A command that QEMU refused, or that got no answer. `class` is QEMU's own error class (`GenericError`,
 * `CommandNotFound`, `DeviceNotFound`, ...) or one of ours: `Timeout`, `ConnectionClosed`, `ProtocolError`.
 */
export class QmpError extends Error {
  override readonly name = 'QmpError'
  readonly command: string
  readonly class: string
  readonly desc: string

  constructor(command: string, errorClass: string, desc: string, options?: ErrorOptions) {
    super(`QMP ${command}: ${desc}`, options)
    this.command = command
    this.class = errorClass
    this.desc = desc
  }
}

export interface QmpEvent {
  readonly event: string
  readonly data: unknown
  readonly timestampMs: number
}

export interface QmpVersion {
  readonly major: number
  readonly minor: number
  readonly micro: number
}

/** The part of a connection other modules need, so that a test can stand in for it. */
export interface QmpExecutor {
  execute<T>(command: string, args?: object, opts?: { timeoutMs?: number }): Promise<T>
}

interface Pending {
  readonly command: string
  readonly resolve: (value: unknown) => void
  readonly reject: (err: QmpError) => void
  readonly timer: NodeJS.Timeout
}

/**
 * A client of one QMP monitor. A monitor serves one client at a time: a second one is accepted by the kernel but
 * never greeted, so `connect` then fails with `Timeout`.
 */
export class QmpConnection implements QmpExecutor {
  readonly #socket: Socket
  readonly #path: string
  readonly #lines = new LineSplitter(lineLimitBytes)
  readonly #pending = new Map<string, Pending>()
  readonly #handlers = new Set<(event: QmpEvent) => void>()
  readonly #greeting: PromiseWithResolvers<QmpVersion> = Promise.withResolvers()
  readonly #closed: PromiseWithResolvers<Error | undefined> = Promise.withResolvers()
  #lastId = 0
  #ending = false
  #failure: Error | undefined
  #broken = false
  #isClosed = false
  #version: QmpVersion = { major: 0, minor: 0, micro: 0 }

  private constructor(socket: Socket, path: string) {
    this.#socket = socket
    this.#path = path
    this.#greeting.promise.catch(() => {}) // whoever connects awaits it; a close after that is told by `closed`
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (err) => {
      this.#failure ??= err
    })
    // An end from the other side: QEMU left, or was told to quit.
    socket.on('close', () => this.#finish())
  }

  /** Connects, waits for the greeting and leaves capability negotiation behind. */
  static async connect(path: string, opts: { timeoutMs: number; signal?: AbortSignal }): Promise<QmpConnection> {
    const deadline = Date.now() + opts.timeoutMs
    let socket: Socket
    try {
      socket = await connectUnix(path, opts)
    } catch (err) {
      throw new QmpError('connect', 'ConnectionClosed', err instanceof Error ? err.message : String(err), {
        cause: err,
      })
    }
    const connection = new QmpConnection(socket, path)
    const giveUp = (desc: string, errorClass: string) =>
      connection.#greeting.reject(new QmpError('connect', errorClass, desc))
    const timer = setTimeout(
      () =>
        giveUp(
          `no greeting from ${path} within ${opts.timeoutMs} ms; a monitor serves one client at a time, perhaps another holds it`,
          'Timeout',
        ),
      Math.max(1, deadline - Date.now()),
    )
    const onAbort = () => giveUp('aborted', 'ConnectionClosed')
    opts.signal?.addEventListener('abort', onAbort, { once: true })
    try {
      if (opts.signal?.aborted) onAbort()
      connection.#version = await connection.#greeting.promise
      await connection.execute('qmp_capabilities', {}, { timeoutMs: Math.max(1, deadline - Date.now()) })
      if (opts.signal?.aborted) throw new QmpError('connect', 'ConnectionClosed', 'aborted')
      return connection
    } catch (err) {
      await connection.close()
      throw err
    } finally {
      clearTimeout(timer)
      opts.signal?.removeEventListener('abort', onAbort)
    }
  }

  /** QEMU's version from the greeting: for logs; decide by what the schema offers. */
  get version(): QmpVersion {
    return this.#version
  }

  /** Resolves when the connection is over: with undefined after `close()`, else with the reason. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise
  }

  /** Runs a command. A reply after the time limit is thrown away; the command may have been carried out. */
  execute<T>(command: string, args?: object, opts?: { timeoutMs?: number }): Promise<T> {
    const timeoutMs = opts?.timeoutMs ?? defaultTimeoutMs
    return new Promise<T>((resolve, reject) => {
      if (this.#isClosed || this.#ending) {
        reject(new QmpError(command, 'ConnectionClosed', `the connection to ${this.#path} is closed`))
        return
      }
      this.#lastId += 1
      const id = `sp-${this.#lastId}`
      const timer = setTimeout(() => {
        this.#pending.delete(id)
        reject(new QmpError(command, 'Timeout', `no reply within ${timeoutMs} ms`))
      }, timeoutMs)
      this.#pending.set(id, { command, resolve: (value) => resolve(value as T), reject, timer })
      this.#socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}), id })}\n`)
    })
  }

  /** Calls the handler for every event from now on; the function returned ends it. */
  onEvent(handler: (event: QmpEvent) => void): () => void {
    this.#handlers.add(handler)
    return () => {
      this.#handlers.delete(handler)
    }
  }

  /** The next event of this name that the predicate accepts. Call it before the command that causes the event. */
  waitForEvent(name: string, predicate?: (data: unknown) => boolean, timeoutMs = defaultTimeoutMs): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        stop()
        waiting = false
      }
      let waiting = true
      const timer = setTimeout(() => {
        settle()
        reject(new QmpError(`event ${name}`, 'Timeout', `did not come within ${timeoutMs} ms`))
      }, timeoutMs)
      const stop = this.onEvent((event) => {
        if (event.event !== name || (predicate && !predicate(event.data))) return
        settle()
        resolve(event)
      })
      void this.closed.then((err) => {
        if (!waiting) return
        settle()
        reject(
          new QmpError(`event ${name}`, 'ConnectionClosed', 'the connection closed before it came', { cause: err }),
        )
      })
    })
  }

  /** Ends the connection; QEMU stays. May be called repeatedly. */
  async close(): Promise<void> {
    this.#ending = true
    this.#socket.destroy()
    await this.closed
  }

  #receive(chunk: Buffer): void {
    let lines: string[]
    try {
      lines = this.#lines.push(chunk)
    } catch (err) {
      this.#fail(err as Error)
      return
    }
    for (const line of lines) {
      if (this.#isClosed || this.#broken) return
      let message: unknown
      try {
        message = JSON.parse(line)
      } catch (err) {
        this.#fail(new Error(`${this.#path} sent a line that is no JSON`, { cause: err }))
        return
      }
      this.#dispatch(message)
    }
  }

  #dispatch(message: unknown): void {
    if (!isRecord(message)) {
      this.#fail(new Error(`${this.#path} sent JSON that is no object`))
      return
    }
    if ('QMP' in message) {
      this.#greeting.resolve(versionOf(message.QMP))
      return
    }
    if (typeof message.event === 'string') {
      this.#emit({ event: message.event, data: message.data, timestampMs: timestampMs(message.timestamp) })
      return
    }
    if (typeof message.id !== 'string') {
      // Only a request QEMU could not read is answered without an id: stop before replies are mixed up.
      this.#fail(new Error(`${this.#path} sent a reply without an id: ${describeError(message.error).desc}`))
      return
    }
    const pending = this.#pending.get(message.id)
    if (!pending) return // its caller stopped waiting
    this.#pending.delete(message.id)
    clearTimeout(pending.timer)
    if ('error' in message) {
      const { errorClass, desc } = describeError(message.error)
      pending.reject(new QmpError(pending.command, errorClass, desc))
    } else {
      pending.resolve(message.return)
    }
  }

  #emit(event: QmpEvent): void {
    for (const handler of [...this.#handlers]) {
      // One handler's fault must neither keep the event from the others nor end the connection.
      try {
        handler(event)
      } catch (err) {
        process.emitWarning(err instanceof Error ? err : new Error(String(err)), {
          code: 'STILLPOINT_QMP_EVENT_HANDLER',
        })
      }
    }
  }

  #fail(err: Error): void {
    this.#failure ??= err
    this.#broken = true
    this.#socket.destroy()
  }

  #finish(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const failure = this.#ending ? undefined : (this.#failure ?? new Error(`${this.#path} closed the connection`))
    const errorClass = this.#broken ? 'ProtocolError' : 'ConnectionClosed'
    const why = failure?.message ?? 'the connection was closed'
    this.#greeting.reject(new QmpError('connect', errorClass, why, { cause: failure }))
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer)
      pending.reject(new QmpError(pending.command, errorClass, why, { cause: failure }))
    }
    this.#pending.clear()
    this.#handlers.clear()
    this.#closed.resolve(failure)
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function versionOf(greeting: unknown): QmpVersion {
  const version = isRecord(greeting) && isRecord(greeting.version) ? greeting.version.qemu : undefined
  const part = (name: string) => (isRecord(version) && typeof version[name] === 'number' ? version[name] : 0)
  return { major: part('major'), minor: part('minor'), micro: part('micro') }
}

function timestampMs(timestamp: unknown): number {
  if (!isRecord(timestamp)) return Date.now()
  const { seconds, microseconds } = timestamp
  // QEMU sends -1 for both when it could not read its clock.
  if (typeof seconds !== 'number' || typeof microseconds !== 'number' || seconds < 0) return Date.now()
  return seconds * 1000 + Math.floor(microseconds / 1000)
}

function describeError(error: unknown): { errorClass: string; desc: string } {
  if (!isRecord(error)) return { errorClass: 'ProtocolError', desc: 'an error without description' }
  return {
    errorClass: typeof error.class === 'string' ? error.class : 'GenericError',
    desc: typeof error.desc === 'string' ? error.desc : 'an error without description',
  }
}
