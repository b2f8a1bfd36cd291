import { Stack, StackItem } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo } from 'react'
import { timelineOf } from '../model/timeline.ts'
import type { MenuAction } from '../ui/row-menu.tsx'
import { useNow } from '../ui/use-now.ts'
import { PointDetails } from './point-details.tsx'
import { TimelineView } from './timeline-view.tsx'
import { TreeView } from './tree-view.tsx'

interface Props {
  vm: VirtualMachine
  snapshots: readonly VirtualMachineSnapshot[]
  restores: readonly VirtualMachineRestore[]
  view: 'timeline' | 'tree'
  /** Name of the selected point. */
  selected: string | undefined
  onSelect: (name: string) => void
  actionsFor: (snapshot: VirtualMachineSnapshot) => readonly MenuAction[]
}

/** The story of a VM as a picture, and the point that is looked at below it. */
export function HistoryView({ vm, snapshots, restores, view, selected, onSelect, actionsFor }: Props) {
  const now = useNow(60_000)
  const timeline = useMemo(() => timelineOf(vm, snapshots, restores, now), [vm, snapshots, restores, now])
  const point = timeline.points.find(({ name }) => name === selected)
  const { namespace = '' } = vm.metadata
  return (
    <Stack hasGutter>
      <StackItem>
        {view === 'timeline' ? (
          <TimelineView timeline={timeline} selected={selected} onSelect={onSelect} />
        ) : (
          <TreeView timeline={timeline} namespace={namespace} selected={selected} onSelect={onSelect} />
        )}
      </StackItem>
      <StackItem aria-live="polite">
        {point ? (
          <PointDetails point={point} actions={actionsFor(point.snapshot)} />
        ) : (
          <span className="console-subtle">Choose a point to see what it is and what can be done with it.</span>
        )}
      </StackItem>
    </Stack>
  )
}
