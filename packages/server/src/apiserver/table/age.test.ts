import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ageOf, humanDuration } from './age.ts'

const s = 1_000
const m = 60 * s
const h = 60 * m
const d = 24 * h
const y = 365 * d

const cases: [string, number, string][] = [
  ['a clock slightly ahead is no age', -1.5 * s, '0s'],
  ['a time in the future is invalid', -2 * s, '<invalid>'],
  ['nothing yet', 0, '0s'],
  ['seconds below two minutes', 119 * s, '119s'],
  ['two minutes sharp', 2 * m, '2m'],
  ['minutes and seconds below ten minutes', 5 * m + 12 * s, '5m12s'],
  ['minutes below three hours', 179 * m + 59 * s, '179m'],
  ['hours and minutes below eight hours', 7 * h + 59 * m, '7h59m'],
  ['hours below two days', 47 * h + 59 * m, '47h'],
  ['days and hours below eight days', 3 * d + 4 * h, '3d4h'],
  ['days without hours', 3 * d, '3d'],
  ['days below two years', 2 * y - s, '729d'],
  ['years and days below eight years', 3 * y + 8 * d, '3y8d'],
  ['years', 9 * y + 8 * d, '9y'],
]
test.each(cases)('%s', (_, ms, text) => expect(humanDuration(ms)).toBe(text))

describe('the age of a timestamp', () => {
  const now = new Date('2026-01-02T03:04:05Z')
  test('is the time since it', () => expect(ageOf('2026-01-02T02:59:00.123456Z', now)).toBe('5m4s'))
  test('knows other zones', () => expect(ageOf('2026-01-02T04:00:00+01:00', now)).toBe('4m5s'))
  test.each(['', 'yesterday', '2026', '2026-13-99T00:00:00Z'])('%j is no time', (text) =>
    expect(ageOf(text, now)).toBeUndefined(),
  )
})

test('any span has an age of at most two units', () => {
  void fc.assert(
    fc.property(fc.integer({ min: -5, max: (40 * y) / s }), (seconds) => {
      expect(humanDuration(seconds * s)).toMatch(/^(<invalid>|\d+[smhdy](\d+[smhd])?)$/)
    }),
  )
})
