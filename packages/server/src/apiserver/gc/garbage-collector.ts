import type { KubeObject, ObjectMeta, OwnerReference } from '@stillpoint/api/meta/object-meta'
import { isConflict, isNotFound } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import { internalCall } from '../bootstrap.ts'
import type { PropagationPolicy } from '../registry/call.ts'
import type { Registry } from '../registry/registry.ts'
import { resourceKey, type WatchCache } from '../watch/watch-cache.ts'
import { type Located, OwnerGraph } from './owner-graph.ts'
import { WorkQueue } from './work-queue.ts'

const orphan = 'orphan'
const foreground = 'foregroundDeletion'

export type OwnerState = 'solid' | 'dangling' | 'waiting'

export type Collection =
  | { do: 'keep' }
  /** Some owner is alive: forget the ones that are not. */
  | { do: 'strip'; uids: string[] }
  | { do: 'delete'; policy: PropagationPolicy; unblock: boolean }

/** Decides what becomes of an object with owners. Pure; `states` has the state of each owner by uid. */
export function planCollection(
  { deletionTimestamp, finalizers = [], ownerReferences = [] }: ObjectMeta,
  states: ReadonlyMap<string, OwnerState>,
  dependents: { any: boolean; waiting: boolean },
): Collection {
  if (ownerReferences.length === 0 || deletionTimestamp !== undefined) return { do: 'keep' }
  const having = (state: OwnerState) =>
    ownerReferences.filter(({ uid }) => states.get(uid) === state).map(({ uid }) => uid)
  const gone = [...having('dangling'), ...having('waiting')]
  if (having('solid').length > 0) return gone.length > 0 ? { do: 'strip', uids: gone } : { do: 'keep' }
  // A dependent that waits for this object while this object's owner waits for it: a circle, which must not block.
  if (having('waiting').length > 0 && dependents.any)
    return { do: 'delete', policy: 'Foreground', unblock: dependents.waiting }
  if (finalizers.includes(orphan)) return { do: 'delete', policy: 'Orphan', unblock: false }
  return { do: 'delete', policy: finalizers.includes(foreground) ? 'Foreground' : 'Background', unblock: false }
}

/** Deletes what has lost its owners, and lets owners go that wait for their dependents. */
export class GarbageCollector {
  readonly #cache: WatchCache
  readonly #registry: Registry
  readonly #kinds: ReadonlyMap<string, ResourceDefinition>
  readonly #graph = new OwnerGraph()
  readonly #queue: WorkQueue
  readonly #unsubscribe: () => void

  constructor(options: {
    cache: WatchCache
    registry: Registry
    resources: readonly ResourceDefinition[]
    log: Logger
  }) {
    const { cache, registry, resources, log } = options
    this.#cache = cache
    this.#registry = registry
    this.#kinds = new Map(resources.map((definition) => [`${definition.group}/${definition.kind}`, definition]))
    this.#queue = new WorkQueue((uid) => this.#examine(uid), log.child({ controller: 'garbage-collector' }))
    for (const definition of resources)
      for (const object of cache.list(resourceKey(definition))) this.#graph.put(object, definition)
    for (const definition of resources)
      for (const object of cache.list(resourceKey(definition))) this.#enqueueIfConcerned(object)
    this.#unsubscribe = cache.subscribeAll(({ type, object, previous }, definition) => {
      const { uid } = object.metadata
      if (uid === undefined) return
      const owners = this.#graph.ownersOf(uid)
      if (type === 'DELETED') this.#graph.remove(uid)
      else this.#graph.put(object, definition)
      // An owner may have waited for exactly this change.
      for (const owner of owners) if (isWaiting(this.#find(owner))) this.#queue.add(owner)
      if (type === 'DELETED' || (isWaiting(object) && !isWaiting(previous)))
        for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(dependent)
      if (type !== 'DELETED') this.#enqueueIfConcerned(object)
    })
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#queue.close()
  }

