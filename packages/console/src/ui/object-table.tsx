import { InnerScrollContainer, Table } from '@patternfly/react-table'
import { type CSSProperties, type ReactNode, type RefObject, useLayoutEffect, useMemo, useRef } from 'react'
import { TableHead } from './table-head.tsx'
import { TableRows } from './table-rows.tsx'
import { useStable } from './use-stable.ts'

export interface TableColumn<T> {
  id: string
  title: string
  cell: (row: T) => ReactNode
  /** Makes the column sortable. Called often: what it compares has to be at hand (`perObject`). */
  compare?: (a: T, b: T) => number
  /** Shown to screen readers only. */
  hiddenTitle?: boolean
  /** Its least width in rem, and its share of what room there is; 10 without one. */
  widthRem?: number
}

export interface Sort {
  column: string
  direction: 'asc' | 'desc'
}

export interface TableSelection {
  selected: ReadonlySet<string>
  onSelect: (keys: ReadonlySet<string>) => void
}

interface Props<T> {
  'aria-label': string
  /** Kept between renders (`useMemo`): rows are drawn anew only when they, or these, change. */
  columns: readonly TableColumn<T>[]
  rows: readonly T[]
  rowKey: (row: T) => string
  /** What a row is called by what reads the page out; its key, when nothing is given. */
  rowLabel?: (row: T) => string
  sort: Sort
  onSort: (sort: Sort) => void
  /** Ticks at the row's start. */
  selection?: TableSelection
  /** What an opened row shows below itself. */
  expanded?: { open: ReadonlySet<string>; onToggle: (key: string) => void; content: (row: T) => ReactNode }
}

const tickRem = 2.5

function widthOf({ widthRem = 10 }: { widthRem?: number }): number {
  return widthRem
}

/** A sortable table of objects that draws only the rows on the screen, each again only when it changes. */
export function ObjectTable<T>(props: Props<T>) {
  const { columns, rows, rowKey, rowLabel = rowKey, sort, onSort, selection, expanded } = props
  const sorted = useSorted(rows, columns, sort)
  const table = useRef<HTMLTableElement>(null)
  useSight(table)
  const onToggle = useStable((key: string) => expanded?.onToggle(key))
  const tick = (keys: readonly string[], on: boolean): void => {
    const next = new Set(selection?.selected)
    for (const key of keys) {
      if (on) next.add(key)
      else next.delete(key)
    }
    selection?.onSelect(next)
  }
  const onTick = useStable((key: string, on: boolean) => tick([key], on))
  const onTickAll = useStable((on: boolean) => tick(sorted.map(rowKey), on))
  const onSortStable = useStable(onSort)
  const width = columns.length + (selection ? 1 : 0) + (expanded ? 1 : 0)
  const ticksRem = (width - columns.length) * tickRem
  const widthRem = columns.reduce((sum, column) => sum + (column.hiddenTitle ? tickRem : widthOf(column)), ticksRem)

  return (
    <InnerScrollContainer>
      <Table
        ref={table}
        aria-label={props['aria-label']}
        variant="compact"
        aria-rowcount={sorted.length + 1}
        className="console-table"
        style={{ '--console-table-width': `${widthRem}rem` } as CSSProperties}
      >
        <colgroup>
          {expanded ? <col style={{ width: `${tickRem}rem` }} /> : null}
          {selection ? <col style={{ width: `${tickRem}rem` }} /> : null}
          {columns.map((column) => (
            <col key={column.id} style={{ width: `${column.hiddenTitle ? tickRem : widthOf(column)}rem` }} />
          ))}
        </colgroup>
        <TableHead
          columns={columns}
          sort={sort}
          onSort={onSortStable}
          opens={expanded !== undefined}
          allTicked={selection && allTicked(selection.selected, sorted, rowKey)}
          onTickAll={onTickAll}
        />
        <TableRows
          table={table}
          columns={columns}
          rows={sorted}
          width={width}
          rowKey={rowKey}
          rowLabel={rowLabel}
          ticked={selection?.selected}
          onTick={onTick}
          open={expanded?.open}
          onToggle={onToggle}
          details={(row) => expanded?.content(row)}
        />
      </Table>
    </InnerScrollContainer>
  )
}

/** Tells the details of rows how wide the part of the table is that is in sight. */
function useSight(table: RefObject<HTMLTableElement | null>): void {
  useLayoutEffect(() => {
    const frame = table.current?.parentElement
    if (!frame) return
    const observer = new ResizeObserver(() =>
      table.current?.style.setProperty('--console-table-sight', `${frame.clientWidth}px`),
    )
    observer.observe(frame)
    return () => observer.disconnect()
  }, [table])
}

function allTicked<T>(ticked: ReadonlySet<string>, rows: readonly T[], rowKey: (row: T) => string): boolean {
  return rows.length > 0 && ticked.size >= rows.length && rows.every((row) => ticked.has(rowKey(row)))
}

function useSorted<T>(rows: readonly T[], columns: readonly TableColumn<T>[], sort: Sort): readonly T[] {
  const compare = columns.find(({ id }) => id === sort.column)?.compare
  return useMemo(() => {
    if (!compare) return rows
    return rows.toSorted(sort.direction === 'asc' ? compare : (a, b) => compare(b, a))
  }, [rows, compare, sort.direction])
}
