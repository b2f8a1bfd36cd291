import { restoredAnnotation } from '@stillpoint/api/snapshot/keys'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hoursAgo, now, restore, snapshot, succeeded, vm } from './testing/objects.ts'
import { type Timeline, timelineOf } from './timeline.ts'
import { type TreeRow, treeOf } from './tree.ts'

const point = (name: string, hours: number, annotations = {}) =>
  snapshot({ metadata: { name, annotations }, status: { ...succeeded, creationTime: hoursAgo(hours) } })
const back = (name: string, from: string, hours: number, target = 'web-1') =>
  restore({
    metadata: { name },
    spec: {
      target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: target },
      virtualMachineSnapshotName: from,
      targetReadinessPolicy: 'StopTarget',
    },
    status: { complete: true, restoreTime: hoursAgo(hours) },
  })

const told = ({ points, here }: Timeline): string[] => [
  ...points.map(({ name, lane, parent }) => `${name} on ${lane} after ${parent ?? 'nothing'}`),
  `here on ${here.lane} after ${here.parent ?? 'nothing'}`,
]
const lines = (rows: readonly TreeRow[]): string[] => rows.map((row) => `${'  '.repeat(row.level)}${textOf(row)}`)
function textOf(row: TreeRow): string {
  switch (row.kind) {
    case 'point':
      return row.point.name
    case 'copy':
      return `VM ${row.copy.vm}`
    case 'gone':
      return `(${row.name})`
    default:
      return row.kind
  }
}

