import { Tbody, Td, Tr } from '@patternfly/react-table'
import type { ReactNode, RefObject } from 'react'
import { ObjectRow } from './object-row.tsx'
import type { TableColumn } from './object-table.tsx'
import { useRowWindow } from './row-window.ts'
import { useFilled } from './use-filled.ts'

interface Props<T> {
  table: RefObject<HTMLTableElement | null>
  columns: readonly TableColumn<T>[]
  rows: readonly T[]
  /** Cells in all. */
  width: number
  rowKey: (row: T) => string
  rowLabel: (row: T) => string
  /** The ticked rows; undefined where none can be. */
  ticked: ReadonlySet<string> | undefined
  onTick: (key: string, on: boolean) => void
  /** The opened rows; undefined where none can be. */
  open: ReadonlySet<string> | undefined
  onToggle: (key: string) => void
  details: (row: T) => ReactNode
}

/** The rows of a table that are on the screen. Only these are drawn again while it is scrolled, not the table. */
export function TableRows<T>({ table, columns, rows, width, rowKey, rowLabel, ...rest }: Props<T>) {
  const { ticked, onTick, open, onToggle, details } = rest
  const { shown, beforePx, afterPx, measure } = useRowWindow(table, rows, rowKey)
  const filled = useFilled(shown.map(({ key }) => key))
  return (
    <>
      {beforePx > 0 ? <Spacer px={beforePx} columns={width} /> : null}
      {shown.map(({ index, key, px }) => {
        const row = rows[index] as T
        return (
          <ObjectRow
            key={key}
            rowKey={key}
            row={row}
            index={index}
            columns={columns}
            width={width}
            measure={measure}
            waitingPx={measure === undefined || filled.has(key) ? undefined : px}
            ticked={ticked?.has(key)}
            label={rowLabel(row)}
            onTick={onTick}
            open={open?.has(key)}
            details={open?.has(key) ? details(row) : undefined}
            onToggle={onToggle}
          />
        )
      })}
      {afterPx > 0 ? <Spacer px={afterPx} columns={width} /> : null}
    </>
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
