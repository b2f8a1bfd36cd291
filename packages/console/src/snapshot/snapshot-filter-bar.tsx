import type { ReactNode } from 'react'
import { useState } from 'react'
import { clearFilters, putFilters, type SnapshotFilters, statusFilters } from '../model/filters.ts'
import { type FilterGroup, FilterToolbar } from '../ui/filter-toolbar.tsx'
import type { SearchState } from '../ui/search-state.ts'

interface Props extends Pick<SearchState, 'change'> {
  filters: SnapshotFilters
  /** Besides status. */
  groups?: readonly FilterGroup[]
  children?: ReactNode
}

/** Narrows snapshots down by status, name and label. */
export function SnapshotFilterBar({ filters, change, groups = [], children }: Props) {
  const [label, setLabel] = useState('')
  const put = (changes: Partial<SnapshotFilters>): void => change((params) => putFilters(params, changes))
  const status: FilterGroup = {
    id: 'status',
    title: 'Status',
    options: statusFilters.map((value) => ({ value, label: value })),
    chosen: filters.status,
    onChange: (chosen) => put({ status: chosen }),
  }
  return (
    <FilterToolbar
      groups={[status, ...groups]}
      texts={[
        {
          id: 'name',
          title: 'Name',
          placeholder: 'Search by name',
          value: filters.name,
          onChange: (name) => put({ name }),
        },
        {
          id: 'label',
          title: 'Label',
          placeholder: 'key=value, then Enter',
          value: label,
          onChange: setLabel,
          several: { values: filters.label, onChange: (labels) => put({ label: labels }) },
        },
      ]}
      onClear={() => {
        setLabel('')
        change(clearFilters)
      }}
    >
      {children}
    </FilterToolbar>
  )
}
