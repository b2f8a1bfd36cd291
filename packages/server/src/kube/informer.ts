import { type KubeObject, keyOf } from '@stillpoint/api/meta/object-meta'
import { isExpired, isNotFound, type Status, StatusError } from '@stillpoint/api/meta/status-error'
import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import { backoffMs, retryMs } from './backoff.ts'
import type { KubeClient, ListOptions } from './client.ts'

export interface Change<T> {
  type: 'added' | 'modified' | 'deleted'
  object: T
  old?: T
}

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: KubeObject
}

export interface InformerOptions<R extends ResourceDefinition> {
  client: KubeClient
  definition: R
  select?: ListOptions
  log: Logger
}

const pageSize = 500
const watchSeconds = 290
const graceSeconds = 30
/** A watch that lived so long was no failure. */
const steadyMs = 1_000
/** Servers and what is before them end watches as they like; that is no reason to be blind for long. */
const longestShortMs = 1_000

/**
 * A local copy of one resource, kept current by list and watch, that calls its listeners on every change.
 * Objects in it are shared: treat them as read-only.
 */
export class Informer<R extends ResourceDefinition> {
  readonly #options: InformerOptions<R>
  readonly #objects = new Map<string, ObjectOf<R>>()
  readonly #indexes = new Map<string, Index<ObjectOf<R>>>()
  readonly #listeners: ((change: Change<ObjectOf<R>>) => void)[] = []
  readonly #stop = new AbortController()
  readonly #synced = Promise.withResolvers<void>()
  #seenVersion = 0n
  #held: Change<ObjectOf<R>>[] | undefined
  #running: Promise<void> | undefined
  #trouble: unknown
  /** Up to where the copy is complete; undefined: to be listed. */
  #version: string | undefined

  constructor(options: InformerOptions<R>) {
    this.#options = options
  }

