import { basename } from 'node:path'
import type { Logger } from 'pino'
import { describeError } from '../controller/describe-error.ts'
import type { FreezeLeases } from '../qemu/freeze-lease.ts'
import { FreezeInDoubtError, GuestAgentError } from '../qemu/guest-agent.ts'
import { FreezeHeldError, type FreezeHold } from './freeze-holder.ts'
import type { Hypervisor, Machine, MachineAgent } from './hypervisor/hypervisor.ts'

//   thawed ─ lease written ─► freezing ─► frozen ─ asked, or lease out, or server restarted ─► thawing ─► thawed
//   A freeze with a holder is ended by that holder or by its lease, by nobody else; until then no other begins.
//   The lease goes only when the agent has confirmed `thawed`, or the guest has ended or was reset.

const defaultTimeoutMs = 30_000
const shortestTimeoutMs = 1_000
const longestTimeoutMs = 300_000
const freezeLimitMs = 60_000
const thawLimitMs = 60_000
const thawRetryMs = 5_000
const agentWaitMs = 2_000
const pausedFrozen = 'the guest is paused; it is thawed as soon as it runs'
const noAgent = 'no guest agent answers; install qemu-guest-agent in the guest'

export type FreezeNews =
  | { id: string; what: 'frozen'; holder?: string | undefined; filesystems: number; tookMs: number }
  | { id: string; what: 'thawed'; filesystems: number; frozenMs: number; why: string; complaint?: string | undefined }
  | { id: string; what: 'thawFailed'; why: string; message: string }

export interface FreezerOptions {
  hypervisor: Hypervisor
  leases: FreezeLeases
  log: Logger
  now: () => Date
  /** Called as soon as it is known; must not throw. */
  onNews(news: FreezeNews): void
}

interface Held {
  /** The only one who may end this freeze before its lease does; undefined: anybody may. */
  holder: string | undefined
  /** When the lease is over. */
  endsAt: Date
  /** When all was frozen, as far as known; before that, when it was asked for. */
  frozenAt: Date
  timer: NodeJS.Timeout | undefined
  /** The agent itself goes on thawing, because a freeze got no answer. */
  inDoubt: boolean
  /** Nobody wants it frozen any more, and it is not known to be thawed. */
  owed: boolean
  /** Resolves when it is known to be thawed. */
  over: PromiseWithResolvers<void>
}

/** Bounds of a freeze: never without end, whatever the caller asked for. */
export function leaseMs(askedMs: number): number {
  if (askedMs <= 0) return defaultTimeoutMs
  return Math.min(Math.max(askedMs, shortestTimeoutMs), longestTimeoutMs)
}

/** Freezes guests and guarantees their thaw: by request, by the end of the lease, or after a restart of the server. */
export class Freezer {
  readonly #options: FreezerOptions
  readonly #held = new Map<string, Held>()
  /** One freeze or thaw at a time per machine. */
  readonly #queues = new Map<string, Promise<unknown>>()
  #closed = false

  constructor(options: FreezerOptions) {
    this.#options = options
  }

