import { OuterScrollContainer, Table, Tbody, Td, Th, Thead, type ThProps, Tr } from '@patternfly/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useLayoutEffect, useRef, useState } from 'react'
import { mainScroller } from '../shell/main-scroller.ts'

export interface TableColumn<T> {
  id: string
  title: string
  cell: (row: T) => ReactNode
  /** Makes the column sortable. */
  compare?: (a: T, b: T) => number
  /** Shown to screen readers only. */
  hiddenTitle?: boolean
  width?: ThProps['width']
  modifier?: ThProps['modifier']
}

export interface Sort {
  column: string
  direction: 'asc' | 'desc'
}

interface Props<T> {
  'aria-label': string
  columns: readonly TableColumn<T>[]
  rows: readonly T[]
  rowKey: (row: T) => string
  sort: Sort
  onSort: (sort: Sort) => void
  /** Ticks at the row's start. */
  selection?: {
    selected: ReadonlySet<string>
    onSelect: (keys: ReadonlySet<string>) => void
    label: (row: T) => string
  }
  /** What an opened row shows below itself. */
  expanded?: { open: ReadonlySet<string>; onToggle: (key: string) => void; content: (row: T) => ReactNode }
}

/** Fewer rows than this are all drawn: nothing is gained by less, and find-in-page works. */
const virtualFrom = 60
const estimatedRowPx = 57

/** A sortable table of objects that draws only the rows on the screen. */
export function ObjectTable<T>({ columns, rows, rowKey, sort, onSort, selection, expanded, ...rest }: Props<T>) {
  const sorted = useSorted(rows, columns, sort)
  const body = useRef<HTMLTableSectionElement>(null)
  const [offset, setOffset] = useState(0)
  const virtual = sorted.length >= virtualFrom
  useLayoutEffect(() => {
    const scroller = mainScroller()
    if (!body.current || !scroller) return
    setOffset(body.current.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop)
  }, [])
  const virtualizer = useVirtualizer({
    count: virtual ? sorted.length : 0,
    getScrollElement: mainScroller,
    estimateSize: () => estimatedRowPx,
    getItemKey: (index) => rowKey(sorted[index] as T),
    scrollMargin: offset,
    overscan: 12,
  })
  const items = virtualizer.getVirtualItems()
  const shown = virtual
    ? items.map(({ index }) => ({ index, row: sorted[index] as T }))
    : sorted.map((row, index) => ({ index, row }))
  const first = items[0]
  const before = virtual && first ? first.start - offset : 0
  const after = virtual ? virtualizer.getTotalSize() - ((items.at(-1)?.end ?? offset) - offset) : 0
  const width = columns.length + (selection ? 1 : 0) + (expanded ? 1 : 0)
  const allKeys = selection ? sorted.map(rowKey) : []

  return (
    <OuterScrollContainer>
      <Table aria-label={rest['aria-label']} variant="compact" aria-rowcount={sorted.length + 1}>
        <Thead>
          <Tr>
            {expanded ? <Th screenReaderText="Details" /> : null}
            {selection ? (
              <Th
                aria-label="Select all rows"
                select={{
                  isSelected: allKeys.length > 0 && allKeys.every((key) => selection.selected.has(key)),
                  onSelect: (_, on) => selection.onSelect(new Set(on ? allKeys : [])),
                }}
              />
            ) : null}
            {columns.map((column, index) => (
              <Th
                key={column.id}
                {...(column.width === undefined ? {} : { width: column.width })}
                {...(column.modifier === undefined ? {} : { modifier: column.modifier })}
                {...(column.hiddenTitle ? { screenReaderText: column.title } : {})}
                {...(column.compare
                  ? {
                      sort: {
                        columnIndex: index,
                        sortBy: {
                          index: columns.findIndex(({ id }) => id === sort.column),
                          direction: sort.direction,
                        },
                        onSort: (_event, _index, direction) => onSort({ column: column.id, direction }),
                      },
                    }
                  : {})}
              >
                {column.hiddenTitle ? undefined : column.title}
              </Th>
            ))}
          </Tr>
        </Thead>
        <Tbody ref={body}>
          {before > 0 ? <Spacer px={before} columns={width} /> : null}
          {shown.map(({ index, row }) => {
            const key = rowKey(row)
            const open = expanded?.open.has(key) === true
            return [
              <Tr key={key} aria-rowindex={index + 2} {...(virtual ? measured(virtualizer, index, open) : {})}>
                {expanded ? (
                  <Td
                    expand={{
                      rowIndex: index,
                      isExpanded: open,
                      onToggle: () => expanded.onToggle(key),
                      expandId: 'details',
                    }}
                  />
                ) : null}
                {selection ? (
                  <Td
                    select={{
                      rowIndex: index,
                      isSelected: selection.selected.has(key),
                      onSelect: (_, on) => {
                        const next = new Set(selection.selected)
                        if (on) next.add(key)
                        else next.delete(key)
                        selection.onSelect(next)
                      },
                    }}
                    aria-label={selection.label(row)}
                  />
                ) : null}
                {columns.map((column) => (
                  <Td key={column.id} {...(column.hiddenTitle ? { isActionCell: true } : { dataLabel: column.title })}>
                    {column.cell(row)}
                  </Td>
                ))}
              </Tr>,
              open ? (
                <Tr key={`${key} details`} isExpanded>
                  <Td colSpan={width} noPadding={false}>
                    {expanded?.content(row)}
                  </Td>
                </Tr>
              ) : null,
            ]
          })}
          {after > 0 ? <Spacer px={after} columns={width} /> : null}
        </Tbody>
      </Table>
    </OuterScrollContainer>
  )
}

function measured(
  virtualizer: { measureElement: (node: Element | null) => void },
  index: number,
  open: boolean,
): Record<string, unknown> {
  // An opened row is taller by its details, which a table keeps in a row of their own: not measured, but drawn.
  return open ? { 'data-index': index } : { 'data-index': index, ref: virtualizer.measureElement }
}

function Spacer({ px, columns }: { px: number; columns: number }) {
  return (
    <Tr aria-hidden="true" data-spacer="">
      <Td colSpan={columns} style={{ height: px, padding: 0, border: 0 }} />
    </Tr>
  )
}

function useSorted<T>(rows: readonly T[], columns: readonly TableColumn<T>[], sort: Sort): readonly T[] {
  const cache = useRef<{ rows: readonly T[]; sort: Sort; sorted: readonly T[] } | undefined>(undefined)
  const known = cache.current
  if (known && known.rows === rows && known.sort.column === sort.column && known.sort.direction === sort.direction)
    return known.sorted
  const compare = columns.find(({ id }) => id === sort.column)?.compare
  const factor = sort.direction === 'asc' ? 1 : -1
  const sorted = compare ? rows.toSorted((a, b) => factor * compare(a, b)) : rows
  cache.current = { rows, sort, sorted }
  return sorted
}
