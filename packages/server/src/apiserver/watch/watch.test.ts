import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'

let api: TestServer
let counter = 0
let namespace = ''
let configMaps = ''
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.close())
beforeEach(async () => {
  namespace = `watch-${counter++}`
  configMaps = `/api/v1/namespaces/${namespace}/configmaps`
  await api.client.post('/api/v1/namespaces', { metadata: { name: namespace } })
})

const create = async (name: string, labels: Record<string, string> = {}) =>
  (await api.client.post(configMaps, { metadata: { name, labels } })).body
const revision = async () => (await api.client.get(configMaps)).body.metadata.resourceVersion as string

describe('a watch', () => {
  test('goes on exactly where a list ended', async () => {
    await create('before')
    const from = await revision()
    await create('between')
    const watch = await api.client.watch(`${configMaps}?watch=1&resourceVersion=${from}`)
    await create('after')
    await api.client.delete(`${configMaps}/before`)
    expect(await watch.take(3)).toEqual(['ADDED between', 'ADDED after', 'DELETED before'])
    watch.close()
  })

  test('neither skips nor repeats while writers race with its start', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `raced-${String(index).padStart(2, '0')}`)
    const from = Number(await revision())
    const writers = names.map((name) => create(name))
    const watches = await Promise.all(
      Array.from({ length: 10 }, () => api.client.watch(`${configMaps}?watch=1&resourceVersion=${from}`)),
    )
    await Promise.all(writers)
    for (const watch of watches) {
      const seen: [string, number][] = []
      for (let index = 0; index < names.length; index++) {
        const event = await watch.next()
        seen.push([event?.object.metadata.name, Number(event?.object.metadata.resourceVersion)])
      }
      expect(seen.map(([name]) => name).sort()).toEqual(names)
      expect(seen.every(([, at], index) => at > (seen[index - 1]?.[1] ?? from))).toBe(true)
      watch.close()
    }
  })

  test('shows objects that start and stop being selected as coming and going', async () => {
    const watch = await api.client.watch(
      `${configMaps}?watch=1&resourceVersion=${await revision()}&labelSelector=show%3Dyes`,
    )
    await create('hidden')
    await create('shown', { show: 'yes' })
    await api.client.merge(`${configMaps}/hidden`, { metadata: { labels: { show: 'yes' } } })
    await api.client.merge(`${configMaps}/shown`, { metadata: { labels: { show: 'no' } } })
    await api.client.merge(`${configMaps}/shown`, { data: { a: 'b' } })
    const deleted = await api.client.delete(`${configMaps}/hidden`)
    expect(deleted.code).toBe(200)
    const events = [await watch.next(), await watch.next(), await watch.next(), await watch.next()]
    expect(events.map((event) => `${event?.type} ${event?.object.metadata.name}`)).toEqual([
      'ADDED shown',
      'ADDED hidden',
      'DELETED shown',
      'DELETED hidden',
    ])
    expect(events[2]?.object.metadata.labels).toEqual({ show: 'yes' })
    expect(Number(events[3]?.object.metadata.resourceVersion)).toBeGreaterThan(
      Number(events[2]?.object.metadata.resourceVersion),
    )
    watch.close()
  })

  test('without a version begins with what there is', async () => {
    await create('b')
    await create('a')
    const watch = await api.client.watch(`${configMaps}?watch=true`)
    await create('c')
    expect(await watch.take(3)).toEqual(['ADDED a', 'ADDED b', 'ADDED c'])
    watch.close()
  })

  test('of one name sees only that one', async () => {
    await create('one')
    await create('two')
    const watch = await api.client.watch(`${configMaps}?fieldSelector=metadata.name%3Done&resourceVersion=0&watch=true`)
    await api.client.merge(`${configMaps}/two`, { data: { x: 'y' } })
    await api.client.merge(`${configMaps}/one`, { data: { x: 'y' } })
    expect(await watch.take(2)).toEqual(['ADDED one', 'MODIFIED one'])
    watch.close()
  })

  test('survives a restart of the server, from the version it had', async () => {
    const from = await revision()
    await create('kept')
    await api.client.merge(`${configMaps}/kept`, { data: { x: 'y' } })
    await api.client.delete(`${configMaps}/kept`)
    await api.restart()
    const watch = await api.client.watch(`${configMaps}?watch=1&resourceVersion=${from}`)
    expect(await watch.take(3)).toEqual(['ADDED kept', 'MODIFIED kept', 'DELETED kept'])
    await create('new')
    expect(await watch.take(1)).toEqual(['ADDED new'])
    watch.close()
  })

  test('ends after its time, with a bookmark shortly before', async () => {
    const watch = await api.client.watch(
      `${configMaps}?watch=1&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=${await revision()}`,
    )
    const bookmark = await watch.next()
    expect(bookmark).toEqual({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: expect.stringMatching(/^\d+$/) } },
    })
    expect(await watch.next()).toBeUndefined()
  }, 15_000)

  test('as a table names its columns once', async () => {
    const watch = await api.client.watch(`${configMaps}?watch=1&resourceVersion=${await revision()}`, {
      headers: { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    })
    await create('t1')
    await create('t2')
    const [first, second] = [await watch.next(), await watch.next()]
    expect(first?.object).toMatchObject({
      kind: 'Table',
      columnDefinitions: expect.any(Array),
      rows: [{ cells: expect.arrayContaining(['t1']) }],
    })
    expect(second?.object.columnDefinitions ?? null).toBeNull()
    watch.close()
  })

  test('ends when the server closes', async () => {
    const watch = await api.client.watch(`${configMaps}?watch=1&resourceVersion=${await revision()}`)
    await api.restart()
    expect(await watch.next()).toBeUndefined()
  })
})

