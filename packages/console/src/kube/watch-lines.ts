import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { Status } from '@stillpoint/api/meta/status-error'

export type WatchEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: KubeObject }
  | { type: 'ERROR'; object: Status }

const lineLimit = 8 * 1024 * 1024

/**
 * The events of a watch stream, one JSON text a line; what arrived together comes together. Throws when a line is too
 * long or no event.
 */
export async function* watchEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<WatchEvent[]> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > lineLimit) throw new Error('watch event is too long')
      const events = parse(lines)
      if (events.length > 0) yield events
    }
  } finally {
    await reader.cancel().catch(() => {
      // The stream is broken already.
    })
  }
}

/** The events of a text of whole lines. Throws when it is too long or something in it is no event. */
export function eventsOf(text: string): WatchEvent[] {
  if (text.length > lineLimit) throw new Error('watch event is too long')
  return parse(text.split('\n'))
}

function parse(lines: readonly string[]): WatchEvent[] {
  return lines.filter((line) => line !== '').map(parseLine)
}

function parseLine(line: string): WatchEvent {
  const event = JSON.parse(line) as Partial<WatchEvent>
  if (typeof event.type !== 'string' || typeof event.object !== 'object' || event.object === null)
    throw new Error('not a watch event')
  return event as WatchEvent
}
