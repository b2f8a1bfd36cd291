import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { StatusError } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { pino } from 'pino'
import type { Admission } from '../../apiserver/api-server.ts'
import { KubeClient } from '../../kube/client.ts'
import { Informers } from '../../kube/informers.ts'
import type { HttpRequest } from '../../kube/transport.ts'
import type { ControllerContext, RunningController } from '../context.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedApi } from './simulated-api.ts'
import { type Life, SimulatedTransport, type Weather } from './simulated-transport.ts'
import { VirtualTime } from './virtual-time.ts'

const log = pino({ level: process.env.SIMULATION_LOG ?? 'silent' })
const politeMs = 10_000

export type StartControllers = (context: ControllerContext) => RunningController[]

/** How one process ends; the next one starts `downMs` later. */
export interface Death {
  at: { effect: number; when: 'asked' | 'sent' | 'done' } | { ms: number; polite: boolean }
  downMs: number
}

/** Something a user or the world does, some time after the n-th effect of the controllers. */
export interface Deed {
  afterEffects: number
  delayMs: number
  what: string
  run: () => Promise<void> | void
}

/** One life of a small world, decided by its seed: an API, processes that come and go, weather, and a trace of it all. */
export class Simulation {
  readonly random: SeededRandom
  readonly time: VirtualTime
  readonly api: SimulatedApi
  readonly lines: string[] = []
  readonly problems: string[] = []
  readonly #uninstall: () => void
  readonly #processes: Process[] = []
  #deeds: Deed[] = []
  #effects = 0
  #weather: Weather | undefined
  #calmAtMs = 0

  constructor(seed: number, admission: readonly Admission[]) {
    this.random = new SeededRandom(seed)
    this.time = new VirtualTime(this.random.fork())
    this.#uninstall = this.time.install()
    this.api = new SimulatedApi(this.time, admission)
  }

  get client(): KubeClient {
    return this.api.client
  }

  /** Faults may still happen. */
  get rough(): boolean {
    return this.time.elapsedMs < this.#calmAtMs
  }

  get calmAtMs(): number {
    return this.#calmAtMs
  }

  get requests(): number {
    return this.#processes.reduce((sum, { transport }) => sum + transport.requests, 0)
  }

  get writes(): number {
    return this.#processes.reduce((sum, { transport }) => sum + transport.writes, 0)
  }

  setWeather(weather: Weather | undefined, calmAtMs: number): void {
    this.#weather = weather
    this.#calmAtMs = calmAtMs
  }

  readonly weather = (): Weather | undefined => (this.rough ? this.#weather : undefined)

  note(text: string): void {
    this.lines.push(`${(this.time.elapsedMs / 1_000).toFixed(4).padStart(10)}  ${text}`)
  }

  /** Something that must never be has been seen. */
  violated(text: string): void {
    this.note(`VIOLATED ${text}`)
    this.problems.push(text)
  }

  plan(deeds: readonly Deed[]): void {
    this.#deeds = [...deeds]
    this.#release()
  }

  /** Keeps one process of the controllers running; each dies its death, the last one lives. */
  supervise(start: StartControllers, deaths: readonly Death[]): void {
    const [death, ...rest] = deaths
    const process = new Process(this, `p${this.#processes.length + 1}`, death)
    this.#processes.push(process)
    this.note(`${process.name} starts`)
    process.onEnd(() => {
      this.time.as(undefined, () => this.time.after(death?.downMs ?? 1_000, () => this.supervise(start, rest)))
    })
    process.run(start)
  }

  effectHappened(): void {
    this.#effects += 1
    this.#release()
  }

  #release(): void {
    const due = this.#deeds.filter(({ afterEffects }) => afterEffects <= this.#effects)
    this.#deeds = this.#deeds.filter(({ afterEffects }) => afterEffects > this.#effects)
    for (const deed of due) this.#schedule(deed)
  }

