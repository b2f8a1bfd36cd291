import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import { describeError } from '../../controller/describe-error.ts'
import { GuestAgentError } from '../../qemu/guest-agent.ts'
import type { GuestInterface, GuestOsInfo } from '../../qemu/guest-facts.ts'
import type { Machine, MachineAgent } from '../hypervisor/hypervisor.ts'

/** What the guest has told through its agent. Told by a guest: shown, never trusted. */
export interface AgentFacts {
  connected: boolean
  version?: string
  commands?: readonly { name: string; enabled: boolean }[]
  /** Which basic commands are missing, when some are. */
  unsupported?: string
  osInfo?: GuestOsInfo
  interfaces?: readonly GuestInterface[]
  freeze?: 'frozen' | 'thawed'
  /** Why it is not connected although something opened its port. */
  trouble?: string
}

const freezeNoteMs = 250

const basicCommands = [
  'guest-ping',
  'guest-get-time',
  'guest-info',
  'guest-shutdown',
  'guest-network-get-interfaces',
  'guest-get-fsinfo',
  'guest-get-host-name',
  'guest-get-users',
  'guest-get-timezone',
  'guest-get-osinfo',
]

const statusEveryMs = 5_000
const systemFirstMs = 10_000
const systemLongestMs = 120_000

interface Watched {
  machine: Machine
  agent: MachineAgent
  facts: AgentFacts
  stop: () => void
  timer: NodeJS.Timeout | undefined
  freezeTimer?: NodeJS.Timeout
  systemDueAt: number
  systemEveryMs: number
  /** One round at a time. */
  round: Promise<void> | undefined
}

export interface AgentWatchOptions {
  log: Logger
  /** The facts of this machine have changed. */
  onChange(id: string): void
  /** The agent is there, but makes no sense. Told once until it does again. */
  onTrouble(id: string, text: string): void
  /** A freeze or thaw is under way, or lasts: the agent has more important things to do than to answer us. */
  isFrozen(id: string): boolean
}

/** Keeps an eye on every guest's agent: whether it answers, what it says of the system, whether it is frozen. */
export class AgentWatch {
  readonly #options: AgentWatchOptions
  readonly #watched = new Map<string, Watched>()

  constructor(options: AgentWatchOptions) {
    this.#options = options
  }

  /** Begins to watch a machine's agent, when its socket is there. May be called at every opportunity. */
  follow(machine: Machine): void {
    const { agent, id } = machine
    const known = this.#watched.get(id)
    if (known?.agent === agent) return
    this.drop(id)
    if (!agent) return
    const watched: Watched = {
      machine,
      agent,
      facts: { connected: false },
      stop: agent.onPresence((answering) => this.#presence(id, watched, answering)),
      timer: undefined,
      systemDueAt: 0,
      systemEveryMs: systemFirstMs,
      round: undefined,
    }
    this.#watched.set(id, watched)
    if (agent.answering) this.#presence(id, watched, true)
  }

  facts(id: string): AgentFacts | undefined {
    return this.#watched.get(id)?.facts
  }

  /** What a freeze or thaw has just found out, without waiting for the next round. */
  noteFreeze(id: string, freeze: 'frozen' | 'thawed', { brief = false } = {}): void {
    const watched = this.#watched.get(id)
    if (!watched) return
    clearTimeout(watched.freezeTimer)
    // One that is to be brief is over before anybody could read of it, and the write would make it half as long again:
    // while it lasts, the guest has the first claim on this processor.
    if (freeze === 'frozen' && brief)
      watched.freezeTimer = setTimeout(() => this.#update(id, watched, { freeze }), freezeNoteMs)
    else this.#update(id, watched, { freeze })
  }

  drop(id: string): void {
    const watched = this.#watched.get(id)
    if (!watched) return
    this.#watched.delete(id)
    watched.stop()
    clearTimeout(watched.timer)
    clearTimeout(watched.freezeTimer)
  }

  close(): void {
    for (const id of [...this.#watched.keys()]) this.drop(id)
  }

  #presence(id: string, watched: Watched, answering: boolean): void {
    if (this.#watched.get(id) !== watched) return
    clearTimeout(watched.timer)
    if (!answering) {
      // A guest that ended or was reset is not frozen any more, and what it runs next may be another system.
      watched.facts = { connected: false }
      this.#options.onChange(id)
      return
    }
    watched.systemDueAt = 0
    watched.systemEveryMs = systemFirstMs
    this.#update(id, watched, { connected: true })
    this.#schedule(id, watched, 0)
  }

  #schedule(id: string, watched: Watched, inMs: number): void {
    clearTimeout(watched.timer)
    watched.timer = setTimeout(() => {
      watched.round ??= this.#ask(id, watched)
        .catch((error) => this.#failed(id, watched, error))
        .finally(() => {
          watched.round = undefined
          if (this.#watched.get(id) === watched && watched.agent.answering) this.#schedule(id, watched, statusEveryMs)
        })
    }, inMs)
  }

  #failed(id: string, watched: Watched, error: unknown): void {
    const trouble = error instanceof GuestAgentError ? error.desc : describeError(error)
    this.#options.log.debug({ machine: id, error: describeError(error) }, 'guest agent did not answer a round')
    // Paused, frozen or freezing, a guest has every reason to be silent.
    if (watched.machine.state.kind !== 'running' || this.#options.isFrozen(id)) return
    if (this.#watched.get(id) !== watched || !watched.agent.answering) return
    if (watched.facts.trouble === undefined) this.#options.onTrouble(id, trouble)
    watched.systemDueAt = 0
    this.#update(id, watched, { connected: false, trouble })
  }

  async #ask(id: string, watched: Watched): Promise<void> {
    const { agent, machine } = watched
    if (machine.state.kind !== 'running') return
    const freeze = await agent.freezeStatus()
    if (watched.facts.trouble === undefined) this.#update(id, watched, { connected: true, freeze })
    // A frozen agent refuses everything else, and would seem to support nothing.
    if (freeze === 'frozen' || Date.now() < watched.systemDueAt) return
    const info = await agent.info()
    const enabled = new Set(info.commands.filter((command) => command.enabled).map(({ name }) => name))
    const missing = basicCommands.filter((name) => !enabled.has(name))
    const [osInfo, interfaces] = [await agent.osInfo(), await agent.networkInterfaces()]
    const { unsupported: _, trouble: __, ...kept } = watched.facts
    watched.facts = kept
    this.#update(id, watched, {
      connected: true,
      freeze,
      version: info.version,
      commands: info.commands,
      osInfo,
      interfaces,
      ...(missing.length > 0 ? { unsupported: `missing or disabled: ${missing.join(', ')}` } : {}),
    })
    watched.systemDueAt = Date.now() + watched.systemEveryMs
    watched.systemEveryMs = Math.min(watched.systemEveryMs * 2, systemLongestMs)
  }

  #update(id: string, watched: Watched, news: Partial<AgentFacts>): void {
    if (this.#watched.get(id) !== watched) return
    const next = { ...watched.facts, ...news }
    const changed = !isDeepStrictEqual(next, watched.facts)
    watched.facts = next
    if (changed) this.#options.onChange(id)
  }
}
