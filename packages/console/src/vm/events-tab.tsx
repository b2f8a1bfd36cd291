import { Title } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { useMemo } from 'react'
import type { ShownEvent } from '../model/events.ts'
import { filterEvents } from '../model/vm-events.ts'
import { FilterToolbar } from '../ui/filter-toolbar.tsx'
import { ObjectTable, type Sort, type TableColumn } from '../ui/object-table.tsx'
import { putSort, sortIn, useSearchState } from '../ui/search-state.ts'
import { Empty, NoMatch, WhenReady } from '../ui/states.tsx'
import { Timestamp } from '../ui/timestamp.tsx'
import { ToneIcon } from '../ui/tone.tsx'
import { useVmEvents } from './use-vm-events.ts'

const byNumber = (of: (event: ShownEvent) => number) => (a: ShownEvent, b: ShownEvent) => of(a) - of(b)
const byText = (of: (event: ShownEvent) => string) => (a: ShownEvent, b: ShownEvent) => of(a).localeCompare(of(b))

const columns: readonly TableColumn<ShownEvent>[] = [
  {
    id: 'seen',
    title: 'Last seen',
    widthRem: 9,
    cell: ({ atMs }) => <Timestamp at={atMs} />,
    compare: byNumber(({ atMs }) => atMs ?? 0),
  },
  {
    id: 'type',
    title: 'Type',
    widthRem: 7,
    cell: ({ warning }) => (
      <span className="console-nowrap">
        <ToneIcon tone={warning ? 'warning' : 'info'} /> {warning ? 'Warning' : 'Normal'}
      </span>
    ),
    compare: byNumber(({ warning }) => Number(warning)),
  },
  {
    id: 'reason',
    title: 'Reason',
    widthRem: 12,
    cell: ({ reason }) => reason,
    compare: byText(({ reason }) => reason),
  },
  {
    id: 'object',
    title: 'Object',
    widthRem: 13,
    cell: ({ about: { kind, name } }) => (
      <div>
        {name}
        <div className="console-subtle">{kind}</div>
      </div>
    ),
    compare: byText(({ about }) => `${about.kind} ${about.name}`),
  },
  {
    id: 'message',
    title: 'Message',
    widthRem: 20,
    cell: ({ message, from }) => (
      <div>
        {message}
        {from === undefined ? null : <div className="console-subtle">{from}</div>}
      </div>
    ),
  },
  {
    id: 'count',
    title: 'Count',
    widthRem: 6,
    cell: ({ count }) => count,
  },
]

const usual: Sort = { column: 'seen', direction: 'desc' }
const types = ['Normal', 'Warning'].map((value) => ({ value, label: value }))

/** What was reported about a VM and all that belongs to it. */
export function EventsTab({ vm }: { vm: VirtualMachine }) {
  const { list, events } = useVmEvents(vm)
  const { params, change } = useSearchState()
  const chosen = params.getAll('type')
  const text = params.get('text') ?? ''
  const shown = useMemo(() => filterEvents(events, { types: params.getAll('type'), text }), [events, params, text])
  const clear = (): void =>
    change((next) => {
      next.delete('type')
      next.delete('text')
    })
  return (
    <>
      <Title headingLevel="h2">Events</Title>
      <WhenReady list={list} what="events">
        <FilterToolbar
          groups={[
            {
              id: 'type',
              title: 'Type',
              options: types,
              chosen,
              onChange: (values) =>
                change((next) => {
                  next.delete('type')
                  for (const value of values) next.append('type', value)
                }),
            },
          ]}
          texts={[
            {
              id: 'text',
              title: 'Text',
              placeholder: 'Reason, message or object',
              value: text,
              onChange: (value) => change((next) => (value === '' ? next.delete('text') : next.set('text', value))),
            },
          ]}
          onClear={clear}
        />
        {events.length === 0 ? (
          <Empty title="No events found" level="h3">
            Events are kept for a limited time only. New ones appear here by themselves.
          </Empty>
        ) : shown.length === 0 ? (
          <NoMatch onClear={clear} />
        ) : (
          <ObjectTable
            aria-label="Events"
            columns={columns}
            rows={shown}
            rowKey={({ id }) => id}
            sort={sortIn(params, usual)}
            onSort={(sort) => change((next) => putSort(next, sort, usual))}
          />
        )}
      </WhenReady>
    </>
  )
}
