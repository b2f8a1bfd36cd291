import { ClusterRole, type ClusterRole as ClusterRoleObject, type PolicyRule } from '@stillpoint/api/core/rbac'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import type { Logger } from 'pino'
import { internalCall } from '../bootstrap.ts'
import { WorkQueue } from '../gc/work-queue.ts'
import { jsonEqual } from '../json.ts'
import type { Registry } from '../registry/registry.ts'
import { resourceKey, type WatchCache } from '../watch/watch-cache.ts'

type Selector = NonNullable<NonNullable<ClusterRoleObject['aggregationRule']>['clusterRoleSelectors']>[number]

interface Parts {
  cache: WatchCache
  registry: Registry
}

const resource = resourceKey(ClusterRole)

/** Keeps the rules of ClusterRoles with an aggregationRule: the union of the roles their selectors select. */
export class AggregationController {
  readonly #parts: Parts
  readonly #queue: WorkQueue
  readonly #unsubscribe: () => void

  constructor({ log, ...parts }: Parts & { log: Logger }) {
    this.#parts = parts
    this.#queue = new WorkQueue(
      (name) => aggregateOne(parts, name),
      log.child({ controller: 'cluster role aggregation' }),
    )
    this.#unsubscribe = parts.cache.subscribe(resource, () => this.#enqueueAll())
    this.#enqueueAll()
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#queue.close()
  }

  #enqueueAll(): void {
    for (const { metadata } of aggregating(this.#parts.cache)) this.#queue.add(metadata.name)
  }
}

/** Aggregates until nothing changes any more, so that a server that starts has its roles complete. */
export async function aggregateAll(parts: Parts): Promise<void> {
  // A role can be aggregated into one that is aggregated itself: each round completes one more step of such a chain.
  for (let round = 0; round <= aggregating(parts.cache).length; round++) {
    const before = parts.cache.revision
    for (const { metadata } of aggregating(parts.cache)) await aggregateOne(parts, metadata.name)
    if (parts.cache.revision === before) return
  }
}

async function aggregateOne({ cache, registry }: Parts, name: string): Promise<void> {
  const role = cache.get(resource, undefined, name) as ClusterRoleObject | undefined
  if (!role?.aggregationRule) return
  const rules = aggregatedRules(role, cache.list(resource) as ClusterRoleObject[])
  if (jsonEqual(rules, role.rules ?? [])) return
  try {
    await registry.update(internalCall(ClusterRole), name, (live) => ({ body: { ...live, rules } }))
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

function aggregating(cache: WatchCache): ClusterRoleObject[] {
  return (cache.list(resource) as ClusterRoleObject[]).filter(({ aggregationRule }) => aggregationRule !== undefined)
}

/** Selector by selector, roles by name, each rule once. */
export function aggregatedRules(role: ClusterRoleObject, roles: readonly ClusterRoleObject[]): PolicyRule[] {
  const rules = new Map<string, PolicyRule>()
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? [])
    for (const { metadata, rules: more } of roles) {
      if (metadata.name === role.metadata.name || !selects(selector, metadata.labels ?? {})) continue
      for (const rule of more ?? []) rules.set(JSON.stringify(rule), rule)
    }
  return [...rules.values()]
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Record<string, string>): boolean {
  const labelOf = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined)
  return (
    Object.entries(matchLabels).every(([key, value]) => labelOf(key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labelOf(key)
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value)
        case 'NotIn':
          return value === undefined || !values.includes(value)
        case 'Exists':
          return value !== undefined
        case 'DoesNotExist':
          return value === undefined
        default:
          return false
      }
    })
  )
}
