import { expiresAtAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { consistencyShown } from '../model/consistency.ts'
import { bytes, type Moment } from '../model/format.ts'
import { perObject } from '../model/per-object.ts'
import { contentBytes } from '../model/snapshot-disks.ts'
import { creatorOf, originOf, originText } from '../model/snapshot-origin.ts'
import { objectPath } from '../shell/paths.ts'
import type { ManagedColumn } from '../ui/column-manager.tsx'
import { Timestamp } from '../ui/timestamp.tsx'
import { ConsistencyLabel, IndicationLabels } from './labels.tsx'
import { StatusCell, statusAtFirstSight } from './status-cell.tsx'
import { useContent } from './use-content.ts'

export type SnapshotColumn = ManagedColumn<VirtualMachineSnapshot>

type TextOf = (snapshot: VirtualMachineSnapshot) => string

export function byText(textOf: TextOf): (a: VirtualMachineSnapshot, b: VirtualMachineSnapshot) => number {
  const text = perObject(textOf)
  return (a, b) => order(text(a), text(b)) || order(a.metadata.name, b.metadata.name)
}

function order<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export const nameColumn: SnapshotColumn = {
  id: 'name',
  title: 'Name',
  widthRem: 9.5,
  fixed: true,
  cell: ({ metadata }) => (
    <span data-test={`snapshot-${metadata.name}`}>
      <Link to={objectPath(VirtualMachineSnapshot, metadata)} data-test={metadata.name}>
        {metadata.name}
      </Link>
    </span>
  ),
  compare: byText(({ metadata }) => metadata.name),
}

export const createdColumn: SnapshotColumn = {
  id: 'created',
  title: 'Created',
  widthRem: 8.5,
  cell: ({ metadata }) => <Timestamp at={metadata.creationTimestamp} data-test={`snapshot-created-${metadata.name}`} />,
  compare: byText(({ metadata }) => metadata.creationTimestamp ?? ''),
}

/** `below` is said under the status of a snapshot that somebody works with. `listed`: see `sizeColumn`. */
export function statusColumn(
  listed: string | undefined,
  below: (snapshot: VirtualMachineSnapshot) => ReactNode,
): SnapshotColumn {
  return {
    id: 'status',
    title: 'Status',
    widthRem: 11.5,
    fixed: true,
    cell: (snapshot) => (
      <StatusCell snapshot={snapshot} listed={listed}>
        {below(snapshot)}
      </StatusCell>
    ),
    compare: byStatus,
  }
}
const byStatus = byText((snapshot) => statusAtFirstSight(snapshot).label)

export function restoredColumn(lastRestored: (snapshot: VirtualMachineSnapshot) => Moment | undefined): SnapshotColumn {
  return {
    id: 'restored',
    title: 'Last restored',
    widthRem: 8.5,
    cell: (snapshot) => <Timestamp at={lastRestored(snapshot)} />,
  }
}

export const indicationsColumn: SnapshotColumn = {
  id: 'indications',
  title: 'Indications',
  widthRem: 12.5,
  cell: (snapshot) => <IndicationLabels snapshot={snapshot} />,
}

export const consistencyColumn: SnapshotColumn = {
  id: 'consistency',
  title: 'Consistency',
  widthRem: 11,
  cell: (snapshot) => <ConsistencyLabel snapshot={snapshot} />,
  compare: byText((snapshot) => consistencyShown(snapshot).label),
}

/** `listed`: the namespace whose contents are read, undefined for all. */
export function sizeColumn(listed: string | undefined): SnapshotColumn {
  return {
    id: 'size',
    title: 'Size',
    widthRem: 5.5,
    cell: (snapshot) => <Size snapshot={snapshot} listed={listed} />,
  }
}

function Size({ snapshot, listed }: { snapshot: VirtualMachineSnapshot; listed: string | undefined }) {
  const content = useContent(snapshot, listed)
  const size = content === undefined ? undefined : contentBytes(content)
  return <>{size === undefined ? '-' : bytes(size)}</>
}

export const originColumn: SnapshotColumn = {
  id: 'origin',
  title: 'Origin',
  widthRem: 7.5,
  cell: (snapshot) => originWords(snapshot) || '-',
  compare: byText(originWords),
}

function originWords(snapshot: VirtualMachineSnapshot): string {
  const origin = originOf(snapshot)
  return origin === undefined ? '' : originText(origin)
}

const descriptionOf: TextOf = ({ metadata }) => metadata.annotations?.description ?? ''

export const descriptionColumn: SnapshotColumn = {
  id: 'description',
  title: 'Description',
  widthRem: 10,
  cell: (snapshot) => descriptionOf(snapshot) || '-',
  compare: byText(descriptionOf),
}

const expiryOf: TextOf = ({ metadata }) => metadata.annotations?.[expiresAtAnnotation] ?? ''

export const expiresColumn: SnapshotColumn = {
  id: 'expires',
  title: 'Expires',
  widthRem: 8,
  hidden: true,
  cell: (snapshot) => <Timestamp at={expiryOf(snapshot) || undefined} />,
  compare: byText(expiryOf),
}

const creator: TextOf = perObject((snapshot) => creatorOf(snapshot) ?? '')

export const createdByColumn: SnapshotColumn = {
  id: 'created-by',
  title: 'Created by',
  widthRem: 8,
  hidden: true,
  cell: (snapshot) => creator(snapshot) || '-',
  compare: byText(creator),
}

/** Whether anything says who made one of these; else there is no such column. */
export function creatorsKnown(snapshots: readonly VirtualMachineSnapshot[]): boolean {
  return snapshots.some((snapshot) => creator(snapshot) !== '')
}
