import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { Event } from '@stillpoint/api/core/event'
import { Namespace } from '@stillpoint/api/core/namespace'
import { kinds } from '@stillpoint/api/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import { type Logger, pino } from 'pino'
import {
  type ApiServer,
  type ApiServerOptions,
  type SubresourceHandler,
  startApiServer,
} from '../../apiserver/api-server.ts'
import { KubeClient, type Ref } from '../../kube/client.ts'
import { delay } from '../../kube/informer.ts'
import { Informers } from '../../kube/informers.ts'
import { type HttpRequest, Transport } from '../../kube/transport.ts'
import type { ControllerContext, RunningController } from '../context.ts'

/** Without a write for so long, a process has nothing more to do for now. */
const quietMs = 200

/** A connection that can be cut off for good after a number of writes, as by a crash of its process. */
class MortalTransport extends Transport {
  readonly writes: string[] = []
  readonly #death = new AbortController()
  readonly #writesLeft: number
  #lastMs = performance.now()

  constructor(connection: ConstructorParameters<typeof Transport>[0], writesLeft: number) {
    super(connection)
    this.#writesLeft = writesLeft
  }

  async quiet(forMs = quietMs): Promise<void> {
    while (!this.dead && performance.now() - this.#lastMs < forMs) {
      await delay(quietMs / 4, this.#death.signal)
    }
  }

  die(): void {
    this.#death.abort()
  }

  get dead(): boolean {
    return this.#death.signal.aborted
  }

  /** Resolves when it dies. */
  get death(): Promise<void> {
    if (this.dead) return Promise.resolve()
    return new Promise((resolve) => this.#death.signal.addEventListener('abort', () => resolve(), { once: true }))
  }

  override async request(options: HttpRequest): Promise<unknown> {
    if (this.dead) return await new Promise(() => {})
    const isEvent = options.path.endsWith('/events') || options.path.includes('/events/')
    if (options.method !== 'GET' && !isEvent) {
      this.writes.push(`${options.method} ${options.path}`)
      this.#lastMs = performance.now()
      if (this.writes.length > this.#writesLeft) return await new Promise(() => {})
    }
    const isLast = options.method !== 'GET' && !isEvent && this.writes.length >= this.#writesLeft
    try {
      return await super.request(options)
    } finally {
      // The effect has happened, or was refused; its author never learns of it.
      if (isLast) {
        this.#death.abort()
        await new Promise(() => {})
      }
    }
  }

  override lines(options: HttpRequest): AsyncGenerator<string> {
    const signal = options.signal ? AbortSignal.any([options.signal, this.#death.signal]) : this.#death.signal
    return super.lines({ ...options, signal })
  }
}

export interface Process {
  context: ControllerContext
  /** Writes sent so far, events not counted. */
  writes: readonly string[]
  readonly dead: boolean
  /** Resolves when it is dead, or has written nothing for a while; longer than its rechecks, if that matters. */
  quiet(forMs?: number): Promise<void>
  /** From here on nothing it does has an effect. */
  crash(): void
  /** Ends it politely, or drops what is left of one that has crashed. */
  stop(): Promise<void>
}

/** One API server, and processes of controllers that come and go. */
export interface Bench {
  api: ApiServer
  client: KubeClient
  subresources: Map<string, SubresourceHandler>
  run(
    start: (context: ControllerContext) => RunningController[],
    options?: { writes?: number; now?: () => Date; through?: Pick<ApiServer, 'url' | 'ca'> },
  ): Promise<Process>
  /** Waits until `holds` gives something for the object, and returns that; fails after a limit with the last seen. */
  until<R extends ResourceDefinition, T>(
    definition: R,
    ref: Ref,
    holds: (object: ObjectOf<R> | undefined) => T | undefined | false,
    limitMs?: number,
  ): Promise<T>
  /** Waits until `holds` is true of some object of the namespace. */
  untilAny<R extends ResourceDefinition>(
    definition: R,
    namespace: string,
    holds: (object: ObjectOf<R>) => true | undefined,
    limitMs?: number,
  ): Promise<true>
  close(): Promise<void>
}

export async function startBench(options: Partial<ApiServerOptions> = {}): Promise<Bench> {
  const log = pino({ level: process.env.BENCH_LOG ?? 'silent' })
  const dataDir = await mkdtemp(join(tmpdir(), 'stillpoint-bench-'))
  const subresources = new Map<string, SubresourceHandler>()
  const resources = [...new Set([...kinds, Namespace, Event, ControllerRevision])]
  const api = await startApiServer({
    dataDir,
    listen: { host: '127.0.0.1', port: 0 },
    resources,
    subresources,
    log,
    ...options,
  })
  const connection = {
    server: api.url,
    ca: api.ca,
    authorize: () => ({ authorization: `Bearer ${api.controllerToken}` }),
  }
  const own = new Transport(connection)
  const client = new KubeClient(own)
  const watched = new Informers(client, log)
  const processes: Process[] = []
  await Promise.all([...new Set(resources)].map((definition) => watched.of(definition).start()))
  return {
    api,
    client,
    subresources,
    async run(start, { writes = Number.POSITIVE_INFINITY, now = () => new Date(), through = api } = {}) {
      const reached = { ...connection, server: through.url, ca: through.ca }
      const running = await runProcess(start, { transport: new MortalTransport(reached, writes), log, now })
      processes.push(running)
      return running
    },
    until(definition, ref, holds, limitMs = 10_000) {
      return waitFor(watched, definition, ref, holds, limitMs)
    },
    untilAny(definition, namespace, holds, limitMs = 10_000) {
      const any = () =>
        watched
          .of(definition)
          .list()
          .some((object) => object.metadata.namespace === namespace && holds(object) === true) || undefined
      return waitFor(watched, definition, { namespace, name: '*' }, any, limitMs)
    },
    async close() {
      await Promise.all(processes.map((running) => running.stop()))
      await watched.close()
      own.close()
      await api.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function runProcess(
  start: (context: ControllerContext) => RunningController[],
  { transport, log, now }: { transport: MortalTransport; log: Logger; now: () => Date },
): Promise<Process> {
  const client = new KubeClient(transport)
  const informers = new Informers(client, log)
  const context = { client, informers, log, now }
  const controllers = start(context)
  await informers.start()
  let stopped = false
  return {
    context,
    writes: transport.writes,
    get dead() {
      return transport.dead
    },
    quiet: (forMs) => transport.quiet(forMs),
    crash: () => transport.die(),
    async stop() {
      if (stopped) return
      stopped = true
      const ends = [...controllers.map((controller) => controller.close()), informers.close()]
      // A dead one never hears an answer: there is nothing to wait for. It may die of its last write just now.
      await Promise.race([Promise.all(ends), transport.death])
      transport.close()
    },
  }
}

async function waitFor<R extends ResourceDefinition, T>(
  informers: Informers,
  definition: R,
  ref: Ref,
  holds: (object: ObjectOf<R> | undefined) => T | undefined | false,
  limitMs: number,
): Promise<T> {
  const informer = informers.of(definition)
  const key = ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  let settled = false
  const look = (): void => {
    if (settled) return
    try {
      const found = holds(informer.get(key))
      if (found === undefined || found === false) return
      settled = true
      resolve(found)
    } catch (error) {
      settled = true
      reject(error)
    }
  }
  informer.onChange(({ object }) => {
    if (ref.name === '*' || object.metadata.name === ref.name) look()
  })
  look()
  const timer = setTimeout(() => {
    settled = true
    const seen = informer.get(key) as (KubeObject & { status?: unknown }) | undefined
    reject(
      new Error(`${definition.kind} ${key} not as expected after ${limitMs} ms: ${JSON.stringify(seen, undefined, 1)}`),
    )
  }, limitMs)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}
