import { type KubeObject, keyOf } from '@stillpoint/api/meta/object-meta'
import { isExpired, isNotFound, type Status, StatusError } from '@stillpoint/api/meta/status-error'
import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import { backoffMs } from './backoff.ts'
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

const watchSeconds = 290

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
    const { definition, log } = this.#options
    let version: string | undefined
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      try {
        version ??= await this.#relist()
        this.#trouble = undefined
        this.#synced.resolve()
        version = await this.#watch(version)
        failures = 0
      } catch (error) {
        if (this.#stop.signal.aborted) break
        if (isExpired(error)) {
          version = undefined
          log.debug({ resource: definition.plural }, 'watch expired, listing again')
          continue
        }
        failures += 1
        const waitMs = backoffMs(failures)
        this.#trouble = error
        if (isNotFound(error)) {
          // A cluster need not have every kind we look at. One it does not serve has no objects; it may come later.
          version = undefined
          this.#synced.resolve()
        }
        log.warn({ resource: definition.plural, error: describeFailure(error), waitMs }, 'watch failed, will retry')
        await delay(waitMs, this.#stop.signal)
      }
    }
    this.#synced.resolve()
  }

  async #relist(): Promise<string> {
    const { client, definition, select } = this.#options
    const list = await client.list(definition, select)
    const present = new Set(list.items.map(keyOf))
    for (const [key, object] of this.#objects) if (!present.has(key)) this.#apply('DELETED', object)
    for (const object of list.items) this.#apply('MODIFIED', object)
    const version = list.metadata.resourceVersion ?? '0'
    this.#seen(BigInt(version))
    return version
  }

  async #watch(from: string): Promise<string> {
    const { client, definition, select } = this.#options
    let version = from
    const lines = client.watchLines(definition, {
      ...select,
      resourceVersion: from,
      timeoutSeconds: watchSeconds,
      signal: this.#stop.signal,
    })
    for await (const line of lines) {
      const event = JSON.parse(line) as WatchEvent
      if (event.type === 'ERROR') throw new StatusError(event.object as unknown as Status)
      version = event.object.metadata.resourceVersion ?? version
      this.#seen(BigInt(version))
      if (event.type !== 'BOOKMARK') this.#apply(event.type, event.object as ObjectOf<R>)
    }
    return version
  }

  #seen(version: bigint): void {
    if (version > this.#seenVersion) this.#seenVersion = version
  }

  #apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: ObjectOf<R>): void {
    const key = keyOf(object)
    const old = this.#objects.get(key)
    if (old !== undefined && type !== 'DELETED' && versionOf(object) <= versionOf(old)) return
    if (type === 'DELETED' && old === undefined) return
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
