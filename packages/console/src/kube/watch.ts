import { failure } from '@stillpoint/api/meta/status-error'
import { ConnectionError, open, request, searchOf, socketUrl } from './client.ts'
import { eventsOf, type WatchEvent, watchEvents } from './watch-lines.ts'

type Query = Record<string, string | undefined>

/** So many in a row that do not open, though the API answers: something on the way does not let them through. */
const failuresLimit = 3
const normalCode = 1000

/**
 * By HTTP/1.1 a browser opens six connections to a server, for all its tabs, and a watch keeps one. WebSockets are counted
 * apart, and a Kubernetes API watches by them as well.
 */
let bySocket = fewConnections()
let failures = 0

/**
 * Opens a watch: its events, those together that arrive together. Throws StatusError for a refusal, ConnectionError
 * without an answer; so do the events when the watch breaks.
 */
export async function openWatch(path: string, query: Query, signal: AbortSignal): Promise<AsyncIterable<WatchEvent[]>> {
  const watch = { ...query, watch: 'true' }
  if (bySocket) return openSocket(path, watch, signal)
  const { body } = await open(path, { query: watch, signal })
  if (!body) throw failure(502, 'BadGateway', 'the watch has no body')
  return watchEvents(body)
}

async function openSocket(path: string, query: Query, signal: AbortSignal): Promise<AsyncIterable<WatchEvent[]>> {
  const socket = new WebSocket(`${socketUrl(path)}${searchOf(query)}`)
  const events = received(socket, signal)
  const opened = await new Promise<boolean>((resolve) => {
    socket.addEventListener('open', () => resolve(true))
    socket.addEventListener('close', () => resolve(false))
  })
  signal.throwIfAborted()
  if (opened) {
    failures = 0
    return events
  }
  // A browser does not say why a WebSocket was refused. The list may be, for the same reason, and does say it.
  await request(path, { query: { fieldSelector: query.fieldSelector, limit: '1' }, signal })
  failures++
  if (failures === failuresLimit) bySocket = false
  throw new ConnectionError(new Error('no WebSocket could be opened'))
}

/** What a socket receives, from now on. */
function received(socket: WebSocket, signal: AbortSignal): AsyncIterable<WatchEvent[]> {
  let waiting: WatchEvent[] = []
  let end: { error?: unknown } | undefined
  let wake = (): void => {}
  const finish = (how: { error?: unknown }): void => {
    end ??= how
    socket.close()
    wake()
  }
  const abort = (): void => finish({ error: signal.reason })
  signal.addEventListener('abort', abort, { once: true })
  socket.addEventListener('message', ({ data }) => {
    try {
      if (typeof data !== 'string') throw new Error('not a watch event')
      waiting.push(...eventsOf(data))
      wake()
    } catch (error) {
      finish({ error })
    }
  })
  socket.addEventListener('close', ({ code }) => {
    signal.removeEventListener('abort', abort)
    finish(code === normalCode ? {} : { error: new Error(`the WebSocket was closed with ${code}`) })
  })
  return (async function* () {
    try {
      for (;;) {
        if (waiting.length > 0) {
          const events = waiting
          waiting = []
          yield events
        } else if (end) {
          if ('error' in end) throw end.error
          return
        } else
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    } finally {
      socket.close()
    }
  })()
}

function fewConnections(): boolean {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  const protocol = navigation?.nextHopProtocol ?? ''
  return protocol === '' ? location.protocol === 'http:' : protocol.startsWith('http/1')
}
