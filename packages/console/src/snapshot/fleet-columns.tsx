import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { Link } from 'react-router'
import { objectPath } from '../shell/paths.ts'
import { ToneLabel } from '../ui/tone.tsx'
import { byText, type SnapshotColumn } from './columns.tsx'

export const namespaceColumn: SnapshotColumn = {
  id: 'namespace',
  title: 'Namespace',
  widthRem: 9,
  cell: ({ metadata }) => metadata.namespace,
  compare: byText(({ metadata }) => metadata.namespace ?? ''),
}

export type SourceState = 'there' | 'gone' | 'another' | undefined

/** `stateOf`: undefined while it is not known. */
export function vmColumn(stateOf: (snapshot: VirtualMachineSnapshot) => SourceState): SnapshotColumn {
  return {
    id: 'vm',
    title: 'VM',
    widthRem: 9,
    cell: (snapshot) => <Source snapshot={snapshot} state={stateOf(snapshot)} />,
    compare: byVm,
  }
}
const byVm = byText(({ spec }) => spec.source.name)

function Source({ snapshot: { metadata, spec }, state }: { snapshot: VirtualMachineSnapshot; state: SourceState }) {
  const { name } = spec.source
  if (state === 'there' || state === undefined)
    return <Link to={objectPath(VirtualMachine, { ...metadata, name }, 'snapshots')}>{name}</Link>
  return (
    <div>
      {name}{' '}
      <ToneLabel
        tone="neutral"
        hint={
          state === 'gone'
            ? 'It has been deleted. The snapshot can be restored: it is made anew.'
            : 'It has been deleted. Another virtual machine has its name now.'
        }
      >
        VM gone
      </ToneLabel>
    </div>
  )
}
