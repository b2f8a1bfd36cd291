import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useMemo } from 'react'
import { isActive, lastRestored } from '../model/restores.ts'
import { ActionsMenu, type MenuAction } from '../ui/row-menu.tsx'
import { useStable } from '../ui/use-stable.ts'
import {
  consistencyColumn,
  createdByColumn,
  createdColumn,
  creatorsKnown,
  descriptionColumn,
  expiresColumn,
  indicationsColumn,
  nameColumn,
  originColumn,
  restoredColumn,
  type SnapshotColumn,
  sizeColumn,
  statusColumn,
} from './columns.tsx'
import { RestoringNote } from './restoring-note.tsx'

interface Input {
  snapshots: readonly VirtualMachineSnapshot[]
  restores: readonly VirtualMachineRestore[]
  /** The namespace that is looked at; undefined: all. */
  namespace: string | undefined
  actionsFor: (snapshot: VirtualMachineSnapshot) => readonly MenuAction[]
  /** Put after the name. */
  more?: readonly SnapshotColumn[]
}

/** The columns of a list of snapshots, kept while nothing they show has changed. */
export function useSnapshotColumns({ snapshots, restores, namespace, more, ...rest }: Input): SnapshotColumn[] {
  const actionsFor = useStable(rest.actionsFor)
  const known = useMemo(() => creatorsKnown(snapshots), [snapshots])
  return useMemo(() => {
    const bySnapshot = Map.groupBy(restores, ({ metadata, spec }) =>
      keyOf(metadata.namespace, spec.virtualMachineSnapshotName),
    )
    const restoresFrom = ({ metadata }: VirtualMachineSnapshot): readonly VirtualMachineRestore[] =>
      bySnapshot.get(keyOf(metadata.namespace, metadata.name)) ?? []
    return [
      nameColumn,
      ...(more ?? []),
      createdColumn,
      statusColumn(namespace, (snapshot) => {
        const restore = restoresFrom(snapshot).find(isActive)
        return restore === undefined ? null : <RestoringNote restore={restore} />
      }),
      // Next to the status: it is what people need to know before they trust a snapshot.
      consistencyColumn,
      restoredColumn((snapshot) => lastRestored(snapshot, restoresFrom(snapshot))),
      indicationsColumn,
      sizeColumn(namespace),
      originColumn,
      descriptionColumn,
      expiresColumn,
      ...(known ? [createdByColumn] : []),
      actionsColumn(actionsFor),
    ]
  }, [restores, namespace, more, known, actionsFor])
}

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace}/${name}`
}

function actionsColumn(actionsFor: Input['actionsFor']): SnapshotColumn {
  return {
    id: 'actions',
    title: 'Actions',
    hiddenTitle: true,
    fixed: true,
    cell: (snapshot) => (
      <ActionsMenu
        id={`snapshot-actions-${snapshot.metadata.name}`}
        label={`Actions of ${snapshot.metadata.name}`}
        actions={() => actionsFor(snapshot)}
      />
    ),
  }
}
