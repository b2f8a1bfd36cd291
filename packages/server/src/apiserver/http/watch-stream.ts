import { randomInt } from 'node:crypto'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { StatusError } from '@stillpoint/api/meta/status-error'
import { apiVersionOf } from '@stillpoint/api/schema/resource'
import { expired, internalError } from '../registry/errors.ts'
import { Compacted } from '../store/store.ts'
import { isSelected } from '../watch/listing.ts'
import { type CacheEvent, resourceKey, type WatchCache } from '../watch/watch-cache.ts'
import { endWith, flushHead, type HttpResponse, writeHead } from './answer.ts'
import { encodeWatched, type View } from './encode.ts'
import type { ListOptions } from './list-options.ts'
import type { Right } from './watch-right.ts'

const bookmarkEveryMs = 60_000
const bookmarkBeforeEndMs = 2_000
const shortestMs = 30 * 60_000
/** A reader this far behind is cut; it comes back with the last version it saw. */
const backlogBytes = 16 * 1024 * 1024

export interface WatchRequest {
  cache: WatchCache
  namespace: string | undefined
  options: ListOptions
  view: View
  /** Ends the stream: the server is closing. */
  signal: AbortSignal
  /** Where it can end before the watch does. */
  right?: Right | undefined
}

/** Where the events of a watch go. */
export interface WatchSink {
  /** Takes one event, a JSON text. */
  write(event: string): void
  /** What the reader has not taken yet, in bytes. */
  readonly waitingBytes: number
  /** Ends it in good order, after what was written. */
  end(): void
  /** Ends it at once. */
  cut(): void
  onGone(listener: () => void): void
}

interface Shown {
  type: CacheEvent['type']
  object: KubeObject
}

/** The body of an answer: an event a line. Its head is sent at once. */
export function responseSink(response: HttpResponse): WatchSink {
  writeHead(response, 200, { 'Content-Type': 'application/json' })
  flushHead(response)
  return {
    write: (event) => (response as NodeJS.WritableStream).write(`${event}\n`),
    get waitingBytes() {
      return response.writableLength
    },
    end: () => endWith(response),
    cut: () => response.destroy(),
    onGone: (listener) => {
      response.on('close', listener)
      response.on('error', listener)
    },
  }
}

/** Streams the changes of a resource until the client goes, time is up or the server closes. */
export function streamWatch(sink: WatchSink, request: WatchRequest): void {
  const { cache, namespace, options, view, signal, right } = request
  const resource = resourceKey(view.definition)

  let sentRevision = options.resourceVersion ?? 0
  let first = true
  // What there is at the start is sent whole, however much it is: a reader could never catch up otherwise.
  let allowedBytes = Number.POSITIVE_INFINITY
  const write = (type: string, object: string) => {
    sink.write(`{"type":"${type}","object":${object}}`)
    if (sink.waitingBytes > allowedBytes) finish(() => sink.cut())
  }
  const send = (event: CacheEvent) => {
    if (event.revision <= sentRevision) return
    sentRevision = event.revision
    if (namespace !== undefined && event.object.metadata.namespace !== namespace) return
    const shown = transition(event, options)
    if (!shown) return
    write(shown.type, encodeWatched(shown.object, view, first))
    first = false
  }

  const timers: NodeJS.Timeout[] = []
  let unsubscribe = () => {}
  let forgetRight = () => {}
  let finished = false
  const finish = (end: () => void) => {
    if (finished) return
    finished = true
    unsubscribe()
    forgetRight()
    for (const timer of timers) clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    end()
  }
  const close = () => finish(() => sink.end())
  const onAbort = close
  sink.onGone(() => finish(() => {}))
  if (signal.aborted) {
    close()
    return
  }
  signal.addEventListener('abort', onAbort)

  try {
    // One turn of the event loop: no commit can come between the state, the history and the subscription.
    if (options.resourceVersion)
      for (const event of cache.since(resource, namespace, options.resourceVersion)) send(event)
    else {
      for (const object of cache.list(resource, namespace).filter((item) => isSelected(item, options))) {
        write('ADDED', encodeWatched(object, view, first))
        first = false
      }
      sentRevision = cache.revision
    }
  } catch (error) {
    write('ERROR', JSON.stringify(statusOf(error)))
    close()
    return
  }
  allowedBytes = sink.waitingBytes + backlogBytes
  if (right)
    forgetRight = right.onChange(() => {
      // In the turn of the commit that withdraws it: what is written after that is not seen any more.
      try {
        right.check()
      } catch (error) {
        write('ERROR', JSON.stringify(statusOf(error)))
        close()
      }
    })
  unsubscribe = cache.subscribe(resource, (event) => {
    try {
      send(event)
    } catch (error) {
      // We are in the commit path: whatever is wrong with this watch must not reach the writer.
      write('ERROR', JSON.stringify(statusOf(error)))
      close()
    }
  })

  const bookmark = () => {
    const resourceVersion = String(Math.max(cache.revision, sentRevision))
    const { definition, version } = view
    const apiVersion = apiVersionOf({ group: definition.group, version })
    write('BOOKMARK', JSON.stringify({ kind: definition.kind, apiVersion, metadata: { resourceVersion } }))
  }
  const timeoutMs = options.timeoutMs ?? shortestMs + randomInt(shortestMs)
  timers.push(setTimeout(close, timeoutMs))
  if (!options.allowWatchBookmarks) return
  timers.push(setInterval(bookmark, bookmarkEveryMs))
  if (timeoutMs > 2 * bookmarkBeforeEndMs) timers.push(setTimeout(bookmark, timeoutMs - bookmarkBeforeEndMs))
}

/** What a change looks like to a watch with selectors: an object may appear or vanish by being changed. */
export function transition(event: CacheEvent, options: Pick<ListOptions, 'labels' | 'fields'>): Shown | undefined {
  const { type, object, previous } = event
  if (type === 'DELETED') return isSelected(object, options) ? { type, object } : undefined
  const is = isSelected(object, options)
  const was = previous !== undefined && isSelected(previous, options)
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object }
  if (!was) return undefined
  const { resourceVersion } = object.metadata
  return {
    type: 'DELETED',
    object: { ...previous, metadata: { ...previous.metadata, ...(resourceVersion ? { resourceVersion } : {}) } },
  }
}

function statusOf(error: unknown): object {
  if (error instanceof Compacted)
    return expired(`too old resource version: ${error.revision} (${error.compactedRevision})`).status
  return error instanceof StatusError ? error.status : internalError(String(error)).status
}
