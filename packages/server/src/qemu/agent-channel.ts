import { randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import { AgentReplyParser, type AgentToken } from './agent-replies.ts'
import { connectUnix } from './unix-socket.ts'

// Bytes the guest has not taken yet. More means nobody reads there, and every further byte would only wait to be
// carried out late, when nobody wants it any more.
const unreadLimitBytes = 64 * 1024

/**
 * A guest agent's refusal, silence or nonsense. `class` is the agent's own (`GenericError`, `CommandNotFound`, ...)
 * or one of ours: `Timeout`, `Disconnected`, `Garbage`, `NotReading`, `FreezeInDoubt`, `StillFrozen`.
 * All text has been cleaned and shortened: it comes from the guest.
 */
export class GuestAgentError extends Error {
  override readonly name: string = 'GuestAgentError'
  readonly command: string
  readonly class: string
  readonly desc: string

  constructor(command: string, errorClass: string, desc: string, options?: ErrorOptions) {
    super(`guest agent ${command}: ${desc}`, options)
    this.command = command
    this.class = errorClass
    this.desc = desc
  }
}

/** The command may or may not have been carried out: no reply, or none that could be read. */
export function isInDoubt(err: unknown): boolean {
  return err instanceof GuestAgentError && ['Timeout', 'Disconnected', 'Garbage'].includes(err.class)
}

export interface AgentChannelOptions {
  /** For the connection alone, which succeeds whether or not an agent listens in the guest. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** A longer reply is garbage. Default 4 MiB. */
  readonly replyLimitBytes?: number | undefined
}

/** The right to talk, held by one caller at a time. Must be released. */
export interface AgentTurn {
  /** Throws away whatever is on its way and returns when the agent answers what was asked now. */
  sync(timeoutMs: number): Promise<void>
  /** Sends one command and waits for its reply; resynchronises first when the last exchange ended badly. */
  call(command: string, args: object | undefined, timeoutMs: number): Promise<unknown>
  release(): void
}

interface Waiter {
  readonly grant: () => void
  readonly reject: (err: GuestAgentError) => void
  readonly timer: NodeJS.Timeout
  readonly command: string
}

type Expectation = {
  readonly command: string
  readonly syncId: number | undefined
  readonly resolve: (value: unknown) => void
  readonly reject: (err: GuestAgentError) => void
}

/**
 * Owner of one guest agent socket. The agent speaks without request ids and serves one client, so everything goes
 * through one queue, and after every doubt (connect, timeout, garbage, reconnect of the guest) a delimited sync with
 * a fresh id comes before the next command: a late reply can then never pass for the reply to another question.
 */
export class AgentChannel {
  readonly #socket: Socket
  readonly #parser: AgentReplyParser
  readonly #replyLimitBytes: number
  readonly #closed: PromiseWithResolvers<Error | undefined> = Promise.withResolvers()
  readonly #waiters: Waiter[] = []
  #busyWith: string | undefined
  #expectation: Expectation | undefined
  #synced = false
  #syncId = randomInt(1, 2 ** 30)
  #unasked = 0
  #ending = false
  #isClosed = false
  #failure: Error | undefined

  private constructor(socket: Socket, replyLimitBytes: number) {
    this.#socket = socket
    this.#replyLimitBytes = replyLimitBytes
    this.#parser = new AgentReplyParser(replyLimitBytes)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (err) => {
      this.#failure ??= err
    })
    socket.on('close', () => this.#finish())
  }

  static async connect(path: string, options: AgentChannelOptions): Promise<AgentChannel> {
    let socket: Socket
    try {
      socket = await connectUnix(path, options)
    } catch (err) {
      throw new GuestAgentError('connect', 'Disconnected', err instanceof Error ? err.message : String(err), {
        cause: err,
      })
    }
    return new AgentChannel(socket, options.replyLimitBytes ?? 4 * 1024 * 1024)
  }

  /** Resolves when the socket is gone: with undefined after `close()`, else with the reason. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Waits for the right to talk, no longer than the time given. */
  acquire(command: string, waitMs: number): Promise<AgentTurn> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed || this.#ending) {
        reject(new GuestAgentError(command, 'Disconnected', 'the connection is closed'))
        return
      }
      if (this.#busyWith === undefined) {
        this.#busyWith = command
        resolve(this.#turn())
        return
      }
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(
          new GuestAgentError(
            command,
            'Timeout',
            `waited ${waitMs} ms for ${this.#busyWith ?? 'another command'} to end`,
          ),
        )
      }, waitMs)
      const grant = () => {
        clearTimeout(timer)
        this.#busyWith = command
        resolve(this.#turn())
      }
      const waiter: Waiter = { grant, reject, timer, command }
      this.#waiters.push(waiter)
    })
  }

  /** One command with a deadline that includes the wait for its turn and the sync before it. */
  async call(command: string, args: object | undefined, timeoutMs: number): Promise<unknown> {
    const deadline = Date.now() + timeoutMs
    const turn = await this.acquire(command, timeoutMs)
    try {
      return await turn.call(command, args, Math.max(1, deadline - Date.now()))
    } finally {
      turn.release()
    }
  }

  /** The guest closed its end (agent stopped, guest reset): the reply awaited will not come. */
  interrupt(reason: string): void {
    this.#synced = false
    const expected = this.#expectation
    this.#expectation = undefined
    expected?.reject(new GuestAgentError(expected.command, 'Disconnected', reason))
  }

  async close(): Promise<void> {
    this.#ending = true
    this.#socket.destroy()
    await this.closed
  }

  #turn(): AgentTurn {
    let held = true
    const mustHold = (command: string) => {
      if (!held) throw new GuestAgentError(command, 'Disconnected', 'used after its turn was released')
    }
    return {
      sync: async (timeoutMs) => {
        mustHold('guest-sync-delimited')
        await this.#sync(Date.now() + timeoutMs, timeoutMs)
      },
      call: async (command, args, timeoutMs) => {
        mustHold(command)
        const deadline = Date.now() + timeoutMs
        if (!this.#synced) await this.#sync(deadline, timeoutMs)
        return await this.#exchange(command, args, undefined, deadline, timeoutMs)
      },
      release: () => {
        if (!held) return
        held = false
        this.#busyWith = undefined
        this.#waiters.shift()?.grant()
      },
    }
  }

  async #sync(deadline: number, timeoutMs: number): Promise<void> {
    this.#synced = false
    // A guest reset loses what was sent, so the question is repeated, ever more seldom: only the latest id counts
    // (an older reply would leave a younger one to be mistaken later), and a slow agent must be able to catch up.
    for (let attemptMs = 2000; ; attemptMs *= 2) {
      const attemptEnd = Math.min(deadline, Date.now() + attemptMs)
      this.#syncId = (this.#syncId % 2 ** 30) + 1
      try {
        await this.#exchange('guest-sync-delimited', { id: this.#syncId }, this.#syncId, attemptEnd, timeoutMs)
        this.#synced = true
        return
      } catch (err) {
        if (!(err instanceof GuestAgentError) || err.class !== 'Timeout' || Date.now() >= deadline) throw err
      }
    }
  }

  #exchange(
    command: string,
    args: object | undefined,
    syncId: number | undefined,
    deadline: number,
    timeoutMs: number,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed || this.#ending) {
        reject(new GuestAgentError(command, 'Disconnected', 'the connection is closed'))
        return
      }
      if (this.#socket.writableLength > unreadLimitBytes) {
        this.#synced = false
        reject(new GuestAgentError(command, 'NotReading', 'the guest does not read what was sent before'))
        return
      }
      const settle = () => {
        clearTimeout(timer)
        this.#expectation = undefined
      }
      const timer = setTimeout(
        () => {
          settle()
          this.#synced = false
          reject(new GuestAgentError(command, 'Timeout', `no reply within ${timeoutMs} ms`))
        },
        Math.max(1, deadline - Date.now()),
      )
      this.#expectation = {
        command,
        syncId,
        resolve: (value) => {
          settle()
          resolve(value)
        },
        reject: (err) => {
          settle()
          reject(err)
        },
      }
      this.#unasked = 0
      this.#socket.resume()
      const request = JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}) })
      // The leading 0xFF makes the agent forget half a message that an earlier client may have left.
      const prefix = syncId === undefined ? [] : [0xff]
      this.#socket.write(Buffer.concat([Buffer.from(prefix), Buffer.from(`${request}\n`)]))
    })
  }

  #receive(chunk: Buffer): void {
    if (!this.#expectation) {
      this.#unasked += chunk.length
      // A guest that talks unasked is not listened to until there is a question: that costs it its own buffers
      // instead of our time.
      if (this.#unasked > this.#replyLimitBytes) this.#socket.pause()
    }
    for (const token of this.#parser.push(chunk)) this.#take(token)
  }

  #take(token: AgentToken): void {
    const expected = this.#expectation
    if (!expected) {
      this.#synced = false
      return
    }
    if (expected.syncId !== undefined) {
      // Everything but the one right answer is left over from before.
      if (token.kind === 'reply' && token.afterDelimiter && token.value === expected.syncId) expected.resolve(undefined)
      return
    }
    switch (token.kind) {
      case 'reply':
        // The reply to a sync that was given up on.
        if (!token.afterDelimiter) expected.resolve(token.value)
        return
      case 'error':
        expected.reject(new GuestAgentError(expected.command, token.errorClass, token.desc))
        return
      case 'garbage':
        this.#synced = false
        expected.reject(new GuestAgentError(expected.command, 'Garbage', `the guest sent ${token.reason}`))
        return
      default:
        token satisfies never
    }
  }

  #finish(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const failure = this.#ending ? undefined : (this.#failure ?? new Error('QEMU closed the guest agent socket'))
    this.interrupt(failure?.message ?? 'the connection was closed')
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer)
      waiter.reject(new GuestAgentError(waiter.command, 'Disconnected', 'the connection was closed'))
    }
    this.#closed.resolve(failure)
  }
}
