import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Event } from '@stillpoint/api/core/event'
import { expect, test } from 'vitest'
import { internalCall } from '../bootstrap.ts'
import { Registry } from '../registry/registry.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import { WatchCache } from '../watch/watch-cache.ts'
import { expireEvents } from './event-expiry.ts'

test('events go an hour after they were last seen', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stillpoint-events-'))
  const store = new SqliteStore(join(directory, 'store.sqlite'))
  try {
    // No namespaces are served here, so none has to exist.
    const cache = new WatchCache(store, [Event])
    const created = new Date('2026-01-01T10:00:00Z')
    const authorize = () => ({ allowed: true, reason: '' })
    const registry = new Registry({ store, cache, admission: [], authorize, now: () => created })
    const create = (name: string, rest: object) =>
      registry.create(internalCall(Event, 'default'), { body: { metadata: { name }, involvedObject: {}, ...rest } })
    await create('old', {})
    await create('repeated', { lastTimestamp: '2026-01-01T10:30:00Z' })
    await create('in-a-series', { series: { count: 2, lastObservedTime: '2026-01-01T10:45:00.000000Z' } })
    const expire = (now: string) => expireEvents({ cache, registry, events: Event, now: new Date(now) })
    expect(await expire('2026-01-01T10:59:59Z')).toBe(0)
    expect(await expire('2026-01-01T11:00:01Z')).toBe(1)
    expect(cache.list('/events').map(({ metadata }) => metadata.name)).toEqual(['in-a-series', 'repeated'])
    expect(await expire('2026-01-01T12:00:00Z')).toBe(2)
  } finally {
    await store.close()
    await rm(directory, { recursive: true })
  }
})
