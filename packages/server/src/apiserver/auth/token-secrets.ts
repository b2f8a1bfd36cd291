import type { Secret } from '@stillpoint/api/core/config'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { isConflict, isNotFound } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import { internalCall } from '../bootstrap.ts'
import { WorkQueue } from '../gc/work-queue.ts'
import { jsonEqual } from '../json.ts'
import type { AccountTokens } from '../pki/account-tokens.ts'
import type { Registry } from '../registry/registry.ts'
import { objectKey, resourceKey, type WatchCache } from '../watch/watch-cache.ts'
import { accountAnnotation, accountUidAnnotation, isTokenSecret } from './token-secret.ts'

interface Parts {
  cache: WatchCache
  registry: Registry
  secrets: ResourceDefinition
  tokens: AccountTokens
  /** PEM of the authority that programs trust. */
  ca: string
}

/** Fills Secrets that shall hold a token of a ServiceAccount, and deletes those whose account is not there. */
export class TokenSecrets {
  readonly #parts: Parts
  readonly #queue: WorkQueue
  readonly #unsubscribe: (() => void)[]

  constructor({ log, ...parts }: Parts & { log: Logger }) {
    const { cache, secrets } = parts
    this.#parts = parts
    this.#queue = new WorkQueue((key) => fill(parts, key), log.child({ controller: 'token secrets' }))
    this.#unsubscribe = [
      cache.subscribe(resourceKey(secrets), ({ type, object }) => {
        if (type !== 'DELETED') this.#enqueue(object)
      }),
      cache.subscribe('/serviceaccounts', ({ type, object }) => {
        if (type === 'DELETED') this.#enqueueAll(object.metadata.namespace)
      }),
    ]
    this.#enqueueAll()
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#queue.close()
  }

  #enqueueAll(namespace?: string): void {
    const { cache, secrets } = this.#parts
    for (const secret of cache.list(resourceKey(secrets), namespace)) this.#enqueue(secret)
  }

  #enqueue(object: Parameters<typeof isTokenSecret>[0]): void {
    if (isTokenSecret(object)) this.#queue.add(objectKey(object.metadata.namespace, object.metadata.name))
  }
}

async function fill({ cache, registry, secrets, tokens, ca }: Parts, key: string): Promise<void> {
  const [namespace = '', name = ''] = key.split('/')
  const secret = cache.get(resourceKey(secrets), namespace, name)
  if (!isTokenSecret(secret) || secret.metadata.deletionTimestamp !== undefined || secret.immutable) return
  const { uid, annotations } = secret.metadata
  const account = cache.get('/serviceaccounts', namespace, annotations?.[accountAnnotation] ?? '')
  const wantedUid = annotations?.[accountUidAnnotation]
  const call = internalCall(secrets, namespace)
  try {
    // Its token would be worth nothing, and a later account of that name is another.
    if (!account || (wantedUid && wantedUid !== uidOf(account)))
      await registry.delete(call, name, { preconditions: { uid } })
    else {
      const holder = { name: account.metadata.name, uid: uidOf(account) }
      const token = secret.data?.token || base64(tokens.issueKept({ namespace, account: holder, secret: name }))
      const wanted = { token, 'ca.crt': base64(ca), namespace: base64(namespace) }
      await registry.update(call, name, (live) => ({ body: filled(live as Secret, wanted, holder.uid) }))
    }
  } catch (error) {
    // It has changed since, and is looked at again for that.
    if (!isNotFound(error) && !isConflict(error)) throw error
  }
}

function filled(live: Secret, wanted: Record<string, string>, uid: string): Secret {
  const { metadata, data = {} } = live
  const kept = data.token ? { token: data.token } : {}
  const annotations = { ...metadata.annotations, [accountUidAnnotation]: uid }
  const now = { ...live, metadata: { ...metadata, annotations }, data: { ...data, ...wanted, ...kept } }
  return jsonEqual(now, live) ? live : now
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
