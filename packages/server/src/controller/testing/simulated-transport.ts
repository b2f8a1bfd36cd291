import { failure } from '@stillpoint/api/meta/status-error'
import { expired } from '../../apiserver/registry/errors.ts'
import { Compacted } from '../../apiserver/store/store.ts'
import type { CacheEvent } from '../../apiserver/watch/watch-cache.ts'
import { type HttpRequest, Transport, TransportError } from '../../kube/transport.ts'
import type { SeededRandom } from './seeded-random.ts'
import { decoded, received, type SimulatedApi, watchLine } from './simulated-api.ts'
import type { VirtualTime } from './virtual-time.ts'

const defaultTimeoutMs = 30_000

/** How a network and a server treat one process. */
export interface Weather {
  /** Share of requests that go wrong. */
  requestFaults: number
  /** Share of events that are held up, and for how long. */
  lateEvents: number
  lateEventMs: number
  /** How long a watch lives on average. */
  watchLifeMs: number
}

export interface Life {
  /** Called before and after each effect; may kill the process. */
  onEffect(when: 'asked' | 'sent' | 'done', request: HttpRequest): void
  readonly dead: boolean
  /** What belongs to the process, so that it can be forgotten with it. */
  readonly owner: object
}

type Fault = 'conflict' | 'error' | 'error-after' | 'unavailable' | 'lost' | 'lost-after' | 'silent' | 'silent-after'

export interface TransportOptions {
  api: SimulatedApi
  time: VirtualTime
  random: SeededRandom
  life: Life
  /** Now; undefined: fair weather. */
  weather: () => Weather | undefined
  trace: (text: string) => void
}

const never = (): Promise<never> => new Promise(() => {})

/** The connection of one process to the simulated server: slow, faulty and mortal as the seed has it. */
export class SimulatedTransport extends Transport {
  readonly #options: TransportOptions
  /** Requests sent so far. */
  requests = 0
  writes = 0

  constructor(options: TransportOptions) {
    super({ server: 'http://simulated', authorize: () => ({}) })
    this.#options = options
  }

  override async request(options: HttpRequest): Promise<unknown> {
    const { time, random, life, weather } = this.#options
    if (life.dead) return await never()
    const isEffect = options.method !== 'GET' && !isEvent(options)
    if (isEffect) life.onEffect('asked', options)
    if (life.dead) return await never()
    this.requests += 1
    if (options.method !== 'GET') this.writes += 1
    const rough = weather()
    const fault = rough !== undefined && random.chance(rough.requestFaults) ? this.#fault(options) : undefined
    // Once it is on the wire it arrives, whatever becomes of its sender.
    const sent = time.as(undefined, () => this.#deliver(options, fault, isEffect))
    if (isEffect) life.onEffect('sent', options)
    const outcome = await this.#within(options, sent)
    if (life.dead) return await never()
    if ('error' in outcome) throw outcome.error
    return decoded(outcome.text)
  }

  /** The answer once it is back, or its being late. */
  #within(
    options: HttpRequest,
    sent: Promise<{ text: string } | { error: unknown }>,
  ): Promise<{ text: string } | { error: unknown }> {
    const { time } = this.#options
    const { promise, resolve } = Promise.withResolvers<{ text: string } | { error: unknown }>()
    const late = (): void => resolve({ error: new TransportError(options, { cause: new Error('no answer in time') }) })
    const timer = time.after(options.timeoutMs ?? defaultTimeoutMs, late)
    options.signal?.addEventListener('abort', late)
    void sent.then((outcome) => {
      time.cancel(timer)
      resolve(outcome)
    })
    return promise
  }

