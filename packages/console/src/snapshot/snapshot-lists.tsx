import { Content, Title, ToolbarGroup, ToolbarItem } from '@patternfly/react-core'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo, useState } from 'react'
import { clearFilters, filterSnapshots, filtersIn } from '../model/filters.ts'
import { useChosenColumns } from '../ui/column-choice.ts'
import { ColumnManager } from '../ui/column-manager.tsx'
import type { MenuAction } from '../ui/row-menu.tsx'
import { putSort, sortIn, useSearchState } from '../ui/search-state.ts'
import { NoMatch } from '../ui/states.tsx'
import { useNow } from '../ui/use-now.ts'
import { useToggled } from '../ui/use-toggled.ts'
import { DeleteSelected } from './delete-selected.tsx'
import { SnapshotFilterBar } from './snapshot-filter-bar.tsx'
import { rowKeyOf, SnapshotTable, usualSort } from './snapshot-table.tsx'
import { useSnapshotColumns } from './use-snapshot-columns.tsx'

interface Props {
  own: readonly VirtualMachineSnapshot[]
  former: readonly VirtualMachineSnapshot[]
  restores: readonly VirtualMachineRestore[]
  namespace: string | undefined
  actionsFor: (snapshot: VirtualMachineSnapshot) => readonly MenuAction[]
}

const noKeys: ReadonlySet<string> = new Set()

/** The snapshots of a VM, and apart from them those of a former VM of its name, with one toolbar for both. */
export function SnapshotLists({ own, former, restores, namespace, actionsFor }: Props) {
  const { params, change } = useSearchState()
  const filters = useMemo(() => filtersIn(params), [params])
  const now = useNow(60_000)
  const rows = useMemo(() => filterSnapshots(own, filters, { now }), [own, filters, now])
  const formerRows = useMemo(() => filterSnapshots(former, filters, { now }), [former, filters, now])
  const columns = useSnapshotColumns({ snapshots: own, restores, namespace, actionsFor })
  const chosen = useChosenColumns('snapshots', columns)
  const [selected, setSelected] = useState(noKeys)
  const [open, toggle] = useToggled()
  const sort = sortIn(params, usualSort)
  const shared = {
    namespace,
    columns: chosen.shown,
    sort,
    onSort: (next: typeof sort) => change((edited) => putSort(edited, next, usualSort)),
    selected,
    open,
    onToggle: toggle,
  }
  const ticked = [...rows, ...formerRows].filter((snapshot) => selected.has(rowKeyOf(snapshot)))

  return (
    <>
      <SnapshotFilterBar filters={filters} change={change}>
        <ToolbarGroup align={{ default: 'alignEnd' }}>
          <ToolbarItem>
            <DeleteSelected snapshots={ticked} namespace={namespace} onDeleted={() => setSelected(noKeys)} />
          </ToolbarItem>
          <ToolbarItem>
            <ColumnManager columns={columns} {...chosen} />
          </ToolbarItem>
        </ToolbarGroup>
      </SnapshotFilterBar>
      {rows.length + formerRows.length === 0 ? <NoMatch onClear={() => change(clearFilters)} /> : null}
      {rows.length === 0 ? null : (
        <SnapshotTable {...shared} aria-label="Snapshots table" rows={rows} onSelect={setSelected} />
      )}
      {formerRows.length === 0 ? null : (
        <section className="console-former">
          <Title headingLevel="h3">Snapshots of a former virtual machine of this name</Title>
          <Content component="p">
            They were taken of another virtual machine that had this name and has been deleted since. Restoring one of
            them replaces this virtual machine’s disks by those of the other.
          </Content>
          <SnapshotTable
            {...shared}
            aria-label="Of a former virtual machine"
            rows={formerRows}
            onSelect={setSelected}
          />
        </section>
      )}
    </>
  )
}
