import { AngleDownIcon } from '@patternfly/react-icons'
import { memo, type ReactNode } from 'react'
import type { TableColumn } from './object-table.tsx'

interface Props<T> {
  row: T
  rowKey: string
  index: number
  columns: readonly TableColumn<T>[]
  /** Cells in all. */
  width: number
  /** Undefined where all rows are drawn. */
  measure: ((node: Element | null) => void) | undefined
  /** Its height, while it is not drawn in full yet. */
  waitingPx: number | undefined
  ticked: boolean | undefined
  /** What the row is called by what reads it out. */
  label: string
  onTick: (key: string, on: boolean) => void
  open: boolean | undefined
  details: ReactNode
  onToggle: (key: string) => void
}

/**
 * One object of a table, with its details below it when it is open: measured together. The elements are written as
 * PatternFly's own components make them, which ask the browser for the width of every cell they have drawn, and so have
 * it lay out the page hundreds of times while a list is scrolled.
 */
function Row<T>({ index, measure, waitingPx, ...rest }: Props<T>) {
  const waiting = waitingPx !== undefined
  return (
    <tbody
      className={`pf-v6-c-table__tbody${rest.open ? ' pf-m-expanded' : ''}`}
      {...(measure && !waiting ? { ref: measure, 'data-index': index } : {})}
    >
      {waiting ? (
        <tr className="pf-v6-c-table__tr" aria-rowindex={index + 2} style={{ height: waitingPx }}>
          <td className="pf-v6-c-table__td" colSpan={rest.width}>
            {rest.label}
          </td>
        </tr>
      ) : (
        <Cells index={index} {...rest} />
      )}
    </tbody>
  )
}

function Cells<T>({ row, rowKey, index, columns, width, ...rest }: Omit<Props<T>, 'measure' | 'waitingPx'>) {
  const { ticked, label, onTick, open, details, onToggle } = rest
  return (
    <>
      <tr className={`pf-v6-c-table__tr${open ? ' pf-m-expanded' : ''}`} aria-rowindex={index + 2}>
        {open === undefined ? null : (
          <td className="pf-v6-c-table__td pf-v6-c-table__toggle">
            <button
              type="button"
              className={`pf-v6-c-button pf-m-plain pf-m-small${open ? ' pf-m-expanded' : ''}`}
              aria-expanded={open}
              aria-label={`Details of ${label}`}
              onClick={() => onToggle(rowKey)}
            >
              <span className="pf-v6-c-button__icon">
                <span className="pf-v6-c-table__toggle-icon">
                  <AngleDownIcon set="default" />
                </span>
              </span>
            </button>
          </td>
        )}
        {ticked === undefined ? null : (
          <td className="pf-v6-c-table__td pf-v6-c-table__check">
            <label className="pf-v6-c-check pf-m-standalone">
              <input
                type="checkbox"
                className="pf-v6-c-check__input"
                aria-label={`Select ${label}`}
                checked={ticked}
                onChange={({ currentTarget }) => onTick(rowKey, currentTarget.checked)}
              />
            </label>
          </td>
        )}
        {columns.map((column) => (
          <td
            key={column.id}
            {...(column.hiddenTitle
              ? { className: 'pf-v6-c-table__td pf-v6-c-table__action console-actions-cell' }
              : { className: 'pf-v6-c-table__td', 'data-label': column.title })}
          >
            {column.cell(row)}
          </td>
        ))}
      </tr>
      {open ? (
        <tr className="pf-v6-c-table__tr pf-v6-c-table__expandable-row pf-m-expanded">
          <td className="pf-v6-c-table__td" colSpan={width}>
            <div className="console-row-details">{details}</div>
          </td>
        </tr>
      ) : null}
    </>
  )
}

export const ObjectRow = memo(Row) as typeof Row