describe('a list', () => {
  test('comes in pages of one revision, with a write between', async () => {
    for (const name of ['p1', 'p2', 'p3', 'p4', 'p5']) await create(name)
    const first = (await api.client.get(`${configMaps}?limit=2`)).body
    expect(first.metadata.remainingItemCount).toBe(3)
    await api.client.delete(`${configMaps}/p3`)
    await create('p0')
    const second = (await api.client.get(`${configMaps}?limit=2&continue=${first.metadata.continue}`)).body
    const third = (await api.client.get(`${configMaps}?limit=2&continue=${second.metadata.continue}`)).body
    const names = [first, second, third].map((page) =>
      page.items.map((item: { metadata: { name: string } }) => item.metadata.name),
    )
    expect(names).toEqual([['p1', 'p2'], ['p3', 'p4'], ['p5']])
    expect(new Set([first, second, third].map((page) => page.metadata.resourceVersion)).size).toBe(1)
    expect(third.metadata.continue).toBeUndefined()
  })

  test('at an exact version shows the past', async () => {
    await create('old')
    const then = await revision()
    await api.client.delete(`${configMaps}/old`)
    const { body } = await api.client.get(`${configMaps}?resourceVersion=${then}&resourceVersionMatch=Exact`)
    expect([body.metadata.resourceVersion, body.items.length]).toEqual([then, 1])
  })

  test('leaves kind and apiVersion out of built-in items, and keeps them in custom ones', async () => {
    await create('typeless')
    const [item] = (await api.client.get(configMaps)).body.items
    expect([item.kind, item.apiVersion]).toEqual([undefined, undefined])
    const widgets = `/apis/diff.example.com/v1alpha1/namespaces/${namespace}/widgets`
    await api.client.post(widgets, { apiVersion: 'diff.example.com/v1alpha1', kind: 'Widget', metadata: { name: 'w' } })
    const { body, headers } = await api.client.get(widgets)
    expect(body).toMatchObject({
      kind: 'WidgetList',
      apiVersion: 'diff.example.com/v1alpha1',
      items: [{ kind: 'Widget', apiVersion: 'diff.example.com/v1alpha1' }],
    })
    expect(headers.warning).toBe(
      '299 - "diff.example.com/v1alpha1 Widget is deprecated; use diff.example.com/v1 Widget"',
    )
  })

  test('shows metadata alone when asked to', async () => {
    await create('partial')
    const accept = { headers: { Accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' } }
    const { body } = await api.client.get(configMaps, accept)
    expect(body).toMatchObject({
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      items: [{ kind: 'PartialObjectMetadata', metadata: { name: 'partial' } }],
    })
  })
})

test('after compaction old versions are expired, for watches, lists and pages', async () => {
  for (const name of ['a', 'b', 'c']) await create(name)
  const page = (await api.client.get(`${configMaps}?limit=1`)).body.metadata
  await api.client.merge(`${configMaps}/b`, { data: { x: 'y' } })
  const { SqliteStore } = await import('../store/sqlite-store.ts')
  await api.server.close()
  const store = new SqliteStore(join(api.dataDir, 'store.sqlite'))
  await store.compact(store.revision)
  await store.close()
  await api.restart()
  const watch = await api.client.watch(`${configMaps}?watch=1&resourceVersion=${page.resourceVersion}`)
  expect(await watch.next()).toMatchObject({
    type: 'ERROR',
    object: {
      kind: 'Status',
      code: 410,
      reason: 'Expired',
      message: expect.stringMatching(/^too old resource version: \d+ \(\d+\)$/),
    },
  })
  expect(await watch.next()).toBeUndefined()
  const exact = await api.client.get(`${configMaps}?resourceVersion=${page.resourceVersion}&resourceVersionMatch=Exact`)
  expect([exact.code, exact.body.message]).toEqual([410, 'The resourceVersion for the provided list is too old.'])
  const next = await api.client.get(`${configMaps}?limit=1&continue=${page.continue}`)
  expect([next.code, next.body.reason]).toEqual([410, 'Expired'])
  const rest = await api.client.get(`${configMaps}?continue=${next.body.metadata.continue}`)
  expect(rest.body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(['b', 'c'])
})

test('a reader that does not read is cut, and others do not notice', async () => {
  await create('large')
  const path = `${configMaps}?watch=1&resourceVersion=${await revision()}`
  const slow = await api.client.watch(path)
  slow.pause()
  const fast = await api.client.watch(path)
  for (let index = 0; index < 40; index++) {
    const data = { x: `${index}-${'x'.repeat(1_000_000)}` }
    expect((await api.client.merge(`${configMaps}/large`, { data })).code).toBe(200)
    expect((await fast.next())?.object.data.x).toMatch(new RegExp(`^${index}-`))
  }
  slow.resume()
  const seen: number[] = []
  for (let event = await slow.next(); event; event = await slow.next())
    seen.push(Number(event.object.metadata.resourceVersion))
  expect(seen.length).toBeLessThan(40)
  // What it has seen is complete up to there, so that it can go on from its last version.
  const again = await api.client.watch(`${configMaps}?watch=1&resourceVersion=${seen.at(-1)}`)
  expect(await again.take(40 - seen.length)).toEqual(Array(40 - seen.length).fill('MODIFIED large'))
  fast.close()
  again.close()
}, 60_000)
