import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { isConflict, isNotFound } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { internalCall } from '../bootstrap.ts'
import type { Registry } from '../registry/registry.ts'
import { resourceKey, type WatchCache } from '../watch/watch-cache.ts'

export const eventLifetimeMs = 3_600_000

type Event = KubeObject & {
  lastTimestamp?: string | null
  eventTime?: string | null
  series?: { lastObservedTime?: string }
}

/** Deletes Events last seen more than an hour ago; returns how many. */
export async function expireEvents({
  cache,
  registry,
  events,
  now,
}: {
  cache: WatchCache
  registry: Registry
  events: ResourceDefinition
  now: Date
}): Promise<number> {
  const old = cache
    .list(resourceKey(events))
    .filter((event) => now.getTime() - lastSeen(event as Event) > eventLifetimeMs)
  const deleted = await Promise.all(
    old.map(async ({ metadata: { name, namespace, uid, resourceVersion } }) => {
      try {
        // Guarded by its version: an event counted up meanwhile is young again.
        await registry.delete(internalCall(events, namespace), name, { preconditions: { uid, resourceVersion } })
        return 1
      } catch (error) {
        if (isNotFound(error) || isConflict(error)) return 0
        throw error
      }
    }),
  )
  return deleted.reduce<number>((sum, count) => sum + count, 0)
}

function lastSeen({ metadata, lastTimestamp, eventTime, series }: Event): number {
  const times = [metadata.creationTimestamp, lastTimestamp, eventTime, series?.lastObservedTime]
  return Math.max(...times.map((time) => (time ? Date.parse(time) : 0)).filter((ms) => !Number.isNaN(ms)))
}
