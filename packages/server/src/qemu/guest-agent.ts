import { setTimeout as delay } from 'node:timers/promises'
import { AgentChannel, type AgentChannelOptions, type AgentTurn, GuestAgentError, isInDoubt } from './agent-channel.ts'
import {
  type AgentInfo,
  type GuestExecStatus,
  type GuestFilesystem,
  type GuestInterface,
  type GuestOsInfo,
  type GuestTimezone,
  type GuestUser,
  readAgentInfo,
  readExecStatus,
  readFilesystems,
  readHostName,
  readInterfaces,
  readOsInfo,
  readPid,
  readTimezone,
  readUsers,
} from './guest-facts.ts'
import type { QmpEvent } from './qmp.ts'

export { GuestAgentError, isInDoubt } from './agent-channel.ts'

//   thawed ──freeze──► frozen ──thaw──► thawed
//      │                  ▲
//      └─freeze, no reply─┴─► in doubt ──sync, thaw, status, again and again──► thawed | connection lost

export type FreezeStatus = 'thawed' | 'frozen'

export interface FreezeResult {
  /** How many file systems the agent says it froze; 0 is legal and suspicious. */
  readonly frozenFilesystems: number
  readonly startedAt: Date
  readonly endedAt: Date
}

export interface ThawResult {
  readonly thawedFilesystems: number
  readonly startedAt: Date
  readonly endedAt: Date
  /** The agent's words when it complained although the guest is thawed: on Windows, writes were held too long. */
  readonly complaint?: string
}

export interface GuestAgentOptions extends AgentChannelOptions {
  /** Deadline of a call that names none. Default 5 s. */
  readonly callTimeoutMs?: number | undefined
}

export interface CallOptions {
  readonly timeoutMs?: number
}

export interface GuestExecOptions extends CallOptions {
  readonly args?: readonly string[]
  readonly env?: readonly string[]
  readonly input?: string | Uint8Array
}

/**
 * A freeze whose end is unknown: the guest may be frozen now or a moment later, and thawing goes on in the
 * background. Keep the lease until `settled` says `thawed`; `lost` means the connection went first.
 */
export class FreezeInDoubtError extends GuestAgentError {
  override readonly name = 'FreezeInDoubtError'
  readonly settled: Promise<'thawed' | 'lost'>

  constructor(desc: string, settled: Promise<'thawed' | 'lost'>, options?: ErrorOptions) {
    super('guest-fsfreeze-freeze', 'FreezeInDoubt', desc, options)
    this.settled = settled
  }
}

/** The program in the guest that freezes file systems and tells about the system. One owner per socket. */
export class GuestAgent {
  readonly #channel: AgentChannel
  readonly #callTimeoutMs: number
  readonly #presenceHandlers = new Set<(answering: boolean) => void>()
  #answering = false
  #probe: Promise<void> | undefined
  #probeAgain = false

