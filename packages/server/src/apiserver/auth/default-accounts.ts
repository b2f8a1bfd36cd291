import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { apiVersionOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import { internalCall } from '../bootstrap.ts'
import { WorkQueue } from '../gc/work-queue.ts'
import type { Registry } from '../registry/registry.ts'
import { resourceKey, type WatchCache } from '../watch/watch-cache.ts'

interface Parts {
  cache: WatchCache
  registry: Registry
  namespaces: ResourceDefinition
  accounts: ResourceDefinition
}

const name = 'default'

/** Gives each namespace its ServiceAccount `default`, again when it has been deleted. */
export class DefaultAccounts {
  readonly #queue: WorkQueue
  readonly #unsubscribe: (() => void)[]

  constructor({ log, ...parts }: Parts & { log: Logger }) {
    const { cache, namespaces, accounts } = parts
    this.#queue = new WorkQueue((namespace) => ensure(parts, namespace), log.child({ controller: 'default accounts' }))
    this.#unsubscribe = [
      cache.subscribe(resourceKey(namespaces), ({ type, object: { metadata } }) => {
        if (type === 'ADDED') this.#queue.add(metadata.name)
      }),
      cache.subscribe(resourceKey(accounts), ({ type, object: { metadata } }) => {
        if (type === 'DELETED' && metadata.name === name) this.#queue.add(metadata.namespace ?? '')
      }),
    ]
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#queue.close()
  }
}

/** Makes those that are missing, so that a server that starts has them all. */
export async function ensureDefaultAccounts(parts: Parts): Promise<void> {
  const namespaces = parts.cache.list(resourceKey(parts.namespaces))
  await Promise.all(namespaces.map(({ metadata }) => ensure(parts, metadata.name)))
}

async function ensure({ cache, registry, namespaces, accounts }: Parts, namespace: string): Promise<void> {
  const stays = () => {
    const live = cache.get(resourceKey(namespaces), undefined, namespace)
    return live !== undefined && live.metadata.deletionTimestamp === undefined
  }
  if (!stays() || cache.get(resourceKey(accounts), namespace, name)) return
  try {
    const body = { apiVersion: apiVersionOf(accounts), kind: accounts.kind, metadata: { name } }
    await registry.create(internalCall(accounts, namespace), { body })
  } catch (error) {
    if (stays() && !isAlreadyExists(error)) throw error
  }
}
