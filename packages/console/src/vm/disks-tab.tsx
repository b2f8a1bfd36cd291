import { Title } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { useState } from 'react'
import type { VmDisk } from '../model/vm-disks.ts'
import { ObjectTable, type Sort, type TableColumn } from '../ui/object-table.tsx'
import { Empty } from '../ui/states.tsx'
import { ToneIcon } from '../ui/tone.tsx'
import { InSnapshots } from './in-snapshots.tsx'
import { useVmDisks } from './use-vm-disks.ts'

const text = (value: string | number | undefined): string => (value === undefined ? '-' : String(value))
const devices = { disk: 'disk', cdrom: 'CD drive', lun: 'LUN' } as const

const columns: readonly TableColumn<VmDisk>[] = [
  {
    id: 'name',
    title: 'Name',
    widthRem: 7.5,
    cell: ({ name }) => name,
    compare: (a, b) => a.name.localeCompare(b.name),
  },
  { id: 'kind', title: 'Kind', widthRem: 7.5, cell: ({ kind }) => kind },
  // What is left out of snapshots is what a person must see.
  { id: 'snapshots', title: 'In snapshots', widthRem: 14, cell: (disk) => <InSnapshots disk={disk} /> },
  {
    id: 'claim',
    title: 'Claim',
    cell: ({ claim, size }) => (
      <div>
        {text(claim)}
        {size === undefined ? null : <div className="console-subtle">{size}</div>}
      </div>
    ),
  },
  { id: 'state', title: 'State', cell: (disk) => <State disk={disk} /> },
  { id: 'class', title: 'Storage class', widthRem: 8, cell: ({ storageClass }) => text(storageClass) },
  {
    id: 'bus',
    title: 'Seen by the guest',
    cell: ({ device, bus }) => (device === undefined ? 'no' : `${devices[device]}, ${bus}`),
  },
  { id: 'boot', title: 'Boot order', widthRem: 6, cell: ({ bootOrder }) => text(bootOrder) },
]

/** The volumes of a VM. */
export function DisksTab({ vm }: { vm: VirtualMachine }) {
  const disks = useVmDisks(vm)
  const [sort, setSort] = useState<Sort>({ column: '', direction: 'asc' })
  return (
    <>
      <Title headingLevel="h2">Disks</Title>
      {disks.length === 0 ? (
        <Empty title="No disks found" level="h3">
          Add volumes and disks to its definition in the tab YAML.
        </Empty>
      ) : (
        <ObjectTable
          aria-label="Disks"
          columns={columns}
          rows={disks}
          rowKey={({ name }) => name}
          sort={sort}
          onSort={setSort}
        />
      )}
    </>
  )
}

function State({ disk: { state } }: { disk: VmDisk }) {
  if (!state) return '-'
  return (
    <div>
      <span className="console-nowrap">
        <ToneIcon tone={state.tone} running={state.running} /> {state.label}
      </span>
      {state.detail === undefined ? null : <div className="console-subtle">{state.detail}</div>}
    </div>
  )
}
