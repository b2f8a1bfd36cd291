import { Divider, MenuToggle, type MenuToggleElement, Select, SelectList, SelectOption } from '@patternfly/react-core'
import { ColumnsIcon } from '@patternfly/react-icons'
import { type Ref, useState } from 'react'
import type { ChoosableColumn } from '../model/column-choice.ts'
import type { ChosenColumns } from './column-choice.ts'
import type { TableColumn } from './object-table.tsx'

export type ManagedColumn<T> = TableColumn<T> & ChoosableColumn

interface Props<T> extends ChosenColumns<ManagedColumn<T>> {
  columns: readonly ManagedColumn<T>[]
}

const resetValue = '#reset'

/** Chooses which columns a table shows. */
export function ColumnManager<T>({ columns, shown, choose, reset }: Props<T>) {
  const [open, setOpen] = useState(false)
  const on = new Set(shown.map(({ id }) => id))
  return (
    <Select
      role="menu"
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={(_, value) => (value === resetValue ? reset() : choose(String(value), !on.has(String(value))))}
      popperProps={{ position: 'right' }}
      toggle={(ref: Ref<MenuToggleElement>) => (
        <MenuToggle
          ref={ref}
          icon={<ColumnsIcon />}
          isExpanded={open}
          onClick={() => setOpen(!open)}
          data-test="manage-columns"
        >
          Columns
        </MenuToggle>
      )}
    >
      <SelectList aria-label="Columns">
        {columns
          .filter(({ hiddenTitle }) => !hiddenTitle)
          .map(({ id, title, fixed = false }) => (
            <SelectOption key={id} value={id} hasCheckbox isSelected={on.has(id)} isDisabled={fixed}>
              {title}
            </SelectOption>
          ))}
        <Divider component="li" />
        <SelectOption value={resetValue}>Back to the usual columns</SelectOption>
      </SelectList>
    </Select>
  )
}