describe('the story of a VM', () => {
  test('without snapshots is only that it is there', () => {
    expect(told(timelineOf(vm(), [], [], now))).toEqual(['here on 0 after nothing'])
  })

  test('goes along one branch, in order of the data and not of names', () => {
    const timeline = timelineOf(vm(), [point('b', 1), point('a', 3), point('c', 2)], [], now)
    expect(told(timeline)).toEqual(['a on 0 after nothing', 'c on 0 after a', 'b on 0 after c', 'here on 0 after b'])
    expect(timeline.lanes).toBe(1)
  })

  test('branches at each restore, from the point restored', () => {
    const timeline = timelineOf(vm(), [point('a', 9), point('b', 8), point('c', 5)], [back('r', 'a', 7)], now)
    expect(told(timeline)).toEqual(['a on 0 after nothing', 'b on 0 after a', 'c on 1 after a', 'here on 1 after c'])
    expect(timeline.arcs).toEqual([{ restore: 'r', from: 'a', toMs: Date.parse(hoursAgo(7)), lane: 1 }])
    expect(lines(treeOf(timeline))).toEqual(['a', '  c', '  here', 'b'])
  })

  test('does not give a line to a branch nothing was taken on', () => {
    const timeline = timelineOf(vm(), [point('a', 9), point('b', 8)], [back('r1', 'a', 7), back('r2', 'b', 6)], now)
    expect(timeline.lanes).toBe(2)
    expect(told(timeline)).toContain('here on 1 after b')
    expect(lines(treeOf(timeline))).toEqual(['a', 'b', '  here'])
  })

  test('is known from the snapshot when the restore is gone', () => {
    const restored = JSON.stringify([{ time: hoursAgo(7), target: 'web-1', restore: 'gone' }])
    const timeline = timelineOf(vm(), [point('a', 9, { [restoredAnnotation]: restored }), point('b', 8)], [], now)
    expect(told(timeline)).toContain('here on 1 after a')
  })

  test('is told once when both know it', () => {
    const restored = JSON.stringify([{ time: hoursAgo(7), target: 'web-1', restore: 'r' }])
    const both = [point('a', 9, { [restoredAnnotation]: restored })]
    expect(timelineOf(vm(), both, [back('r', 'a', 7)], now).arcs).toHaveLength(1)
  })

  test('keeps a branch whose beginning is deleted', () => {
    const timeline = timelineOf(vm(), [point('b', 8), point('c', 5)], [back('r', 'a', 7)], now)
    expect(lines(treeOf(timeline))).toEqual(['b', '(a)', '  c', '  here'])
  })

  test('knows VMs that were made out of a point', () => {
    const timeline = timelineOf(vm(), [point('a', 9)], [back('r', 'a', 7, 'copy')], now)
    expect(timeline.arcs).toEqual([])
    expect(lines(treeOf(timeline))).toEqual(['a', '  VM copy', 'here'])
  })

  test('is told whole when one name was given to restores one after the other', () => {
    const restored = JSON.stringify([{ time: hoursAgo(7), target: 'web-1', restore: 'r' }])
    const timeline = timelineOf(
      vm(),
      [point('a', 9, { [restoredAnnotation]: restored }), point('b', 6)],
      [back('r', 'a', 5)],
      now,
    )
    expect(timeline.arcs.map(({ toMs }) => toMs)).toEqual([Date.parse(hoursAgo(7)), Date.parse(hoursAgo(5))])
    expect(new Set(treeOf(timeline).map(({ key }) => key)).size).toBe(treeOf(timeline).length)
  })

  test('has nothing of other VMs, and nothing of a former one of its name', () => {
    const machine = vm({ metadata: { creationTimestamp: hoursAgo(10) } })
    const remembered = JSON.stringify([
      { time: hoursAgo(11), target: 'web-1', restore: 'former' },
      { time: hoursAgo(7), target: 'copy', restore: 'remembered' },
    ])
    const timeline = timelineOf(
      machine,
      [point('a', 9, { [restoredAnnotation]: remembered })],
      [
        back('unrelated', 'snapshot-of-another', 6, 'web-2'),
        { ...back('elsewhere', 'a', 6, 'web-3'), metadata: { name: 'elsewhere', namespace: 'other' } },
        { ...back('older', 'a', 6), metadata: { name: 'older', namespace: 'shop', creationTimestamp: hoursAgo(11) } },
      ],
      now,
    )
    expect(lines(treeOf(timeline))).toEqual(['a', '  VM copy', 'here'])
    expect(timeline.arcs).toEqual([])
  })

  test('takes what was kept right before a restore for what came before it', () => {
    const timeline = timelineOf(vm(), [point('a', 9), point('before', 7)], [back('r', 'a', 7)], now)
    expect(told(timeline)).toEqual(['a on 0 after nothing', 'before on 0 after a', 'here on 1 after a'])
  })

  test('of 5000 snapshots and 500 restores is told in a moment', () => {
    const points = Array.from({ length: 5_000 }, (_, at) => point(`p${at}`, (5_000 - at) / 10))
    const backs = Array.from({ length: 500 }, (_, at) => back(`r${at}`, `p${at * 7}`, 500 - at + 0.05))
    const tookMs = Array.from({ length: 5 }, () => {
      const begun = performance.now()
      treeOf(timelineOf(vm(), points, backs, now))
      return performance.now() - begun
    })
    // The best of some: the machine may have other things to do.
    expect(Math.min(...tookMs)).toBeLessThan(50)
  })

  test('leaves out restores that are not complete', () => {
    const failed = restore({ status: { complete: false } })
    expect(timelineOf(vm(), [point('snap', 2)], [failed], now).arcs).toEqual([])
  })
})

const names = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const stories = fc.record({
  points: fc.uniqueArray(fc.record({ name: names, hours: fc.integer({ min: 0, max: 50 }) }), {
    selector: ({ name }) => name,
  }),
  backs: fc.array(fc.record({ from: names, hours: fc.integer({ min: 0, max: 50 }), copy: fc.boolean() }), {
    maxLength: 8,
  }),
})

test('whatever happened in whatever order, every point and the VM are told exactly once', () => {
  fc.assert(
    fc.property(stories, ({ points, backs }) => {
      const timeline = timelineOf(
        vm(),
        points.map(({ name, hours }) => point(name, hours)),
        backs.map(({ from, hours, copy }, index) => back(`r${index}`, from, hours, copy ? 'copy' : 'web-1')),
        now,
      )
      const rows = treeOf(timeline)
      expect(rows.filter(({ kind }) => kind === 'here')).toHaveLength(1)
      const told = rows.flatMap((row) => (row.kind === 'point' ? [row.point.name] : []))
      expect(told.toSorted()).toEqual(points.map(({ name }) => name).toSorted())
      expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length)
    }),
  )
})
