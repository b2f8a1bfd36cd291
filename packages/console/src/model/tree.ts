import type { Copy, Point, Timeline } from './timeline.ts'

/** A line of the tree of points. What follows on a deeper level grew out of it. */
export type TreeRow = { level: number; key: string } & (
  | { kind: 'point'; point: Point }
  /** A snapshot that is deleted, and that a branch grew out of. */
  | { kind: 'gone'; name: string }
  /** A VM made out of a point. */
  | { kind: 'copy'; copy: Copy }
  /** The VM as it is now. */
  | { kind: 'here' }
)

/**
 * What grew out of what, line by line. Points of one branch follow each other on one level, oldest first; a branch
 * that began with a restore stands one level deeper, below the point it began from.
 */
export function treeOf({ points, arcs, copies, lanes, here }: Timeline): TreeRow[] {
  const onLane = Map.groupBy(points, ({ lane }) => lane)
  const copiesOf = Map.groupBy(copies, ({ from }) => from)
  // Of a branch that nothing was taken on, only the last beginning counts.
  const originOf = new Map(arcs.map(({ lane, from }) => [lane, from]))
  const branchesOf = Map.groupBy([...originOf], ([, from]) => from)
  const rows: TreeRow[] = []
  const told = new Set<number>()

  const branch = (lane: number, level: number): void => {
    if (told.has(lane)) return
    told.add(lane)
    for (const point of onLane.get(lane) ?? []) {
      rows.push({ level, key: `point ${point.name}`, kind: 'point', point })
      outOf(point.name, level + 1)
    }
    if (here.lane === lane) rows.push({ level, key: 'here', kind: 'here' })
  }
  const outOf = (name: string, level: number): void => {
    for (const copy of copiesOf.get(name) ?? [])
      rows.push({ level, key: `copy ${copy.restore} ${copy.timeMs}`, kind: 'copy', copy })
    for (const [lane] of branchesOf.get(name) ?? []) branch(lane, level)
  }

  const known = new Set(points.map(({ name }) => name))
  branch(0, 0)
  for (const name of new Set([...branchesOf.keys(), ...copiesOf.keys()])) {
    if (known.has(name)) continue
    rows.push({ level: 0, key: `gone ${name}`, kind: 'gone', name })
    outOf(name, 1)
  }
  // Where clocks disagree, a branch can seem to begin in itself: it is told all the same.
  for (let lane = 0; lane < lanes; lane++) branch(lane, 0)
  return rows
}
