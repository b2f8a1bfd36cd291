import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { StatusError } from '@stillpoint/api/meta/status-error'
import { type ObjectOf, resource } from '@stillpoint/api/schema/resource'
import pino from 'pino'
import { expect, test } from 'vitest'
import * as z from 'zod'
import type { KubeClient } from './client.ts'
import { delay, Informer } from './informer.ts'
import { Informers } from './informers.ts'

const Widget = resource({
  group: 'example.dev',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  description: '',
  fields: { size: z.number().optional() },
})
type Widget = ObjectOf<typeof Widget>

const widget = (name: string, resourceVersion: number, labels: Record<string, string> = {}): Widget => ({
  apiVersion: 'example.dev/v1',
  kind: 'Widget',
  metadata: { namespace: 'ns', name, resourceVersion: `${resourceVersion}`, labels },
})

const expired = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 410, reason: 'Expired' }

/** A server that answers each list and each watch with the next of what it was given; the last watch stays open. */
function serving(lists: { version: number; items: Widget[] }[], watches: { type: string; object: unknown }[][]) {
  const asked: string[] = []
  return {
    asked,
    list: async () => {
      const list = lists.shift()
      if (!list) throw new Error('listed too often')
      return { metadata: { resourceVersion: `${list.version}` }, items: list.items }
    },
    watchLines: async function* (_: unknown, options: { resourceVersion: string; signal: AbortSignal }) {
      asked.push(options.resourceVersion)
      const events = watches.shift()
      for (const event of events ?? []) {
        if (event.type === 'BROKEN') throw new Error('connection reset')
        yield JSON.stringify(event)
      }
      if (watches.length > 0) return
      await new Promise<void>((resolve) => options.signal.addEventListener('abort', () => resolve()))
    },
  }
}

async function run(server: ReturnType<typeof serving>, until: (seen: string[]) => boolean) {
  const informer = new Informer({
    client: server as unknown as KubeClient,
    definition: Widget,
    log: pino({ level: 'silent' }),
  })
  informer.addIndex('color', (object) => Object.values(object.metadata.labels ?? {}))
  const seen: string[] = []
  const done = Promise.withResolvers<void>()
  informer.onChange(({ type, object }) => {
    seen.push(`${type} ${object.metadata.name}@${object.metadata.resourceVersion}`)
    if (until(seen)) done.resolve()
  })
  await informer.start()
  await done.promise
  return { informer, seen }
}

test('lists, then follows the watch from the version of the list', async () => {
  const server = serving(
    [{ version: 5, items: [widget('a', 3)] }],
    [
      [
        { type: 'ADDED', object: widget('b', 6, { color: 'red' }) },
        { type: 'MODIFIED', object: widget('a', 7) },
        { type: 'DELETED', object: widget('b', 8, { color: 'red' }) },
      ],
    ],
  )
  const { informer, seen } = await run(server, (seen) => seen.length === 4)
  expect(seen).toEqual(['added a@3', 'added b@6', 'modified a@7', 'deleted b@8'])
  expect(server.asked).toEqual(['5'])
  expect(informer.byIndex('color', 'red')).toEqual([])
  await informer.close()
})

test('lists again when its version has expired, and reports what vanished meanwhile', async () => {
  const server = serving(
    [
      { version: 5, items: [widget('a', 3), widget('b', 4)] },
      { version: 20, items: [widget('b', 4), widget('c', 19)] },
    ],
    [[{ type: 'ERROR', object: expired }], []],
  )
  const { informer, seen } = await run(server, (seen) => seen.length === 4)
  expect(seen).toEqual(['added a@3', 'added b@4', 'added c@19', 'deleted a@3'])
  expect(informer.list().map((object: KubeObject) => object.metadata.name)).toEqual(['b', 'c'])
  await informer.close()
})

test('lists in pages, and watches from the version they all are of', async () => {
  const pages = [
    { metadata: { resourceVersion: '5', continue: 'next' }, items: [widget('a', 3)] },
    { metadata: { resourceVersion: '5' }, items: [widget('b', 4)] },
  ]
  const tokens: (string | undefined)[] = []
  const server = {
    ...serving([], [[{ type: 'ADDED', object: widget('c', 6) }]]),
    list: async (_: unknown, options?: { continue?: string; limit?: number }) => {
      tokens.push(options?.continue)
      expect(options?.limit).toBeGreaterThan(0)
      const page = pages.shift()
      if (!page) throw new Error('listed too often')
      return page
    },
  }
  const { informer, seen } = await run(server as ReturnType<typeof serving>, (seen) => seen.length === 3)
  expect(seen).toEqual(['added a@3', 'added b@4', 'added c@6'])
  expect(tokens).toEqual([undefined, 'next'])
  expect(server.asked).toEqual(['5'])
  await informer.close()
})

test('resumes a watch that ended from the last bookmark', async () => {
  const bookmark = { type: 'BOOKMARK', object: { kind: 'Widget', metadata: { resourceVersion: '42' } } }
  const server = serving([{ version: 5, items: [] }], [[bookmark], [{ type: 'ADDED', object: widget('a', 43) }]])
  const { informer } = await run(server, (seen) => seen.length === 1)
  expect(server.asked).toEqual(['5', '42'])
  await informer.close()
})

