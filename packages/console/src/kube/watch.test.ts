import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ConnectionError as ConnectionErrorClass } from './client.ts'
import type { openWatch as OpenWatch } from './watch.ts'

/** A WebSocket whose other end is the test. */
class FakeSocket extends EventTarget {
  static readonly made: FakeSocket[] = []
  readonly url: string
  closed = false
  constructor(url: string) {
    super()
    this.url = url
    FakeSocket.made.push(this)
  }
  close(code = 1005): void {
    if (this.closed) return
    this.closed = true
    this.dispatchEvent(Object.assign(new Event('close'), { code }))
  }
  open = (): void => void this.dispatchEvent(new Event('open'))
  say = (data: unknown): void => void this.dispatchEvent(Object.assign(new Event('message'), { data }))
}

const path = '/api/v1/pods'
const query = { allowWatchBookmarks: 'true', resourceVersion: '7', fieldSelector: undefined }
const event = (type: string, name: string) => ({ type, object: { kind: 'Pod', metadata: { name } } })
const refusal = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 403, message: 'no' }

let openWatch: typeof OpenWatch
let ConnectionError: typeof ConnectionErrorClass
let asked: string[]
let answer: () => Response

beforeEach(async () => {
  FakeSocket.made.length = 0
  asked = []
  answer = () => Response.json({ kind: 'PodList', metadata: {}, items: [] })
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.stubGlobal('location', { protocol: 'http:', host: 'localhost:9000' })
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url)
    return answer()
  })
  vi.resetModules()
  ;({ openWatch } = await import('./watch.ts'))
  ;({ ConnectionError } = await import('./client.ts'))
})
afterEach(() => vi.unstubAllGlobals())

const begin = (signal = new AbortController().signal) => {
  const watch = openWatch(path, query, signal)
  const socket = FakeSocket.made.at(-1)
  if (!socket) throw new Error('no WebSocket was opened')
  return { watch, socket }
}
async function opened(signal?: AbortSignal) {
  const { watch, socket } = begin(signal)
  socket.open()
  return { events: (await watch)[Symbol.asyncIterator](), socket }
}

test('by HTTP/1.1 it is a WebSocket, whose messages are events, together as they come', async () => {
  const { events, socket } = await opened()
  expect(socket.url).toBe(
    'ws://localhost:9000/api/kubernetes/api/v1/pods?allowWatchBookmarks=true&resourceVersion=7&watch=true',
  )
  socket.say(JSON.stringify(event('ADDED', 'a')))
  socket.say(`${JSON.stringify(event('MODIFIED', 'a'))}\n${JSON.stringify(event('DELETED', 'a'))}\n`)
  const all = [event('ADDED', 'a'), event('MODIFIED', 'a'), event('DELETED', 'a')]
  expect(await events.next()).toEqual({ done: false, value: all })
  const next = events.next()
  socket.say(JSON.stringify(event('ADDED', 'b')))
  expect((await next).value).toEqual([event('ADDED', 'b')])
  expect(asked).toEqual([])
})

test('it ends when the server ends it, after what was said before', async () => {
  const { events, socket } = await opened()
  socket.say(JSON.stringify(event('ADDED', 'a')))
  socket.close(1000)
  expect((await events.next()).value).toEqual([event('ADDED', 'a')])
  expect((await events.next()).done).toBe(true)
})

test('one that breaks is no end', async () => {
  const { events, socket } = await opened()
  socket.close(1006)
  await expect(events.next()).rejects.toThrow('closed with 1006')
})

test.each(['nonsense', '{"type":"ADDED"}', 'null', new ArrayBuffer(3)])(
  'what is no event breaks it: %s',
  async (data) => {
    const { events, socket } = await opened()
    socket.say(data)
    await expect(events.next()).rejects.toThrow()
    expect(socket.closed).toBe(true)
  },
)

test('it is given up when nobody wants it', async () => {
  const controller = new AbortController()
  const { events, socket } = await opened(controller.signal)
  const next = events.next()
  controller.abort(new Error('enough'))
  await expect(next).rejects.toThrow('enough')
  expect(socket.closed).toBe(true)

  const early = new AbortController()
  const { watch } = begin(early.signal)
  early.abort(new Error('too late'))
  await expect(watch).rejects.toThrow('too late')
})

test('why it is refused is asked by an ordinary request', async () => {
  answer = () => Response.json(refusal, { status: 403 })
  const { watch, socket } = begin()
  socket.close(1006)
  await expect(watch).rejects.toMatchObject({ code: 403, message: 'no' })
  expect(asked).toEqual(['/api/kubernetes/api/v1/pods?limit=1'])
})

test('where no WebSocket gets through, it is a request that lasts, after three tries in a row', async () => {
  const fail = async (): Promise<void> => {
    const { watch, socket } = begin()
    socket.close(1006)
    await expect(watch).rejects.toThrow(ConnectionError)
  }
  await fail()
  await fail()
  await opened()
  await fail()
  await fail()
  await fail()
  asked = []
  answer = () => new Response(`${JSON.stringify(event('ADDED', 'a'))}\n`)
  const events: unknown[] = []
  for await (const some of await openWatch(path, query, new AbortController().signal)) events.push(...some)
  expect(events).toEqual([event('ADDED', 'a')])
  expect(asked).toEqual(['/api/kubernetes/api/v1/pods?allowWatchBookmarks=true&resourceVersion=7&watch=true'])
})

test('by HTTP/2 it is a request that lasts', async () => {
  vi.spyOn(performance, 'getEntriesByType').mockReturnValue([{ nextHopProtocol: 'h2' } as unknown as PerformanceEntry])
  vi.resetModules()
  ;({ openWatch } = await import('./watch.ts'))
  answer = () => new Response('')
  await openWatch(path, query, new AbortController().signal)
  expect(asked).toHaveLength(1)
  expect(FakeSocket.made).toEqual([])
  vi.restoreAllMocks()
})