  /** A named lookup, from an object to the values it is found under. To be added before `start`. */
  addIndex(name: string, valuesOf: (object: ObjectOf<R>) => readonly string[]): void {
    if (this.#running) throw new Error(`index '${name}' of ${this.#options.definition.plural} added after start`)
    this.#indexes.set(name, { valuesOf, keys: new Map() })
  }

  /** Begins to list and watch; resolves when the first list is in. With `hold`, listeners hear nothing before `release`. */
  async start({ hold = false } = {}): Promise<void> {
    if (hold && this.#running === undefined) this.#held = []
    this.#running ??= this.#run()
    await this.#synced.promise
  }

  /** Tells the listeners what was held back, and from now on everything at once. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const change of held) this.#tell(change)
  }

  onChange(listener: (change: Change<ObjectOf<R>>) => void): void {
    this.#listeners.push(listener)
  }

  get(key: string): ObjectOf<R> | undefined {
    return this.#objects.get(key)
  }

  list(): ObjectOf<R>[] {
    return [...this.#objects.values()]
  }

  byIndex(index: string, value: string): ObjectOf<R>[] {
    const found = this.#indexes.get(index)
    if (!found) throw new Error(`informer of ${this.#options.definition.plural} has no index '${index}'`)
    return [...(found.keys.get(value) ?? [])].flatMap((key) => this.#objects.get(key) ?? [])
  }

  /**
   * Puts the answer to our own write into the copy before its event comes back, so that the next pass does not
   * decide on what it has just changed. Older than what the watch has shown: ignored.
   */
  note(object: ObjectOf<R>): void {
    if (versionOf(object) > this.#seenVersion) this.#apply('MODIFIED', object)
  }

  /** Why there is no list yet; undefined when there is one. */
  get trouble(): unknown {
    return this.#trouble
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      let trouble: unknown
      let livedMs = 0
      try {
        if (this.#version === undefined) await this.#relist()
        this.#trouble = undefined
        this.#synced.resolve()
        const began = performance.now()
        await this.#watch().finally(() => {
          livedMs = performance.now() - began
        })
      } catch (error) {
        trouble = error
      }
      // What ends at once would otherwise be begun again at once, for ever.
      failures = livedMs >= steadyMs ? 0 : failures + 1
      if (this.#stop.signal.aborted) break
      const waitMs = this.#judge(trouble, failures)
      if (waitMs > 0) await delay(waitMs, this.#stop.signal)
    }
    this.#synced.resolve()
  }

  /** Why a watch ended, and how long to wait before the next. */
  #judge(trouble: unknown, failures: number): number {
    const { plural: resource } = this.#options.definition
    const { log } = this.#options
    if (trouble === undefined || isExpired(trouble)) {
      if (trouble !== undefined) {
        this.#version = undefined
        log.debug({ resource }, 'watch expired, listing again')
      }
      return failures === 0 ? 0 : Math.min(backoffMs(failures), longestShortMs)
    }
    this.#trouble = trouble
    // A server that refuses may have lost our version, with its data or by a restart; one that is only busy has not.
    if (trouble instanceof StatusError && trouble.code !== 429) this.#version = undefined
    // A cluster need not have every kind we look at. One it does not serve has no objects; it may come later.
    if (isNotFound(trouble)) this.#synced.resolve()
    const waitMs = retryMs(Math.max(failures, 1), trouble)
    log.warn({ resource, error: describeFailure(trouble), waitMs }, 'watch failed, will retry')
    return waitMs
  }

  async #relist(): Promise<void> {
    const { client, definition, select } = this.#options
    const present = new Set<string>()
    let version: string | undefined
    let next: string | undefined
    do {
      // In pages: nobody has to hold ten thousands of objects as one text.
      const page = { ...select, limit: pageSize, ...(next ? { continue: next } : {}) }
      const list = await client.list(definition, page)
      version ??= list.metadata.resourceVersion
      next = list.metadata.continue
      for (const object of list.items) {
        present.add(keyOf(object))
        this.#apply('MODIFIED', object)
      }
    } while (next)
    version ??= '0'
    // What we wrote ourselves while the list was on its way is newer than it, and not gone.
    for (const [key, object] of this.#objects)
      if (!present.has(key) && versionOf(object) <= BigInt(version)) this.#apply('DELETED', object)
    this.#seen(BigInt(version))
    this.#version = version
  }

  async #watch(): Promise<void> {
    const { client, definition, select } = this.#options
    // A connection that is dead and does not know it would never end by itself.
    const silence = AbortSignal.timeout((watchSeconds + graceSeconds) * 1_000)
    const lines = client.watchLines(definition, {
      ...select,
      resourceVersion: this.#version ?? '0',
      timeoutSeconds: watchSeconds,
      signal: AbortSignal.any([this.#stop.signal, silence]),
    })
    for await (const line of lines) {
      const event = JSON.parse(line) as WatchEvent
      if (event.type === 'ERROR') throw new StatusError(event.object as unknown as Status)
      // Kept event by event: a watch that breaks is resumed where it broke, not where it began.
      this.#version = event.object.metadata.resourceVersion ?? this.#version
      this.#seen(BigInt(this.#version ?? '0'))
      if (event.type !== 'BOOKMARK') this.#apply(event.type, event.object as ObjectOf<R>)
    }
  }

  #seen(version: bigint): void {
    if (version > this.#seenVersion) this.#seenVersion = version
  }

  #apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: ObjectOf<R>): void {
    const key = keyOf(object)
    const old = this.#objects.get(key)
    if (old !== undefined && type !== 'DELETED' && versionOf(object) <= versionOf(old)) return
    // A deletion of an earlier object of that name says nothing of this one.
    if (type === 'DELETED' && (old === undefined || versionOf(object) < versionOf(old))) return
    if (old !== undefined) this.#index(key, old, 'delete')
    if (type === 'DELETED') this.#objects.delete(key)
    else {
      this.#objects.set(key, object)
      this.#index(key, object, 'add')
    }
    const change: Change<ObjectOf<R>> = {
      type: type === 'DELETED' ? 'deleted' : old === undefined ? 'added' : 'modified',
      object,
      ...(old === undefined ? {} : { old }),
    }
    if (this.#held) this.#held.push(change)
    else this.#tell(change)
  }

  #tell(change: Change<ObjectOf<R>>): void {
    for (const listener of this.#listeners) listener(change)
  }

  #index(key: string, object: ObjectOf<R>, action: 'add' | 'delete'): void {
    for (const { valuesOf, keys: byValue } of this.#indexes.values()) {
      for (const value of valuesOf(object)) {
        const keys = byValue.get(value) ?? new Set<string>()
        keys[action](key)
        if (keys.size === 0) byValue.delete(value)
        else byValue.set(value, keys)
      }
    }
  }
}

interface Index<T> {
  valuesOf: (object: T) => readonly string[]
  keys: Map<string, Set<string>>
}

function versionOf(object: KubeObject): bigint {
  return BigInt(object.metadata.resourceVersion ?? '0')
}

function describeFailure(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return error instanceof Error ? error.message + cause : String(error)
}

/** Waits, or returns at once when `signal` aborts. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
