import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { restoredAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { parseRestored } from '@stillpoint/api/snapshot/restored'
import { restoresOf } from './belongs.ts'

// The story of a VM: points on branches. It goes on along a branch until a restore; from there on a new branch grows out of
// the point that was restored.

export interface Point {
  snapshot: VirtualMachineSnapshot
  name: string
  /** The moment whose data it holds; of one that is not cut yet, when it was asked for. */
  timeMs: number
  /** Its branch, from 0. */
  lane: number
  /** The point its data grew out of. */
  parent: string | undefined
}

export interface Arc {
  /** The restore, if it still has a name. */
  restore: string
  /** The point gone back to; it may be deleted since. */
  from: string
  toMs: number
  /** The branch that begins there. */
  lane: number
}

/** A VM made out of a point. */
export interface Copy {
  vm: string
  /** The restore that made it. */
  restore: string
  from: string
  timeMs: number
}

export interface Timeline {
  /** In order of time. */
  points: Point[]
  arcs: Arc[]
  copies: Copy[]
  lanes: number
  /** Where the VM is now. */
  here: { timeMs: number; lane: number; parent: string | undefined }
}

interface Restored {
  restore: string
  snapshot: string
  target: string
  timeMs: number
}

/** Tells the story of a VM from its snapshots, its restores, and what snapshots remember of restores that are gone. */
export function timelineOf(
  vm: KubeObject,
  snapshots: readonly VirtualMachineSnapshot[],
  restores: readonly VirtualMachineRestore[],
  now: Date,
): Timeline {
  const happened = restoredIn(vm, snapshots, restores)
  const back = happened.filter(({ target }) => target === vm.metadata.name)
  const events = [
    ...snapshots.map((snapshot) => ({ timeMs: timeOf(snapshot, now), snapshot, back: undefined })),
    ...back.map((each) => ({ timeMs: each.timeMs, snapshot: undefined, back: each })),
  ].sort((a, b) => a.timeMs - b.timeMs)
  const points: Point[] = []
  const arcs: Arc[] = []
  let lane = 0
  let lanes = 1
  let parent: string | undefined
  // A branch nothing was taken on is not worth a line of its own: the next one takes its place.
  let used = true
  for (const { timeMs, snapshot, back: restored } of events) {
    if (snapshot) {
      const { name } = snapshot.metadata
      points.push({ snapshot, name, timeMs, lane, parent })
      parent = name
      used = true
    } else if (restored) {
      if (used) lane = lanes++
      used = false
      parent = restored.snapshot
      arcs.push({ restore: restored.restore, from: restored.snapshot, toMs: timeMs, lane })
    }
  }
  const copies = happened
    .filter(({ target }) => target !== vm.metadata.name)
    .map(({ target, restore, snapshot, timeMs }) => ({ vm: target, restore, from: snapshot, timeMs }))
  return { points, arcs, copies, lanes, here: { timeMs: now.getTime(), lane, parent } }
}

/** Every restore into this VM, and from these snapshots into others, that is known of: once, oldest first. */
function restoredIn(
  vm: KubeObject,
  snapshots: readonly VirtualMachineSnapshot[],
  restores: readonly VirtualMachineRestore[],
): Restored[] {
  const { name, namespace, creationTimestamp } = vm.metadata
  const ownSnapshots = new Set(snapshots.map(({ metadata }) => metadata.name))
  const isFromHere = ({ metadata, spec }: VirtualMachineRestore): boolean =>
    spec.target.name !== name && metadata.namespace === namespace && ownSnapshots.has(spec.virtualMachineSnapshotName)
  // By name and time: people give the name of a restore that is gone to the next one.
  const found = new Map<string, Restored>()
  const add = (restored: Restored): void => {
    found.set(`${restored.restore} ${restored.timeMs}`, restored)
  }
  // A former VM of that name had its own story.
  const begunMs = Date.parse(creationTimestamp ?? '') || 0
  for (const { metadata } of snapshots)
    for (const { restore, target, time } of parseRestored(metadata.annotations?.[restoredAnnotation])) {
      const timeMs = Date.parse(time)
      if (target !== name || timeMs >= begunMs) add({ restore, snapshot: metadata.name, target, timeMs })
    }
  for (const { metadata, spec, status } of [...restoresOf(vm, restores), ...restores.filter(isFromHere)]) {
    if (status?.complete !== true || status.restoreTime === undefined) continue
    // Of a snapshot that is deleted only the name is left; its restore still began a branch.
    const snapshot = spec.virtualMachineSnapshotName
    add({ restore: metadata.name, snapshot, target: spec.target.name, timeMs: Date.parse(status.restoreTime) })
  }
  return [...found.values()].sort((a, b) => a.timeMs - b.timeMs)
}

function timeOf({ metadata, status }: VirtualMachineSnapshot, now: Date): number {
  const time = Date.parse(status?.creationTime ?? metadata.creationTimestamp ?? '')
  return Number.isNaN(time) ? now.getTime() : time
}
