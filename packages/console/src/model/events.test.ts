import { Event } from '@stillpoint/api/core/event'
import { objectOf } from '@stillpoint/api/schema/resource'
import { expect, test } from 'vitest'
import { shownEvents } from './events.ts'

const event = (name: string, fields: Partial<Event>): Event =>
  objectOf(Event, { name, uid: name, creationTimestamp: '2026-08-02T10:00:00Z' }, { involvedObject: {}, ...fields })

test('the newest comes first, by the time it was seen last', () => {
  const shown = shownEvents([
    event('old', { lastTimestamp: '2026-08-02T10:00:01Z', count: 3, type: 'Warning', reason: 'ThawError' }),
    event('series', {
      series: { count: 7, lastObservedTime: '2026-08-02T10:00:09Z' },
      eventTime: '2026-08-02T09:00:00Z',
    }),
    event('bare', {}),
  ])
  expect(shown.map(({ id, count }) => [id, count])).toEqual([
    ['series', 7],
    ['old', 3],
    ['bare', 1],
  ])
  expect(shown[1]).toMatchObject({ warning: true, reason: 'ThawError', message: '' })
})

test('an object may be left unnamed', () => {
  const [shown] = shownEvents(
    [event('e', { message: 'Completed VirtualMachineSnapshot monday; monday is ready' })],
    'monday',
  )
  expect(shown?.message).toBe('Completed this snapshot; this one is ready')
})
