import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { deepFreeze } from '../json.ts'
import type { Change, Store, StoredRow } from '../store/store.ts'

/** One change of one object. A DELETED object is its last state with the resourceVersion of the deletion. */
export interface CacheEvent {
  revision: number
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: KubeObject
  previous: KubeObject | undefined
}

type Listener = (event: CacheEvent) => void

interface Collection {
  definition: ResourceDefinition
  objects: Map<string, KubeObject>
  /** Keys in order; undefined after a creation or deletion, until the next list. */
  order: string[] | undefined
  listeners: Set<Listener>
  /** The newest events, for watches that start a moment after their list. */
  recent: CacheEvent[]
  /** `recent` holds every event after this revision. */
  recentFrom: number
  lastChange: number
}

/** Few, since each holds a whole object; the store knows the rest. */
const recentEvents = 250

/** The name of a resource in the store and in indexes: `snapshot.kubevirt.io/virtualmachinesnapshots`, `/configmaps`. */
export function resourceKey({ group, plural }: { group: string; plural: string }): string {
  return `${group}/${plural}`
}

/** The key of an object under its resource: `namespace/name`, or `name` where there is no namespace. */
export function objectKey(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

/**
 * All objects in memory, parsed once, frozen and shared. It is updated in the commit path of the store, before the
 * writer is answered, so it is never stale and serves every read.
 */
export class WatchCache {
  readonly #store: Store
  readonly #collections = new Map<string, Collection>()
  readonly #everything = new Set<(event: CacheEvent, definition: ResourceDefinition) => void>()

  constructor(store: Store, resources: readonly ResourceDefinition[]) {
    this.#store = store
    for (const definition of resources)
      this.#collections.set(resourceKey(definition), {
        definition,
        objects: new Map(),
        order: undefined,
        listeners: new Set(),
        recent: [],
        recentFrom: store.revision,
        lastChange: store.revision,
      })
    for (const row of store.all()) {
      const { resource, object } = splitKey(row.key)
      this.#collections.get(resource)?.objects.set(object, decode(row))
    }
    store.onCommit((change) => this.#commit(change))
  }

  get revision(): number {
    return this.#store.revision
  }

  serves(resource: string): boolean {
    return this.#collections.has(resource)
  }

  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#collections.get(resource)?.objects.get(objectKey(namespace, name))
  }

  /** The objects of a resource, of one namespace if given, in key order. */
  list(resource: string, namespace?: string): KubeObject[] {
    const collection = this.#collections.get(resource)
    if (!collection) return []
    collection.order ??= [...collection.objects.keys()].sort()
    const { order, objects } = collection
    const found: KubeObject[] = []
    const prefix = namespace === undefined ? '' : `${namespace}/`
    for (let index = lowerBound(order, prefix); index < order.length; index++) {
      const key = order[index] ?? ''
      if (!key.startsWith(prefix)) break
      const object = objects.get(key)
      if (object) found.push(object)
    }
    return found
  }

  /**
   * As `list`, but at a past revision. Of a page only as many objects as asked for have to be read, and no more than
   * those may be given. Throws Compacted.
   */
  listAt(
    resource: string,
    namespace: string | undefined,
    revision: number,
    page?: { from: string; count: number },
  ): KubeObject[] {
    const collection = this.#collections.get(resource)
    if (!collection) return []
    if (revision >= collection.lastChange && revision >= this.#store.compactedRevision)
      return this.list(resource, namespace)
    const rows = this.#store.at(
      prefixOf(resource, namespace),
      revision,
      page && { from: `${resource}/${page.from}`, count: page.count },
    )
    return rows.map((row) => decode(row))
  }

  /** The events of a resource after a revision, in order. Throws Compacted. */
  since(resource: string, namespace: string | undefined, revision: number): CacheEvent[] {
    const collection = this.#collections.get(resource)
    if (!collection) return []
    if (revision >= collection.lastChange && revision >= this.#store.compactedRevision) return []
    if (revision < collection.recentFrom || revision < this.#store.compactedRevision)
      return this.#store.since(prefixOf(resource, namespace), revision).map((change) => eventOf(change))
    return collection.recent.filter(
      (event) =>
        event.revision > revision && (namespace === undefined || event.object.metadata.namespace === namespace),
    )
  }

  /** Calls the listener for each commit to a resource from now on; returns how to stop it. */
  subscribe(resource: string, listener: Listener): () => void {
    const listeners = this.#collections.get(resource)?.listeners
    listeners?.add(listener)
    return () => listeners?.delete(listener)
  }

  /** As `subscribe`, for all resources. */
  subscribeAll(listener: (event: CacheEvent, definition: ResourceDefinition) => void): () => void {
    this.#everything.add(listener)
    return () => this.#everything.delete(listener)
  }

  #commit(change: Change): void {
    const { resource, object: key } = splitKey(change.key)
    const collection = this.#collections.get(resource)
    if (!collection) return
    const previous = collection.objects.get(key)
    const event = eventOf(change, previous)
    if (event.type === 'DELETED') collection.objects.delete(key)
    else collection.objects.set(key, event.object)
    if (event.type !== 'MODIFIED') collection.order = undefined
    collection.lastChange = change.revision
    collection.recent.push(event)
    if (collection.recent.length > 2 * recentEvents) {
      const dropped = collection.recent.splice(0, recentEvents)
      collection.recentFrom = dropped.at(-1)?.revision ?? collection.recentFrom
    }
    for (const listener of collection.listeners) listener(event)
    for (const listener of this.#everything) listener(event, collection.definition)
  }
}

function decode({ value, revision }: Pick<StoredRow, 'value' | 'revision'>): KubeObject {
  const object = JSON.parse(value) as KubeObject
  object.metadata.resourceVersion = String(revision)
  return deepFreeze(object)
}

function eventOf({ revision, value, previous }: Change, cached?: KubeObject): CacheEvent {
  const before = cached ?? (previous && decode(previous))
  if (value !== undefined)
    return { revision, type: before ? 'MODIFIED' : 'ADDED', object: decode({ value, revision }), previous: before }
  if (!before) throw new Error(`revision ${revision} deletes an object that never was`)
  const object = deepFreeze({ ...before, metadata: { ...before.metadata, resourceVersion: String(revision) } })
  return { revision, type: 'DELETED', object, previous: before }
}

function prefixOf(resource: string, namespace: string | undefined): string {
  return namespace === undefined ? `${resource}/` : `${resource}/${namespace}/`
}

function splitKey(key: string): { resource: string; object: string } {
  const end = key.indexOf('/', key.indexOf('/') + 1)
  return { resource: key.slice(0, end), object: key.slice(end + 1) }
}

function lowerBound(sorted: readonly string[], target: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') < target) low = middle + 1
    else high = middle
  }
  return low
}
