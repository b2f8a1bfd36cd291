import type { KubeList, KubeObject } from '@stillpoint/api/meta/object-meta'
import { isExpired, StatusError } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { ConnectionError, list, pathOf } from './client.ts'
import { reportStream } from './connection.ts'
import { openWatch } from './watch.ts'
import type { WatchEvent } from './watch-lines.ts'

// loading ─→ ready (first page is there) ⇄ live       forbidden, failed: what the API said; tried again later
// A list in pages, then a watch from its resource version. A watch that ends goes on from the last version seen; when
// that is too old, the list is read again and compared by UID, so that no row repeats or vanishes on the screen.

export interface ListState<T extends KubeObject = KubeObject> {
  status: 'loading' | 'ready' | 'forbidden' | 'failed'
  /** Sorted by namespace and name. An object that did not change keeps its identity. */
  items: readonly T[]
  /** All pages are read. */
  complete: boolean
  /** Why nothing, or nothing more, is known. */
  error?: Error
}

const pageSize = 500
const firstRetryMs = 250
const maxRetryMs = 5_000
/** What is refused may be allowed later, but hardly soon. */
const refusedRetryMs = 30_000
/** A stream that ends sooner than this did not work, whatever it answered. */
const leastStreamMs = 1_000
/** The server speaks at least once a minute (bookmarks); a stream silent for longer is dead. */
const silenceLimitMs = 150_000

export interface Source {
  definition: ResourceDefinition
  namespace?: string | undefined
  fieldSelector?: string | undefined
}

/** The objects of one kind in one namespace (or all), kept up to date while it is open. */
export class ObjectStore<T extends KubeObject = KubeObject> {
  readonly #source: Source
  readonly #byKey = new Map<string, T>()
  readonly #listeners = new Set<() => void>()
  readonly #ending = new AbortController()
  #state: ListState<T> = { status: 'loading', items: [], complete: false }
  #version = ''
  #scheduled = false
  #wake: (() => void) | undefined

  constructor(source: Source) {
    this.#source = source
    addEventListener('online', this.#retryNow)
    document.addEventListener('visibilitychange', this.#retryNow)
    void this.#run()
  }

  get state(): ListState<T> {
    return this.#state
  }

  find(namespace: string | undefined, name: string): T | undefined {
    return this.#byKey.get(`${namespace ?? ''}/${name}`)
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    removeEventListener('online', this.#retryNow)
    document.removeEventListener('visibilitychange', this.#retryNow)
    this.#ending.abort()
    reportStream(this, true)
  }

  readonly #retryNow = (): void => this.#wake?.()

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#ending.signal.aborted) {
      try {
        if (this.#version === '') await this.#list()
        await this.#watch(() => {
          failures = 0
          reportStream(this, true)
        })
      } catch (error) {
        if (this.#ending.signal.aborted) return
        if (isExpired(error)) {
          this.#version = ''
          continue
        }
        failures++
        const refused = this.#fail(error)
        const ms = refused ? refusedRetryMs : Math.min(maxRetryMs, firstRetryMs * 2 ** (failures - 1))
        await this.#pause(ms * (0.75 + Math.random() / 2))
      }
    }
  }

  /** Shows what went wrong, as far as it concerns anybody; whether it was the API's answer. */
  #fail(error: unknown): boolean {
    if (error instanceof StatusError && (error.code === 403 || error.code === 404)) {
      // What is forbidden, or not served here, is an answer and no loss of the connection.
      reportStream(this, true)
      this.#byKey.clear()
      this.#version = ''
      this.#publish({ status: error.code === 403 ? 'forbidden' : 'failed', items: [], complete: false, error })
      return true
    }
    // One break may be a server that restarts a stream; the banner is for what lasts.
    reportStream(this, false)
    const shown = error instanceof Error ? error : new Error(String(error))
    if (this.#state.status !== 'ready') this.#publish({ ...this.#state, status: 'failed', error: shown })
    return false
  }

  async #list(): Promise<void> {
    const { definition, namespace, fieldSelector } = this.#source
    const seen = new Set<string>()
    let next: string | undefined
    let version = ''
    do {
      const query = { limit: String(pageSize), continue: next, fieldSelector }
      const page = (await list(definition, namespace, query, this.#ending.signal)) as KubeList<KubeObject> & {
        items: T[]
      }
      version ||= page.metadata.resourceVersion ?? ''
      for (const item of page.items) {
        const key = keyOf(item)
        seen.add(key)
        const old = this.#byKey.get(key)
        if (old?.metadata.resourceVersion !== item.metadata.resourceVersion || old?.metadata.uid !== item.metadata.uid)
          this.#byKey.set(key, withKind(item, definition))
      }
      next = page.metadata.continue || undefined
      if (next !== undefined) this.#publish({ status: 'ready', items: this.#sorted(), complete: this.#state.complete })
    } while (next !== undefined)
    for (const key of this.#byKey.keys()) if (!seen.has(key)) this.#byKey.delete(key)
    this.#version = version
    this.#publish({ status: 'ready', items: this.#sorted(), complete: true })
  }

  async #watch(works: () => void): Promise<void> {
    const { definition, namespace, fieldSelector } = this.#source
    const ended = new AbortController()
    const signal = AbortSignal.any([this.#ending.signal, ended.signal])
    const query = { allowWatchBookmarks: 'true', resourceVersion: this.#version, fieldSelector }
    let silence: ReturnType<typeof setTimeout> | undefined
    const heard = (): void => {
      clearTimeout(silence)
      silence = setTimeout(() => ended.abort(), silenceLimitMs)
    }
    const began = Date.now()
    try {
      heard()
      const watch = await openWatch(pathOf(definition, { namespace }), query, signal)
      works()
      for await (const events of watch) {
        heard()
        this.#apply(events)
      }
      if (Date.now() - began < leastStreamMs) throw new Error('the watch ended as soon as it began')
    } catch (error) {
      if (error instanceof StatusError || this.#ending.signal.aborted) throw error
      throw new ConnectionError(error)
    } finally {
      clearTimeout(silence)
    }
  }

  #apply(events: readonly WatchEvent[]): void {
    let changed = false
    for (const event of events) {
      if (event.type === 'ERROR') throw new StatusError(event.object)
      const { object } = event
      this.#version = object.metadata.resourceVersion ?? this.#version
      if (event.type === 'BOOKMARK') continue
      changed = true
      if (event.type === 'DELETED') this.#byKey.delete(keyOf(object))
      else this.#byKey.set(keyOf(object), withKind(object as T, this.#source.definition))
    }
    if (!changed || this.#scheduled) return
    // Many events of one moment are one picture.
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#publish({ status: 'ready', items: this.#sorted(), complete: true })
    })
  }

  #sorted(): T[] {
    return [...this.#byKey.entries()].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, item]) => item)
  }

  #publish(state: ListState<T>): void {
    this.#state = state
    for (const listener of this.#listeners) listener()
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#ending.signal.addEventListener('abort', this.#wake, { once: true })
    })
    this.#wake = undefined
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

/** Items of built-in kinds come without their kind, which everything that shows them wants. */
function withKind<T extends KubeObject>(item: T, { group, version, kind }: ResourceDefinition): T {
  return item.kind === undefined ? { ...item, apiVersion: group === '' ? version : `${group}/${version}`, kind } : item
}
