import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SqliteStore } from '../store/sqlite-store.ts'
import { Compacted } from '../store/store.ts'
import { Gadget, Widget } from '../testing/kinds.ts'
import { objectKey, resourceKey, WatchCache } from './watch-cache.ts'

const step = fc.record({
  kind: fc.constantFrom(Gadget, Widget),
  name: fc.constantFrom('a', 'b', 'c'),
  namespace: fc.constantFrom('one', 'two'),
  remove: fc.boolean(),
  compact: fc.boolean(),
  restart: fc.boolean(),
})

test('a state and the events after it make every later state, from any version that is kept', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stillpoint-cache-'))
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer(), async (steps, run) => {
        const path = join(directory, `${run}-${Math.random()}.sqlite`)
        let store = new SqliteStore(path)
        let cache = new WatchCache(store, [Gadget, Widget])
        let value = 0
        try {
          for (const { kind, name, namespace: wanted, remove, compact, restart } of steps) {
            const namespace = kind.scope === 'Namespaced' ? wanted : undefined
            const live = cache.get(resourceKey(kind), namespace, name)
            if (remove && !live) continue
            const expectedRevision = Number(live?.metadata.resourceVersion ?? 0)
            const object = { metadata: { name, namespace }, value: value++ }
            const key = `${resourceKey(kind)}/${objectKey(namespace, name)}`
            await store.write({ key, expectedRevision, value: remove ? undefined : JSON.stringify(object) })
            if (compact) await store.compact(store.revision - 3)
            if (!restart) continue
            await store.close()
            store = new SqliteStore(path)
            cache = new WatchCache(store, [Gadget, Widget])
          }
          for (const [kind, namespace] of [
            [Gadget, undefined],
            [Widget, undefined],
            [Widget, 'one'],
          ] as const) {
            const resource = resourceKey(kind)
            const current = cache.list(resource, namespace).map((object) => JSON.stringify(object))
            for (let from = 0; from <= store.revision; from++) {
              if (from < store.compactedRevision) {
                expect(() => cache.since(resource, namespace, from)).toThrow(Compacted)
                continue
              }
              const state = new Map(
                cache
                  .listAt(resource, namespace, from)
                  .map((object) => [objectKey(object.metadata.namespace, object.metadata.name), object]),
              )
              let last = from
              for (const { revision, type, object, previous } of cache.since(resource, namespace, from)) {
                const at = objectKey(object.metadata.namespace, object.metadata.name)
                expect(revision).toBeGreaterThan(last)
                expect(object.metadata.resourceVersion).toBe(String(revision))
                expect(previous).toEqual(state.get(at))
                expect(type === 'ADDED').toBe(!state.has(at))
                if (type === 'DELETED') state.delete(at)
                else state.set(at, object)
                last = revision
              }
              const replayed = [...state]
                .sort(([a], [b]) => (a < b ? -1 : 1))
                .map(([, object]) => JSON.stringify(object))
              expect(replayed).toEqual(current)
            }
          }
        } finally {
          await store.close()
        }
      }),
      { numRuns: 60 },
    )
  } finally {
    await rm(directory, { recursive: true })
  }
})
