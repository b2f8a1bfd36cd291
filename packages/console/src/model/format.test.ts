import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  bytes,
  compactLocalTime,
  duration,
  exactDuration,
  exactUtcTime,
  localTime,
  relativeTime,
  utcTime,
} from './format.ts'

const now = new Date('2026-08-02T14:03:05.000Z')
const ago = (ms: number) => new Date(now.getTime() - ms)
const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

const relative: Record<string, [Date | string | undefined, string]> = {
  'nothing for no time': [undefined, '-'],
  'nothing for what is no time': ['yesterday', '-'],
  'just now within ten seconds': [ago(9_999), 'just now'],
  'just now for a clock a little ahead': [ago(-5_000), 'just now'],
  seconds: [ago(45 * second), '45 seconds ago'],
  'one minute': [ago(minute), '1 minute ago'],
  'three minutes, not yet four': [ago(4 * minute - 1), '3 minutes ago'],
  hours: [ago(23 * hour + 59 * minute), '23 hours ago'],
  days: [ago(29 * day), '29 days ago'],
  months: [ago(60 * day), '2 months ago'],
  years: [ago(800 * day), '2 years ago'],
  'what is to come': [ago(-2 * hour), 'in 2 hours'],
  'what is to come, a moment later': [ago(-(2 * hour - 100)), 'in 2 hours'],
  'RFC 3339': ['2026-08-02T14:00:05Z', '3 minutes ago'],
}
test.each(Object.entries(relative))('relative time: %s', (_, [given, expected]) =>
  expect(relativeTime(given, now)).toBe(expected),
)

test('UTC is absolute', () => {
  expect(utcTime('2026-08-02T16:03:05.9+02:00')).toBe('2026-08-02 14:03:05 UTC')
  expect(utcTime(null)).toBe('-')
})

test('measured times keep their milliseconds', () => {
  expect(exactUtcTime('2026-08-02T16:03:05.9+02:00')).toBe('2026-08-02 14:03:05.900 UTC')
  expect(exactUtcTime(undefined)).toBe('-')
})

test('local time names its distance to UTC, and is the same instant', () => {
  fc.assert(
    fc.property(fc.date({ min: new Date('1980-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }), (date) => {
      const [, clock, zone] = /^(.*) UTC([+-]\d\d:\d\d)$/.exec(localTime(date)) ?? []
      const back = Date.parse(`${clock?.replace(' ', 'T')}${zone}`)
      expect(back).toBe(Math.floor(date.getTime() / 1_000) * 1_000)
    }),
  )
})

test('midnight is hour 00', () => expect(compactLocalTime(new Date(2026, 0, 5, 0, 7, 9))).toBe('20260105-000709'))

const durations: Record<string, [number, string]> = {
  nothing: [0, '0 ms'],
  'less than nothing': [-5, '0 ms'],
  'what is no number': [Number.NaN, '0 ms'],
  milliseconds: [40, '40 ms'],
  tenths: [412, '0.4 s'],
  'whole seconds': [2_000, '2 s'],
  'almost ten': [9_960, '10 s'],
  seconds: [12_400, '12 s'],
  'almost a minute': [59_700, '1 min'],
  minutes: [80_000, '1 min 20 s'],
  hours: [3 * hour + 5 * minute, '3 h 5 min'],
  days: [2 * day + 4 * hour, '2 d 4 h'],
}
test.each(Object.entries(durations))('duration: %s', (_, [given, expected]) => expect(duration(given)).toBe(expected))

const sizes: Record<string, [number, string]> = {
  none: [0, '0 B'],
  small: [512, '512 B'],
  'one and a half': [1.5 * 2 ** 30, '1.5 GiB'],
  tens: [20 * 2 ** 30, '20 GiB'],
  'almost the next unit': [2 ** 30 - 1, '1 GiB'],
  beyond: [5000 * 2 ** 60, '5000 EiB'],
  negative: [-(2 ** 20), '-1 MiB'],
  'no number': [Number.NaN, '-'],
}
test.each(Object.entries(sizes))('bytes: %s', (_, [given, expected]) => expect(bytes(given)).toBe(expected))

const exact: Record<string, [number, string]> = {
  'not rounded': [412.4, '412 ms'],
  'with a gap at the thousands': [12_345, '12\u202f345 ms'],
  'from a minute on as any other': [61_000, '1 min 1 s'],
}
test.each(Object.entries(exact))('exact duration: %s', (_, [given, expected]) =>
  expect(exactDuration(given)).toBe(expected),
)
