import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import { useCallback, useSyncExternalStore } from 'react'
import { type ListState, ObjectStore, type Source } from './object-store.ts'

// One store for each question, shared by all who ask it.

/** How long a store lives on without users: someone who goes back finds everything there. */
const lingerMs = 30_000

interface Entry {
  store: ObjectStore
  users: number
  timer?: ReturnType<typeof setTimeout>
}
const entries = new Map<string, Entry>()
const nothing: ListState = { status: 'ready', items: [], complete: true }

function acquire(key: string, source: Source): Entry {
  const entry = entries.get(key) ?? { store: new ObjectStore(source), users: 0 }
  entries.set(key, entry)
  return entry
}

function keyOf({ definition, namespace = '', fieldSelector = '' }: Source): string {
  return [definition.group, definition.version, definition.plural, namespace, fieldSelector].join('|')
}

/** Uses a store until the answer is called; the last to leave it lets it linger. */
function hold(key: string, entry: Entry, listener: () => void): () => void {
  clearTimeout(entry.timer)
  entry.users++
  const unsubscribe = entry.store.subscribe(listener)
  return () => {
    unsubscribe()
    entry.users--
    if (entry.users > 0) return
    entry.timer = setTimeout(() => {
      entry.store.close()
      if (entries.get(key) === entry) entries.delete(key)
    }, lingerMs)
  }
}

/** Looks at a kind's objects now and whenever they change, outside of what is drawn, until `signal` is aborted. */
export function follow<R extends ResourceDefinition>(
  source: Source & { definition: R },
  look: (list: ListState<ObjectOf<R>>) => void,
  signal: AbortSignal,
): void {
  if (signal.aborted) return
  const key = keyOf(source)
  const entry = acquire(key, source)
  const tell = (): void => look(entry.store.state as ListState<ObjectOf<R>>)
  signal.addEventListener('abort', hold(key, entry, tell), { once: true })
  tell()
}

let forgotten = new AbortController()

/** Aborted when everything is forgotten: the end of what goes on without a page that asked for it. */
export function untilForgotten(): AbortSignal {
  return forgotten.signal
}

/** Forgets everything: another user must not see what the last one could. */
export function forgetObjects(): void {
  forgotten.abort()
  forgotten = new AbortController()
  for (const [key, { store, timer }] of entries) {
    clearTimeout(timer)
    store.close()
    entries.delete(key)
  }
}

interface Reader {
  get: () => ObjectStore | undefined
  subscribe: (listener: () => void) => () => void
}

function useStoreOf(source: Source | undefined): Reader {
  const { definition, namespace = '', fieldSelector = '' } = source ?? {}
  const key = source ? keyOf(source) : ''
  const entryOf = useCallback(
    () =>
      definition
        ? acquire(key, {
            definition,
            namespace: namespace || undefined,
            fieldSelector: fieldSelector || undefined,
          })
        : undefined,
    [key, definition, namespace, fieldSelector],
  )
  const subscribe = useCallback(
    (listener: () => void) => {
      const entry = entryOf()
      return entry ? hold(key, entry, listener) : () => {}
    },
    [key, entryOf],
  )
  return { get: () => entryOf()?.store, subscribe }
}

function useSource<T extends KubeObject>(source: Source | undefined): ListState<T> {
  const { get, subscribe } = useStoreOf(source)
  return useSyncExternalStore(subscribe, () => get()?.state ?? nothing) as ListState<T>
}

/** All objects of a kind in a namespace, or in all of them, live. `undefined` as definition asks nothing. */
export function useObjects<R extends ResourceDefinition>(
  definition: R | undefined,
  namespace?: string,
  fieldSelector?: string,
): ListState<ObjectOf<R>> {
  return useSource<ObjectOf<R>>(definition && { definition, namespace, fieldSelector })
}

export interface ObjectState<T extends KubeObject> {
  status: ListState['status'] | 'gone'
  object?: T
  error?: Error
}

/** One object, live; `gone` when there is none of that name. */
export function useObject<R extends ResourceDefinition>(
  definition: R | undefined,
  namespace: string | undefined,
  name: string,
): ObjectState<ObjectOf<R>> {
  const { status, items, error, complete } = useObjects(definition, namespace, `metadata.name=${name}`)
  const [object] = items
  if (object) return { status, object }
  return { status: status === 'ready' && complete ? 'gone' : status, ...(error ? { error } : {}) }
}

/**
 * One object out of the list of its kind in a namespace (or in all), which is read as a whole and shared: for cells of
 * long tables. Only a change of this object draws its reader again. Undefined while, or when, it is not there.
 */
export function useListed<R extends ResourceDefinition>(
  definition: R,
  listed: string | undefined,
  { namespace, name }: { namespace?: string | undefined; name: string },
): ObjectOf<R> | undefined {
  const { get, subscribe } = useStoreOf({ definition, namespace: listed })
  return useSyncExternalStore(subscribe, () => get()?.find(namespace, name)) as ObjectOf<R> | undefined
}
