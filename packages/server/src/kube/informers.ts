import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import type { KubeClient } from './client.ts'
import { Informer } from './informer.ts'

const startLimitMs = 60_000

/** The informers of one process: one watch per resource, shared by all controllers that look at it. */
export class Informers {
  readonly #client: KubeClient
  readonly #log: Logger
  readonly #informers = new Map<ResourceDefinition, Informer<ResourceDefinition>>()

  constructor(client: KubeClient, log: Logger) {
    this.#client = client
    this.#log = log
  }

  /** Ask for all informers, add indexes and listeners, then `start`. */
  of<R extends ResourceDefinition>(definition: R): Informer<R> {
    let informer = this.#informers.get(definition) as Informer<R> | undefined
    if (!informer) {
      informer = new Informer({ client: this.#client, definition, log: this.#log })
      this.#informers.set(definition, informer as unknown as Informer<ResourceDefinition>)
    }
    return informer
  }

  /**
   * Begins all watches; resolves when every first list is in. Listeners hear of nothing before that: a controller
   * woken while half of the world is still missing would take it for gone. Rejects when that takes too long.
   */
  async start(limitMs = startLimitMs): Promise<void> {
    const informers = [...this.#informers.values()]
    const missing = new Map(this.#informers)
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const [first] = [...missing.values()].map(({ trouble }) => trouble)
      const names = [...missing.keys()].map(({ plural }) => plural).join(', ')
      late.reject(new Error(`${names} could not be listed within ${limitMs / 1_000} s`, { cause: first }))
    }, limitMs)
    const lists = [...this.#informers].map(async ([definition, informer]) => {
      await informer.start({ hold: true })
      missing.delete(definition)
    })
    try {
      await Promise.race([Promise.all(lists), late.promise])
    } finally {
      clearTimeout(timer)
    }
    for (const informer of informers) informer.release()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.close()))
  }
}