  async #deliver(
    options: HttpRequest,
    fault: Fault | undefined,
    isEffect: boolean,
  ): Promise<{ text: string } | { error: unknown }> {
    const { api, time, life } = this.#options
    const lost = { error: new TransportError(options, { cause: new Error('connection reset') }) }
    await time.sleep(this.#latencyMs())
    if (fault === 'silent') return await never()
    if (fault === 'lost') return lost
    if (fault === 'unavailable') return { error: failure(503, 'ServiceUnavailable', 'the server is not ready') }
    if (fault === 'error') return { error: failure(500, 'InternalError', 'the simulated server stumbled') }
    if (fault === 'conflict') return { error: failure(409, 'Conflict', 'the object has been modified (simulated)') }
    let outcome: { text: string } | { error: unknown }
    try {
      outcome = { text: await api.answer(options) }
    } catch (error) {
      outcome = { error: received(error) }
    }
    if (isEffect) {
      this.#tell(options, outcome)
      if (!life.dead) life.onEffect('done', options)
    }
    if (fault === 'silent-after') return await never()
    await time.sleep(this.#latencyMs())
    if (fault === 'lost-after') return lost
    if (fault === 'error-after') return { error: failure(500, 'InternalError', 'etcdserver: request timed out') }
    return outcome
  }

  #tell(options: HttpRequest, outcome: { text: string } | { error: unknown }): void {
    const body = options.body === undefined ? '' : ` ${shortened(JSON.stringify(options.body))}`
    const end = 'error' in outcome ? ` ✗ ${outcome.error instanceof Error ? outcome.error.message : ''}` : ''
    this.#options.trace(`${options.method} ${options.path.replace(/^.*\/namespaces\//, '')}${body}${end}`)
  }

  #fault({ method }: HttpRequest): Fault {
    const { random, trace } = this.#options
    const fault = random.weighted<Fault>([
      [method === 'GET' || method === 'POST' ? 0 : 4, 'conflict'],
      [2, 'error'],
      [method === 'GET' ? 0 : 2, 'error-after'],
      [2, 'unavailable'],
      [2, 'lost'],
      [method === 'GET' ? 0 : 3, 'lost-after'],
      [0.5, 'silent'],
      [method === 'GET' ? 0 : 0.5, 'silent-after'],
    ])
    if (method !== 'GET') trace(`next request of this process: fault ${fault}`)
    return fault
  }

  #latencyMs(): number {
    const { random, weather } = this.#options
    if (weather() === undefined) return random.between(0.3, 2)
    return random.weighted([
      [90, random.between(0.3, 4)],
      [9, random.between(4, 200)],
      [1, random.between(200, 3_000)],
    ])
  }

  override async *lines(options: HttpRequest): AsyncGenerator<string> {
    const { time, random, life, weather } = this.#options
    if (life.dead) await never()
    await time.sleep(this.#latencyMs())
    const rough = weather()
    if (rough !== undefined && random.chance(rough.requestFaults))
      throw new TransportError(options, { cause: new Error('connection refused') })
    const stream = time.as(undefined, () => new WatchStream(this.#options, options))
    options.signal?.addEventListener('abort', () => stream.close())
    try {
      for (;;) {
        const line = await stream.next()
        if (life.dead) await never()
        if (line === undefined) return
        yield line
      }
    } finally {
      stream.close()
    }
  }
}

/** One watch: its events come in order, each in its own time. */
class WatchStream {
  readonly #options: TransportOptions
  readonly #ready: string[] = []
  #arrived = Promise.withResolvers<void>()
  #ended = false
  #lastAtMs = 0
  #stop: () => void = () => {}

  constructor(options: TransportOptions, { path, query }: HttpRequest) {
    this.#options = options
    const { api, time, random, weather } = options
    try {
      this.#stop = api.watch(path, Number(query?.resourceVersion ?? 0), (event) => this.#send(event))
    } catch (error) {
      if (!(error instanceof Compacted)) throw error
      this.#push(JSON.stringify({ type: 'ERROR', object: expired('too old resource version').status }))
    }
    const lifeMs = Math.min(Number(query?.timeoutSeconds ?? 300) * 1_000, random.delayMs(weather()?.watchLifeMs ?? 1e9))
    time.after(lifeMs, () => this.close())
  }

  #send(event: CacheEvent): void {
    const { time, random, weather } = this.#options
    const rough = weather()
    const lateMs = rough !== undefined && random.chance(rough.lateEvents) ? random.delayMs(rough.lateEventMs) : 0
    this.#lastAtMs = Math.max(this.#lastAtMs, time.nowMs + random.between(0.2, 3) + lateMs)
    const line = watchLine(event)
    time.after(this.#lastAtMs - time.nowMs, () => this.#push(line))
  }

  #push(line: string): void {
    if (this.#ended) return
    this.#ready.push(line)
    this.#arrived.resolve()
  }

  async next(): Promise<string | undefined> {
    for (;;) {
      const line = this.#ready.shift()
      if (line !== undefined) return line
      if (this.#ended) return undefined
      this.#arrived = Promise.withResolvers()
      await this.#arrived.promise
    }
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#stop()
    this.#arrived.resolve()
  }
}

function isEvent({ path }: HttpRequest): boolean {
  return path.endsWith('/events') || path.includes('/events/')
}

function shortened(text: string): string {
  return text.length <= 600 ? text : `${text.slice(0, 600)}…`
}
