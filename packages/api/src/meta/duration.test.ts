import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDurationMs } from './duration.ts'
import { formatBytes, parseQuantity } from './quantity.ts'

test.each([
  ['5m', 300_000],
  ['5m0s', 300_000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['-5s', -5_000],
  ['0', 0],
  ['60', 60_000],
  ['250ms', 250],
  ['', undefined],
  ['s', undefined],
  ['5 m', undefined],
  ['5x', undefined],
  ['m5', undefined],
])('a duration %j is %j ms', (text, ms) => expect(parseDurationMs(text)).toBe(ms))

test('a duration in whole seconds survives writing and reading', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e7, max: 1e7 }), (s) => parseDurationMs(formatDuration(s * 1_000)) === s * 1_000),
  )
})

test('anything may be parsed as a duration or a quantity without harm', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseDurationMs(text)).not.toBeNaN()
      expect(parseQuantity(text)).not.toBeNaN()
    }),
  )
})

test.each([
  ['10Gi', 10 * 2 ** 30],
  ['500m', 0.5],
  ['1e3', 1_000],
  ['1.5Ki', 1_536],
  ['-1', -1],
  ['10GB', undefined],
  ['', undefined],
])('a quantity %j is %j', (text, value) => expect(parseQuantity(text)).toBe(value))

test('bytes are written as the shortest exact quantity', () => {
  expect(formatBytes(10 * 2 ** 30)).toBe('10Gi')
  expect(formatBytes(1_500)).toBe('1500')
})