  private constructor(channel: AgentChannel, callTimeoutMs: number) {
    this.#channel = channel
    this.#callTimeoutMs = callTimeoutMs
    void channel.closed.then(() => this.#setAnswering(false))
  }

  /** Connects to the socket. Succeeds whether or not an agent runs in the guest: `sync()` tells that. */
  static async attach(path: string, opts: GuestAgentOptions): Promise<GuestAgent> {
    return new GuestAgent(await AgentChannel.connect(path, opts), opts.callTimeoutMs ?? 5000)
  }

  /** Resolves when the socket is gone: with undefined after `close()`, else with the reason. */
  get closed(): Promise<Error | undefined> {
    return this.#channel.closed
  }

  /** Whether the agent answered when last asked and its port has not closed since. */
  get answering(): boolean {
    return this.#answering
  }

  /** Calls the handler whenever the agent appears or disappears; the function returned ends it. */
  onPresence(handler: (answering: boolean) => void): () => void {
    this.#presenceHandlers.add(handler)
    return () => {
      this.#presenceHandlers.delete(handler)
    }
  }

  /**
   * Follows QEMU's word on the agent's port (event VSERPORT_CHANGE) and asks once now, because the event tells
   * changes only. `portId` is the device id of the port.
   */
  followPort(qmp: { onEvent(handler: (event: QmpEvent) => void): () => void }, portId: string): () => void {
    const stop = qmp.onEvent(({ event, data }) => {
      if (event !== 'VSERPORT_CHANGE') return
      const { id, open } = data as { id?: unknown; open?: unknown }
      if (id === portId) this.portChanged(open === true)
    })
    this.portChanged(true)
    return stop
  }

  /** The guest opened or closed its end of the channel. Open is only a hint, so the agent is asked. */
  portChanged(open: boolean): void {
    if (!open) {
      this.#channel.interrupt('the agent closed its port: it stopped, or the guest was reset')
      this.#setAnswering(false)
      return
    }
    if (this.#probe) {
      // Asked before the port was open: what was sent then may be lost, so ask again instead of waiting for it.
      this.#probeAgain = true
      this.#channel.interrupt('the agent opened its port anew')
      return
    }
    this.#probe = this.#probePresence()
  }

  /** Makes sure that the next reply belongs to the next question; fails when no agent answers. */
  async sync({ timeoutMs = this.#callTimeoutMs }: CallOptions = {}): Promise<void> {
    await this.#inTurn('guest-sync-delimited', timeoutMs, (turn, left) => turn.sync(left()))
  }

  async ping(opts?: CallOptions): Promise<void> {
    await this.#call('guest-ping', undefined, opts)
  }

  async info(opts?: CallOptions): Promise<AgentInfo> {
    return readAgentInfo(await this.#call('guest-info', undefined, opts))
  }

  async osInfo(opts?: CallOptions): Promise<GuestOsInfo> {
    return readOsInfo(await this.#call('guest-get-osinfo', undefined, opts))
  }

  async fsInfo(opts?: CallOptions): Promise<GuestFilesystem[]> {
    return readFilesystems(await this.#call('guest-get-fsinfo', undefined, opts))
  }

  async hostName(opts?: CallOptions): Promise<string> {
    return readHostName(await this.#call('guest-get-host-name', undefined, opts))
  }

  async timezone(opts?: CallOptions): Promise<GuestTimezone> {
    return readTimezone(await this.#call('guest-get-timezone', undefined, opts))
  }

  async users(opts?: CallOptions): Promise<GuestUser[]> {
    return readUsers(await this.#call('guest-get-users', undefined, opts))
  }

  async networkInterfaces(opts?: CallOptions): Promise<GuestInterface[]> {
    return readInterfaces(await this.#call('guest-network-get-interfaces', undefined, opts))
  }

  /** What the agent believes. An agent that was killed while frozen may have forgotten; `thaw` helps anyway. */
  async freezeStatus(opts?: CallOptions): Promise<FreezeStatus> {
    return readFreezeStatus(await this.#call('guest-fsfreeze-status', undefined, opts))
  }

  /**
   * Freezes all file systems, hooks first. Rejects with `FreezeInDoubtError` when the reply does not come, and then
   * goes on by itself until the guest is known to be thawed: a late freeze must find somebody there.
   */
  async freeze({ timeoutMs = 60_000 }: CallOptions = {}): Promise<FreezeResult> {
    const deadline = Date.now() + timeoutMs
    const turn = await this.#channel.acquire('guest-fsfreeze-freeze', timeoutMs)
    let handedOn = false
    try {
      // Nothing is in doubt as long as the freeze itself has not been sent.
      await this.#noting(() => turn.sync(Math.max(1, Math.min(5000, deadline - Date.now()))))
      const startedAt = new Date()
      try {
        const reply = await turn.call('guest-fsfreeze-freeze', undefined, Math.max(1, deadline - Date.now()))
        return { frozenFilesystems: readCount('guest-fsfreeze-freeze', reply), startedAt, endedAt: new Date() }
      } catch (err) {
        if (!isInDoubt(err)) throw err
        handedOn = true
        const settled = this.#thawUntilKnown(turn)
        const why = (err as GuestAgentError).desc
        throw new FreezeInDoubtError(`${why}; thawing the guest as soon as it answers`, settled, { cause: err })
      }
    } finally {
      if (!handedOn) turn.release()
    }
  }

  /**
   * Thaws and makes sure of it: resolves only after the agent reports `thawed`. Thaws even if it reports so already,
   * since an agent that was restarted may have lost its memory of the freeze.
   */
  async thaw({
    timeoutMs = 60_000,
    attemptMs = 10_000,
  }: CallOptions & { attemptMs?: number } = {}): Promise<ThawResult> {
    const deadline = Date.now() + timeoutMs
    const startedAt = new Date()
    const turn = await this.#channel.acquire('guest-fsfreeze-thaw', timeoutMs)
    try {
      for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2000)) {
        try {
          const left = Math.max(1, Math.min(attemptMs, deadline - Date.now()))
          const { count, complaint } = await this.#noting(() => thawOnce(turn, left))
          return { thawedFilesystems: count, startedAt, endedAt: new Date(), ...(complaint ? { complaint } : {}) }
        } catch (err) {
          if (this.#channel.isClosed || Date.now() + pauseMs >= deadline) throw err
        }
        await delay(pauseMs)
      }
    } finally {
      turn.release()
    }
  }

  /**
   * Asks the guest to end. The agent sends no reply when it obeys, so silence is success; it refuses while frozen.
   */
  async shutdown(mode: 'powerdown' | 'reboot' | 'halt' = 'powerdown'): Promise<void> {
    let sent = false
    try {
      await this.#inTurn('guest-shutdown', this.#callTimeoutMs, async (turn, left) => {
        await turn.sync(left())
        sent = true
        await turn.call('guest-shutdown', { mode }, 1000)
      })
    } catch (err) {
      // Caught out here, so that an agent whose port closes as it obeys is not taken for one that has answered.
      if (!sent || !isInDoubt(err)) throw err
    }
  }

  /** Sets the guest's clock, which stood still while the guest was paused or saved. */
  async setTime(time: Date, opts?: CallOptions): Promise<void> {
    await this.#call('guest-set-time', { time: time.getTime() * 1e6 }, opts)
  }

  /** Starts a program in the guest and returns its process id there. Output is kept by the agent until asked for. */
  async exec(path: string, { args = [], env, input, ...opts }: GuestExecOptions = {}): Promise<number> {
    const reply = await this.#call(
      'guest-exec',
      {
        path,
        arg: args,
        'capture-output': true,
        ...(env ? { env } : {}),
        ...(input === undefined ? {} : { 'input-data': Buffer.from(input).toString('base64') }),
      },
      opts,
    )
    const pid = readPid(reply)
    if (pid === undefined) throw new GuestAgentError('guest-exec', 'Garbage', 'the reply names no process')
    return pid
  }

  async execStatus(pid: number, opts?: CallOptions): Promise<GuestExecStatus> {
    return readExecStatus(await this.#call('guest-exec-status', { pid }, opts))
  }

  /** Runs a program in the guest to its end. The agent has no event for that, so it is asked repeatedly. */
  async execWait(path: string, { timeoutMs = 30_000, ...options }: GuestExecOptions = {}): Promise<GuestExecStatus> {
    const deadline = Date.now() + timeoutMs
    const pid = await this.exec(path, { ...options, timeoutMs })
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 250)) {
      const status = await this.execStatus(pid, { timeoutMs: Math.max(1, deadline - Date.now()) })
      if (status.exited) return status
      if (Date.now() + pauseMs > deadline)
        throw new GuestAgentError('guest-exec', 'Timeout', `${path} did not end within ${timeoutMs} ms`)
      await delay(pauseMs)
    }
  }

  async close(): Promise<void> {
    await this.#channel.close()
  }

  async #call(command: string, args: object | undefined, opts: CallOptions = {}): Promise<unknown> {
    const timeoutMs = opts.timeoutMs ?? this.#callTimeoutMs
    return await this.#inTurn(command, timeoutMs, (turn, left) => turn.call(command, args, left()))
  }

  async #inTurn<T>(
    command: string,
    timeoutMs: number,
    talk: (turn: AgentTurn, leftMs: () => number) => Promise<T>,
  ): Promise<T> {
    const deadline = Date.now() + timeoutMs
    const turn = await this.#channel.acquire(command, timeoutMs)
    try {
      return await this.#noting(() => talk(turn, () => Math.max(1, deadline - Date.now())))
    } finally {
      turn.release()
    }
  }

  /** Every answer, even a refusal, shows that the agent is there; silence shows the opposite. */
  async #noting<T>(talk: () => Promise<T>): Promise<T> {
    try {
      const result = await talk()
      this.#setAnswering(true)
      return result
    } catch (err) {
      if (err instanceof GuestAgentError) {
        if (err.command === 'guest-sync-delimited' || err.class === 'NotReading') this.#setAnswering(false)
        else if (!isInDoubt(err)) this.#setAnswering(true)
      }
      throw err
    }
  }

  async #probePresence(): Promise<void> {
    do {
      this.#probeAgain = false
      // No agent there is no failure: that is what `answering` says.
      await this.sync({ timeoutMs: 30_000 }).catch(() => {})
    } while (this.#probeAgain)
    this.#probe = undefined
  }

  #setAnswering(answering: boolean): void {
    if (answering === this.#answering || (answering && this.#channel.isClosed)) return
    this.#answering = answering
    for (const handler of [...this.#presenceHandlers]) {
      // One listener's fault must not become the failure of the call that happened to notice the agent.
      try {
        handler(answering)
      } catch (err) {
        process.emitWarning(err instanceof Error ? err : new Error(String(err)))
      }
    }
  }

  // Holds the turn all the while: nothing else is worth asking a guest that may be about to freeze.
  async #thawUntilKnown(turn: AgentTurn): Promise<'thawed' | 'lost'> {
    try {
      for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 5000)) {
        try {
          await this.#noting(() => thawOnce(turn, 30_000))
          return 'thawed'
        } catch {
          // Each failure means the same: not known yet. The loop ends with the guest thawed or its QEMU gone.
          if (this.#channel.isClosed) return 'lost'
        }
        await Promise.race([delay(pauseMs), this.#channel.closed])
      }
    } finally {
      turn.release()
    }
  }
}

/**
 * One attempt on an idle turn: sync, thaw, ask. The agent works strictly in order, so an answered sync also means
 * that an earlier freeze has run and none is still to come.
 */
export async function thawOnce(turn: AgentTurn, timeoutMs: number): Promise<{ count: number; complaint?: string }> {
  const deadline = Date.now() + timeoutMs
  const left = () => Math.max(1, deadline - Date.now())
  await turn.sync(left())
  let count = 0
  let complaint: string | undefined
  try {
    count = readCount('guest-fsfreeze-thaw', await turn.call('guest-fsfreeze-thaw', undefined, left()))
  } catch (err) {
    if (isInDoubt(err) || !(err instanceof GuestAgentError)) throw err
    complaint = err.desc
  }
  const status = readFreezeStatus(await turn.call('guest-fsfreeze-status', undefined, left()))
  if (status !== 'thawed')
    throw new GuestAgentError('guest-fsfreeze-thaw', 'StillFrozen', complaint ?? 'the guest is still frozen')
  return complaint === undefined ? { count } : { count, complaint }
}

function readFreezeStatus(reply: unknown): FreezeStatus {
  if (reply === 'thawed' || reply === 'frozen') return reply
  throw new GuestAgentError('guest-fsfreeze-status', 'Garbage', 'the agent reported neither thawed nor frozen')
}

function readCount(command: string, reply: unknown): number {
  if (typeof reply === 'number' && Number.isSafeInteger(reply) && reply >= 0) return reply
  throw new GuestAgentError(command, 'Garbage', 'the agent did not say how many file systems')
}