test('resumes a watch that broke where it broke', async () => {
  const added = { type: 'ADDED', object: widget('a', 6) }
  const server = serving(
    [{ version: 5, items: [] }],
    [[added, { type: 'BROKEN', object: {} }], [{ type: 'ADDED', object: widget('b', 7) }]],
  )
  const { informer, seen } = await run(server, (seen) => seen.length === 2)
  expect(seen).toEqual(['added a@6', 'added b@7'])
  expect(server.asked).toEqual(['5', '6'])
  await informer.close()
})

test('a late deletion of an earlier object of the same name takes nothing away', async () => {
  const server = serving(
    [{ version: 5, items: [widget('a', 3)] }],
    [
      [
        { type: 'DELETED', object: widget('b', 9) },
        { type: 'ADDED', object: widget('c', 10) },
      ],
    ],
  )
  const informer = new Informer({
    client: server as unknown as KubeClient,
    definition: Widget,
    log: pino({ level: 'silent' }),
  })
  const seen: string[] = []
  const done = Promise.withResolvers<void>()
  informer.onChange(({ type, object }) => {
    seen.push(`${type} ${object.metadata.name}@${object.metadata.resourceVersion}`)
    // Made anew by us before the deletion of the old one is told.
    if (object.metadata.name === 'a') informer.note(widget('b', 12))
    if (object.metadata.name === 'c') done.resolve()
  })
  await informer.start()
  await done.promise
  expect(seen).toEqual(['added a@3', 'added b@12', 'added c@10'])
  await informer.close()
})

test('a list that was on its way when we wrote does not take our write away', async () => {
  const server = serving(
    [
      { version: 5, items: [widget('a', 3)] },
      { version: 6, items: [widget('a', 3)] },
    ],
    [[{ type: 'ERROR', object: expired }], [{ type: 'ADDED', object: widget('c', 8) }]],
  )
  const listing = server.list
  let informer: Informer<typeof Widget> | undefined
  server.list = async () => {
    const list = await listing()
    if (list.metadata.resourceVersion === '6') informer?.note(widget('mine', 7))
    return list
  }
  informer = new Informer({
    client: server as unknown as KubeClient,
    definition: Widget,
    log: pino({ level: 'silent' }),
  })
  const seen: string[] = []
  const done = Promise.withResolvers<void>()
  informer.onChange(({ type, object }) => {
    seen.push(`${type} ${object.metadata.name}`)
    if (object.metadata.name === 'c') done.resolve()
  })
  await informer.start()
  await done.promise
  expect(seen).toEqual(['added a', 'added mine', 'added c'])
  await informer.close()
})

test.each([
  ['end at once', []],
  ['expire at once', [{ type: 'ERROR', object: expired }]],
  ['break at once', [{ type: 'BROKEN', object: {} }]],
])('watches that %s are not begun again without a pause', async (_, events) => {
  const many = 200
  const lists = Array.from({ length: many }, (__, i) => ({ version: 5 + i, items: [] }))
  const server = serving(
    lists,
    Array.from({ length: many }, () => events),
  )
  const informer = new Informer({
    client: server as unknown as KubeClient,
    definition: Widget,
    log: pino({ level: 'silent' }),
  })
  await informer.start()
  const forMs = 400
  await delay(forMs, new AbortController().signal)
  // Pauses of at least 4 ms, doubling.
  expect(server.asked.length).toBeLessThanOrEqual(Math.floor(Math.log2(forMs / 4 + 1)) + 2)
  expect(server.asked.length).toBeGreaterThan(2)
  await informer.close()
})

test('takes our own write at once, but never a state older than what the watch has shown', async () => {
  const server = serving([{ version: 5, items: [widget('a', 3)] }], [[{ type: 'DELETED', object: widget('a', 9) }]])
  const { informer, seen } = await run(server, (seen) => seen.length === 2)
  informer.note(widget('a', 8))
  expect(informer.get('ns/a')).toBeUndefined()
  informer.note(widget('b', 10))
  expect(informer.get('ns/b')).toBeDefined()
  expect(seen.at(-1)).toBe('added b@10')
  await informer.close()
})

test('asks for a known index', () => {
  const informer = new Informer({ client: {} as KubeClient, definition: Widget, log: pino({ level: 'silent' }) })
  expect(() => informer.byIndex('nope', 'x')).toThrow("no index 'nope'")
  expect(new StatusError(expired as never).reason).toBe('Expired')
})

const log = pino({ level: 'silent' })
const refusing = (code: number, reason: string) =>
  ({
    list: async () => {
      throw new StatusError({ ...expired, code, reason, message: `widgets: ${reason}` } as never)
    },
  }) as unknown as KubeClient

test('a kind that the server does not have is empty, not waited for', async () => {
  const informers = new Informers(refusing(404, 'NotFound'), log)
  const widgets = informers.of(Widget)
  await informers.start(1_000)
  expect(widgets.list()).toEqual([])
  await informers.close()
})

test('a kind that may not be listed ends the start with its name and the reason', async () => {
  const informers = new Informers(refusing(403, 'Forbidden'), log)
  informers.of(Widget)
  const failure = await informers.start(50).catch((error: unknown) => error)
  expect(failure).toMatchObject({ message: 'widgets could not be listed within 0.05 s' })
  expect(failure).toHaveProperty('cause.message', 'widgets: Forbidden')
  await informers.close()
})