  /** Thaws every guest that a server before this one left frozen. */
  async recover(machines: readonly Machine[]): Promise<void> {
    await Promise.all(
      machines.map(async (machine) => {
        const lease = await this.#options.leases.read(basename(machine.folder))
        if (!lease) return
        this.#held.set(machine.id, {
          holder: lease.holder,
          endsAt: this.#options.now(),
          frozenAt: lease.frozenAt,
          timer: undefined,
          inDoubt: false,
          owed: true,
          over: Promise.withResolvers(),
        })
        const { holder, frozenAt } = lease
        this.#options.log.warn({ machine: machine.id, holder, frozenAt }, 'guest was left frozen, thawing it')
        // Not awaited: the agent may need its time, and the other guests must not wait for it.
        this.#thawLater(machine.id, 0, 'the server was restarted while the guest was frozen')
      }),
    )
  }

  isFrozen(id: string): boolean {
    return this.#held.has(id)
  }

  /** On whose behalf a guest must stay frozen for now. What is being thawed already is held by nobody. */
  heldBy(id: string): FreezeHold | undefined {
    const held = this.#held.get(id)
    if (held?.holder === undefined || held.owed) return undefined
    return { holder: held.holder, leftMs: this.#leftMs(held) }
  }

  /**
   * Returns when all file systems of the guest are frozen. A guest that this holder has frozen already keeps its
   * lease; one that is frozen on behalf of another is a FreezeHeldError.
   */
  async freeze(machine: Machine, timeoutMs: number, holder?: string): Promise<void> {
    await this.#inTurn(machine.id, async () => {
      if (this.#held.get(machine.id)?.inDoubt)
        throw new GuestAgentError('guest-fsfreeze-freeze', 'FreezeInDoubt', 'an earlier freeze is still being undone')
      // What is being thawed may be thawed at any moment: the caller needs a freeze of its own.
      if (this.#held.get(machine.id)?.owed) await this.#thawNow(machine, 'a new freeze was asked for')
      const known = this.#held.get(machine.id)
      if (known) {
        if (known.holder !== holder) throw new FreezeHeldError(known.holder, this.#leftMs(known))
        return
      }
      // It would answer when it runs again, and freeze a guest that nobody waits for any more.
      if (machine.state.kind === 'paused')
        throw new GuestAgentError('guest-fsfreeze-freeze', 'Paused', 'the guest is paused; unpause it first')
      const agent = await answeringAgent(machine, 'guest-fsfreeze-freeze')
      const lastsMs = leaseMs(timeoutMs)
      const frozenAt = this.#options.now()
      const deadline = new Date(frozenAt.getTime() + freezeLimitMs + lastsMs)
      const lease = { vm: machine.id, ...machine.thawing, frozenAt, deadline }
      await this.#options.leases.grant(basename(machine.folder), { ...lease, holder })
      const over = Promise.withResolvers<void>()
      const held: Held = { holder, endsAt: deadline, frozenAt, timer: undefined, inDoubt: false, owed: false, over }
      this.#held.set(machine.id, held)
      try {
        const { frozenFilesystems, startedAt, endedAt } = await agent.freeze({ timeoutMs: freezeLimitMs })
        held.frozenAt = endedAt
        const tookMs = endedAt.getTime() - startedAt.getTime()
        this.#options.onNews({ id: machine.id, what: 'frozen', holder, filesystems: frozenFilesystems, tookMs })
      } catch (error) {
        await this.#freezeFailed(machine, agent, held, error)
        // Frozen, but not by us: whoever did it may end it at any time, so no holder may rely on it.
        held.holder = undefined
      }
      held.endsAt = new Date(this.#options.now().getTime() + lastsMs)
      this.#thawLater(machine.id, lastsMs, `nobody thawed it within ${lastsMs / 1_000} s`)
      if (held.holder !== holder) throw new FreezeHeldError(held.holder, lastsMs)
    })
  }

  /** As `thaw`, for a client: a freeze of another holder is a FreezeHeldError and stays. */
  async unfreeze(machine: Machine, holder?: string): Promise<void> {
    await this.#inTurn(machine.id, async () => {
      const held = this.heldBy(machine.id)
      if (held && held.holder !== holder) throw new FreezeHeldError(held.holder, held.leftMs)
      await this.#thawNow(machine, 'asked for')
    })
  }

  /** Returns when the agent has confirmed that the guest is thawed, whoever had it frozen. */
  async thaw(machine: Machine, why: string): Promise<void> {
    await this.#inTurn(machine.id, () => this.#thawNow(machine, why))
  }

  /**
   * Does what keeps a guest from thawing, such as stopping its CPUs, when no holder has it frozen and no thaw is under
   * way; at the latest after the limit.
   */
  async betweenFreezes(id: string, limitMs: number, act: () => Promise<void>): Promise<void> {
    let acting: Promise<void> | undefined
    const once = (): Promise<void> => {
      acting ??= act()
      return acting
    }
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, limitMs)
    const inTime = async (): Promise<void> => {
      while (!acting) {
        const found = await this.#inTurn(id, async () => {
          const held = this.#held.get(id)
          if (held && (held.holder !== undefined || held.owed)) return held
          return once()
        })
        await found?.over.promise
      }
    }
    try {
      await Promise.race([inTime(), late.promise.then(once)])
    } finally {
      clearTimeout(timer)
    }
  }

  /** The guest's CPUs run again, so it can be thawed if that is owed. */
  runs(id: string): void {
    const held = this.#held.get(id)
    if (held?.owed && !held.inDoubt) this.#thawLater(id, 0, 'it was owed while the guest was paused')
  }

  /** Thaws only a guest that we hold frozen, and only tells when that fails: what follows must happen anyway. */
  async thawBefore(machine: Machine, why: string): Promise<void> {
    if (!this.#held.has(machine.id)) return
    try {
      await this.thaw(machine, why)
    } catch (error) {
      this.#options.log.warn({ machine: machine.id, error: describeError(error) }, 'guest not thawed before its end')
    }
  }

  /** The guest has ended or begun anew: it is not frozen any more, and no lease runs. */
  async forget(id: string): Promise<void> {
    const held = this.#held.get(id)
    if (!held) return
    this.#drop(id)
    const machine = this.#options.hypervisor.get(id)
    if (machine) await this.#release(machine)
  }

  close(): void {
    this.#closed = true
    for (const { timer } of this.#held.values()) clearTimeout(timer)
  }

  async #freezeFailed(machine: Machine, agent: MachineAgent, held: Held, error: unknown): Promise<void> {
    if (error instanceof FreezeInDoubtError) {
      held.inDoubt = true
      held.owed = true
      const why = 'the freeze got no answer'
      error.settled
        .then(async (outcome) => {
          held.inDoubt = false
          if (outcome === 'thawed') await this.#thawed(machine, held, 0, why)
          else this.#thawLater(machine.id, thawRetryMs, why)
        })
        .catch((cause) =>
          this.#options.log.error({ machine: machine.id, error: describeError(cause) }, 'lease not removed'),
        )
      throw error
    }
    // Refused. Either nothing is frozen, or somebody else froze the guest before: then it is frozen as asked.
    const status = await agent.freezeStatus().catch(() => undefined)
    if (status === 'frozen') {
      this.#options.onNews({ id: machine.id, what: 'frozen', filesystems: 0, tookMs: 0 })
      return
    }
    if (status === 'thawed') {
      this.#drop(machine.id)
      await this.#release(machine)
    } else {
      held.owed = true
      this.#thawLater(machine.id, thawRetryMs, 'the freeze failed')
    }
    throw error
  }

  async #thawNow(machine: Machine, why: string): Promise<void> {
    const held = this.#held.get(machine.id)
    const agent = presentAgent(machine, 'guest-fsfreeze-thaw')
    // Every freeze has a lease from before it was asked for. Without one a paused guest, which cannot be asked, is thawed.
    if (!held && (machine.state.kind === 'paused' || (await agent.freezeStatus()) === 'thawed')) return
    clearTimeout(held?.timer)
    if (held) held.owed = true
    if (machine.state.kind === 'paused') throw new GuestAgentError('guest-fsfreeze-thaw', 'Paused', pausedFrozen)
    try {
      const { thawedFilesystems, complaint } = await agent.thaw({ timeoutMs: thawLimitMs })
      await this.#thawed(machine, held, thawedFilesystems, why, complaint)
      // Windows holds writes for ten seconds at most, so what was cut after that is not of one instant.
      if (complaint?.includes('fsfreeze is limited'))
        throw new GuestAgentError('guest-fsfreeze-thaw', 'FreezeTooLong', complaint)
    } catch (error) {
      if (!(error instanceof GuestAgentError && error.class === 'FreezeTooLong'))
        this.#thawLater(machine.id, thawRetryMs, `${why}, and that failed`)
      throw error
    }
  }

  async #thawed(
    machine: Machine,
    held: Held | undefined,
    filesystems: number,
    why: string,
    complaint?: string,
  ): Promise<void> {
    const frozenMs = held ? this.#options.now().getTime() - held.frozenAt.getTime() : 0
    this.#options.onNews({ id: machine.id, what: 'thawed', filesystems, frozenMs, why, complaint })
    if (!held || this.#held.get(machine.id) !== held) return
    this.#drop(machine.id)
    await this.#release(machine)
  }

  /** Owed until confirmed: tried again and again as long as the machine runs. */
  #thawLater(id: string, inMs: number, why: string): void {
    const held = this.#held.get(id)
    if (!held || this.#closed) return
    clearTimeout(held.timer)
    held.timer = setTimeout(() => {
      const machine = this.#options.hypervisor.get(id)
      if (!machine || this.#held.get(id) !== held) return
      if (machine.state.kind === 'paused') {
        // `runs` goes on with it.
        held.owed = true
        return
      }
      this.thaw(machine, why).catch((error) => {
        const message = describeError(error)
        this.#options.log.error({ machine: id, error: message }, 'guest not thawed, will try again')
        this.#options.onNews({ id, what: 'thawFailed', why, message })
        this.#thawLater(id, thawRetryMs, why)
      })
    }, inMs)
  }

  #leftMs({ endsAt }: Held): number {
    return Math.max(0, endsAt.getTime() - this.#options.now().getTime())
  }

  async #release({ folder }: Machine): Promise<void> {
    await this.#options.leases.release(basename(folder))
  }

  #drop(id: string): void {
    const held = this.#held.get(id)
    clearTimeout(held?.timer)
    this.#held.delete(id)
    held?.over.resolve()
  }

  async #inTurn<T>(id: string, task: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(id) ?? Promise.resolve()
    const mine = before.then(task, task)
    const settled = mine.then(
      () => {},
      () => {},
    )
    this.#queues.set(id, settled)
    try {
      return await mine
    } finally {
      if (this.#queues.get(id) === settled) this.#queues.delete(id)
    }
  }
}

function presentAgent({ agent }: Machine, command: string): MachineAgent {
  if (agent) return agent
  throw new GuestAgentError(command, 'Disconnected', noAgent)
}

/** The agent, if it answers. One that has not been heard of yet is asked first: the server may just have started. */
async function answeringAgent(machine: Machine, command: string): Promise<MachineAgent> {
  const agent = presentAgent(machine, command)
  if (agent.answering) return agent
  try {
    await agent.sync({ timeoutMs: agentWaitMs })
  } catch (cause) {
    throw new GuestAgentError(command, 'Disconnected', noAgent, { cause })
  }
  return agent
}
