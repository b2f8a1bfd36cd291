import { expect, test } from 'vitest'
import { tickText } from './tick-text.ts'

const at = Date.parse('2026-03-01T13:05:07Z')
const minute = 60_000
const day = 24 * 60 * minute

test.each([
  [10_000, at, '13:05:07'],
  [5 * minute, at, '13:05'],
  [180 * minute, Date.parse('2026-03-01T00:00:00Z'), 'Mar 1'],
  [day, at, 'Mar 1'],
  [90 * day, at, 'Mar 2026'],
])('marks every %i ms show the time fit for it', (stepMs, timeMs, text) => {
  expect(tickText(timeMs, stepMs, 'UTC')).toBe(text)
})

test('the time is that of the reader', () => expect(tickText(at, 5 * minute, 'Europe/Berlin')).toBe('14:05'))
