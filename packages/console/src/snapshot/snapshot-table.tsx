import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { ObjectTable, type Sort } from '../ui/object-table.tsx'
import type { SnapshotColumn } from './columns.tsx'
import { SnapshotDetails } from './snapshot-details.tsx'

interface Props {
  'aria-label': string
  /** The namespace that is looked at; undefined: all. */
  namespace: string | undefined
  columns: readonly SnapshotColumn[]
  rows: readonly VirtualMachineSnapshot[]
  sort: Sort
  onSort: (sort: Sort) => void
  selected: ReadonlySet<string>
  onSelect: (keys: ReadonlySet<string>) => void
  open: ReadonlySet<string>
  onToggle: (key: string) => void
}

/** The key of a snapshot's row. */
export function rowKeyOf({ metadata }: VirtualMachineSnapshot): string {
  return metadata.uid ?? `${metadata.namespace}/${metadata.name}`
}

/** Snapshots as rows that can be ticked and opened. */
export function SnapshotTable({ namespace, selected, onSelect, open, onToggle, ...rest }: Props) {
  return (
    <ObjectTable
      {...rest}
      rowKey={rowKeyOf}
      rowLabel={({ metadata }) => metadata.name}
      selection={{ selected, onSelect }}
      expanded={{ open, onToggle, content: (snapshot) => <SnapshotDetails snapshot={snapshot} listed={namespace} /> }}
    />
  )
}
