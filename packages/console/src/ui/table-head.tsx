import { Checkbox } from '@patternfly/react-core'
import { Th, Thead, Tr } from '@patternfly/react-table'
import { memo, useId } from 'react'
import type { Sort, TableColumn } from './object-table.tsx'

interface Props<T> {
  columns: readonly TableColumn<T>[]
  sort: Sort
  onSort: (sort: Sort) => void
  /** Whether rows can be opened. */
  opens: boolean
  /** All rows are ticked; undefined where none can be. */
  allTicked: boolean | undefined
  onTickAll: (on: boolean) => void
}

/** The titles of a table's columns. Not drawn again while rows come and go. */
function Head<T>({ columns, sort, onSort, opens, allTicked, onTickAll }: Props<T>) {
  const id = useId()
  const index = columns.findIndex(({ id: column }) => column === sort.column)
  return (
    <Thead>
      <Tr>
        {opens ? <Th screenReaderText="Details" /> : null}
        {allTicked === undefined ? null : (
          <Th className="pf-v6-c-table__check">
            <Checkbox id={id} aria-label="Select all rows" isChecked={allTicked} onChange={(_, on) => onTickAll(on)} />
          </Th>
        )}
        {columns.map((column, columnIndex) => (
          <Th
            key={column.id}
            {...(column.hiddenTitle ? { screenReaderText: column.title, className: 'console-actions-cell' } : {})}
            {...(column.compare
              ? {
                  sort: {
                    columnIndex,
                    sortBy: { index, direction: sort.direction },
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
  )
}

export const TableHead = memo(Head) as typeof Head
