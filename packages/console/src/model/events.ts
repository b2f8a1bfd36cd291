import type { Event } from '@stillpoint/api/core/event'
import { msOf } from './format.ts'

export interface ShownEvent {
  id: string
  warning: boolean
  reason: string
  message: string
  /** When it was reported last, milliseconds since 1970. */
  atMs: number | undefined
  count: number
  /** Who reported it. */
  from?: string | undefined
  /** The object it is about. */
  about: { kind: string; name: string }
}

/**
 * Events in the order to read them: newest first. With a name, the object of that name is called "this one" in the
 * sentences, for places where its name must not stand again.
 */
export function shownEvents(events: readonly Event[], name?: string): ShownEvent[] {
  return events.map((event) => shown(event, name)).sort((a, b) => (b.atMs ?? 0) - (a.atMs ?? 0))
}

function shown(event: Event, name: string | undefined): ShownEvent {
  const { metadata, series, source, message = '' } = event
  return {
    id: metadata.uid ?? metadata.name,
    warning: event.type === 'Warning',
    reason: event.reason ?? '',
    message: name === undefined ? message : withoutName(message, name),
    atMs: msOf(series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? metadata.creationTimestamp),
    count: series?.count ?? event.count ?? 1,
    from: event.reportingComponent || source?.component,
    about: { kind: event.involvedObject.kind ?? '', name: event.involvedObject.name ?? '' },
  }
}

function withoutName(message: string, name: string): string {
  return message.replaceAll(`VirtualMachineSnapshot ${name}`, 'this snapshot').replaceAll(name, 'this one')
}
