import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { WatchCache } from '../watch/watch-cache.ts'

/** Waits until an object that is being deleted is gone, at most so long. */
export async function removal(
  cache: Pick<WatchCache, 'get' | 'subscribe'>,
  resource: string,
  { metadata: { namespace, name, uid } }: KubeObject,
  limitMs: number,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = () => cache.get(resource, namespace, name)?.metadata.uid !== uid && resolve()
  const forget = cache.subscribe(resource, look)
  const timer = setTimeout(resolve, limitMs)
  look()
  await promise
  forget()
  clearTimeout(timer)
}