  #schedule({ delayMs, what, run }: Deed): void {
    const act = async (): Promise<void> => {
      this.note(`· ${what}`)
      try {
        await run()
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        this.note(`  refused: ${error.message}`)
      }
    }
    this.time.as(undefined, () => this.time.after(delayMs, () => void act().catch((error) => this.broken(error))))
  }

  /** What was still to be done is done now. */
  async finishDeeds(): Promise<void> {
    for (const deed of this.#deeds) this.#schedule(deed)
    this.#deeds = []
  }

  broken(error: unknown): void {
    this.violated(`the simulation itself failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
  }

  run(untilMs: number, over?: () => boolean): Promise<boolean> {
    return this.time.run(untilMs, over)
  }

  close(): void {
    for (const process of this.#processes) process.die('the simulation is over')
    this.#uninstall()
  }
}

class Process implements Life {
  readonly name: string
  readonly owner = {}
  readonly transport: SimulatedTransport
  readonly #simulation: Simulation
  readonly #death: Death | undefined
  #effects = 0
  #onEnd: () => void = () => {}
  dead = false

  constructor(simulation: Simulation, name: string, death: Death | undefined) {
    const { api, time, random, weather } = simulation
    this.name = name
    this.#simulation = simulation
    this.#death = death
    const trace = (text: string): void => simulation.note(`${name} ${text}`)
    this.transport = new SimulatedTransport({ api, time, random: random.fork(), life: this, weather, trace })
  }

  onEnd(listener: () => void): void {
    this.#onEnd = listener
  }

  run(start: StartControllers): void {
    const { time } = this.#simulation
    time.as(this.owner, () => void this.#live(start).catch((error) => this.#simulation.broken(error)))
  }

  async #live(start: StartControllers): Promise<void> {
    const { time } = this.#simulation
    const client = new KubeClient(this.transport)
    const informers = new Informers(client, log)
    const controllers = start({ client, informers, log, now: () => new Date() })
    const at = this.#death?.at
    if (at !== undefined && 'ms' in at)
      time.after(at.ms, () => {
        if (!at.polite) return this.die('is killed')
        this.#simulation.note(`${this.name} is asked to stop`)
        const ends = [...controllers.map((controller) => controller.close()), informers.close()]
        void Promise.race([Promise.all(ends), time.sleep(politeMs)]).then(() => this.die('has stopped'))
      })
    try {
      await informers.start()
    } catch (error) {
      this.die(`gives up: ${error instanceof Error ? error.message : error}`)
    }
  }

  onEffect(when: 'asked' | 'sent' | 'done', request: HttpRequest): void {
    const at = this.#death?.at
    if (when === 'asked') {
      this.#effects += 1
      this.#simulation.effectHappened()
    }
    if (this.#simulation.rough && at !== undefined && 'effect' in at && at.when === when && this.#effects >= at.effect)
      this.die(`dies, ${request.method} ${request.path.replace(/^.*\/namespaces\//, '')} ${when}`)
  }

  die(why: string): void {
    if (this.dead) return
    this.dead = true
    this.#simulation.note(`${this.name} ${why}`)
    this.#simulation.time.forget(this.owner)
    this.#onEnd()
    this.#onEnd = () => {}
  }
}

/** A part of the world that looks at what is, a while after every change of some kinds, and does what is to be done. */
export class Actor {
  readonly #simulation: Simulation
  readonly #step: () => Promise<void>
  readonly #delayMs: () => number
  #dueMs = Number.POSITIVE_INFINITY
  #running = false
  #again = false

  constructor(
    simulation: Simulation,
    {
      kinds,
      delayMs,
      step,
    }: { kinds: readonly ResourceDefinition[]; delayMs: () => number; step: () => Promise<void> },
  ) {
    this.#simulation = simulation
    this.#step = step
    this.#delayMs = delayMs
    const looked = new Set(kinds)
    simulation.api.onCommit((_, definition) => {
      if (looked.has(definition)) this.wake(this.#delayMs())
    })
  }

  wake(delayMs: number): void {
    const { time } = this.#simulation
    const atMs = time.nowMs + delayMs
    if (atMs >= this.#dueMs) return
    this.#dueMs = atMs
    time.as(undefined, () =>
      time.after(delayMs, () => {
        if (this.#dueMs <= time.nowMs) this.#dueMs = Number.POSITIVE_INFINITY
        void this.#run()
      }),
    )
  }

  async #run(): Promise<void> {
    this.#again = this.#running
    if (this.#running) return
    this.#running = true
    try {
      await this.#step()
    } catch (error) {
      // Somebody else was faster: look again.
      if (error instanceof StatusError) this.wake(20)
      else this.#simulation.broken(error)
    } finally {
      this.#running = false
      if (this.#again) this.wake(1)
    }
  }
}

/** The kind and name of an object, for traces. */
export function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.name}`
}
