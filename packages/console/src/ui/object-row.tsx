import { Button, Checkbox } from '@patternfly/react-core'
import { AngleDownIcon } from '@patternfly/react-icons'
import { Tbody, Td, Tr } from '@patternfly/react-table'
import { memo, type ReactNode } from 'react'
import type { TableColumn } from './object-table.tsx'

/** What can be done stays in sight when the table is wider than the window. */
export const actionsCell = {
  isStickyColumn: true,
  stickyMinWidth: '3rem',
  stickyRightOffset: '0',
} as const

interface Props<T> {
  row: T
  rowKey: string
  index: number
  columns: readonly TableColumn<T>[]
  /** Cells in all. */
  width: number
  /** Undefined where all rows are drawn. */
  measure: ((node: Element | null) => void) | undefined
  ticked: boolean | undefined
  /** What the row is called by what reads it out. */
  label: string
  onTick: (key: string, on: boolean) => void
  open: boolean | undefined
  details: ReactNode
  onToggle: (key: string) => void
}

/** One object of a table, with its details below it when it is open: measured together. */
function Row<T>({ row, rowKey, index, columns, width, measure, ...rest }: Props<T>) {
  const { ticked, label, onTick, open, details, onToggle } = rest
  return (
    <Tbody isExpanded={open === true} {...(measure ? { ref: measure, 'data-index': index } : {})}>
      <Tr aria-rowindex={index + 2}>
        {open === undefined ? null : (
          <Td className="pf-v6-c-table__toggle">
            <Button
              variant="plain"
              size="sm"
              className={open ? 'pf-m-expanded' : ''}
              aria-expanded={open}
              aria-label={`Details of ${label}`}
              onClick={() => onToggle(rowKey)}
              icon={
                <div className="pf-v6-c-table__toggle-icon">
                  <AngleDownIcon />
                </div>
              }
            />
          </Td>
        )}
        {ticked === undefined ? null : (
          <Td className="pf-v6-c-table__check">
            <Checkbox
              id={`tick-${rowKey}`}
              aria-label={`Select ${label}`}
              isChecked={ticked}
              onChange={(_, on) => onTick(rowKey, on)}
            />
          </Td>
        )}
        {columns.map((column) => (
          <Td
            key={column.id}
            {...(column.hiddenTitle ? { isActionCell: true, ...actionsCell } : { dataLabel: column.title })}
          >
            {column.cell(row)}
          </Td>
        ))}
      </Tr>
      {open ? (
        <Tr isExpanded>
          <Td colSpan={width} noPadding={false}>
            <div className="console-row-details">{details}</div>
          </Td>
        </Tr>
      ) : null}
    </Tbody>
  )
}

export const ObjectRow = memo(Row) as typeof Row
