import type { Receipt } from '@stillpoint/api/snapshot/receipt'
import { expect, test } from 'vitest'
import { freezeTimes } from './freeze-bar.ts'

const at = (ms: number): string => new Date(Date.UTC(2026, 7, 2, 10) + ms).toISOString()
const receipt = (rest: Partial<Receipt>): Receipt => ({
  version: 1,
  snapshotUID: 'uid',
  outcome: 'Succeeded',
  requested: 'Preferred',
  volumes: [],
  ...rest,
})
const cut = (name: string, ms: number) => ({ name, volumeSnapshotName: name, cut: at(ms) })

test('everything is to scale, from the first moment to the last', () => {
  const times = freezeTimes(
    receipt({
      freeze: { asked: at(0), began: at(100), cut: at(300), thawed: at(400) },
      volumes: [cut('root', 200), cut('data', 300), { name: 'lost', volumeSnapshotName: 'lost' }],
    }),
  )
  expect(times?.totalMs).toBe(400)
  expect(times?.marks.map(({ label, offsetMs, percent }) => [label, offsetMs, percent])).toEqual([
    ['Freeze asked for', 0, 0],
    ['Frozen', 100, 25],
    ['All disks cut', 300, 75],
    ['Thawed', 400, 100],
  ])
  expect(times?.cuts.map(({ label, percent }) => [label, percent])).toEqual([
    ['root', 50],
    ['data', 75],
  ])
  expect(times?.frozen).toEqual({ from: 25, to: 100 })
})

test('a disk that was cut outside of the freeze widens the bar', () => {
  const times = freezeTimes(receipt({ freeze: { asked: at(0), began: at(10) }, volumes: [cut('root', -90)] }))
  expect(times).toMatchObject({ totalMs: 100, frozen: { from: 100, to: 100 } })
  expect(times?.cuts[0]?.percent).toBe(0)
})

test('without a freeze there are only the cuts', () => {
  const times = freezeTimes(receipt({ volumes: [cut('root', 0), cut('data', 0)] }))
  expect(times).toEqual({ totalMs: 0, marks: [], cuts: [expect.objectContaining({ percent: 0 }), expect.anything()] })
})

test('one moment is no bar', () => expect(freezeTimes(receipt({ volumes: [cut('root', 0)] }))).toBeUndefined())
