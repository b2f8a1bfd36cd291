import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import { internalCall } from '../bootstrap.ts'
import { contentFinalizers } from '../registry/deletion.ts'
import { resourceName } from '../registry/errors.ts'
import type { Registry } from '../registry/registry.ts'
import { resourceKey, type WatchCache } from '../watch/watch-cache.ts'
import { WorkQueue } from './work-queue.ts'

// terminating ─→ everything in it is deleted ─→ (waiting for finalizers of what is left) ─→ `kubernetes` leaves
// spec.finalizers ─→ gone

const finalizer = 'kubernetes'

interface Condition {
  type: string
  status: 'True' | 'False'
  reason: string
  message: string
  lastTransitionTime: string
}

type Namespace = KubeObject & {
  spec?: { finalizers?: string[] }
  status?: { phase?: string; conditions?: Condition[] }
}

/** Empties namespaces that are being deleted and then lets them go. */
export class NamespaceController {
  readonly #cache: WatchCache
  readonly #registry: Registry
  readonly #namespaces: ResourceDefinition
  readonly #namespaced: readonly ResourceDefinition[]
  readonly #now: () => Date
  readonly #queue: WorkQueue
  readonly #unsubscribe: () => void

  constructor(options: {
    cache: WatchCache
    registry: Registry
    namespaces: ResourceDefinition
    resources: readonly ResourceDefinition[]
    log: Logger
    now: () => Date
  }) {
    const { cache, registry, namespaces, resources, log, now } = options
    this.#cache = cache
    this.#registry = registry
    this.#namespaces = namespaces
    this.#namespaced = resources.filter(({ scope }) => scope === 'Namespaced')
    this.#now = now
    this.#queue = new WorkQueue((name) => this.#empty(name), log.child({ controller: 'namespace' }))
    for (const { metadata } of cache.list(resourceKey(namespaces))) this.#enqueue(metadata.name)
    this.#unsubscribe = cache.subscribeAll(({ object }, definition) =>
      this.#enqueue(definition === namespaces ? object.metadata.name : object.metadata.namespace),
    )
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#queue.close()
  }

  #enqueue(name: string | undefined): void {
    if (name !== undefined && this.#terminating(name)) this.#queue.add(name)
  }

  #terminating(name: string): Namespace | undefined {
    const namespace = this.#cache.get(resourceKey(this.#namespaces), undefined, name)
    return namespace?.metadata.deletionTimestamp === undefined ? undefined : (namespace as Namespace)
  }

  async #empty(name: string): Promise<void> {
    const namespace = this.#terminating(name)
    if (!namespace || !contentFinalizers(namespace).includes(finalizer)) return
    const left = this.#namespaced.map((definition) => ({
      definition,
      objects: this.#cache.list(resourceKey(definition), name),
    }))
    await Promise.all(
      left.flatMap(({ definition, objects }) =>
        objects
          .filter(({ metadata }) => !metadata.deletionTimestamp)
          .map((object) => this.#delete(definition, name, object)),
      ),
    )
    const remaining = this.#namespaced.flatMap((definition) => {
      const objects = this.#cache.list(resourceKey(definition), name)
      return objects.length > 0 ? [{ definition, objects }] : []
    })
    const call = internalCall(this.#namespaces)
    try {
      if (remaining.length === 0)
        await this.#registry.update(
          call,
          name,
          (live) => ({
            body: { ...live, spec: { finalizers: contentFinalizers(live).filter((item) => item !== finalizer) } },
          }),
          'finalize',
        )
      else
        await this.#registry.update(call, name, (live) => ({ body: this.#withConditions(live, remaining) }), 'status')
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async #delete(
    definition: ResourceDefinition,
    namespace: string,
    { metadata: { name, uid } }: KubeObject,
  ): Promise<void> {
    try {
      await this.#registry.delete(internalCall(definition, namespace), name, {
        propagationPolicy: 'Background',
        preconditions: { uid },
      })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  #withConditions(live: Namespace, remaining: { definition: ResourceDefinition; objects: KubeObject[] }[]): Namespace {
    const before = live.status?.conditions ?? []
    const at = `${this.#now().toISOString().slice(0, 19)}Z`
    const conditions = conditionsOf(remaining).map((condition) => {
      const old = before.find(({ type }) => type === condition.type)
      return { ...condition, lastTransitionTime: old?.status === condition.status ? old.lastTransitionTime : at }
    })
    return { ...live, status: { ...live.status, conditions } }
  }
}

function conditionsOf(
  remaining: { definition: ResourceDefinition; objects: KubeObject[] }[],
): Omit<Condition, 'lastTransitionTime'>[] {
  const instances = remaining
    .map(({ definition, objects }) => `${resourceName(definition)} has ${objects.length} resource instances`)
    .sort()
  const counts = new Map<string, number>()
  for (const { metadata } of remaining.flatMap(({ objects }) => objects))
    for (const item of metadata.finalizers ?? []) counts.set(item, (counts.get(item) ?? 0) + 1)
  const finalizers = [...counts].map(([item, count]) => `${item} in ${count} resource instances`).sort()
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    {
      type: 'NamespaceDeletionContentFailure',
      status: 'False',
      reason: 'ContentDeleted',
      message: 'All content successfully deleted, may be waiting on finalization',
    },
    {
      type: 'NamespaceContentRemaining',
      status: 'True',
      reason: 'SomeResourcesRemain',
      message: `Some resources are remaining: ${instances.join(', ')}`,
    },
    finalizers.length > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ]
}
