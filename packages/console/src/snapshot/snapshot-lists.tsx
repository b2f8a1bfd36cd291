import { Content, Title, ToolbarGroup, ToolbarItem } from '@patternfly/react-core'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo, useState } from 'react'
import {
  clearFilters,
  filterSnapshots,
  filtersIn,
  putFilters,
  type SnapshotFilters,
  type VmThere,
} from '../model/filters.ts'
import { useChosenColumns } from '../ui/column-choice.ts'
import { ColumnManager } from '../ui/column-manager.tsx'
import type { FilterGroup } from '../ui/filter-toolbar.tsx'
import type { Sort } from '../ui/object-table.tsx'
import type { MenuAction } from '../ui/row-menu.tsx'
import { putSort, sortIn, useSearchState } from '../ui/search-state.ts'
import { NoMatch } from '../ui/states.tsx'
import { useNow } from '../ui/use-now.ts'
import { useToggled } from '../ui/use-toggled.ts'
import type { SnapshotColumn } from './columns.tsx'
import { DeleteSelected } from './delete-selected.tsx'
import { SnapshotFilterBar } from './snapshot-filter-bar.tsx'
import { rowKeyOf, SnapshotTable } from './snapshot-table.tsx'
import { useSnapshotColumns } from './use-snapshot-columns.tsx'

/** Snapshots that have a table of their own. */
export interface SnapshotGroup {
  /** Of the table, for those who hear it. */
  label: string
  snapshots: readonly VirtualMachineSnapshot[]
  /** What sets them apart from those before. */
  heading?: { title: string; text: string }
}

interface Props {
  /** Under which the chosen columns are kept. */
  id: string
  groups: readonly SnapshotGroup[]
  restores: readonly VirtualMachineRestore[]
  /** The namespace that is looked at; undefined: all. */
  namespace: string | undefined
  usualSort: Sort
  actionsFor: (snapshot: VirtualMachineSnapshot) => readonly MenuAction[]
  /** Columns after the name. */
  more?: readonly SnapshotColumn[]
  /** Filters besides status, name and label. */
  filterGroups?: (filters: SnapshotFilters, put: (changes: Partial<SnapshotFilters>) => void) => readonly FilterGroup[]
  vmThere?: VmThere
}

const noKeys: ReadonlySet<string> = new Set()

/** Snapshots in one table or several, with one toolbar for all of them. */
export function SnapshotLists({ id, groups, restores, namespace, usualSort, actionsFor, ...rest }: Props) {
  const { more, filterGroups, vmThere } = rest
  const { params, change } = useSearchState()
  const filters = useMemo(() => filtersIn(params), [params])
  const now = useNow(60_000)
  const shown = useMemo(
    () =>
      groups.map((group) => ({
        ...group,
        rows: filterSnapshots(group.snapshots, filters, { now, ...(vmThere ? { vmThere } : {}) }),
      })),
    [groups, filters, now, vmThere],
  )
  const snapshots = groups[0]?.snapshots ?? []
  const columns = useSnapshotColumns({ snapshots, restores, namespace, actionsFor, ...(more ? { more } : {}) })
  const chosen = useChosenColumns(id, columns)
  const [selected, setSelected] = useState(noKeys)
  const [open, toggle] = useToggled()
  const rows = shown.flatMap((group) => group.rows)
  const ticked = selected.size === 0 ? [] : rows.filter((snapshot) => selected.has(rowKeyOf(snapshot)))
  const all = groups.reduce((sum, group) => sum + group.snapshots.length, 0)

  return (
    <>
      <SnapshotFilterBar
        filters={filters}
        change={change}
        {...(filterGroups
          ? { groups: filterGroups(filters, (changes) => change((edited) => putFilters(edited, changes))) }
          : {})}
      >
        <ToolbarGroup align={{ default: 'alignEnd' }}>
          <ToolbarItem className="console-subtle" alignSelf="center" data-test="snapshot-count">
            {rows.length === all ? `${all} snapshots` : `${rows.length} of ${all} snapshots`}
          </ToolbarItem>
          <ToolbarItem>
            <DeleteSelected snapshots={ticked} namespace={namespace} onDeleted={() => setSelected(noKeys)} />
          </ToolbarItem>
          <ToolbarItem>
            <ColumnManager columns={columns} {...chosen} />
          </ToolbarItem>
        </ToolbarGroup>
      </SnapshotFilterBar>
      {rows.length === 0 ? <NoMatch onClear={() => change(clearFilters)} /> : null}
      {shown.map((group) =>
        group.rows.length === 0 ? null : (
          <section key={group.label} {...(group.heading ? { className: 'console-former' } : {})}>
            {group.heading === undefined ? null : (
              <>
                <Title headingLevel="h3">{group.heading.title}</Title>
                <Content component="p">{group.heading.text}</Content>
              </>
            )}
            <SnapshotTable
              aria-label={group.label}
              namespace={namespace}
              columns={chosen.shown}
              rows={group.rows}
              sort={sortIn(params, usualSort)}
              onSort={(next) => change((edited) => putSort(edited, next, usualSort))}
              selected={selected}
              onSelect={setSelected}
              open={open}
              onToggle={toggle}
            />
          </section>
        ),
      )}
    </>
  )
}
