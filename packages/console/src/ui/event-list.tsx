import { Event } from '@stillpoint/api/core/event'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { useMemo } from 'react'
import { useObjects } from '../kube/use-objects.ts'
import { type ShownEvent, shownEvents } from '../model/events.ts'
import { WhenReady } from './states.tsx'
import { Timestamp } from './timestamp.tsx'
import { ToneIcon } from './tone.tsx'

interface Props {
  object: KubeObject
  /** Shown at most; the newest. */
  limit?: number
  /** The name of the object is left out of the sentences. */
  unnamed?: boolean
}

/** What was reported about an object, newest first, live. */
export function EventList({ object, limit, unnamed = false }: Props) {
  const { uid = '', name, namespace } = object.metadata
  const list = useObjects(Event, namespace, `involvedObject.uid=${uid}`)
  const events = useMemo(() => shownEvents(list.items, unnamed ? name : undefined), [list.items, unnamed, name])
  return (
    <WhenReady list={list} what="events">
      {events.length === 0 ? (
        <span className="console-subtle">No events. They are kept for a limited time only.</span>
      ) : (
        <EventLines events={events.slice(0, limit)} />
      )}
    </WhenReady>
  )
}

/** Events, a line each. */
export function EventLines({ events }: { events: readonly ShownEvent[] }) {
  return (
    <ul className="console-plain-list" data-test="events">
      {events.map((event) => (
        <EventLine key={event.id} event={event} />
      ))}
    </ul>
  )
}

function EventLine({ event: { warning, reason, message, atMs, count, from } }: { event: ShownEvent }) {
  return (
    <li>
      <ToneIcon tone={warning ? 'warning' : 'info'} /> <strong>{reason}</strong> {message}{' '}
      <span className="console-subtle">
        <Timestamp at={atMs} />
        {count > 1 ? `, ${count} times` : ''}
        {from === undefined ? '' : `, ${from}`}
      </span>
    </li>
  )
}