  #enqueueIfConcerned({ metadata: { uid, ownerReferences, deletionTimestamp, finalizers } }: KubeObject): void {
    if (uid === undefined) return
    const holds = deletionTimestamp !== undefined && (finalizers?.includes(orphan) || finalizers?.includes(foreground))
    if (holds || (ownerReferences && ownerReferences.length > 0)) this.#queue.add(uid)
  }

  async #examine(uid: string): Promise<void> {
    const located = this.#graph.locate(uid)
    const object = this.#find(uid)
    if (!located || !object) return
    try {
      const { deletionTimestamp, finalizers } = object.metadata
      if (deletionTimestamp !== undefined && finalizers?.includes(orphan))
        return await this.#orphanDependents(object, located)
      if (deletionTimestamp !== undefined && finalizers?.includes(foreground))
        return await this.#awaitDependents(object, located)
      await this.#collect(object, located)
    } catch (error) {
      // Somebody else was faster; what they did comes back as an event.
      if (!isNotFound(error) && !isConflict(error)) throw error
      if (isConflict(error)) this.#queue.add(uid)
    }
  }

  async #collect(object: KubeObject, located: Located): Promise<void> {
    const { uid = '', ownerReferences = [] } = object.metadata
    const states = new Map(ownerReferences.map((owner) => [owner.uid, this.#stateOf(owner, located)]))
    const dependents = this.#graph.dependentsOf(uid)
    const plan = planCollection(object.metadata, states, {
      any: dependents.length > 0,
      waiting: dependents.some((dependent) => isWaiting(this.#find(dependent))),
    })
    switch (plan.do) {
      case 'keep':
        return
      case 'strip':
        return this.#changeOwners(located, uid, (owners) => owners.filter((owner) => !plan.uids.includes(owner.uid)))
      case 'delete':
        if (plan.unblock)
          await this.#changeOwners(located, uid, (owners) =>
            owners.map((owner) => ({ ...owner, blockOwnerDeletion: false })),
          )
        await this.#registry.delete(this.#callFor(located), located.name, {
          propagationPolicy: plan.policy,
          preconditions: { uid },
        })
        return
      default:
        plan satisfies never
    }
  }

  // Absence is read from the cache, which is the committed state itself and never behind it.
  #stateOf({ apiVersion, kind, name, uid }: OwnerReference, dependent: Located): OwnerState {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
    const definition = this.#kinds.get(`${group}/${kind}`)
    // A kind we do not serve may be alive elsewhere, and a cluster-wide object cannot be owned from a namespace.
    if (!definition || (definition.scope === 'Namespaced' && dependent.namespace === undefined)) return 'solid'
    const namespace = definition.scope === 'Namespaced' ? dependent.namespace : undefined
    const owner = this.#cache.get(resourceKey(definition), namespace, name)
    if (owner?.metadata.uid !== uid) return 'dangling'
    return isWaiting(owner) ? 'waiting' : 'solid'
  }

  async #awaitDependents(object: KubeObject, located: Located): Promise<void> {
    const { uid = '' } = object.metadata
    const dependents = this.#graph.dependentsOf(uid)
    const blocking = dependents.filter((dependent) =>
      this.#find(dependent)?.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion),
    )
    for (const dependent of dependents)
      if (!this.#find(dependent)?.metadata.deletionTimestamp) this.#queue.add(dependent)
    if (blocking.length === 0) await this.#removeFinalizer(located, uid, foreground)
  }

  async #orphanDependents(object: KubeObject, located: Located): Promise<void> {
    const { uid = '' } = object.metadata
    for (const dependent of this.#graph.dependentsOf(uid)) {
      const at = this.#graph.locate(dependent)
      if (at) await this.#changeOwners(at, dependent, (owners) => owners.filter((owner) => owner.uid !== uid))
    }
    await this.#removeFinalizer(located, uid, orphan)
  }

  #changeOwners(located: Located, uid: string, change: (owners: OwnerReference[]) => OwnerReference[]): Promise<void> {
    return this.#change(located, uid, ({ ownerReferences = [] }) => ({ ownerReferences: change(ownerReferences) }))
  }

  #removeFinalizer(located: Located, uid: string, finalizer: string): Promise<void> {
    return this.#change(located, uid, ({ finalizers = [] }) => ({
      finalizers: finalizers.filter((item) => item !== finalizer),
    }))
  }

  async #change(located: Located, uid: string, change: (metadata: ObjectMeta) => Partial<ObjectMeta>): Promise<void> {
    try {
      await this.#registry.update(this.#callFor(located), located.name, (live) => {
        // Another object may have taken the name; it must not pay for this one.
        if (live.metadata.uid !== uid) return { body: live }
        return { body: { ...live, metadata: { ...live.metadata, ...change(live.metadata) } } }
      })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  #find(uid: string): KubeObject | undefined {
    const located = this.#graph.locate(uid)
    if (!located) return undefined
    const object = this.#cache.get(resourceKey(located.definition), located.namespace, located.name)
    return object?.metadata.uid === uid ? object : undefined
  }

  #callFor({ definition, namespace }: Located) {
    return internalCall(definition, namespace)
  }
}

function isWaiting(object: KubeObject | undefined): boolean {
  const { deletionTimestamp, finalizers } = object?.metadata ?? {}
  return deletionTimestamp !== undefined && (finalizers?.includes(foreground) ?? false)
}
