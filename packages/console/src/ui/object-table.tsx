import { Checkbox } from '@patternfly/react-core'
import { InnerScrollContainer, Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { type CSSProperties, type ReactNode, useId, useMemo, useRef } from 'react'
import { actionsCell, ObjectRow } from './object-row.tsx'
import { useRowWindow } from './row-window.ts'
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

const tickRem = 3

function widthOf({ widthRem = 10 }: { widthRem?: number }): number {
  return widthRem
}

/** A sortable table of objects that draws only the rows on the screen, each again only when it changes. */
export function ObjectTable<T>(props: Props<T>) {
  const { columns, rows, rowKey, rowLabel = rowKey, sort, onSort, selection, expanded } = props
  const sorted = useSorted(rows, columns, sort)
  const table = useRef<HTMLTableElement>(null)
  const { shown, beforePx, afterPx, measure } = useRowWindow(table, sorted, rowKey)
  const onToggle = useStable((key: string) => expanded?.onToggle(key))
  const onTick = useStable((key: string, on: boolean) => {
    const next = new Set(selection?.selected)
    if (on) next.add(key)
    else next.delete(key)
    selection?.onSelect(next)
  })
  const width = columns.length + (selection ? 1 : 0) + (expanded ? 1 : 0)
  const ticksRem = (width - columns.length) * tickRem
  const widthRem = columns.reduce((sum, column) => sum + (column.hiddenTitle ? tickRem : widthOf(column)), ticksRem)
  const sortIndex = columns.findIndex(({ id }) => id === sort.column)

  return (
    <InnerScrollContainer className="console-table-frame">
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
        <Thead>
          <Tr>
            {expanded ? <Th screenReaderText="Details" /> : null}
            {selection ? <SelectAll selection={selection} keys={sorted} rowKey={rowKey} /> : null}
            {columns.map((column, index) => (
              <Th
                key={column.id}
                {...(column.hiddenTitle ? { screenReaderText: column.title, ...actionsCell } : {})}
                {...(column.compare
                  ? {
                      sort: {
                        columnIndex: index,
                        sortBy: { index: sortIndex, direction: sort.direction },
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
        {beforePx > 0 ? <Spacer px={beforePx} columns={width} /> : null}
        {shown.map((index) => {
          const row = sorted[index] as T
          const key = rowKey(row)
          const open = expanded?.open.has(key) === true
          return (
            <ObjectRow
              key={key}
              rowKey={key}
              row={row}
              index={index}
              columns={columns}
              width={width}
              measure={measure}
              ticked={selection?.selected.has(key)}
              label={rowLabel(row)}
              onTick={onTick}
              open={expanded ? open : undefined}
              details={open ? expanded?.content(row) : undefined}
              onToggle={onToggle}
            />
          )
        })}
        {afterPx > 0 ? <Spacer px={afterPx} columns={width} /> : null}
      </Table>
    </InnerScrollContainer>
  )
}

interface SelectAllProps<T> {
  selection: TableSelection
  keys: readonly T[]
  rowKey: (row: T) => string
}

function SelectAll<T>({ selection: { selected, onSelect }, keys, rowKey }: SelectAllProps<T>) {
  const id = useId()
  const isSelected = keys.length > 0 && selected.size >= keys.length && keys.every((row) => selected.has(rowKey(row)))
  const all = (on: boolean): void => {
    const next = new Set(selected)
    for (const row of keys) on ? next.add(rowKey(row)) : next.delete(rowKey(row))
    onSelect(next)
  }
  return (
    <Th className="pf-v6-c-table__check">
      <Checkbox id={id} aria-label="Select all rows" isChecked={isSelected} onChange={(_, on) => all(on)} />
    </Th>
  )
}

/** Stands for rows that are not drawn. */
function Spacer({ px, columns }: { px: number; columns: number }) {
  return (
    <Tbody aria-hidden="true" data-spacer="">
      <Tr>
        <Td colSpan={columns} style={{ height: px, padding: 0, border: 0 }} />
      </Tr>
    </Tbody>
  )
}

function useSorted<T>(rows: readonly T[], columns: readonly TableColumn<T>[], sort: Sort): readonly T[] {
  const compare = columns.find(({ id }) => id === sort.column)?.compare
  return useMemo(() => {
    if (!compare) return rows
    return rows.toSorted(sort.direction === 'asc' ? compare : (a, b) => compare(b, a))
  }, [rows, compare, sort.direction])
}
