import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clustersOf, moved, placeOf, rangeOf, shortestMs, ticksOf, zoomed } from './time-scale.ts'

const hour = 3_600_000

test('a range holds all times with room on both sides', () => {
  const { fromMs, toMs } = rangeOf([5 * hour, hour])
  expect(fromMs).toBeLessThan(hour)
  expect(toMs).toBeGreaterThan(5 * hour)
})

test('one time alone has a range around it, and none has one too', () => {
  expect(rangeOf([hour]).toMs - rangeOf([hour]).fromMs).toBeGreaterThanOrEqual(shortestMs)
  expect(rangeOf([]).toMs).toBeGreaterThan(0)
})

describe('zooming', () => {
  const all = { fromMs: 0, toMs: 100 * hour }

  test('keeps the time under the pointer where it is', () => {
    const range = zoomed(all, 0.5, 30 * hour, all)
    expect(placeOf(range, 1_000, 30 * hour)).toBeCloseTo(placeOf(all, 1_000, 30 * hour))
    expect(range.toMs - range.fromMs).toBeCloseTo(50 * hour)
  })

  test('never leaves what there is, and never shows less than the least', () => {
    const acts = fc.array(
      fc.record({
        factor: fc.double({ min: 0.01, max: 100, noNaN: true }),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        by: fc.double({ min: -3, max: 3, noNaN: true }),
      }),
    )
    fc.assert(
      fc.property(acts, (given) => {
        let range = all
        for (const { factor, at, by } of given) {
          range = zoomed(range, factor, range.fromMs + at * (range.toMs - range.fromMs), all)
          range = moved(range, by, all)
          expect(range.fromMs).toBeGreaterThanOrEqual(all.fromMs - 1)
          expect(range.toMs).toBeLessThanOrEqual(all.toMs + 1)
          expect(range.toMs - range.fromMs).toBeGreaterThanOrEqual(shortestMs - 1)
        }
      }),
    )
  })
})

test.each([
  [60_000, 10, 10_000],
  [hour, 6, 15 * 60_000],
  [24 * hour, 8, 3 * hour],
  [400 * 24 * hour, 8, 90 * 24 * hour],
  [40_000 * 24 * hour, 8, 14 * 365 * 24 * hour],
])('an axis of %i ms with at most %i marks has one every %i ms', (span, most, stepMs) => {
  const ticks = ticksOf({ fromMs: 0, toMs: span }, most)
  expect(ticks.stepMs).toBe(stepMs)
  expect(ticks.timesMs.length).toBeLessThanOrEqual(most + 1)
  expect(ticks.timesMs.length).toBeGreaterThan(1)
})

test('marks are round on the clock of the reader, also when it is moved', () => {
  // As in Berlin: on 29 March 2026, 01:00 UTC, from one hour ahead to two.
  const moved = Date.parse('2026-03-29T01:00:00Z')
  const offset = (timeMs: number) => (timeMs < moved ? hour : 2 * hour)
  const range = { fromMs: Date.parse('2026-03-27T12:00:00Z'), toMs: Date.parse('2026-03-31T12:00:00Z') }
  const marks = (most: number) => ticksOf(range, most, offset).timesMs.map((time) => new Date(time).toISOString())
  expect(marks(5)).toEqual([
    '2026-03-27T23:00:00.000Z',
    '2026-03-28T23:00:00.000Z',
    '2026-03-29T22:00:00.000Z',
    '2026-03-30T22:00:00.000Z',
  ])
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40 }), fc.constantFrom(-1, 1), (most, direction) => {
      const times = ticksOf(range, most, (timeMs) => direction * offset(timeMs)).timesMs
      expect(times.length).toBeLessThanOrEqual(most + 1)
      for (const [index, time] of times.entries()) {
        expect(time).toBeGreaterThan(times[index - 1] ?? range.fromMs - 1)
        expect(time).toBeLessThanOrEqual(range.toMs)
      }
    }),
  )
})

test('what lies too close together is one group, and nothing is lost or doubled', () => {
  expect(clustersOf([30, 0, 5, 31, 100], (x) => x, 10)).toEqual([[0, 5], [30, 31], [100]])
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1_000 })), fc.integer({ min: 1, max: 100 }), (places, least) => {
      const groups = clustersOf(places, (x) => x, least)
      expect(groups.flat()).toEqual(places.toSorted((a, b) => a - b))
      const begins = groups.map(([first = 0]) => first)
      for (const [index, begin] of begins.entries())
        if (index > 0) expect(begin - (begins[index - 1] ?? 0)).toBeGreaterThanOrEqual(least)
    }),
  )
})
