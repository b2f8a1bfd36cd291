import { parseDurationMs } from '@stillpoint/api/meta/duration'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DeadlineUnit, noDeadline, parseDeadline } from './deadline.ts'

const noNumber = { error: 'Deadline must be a number' }
const tooSmall = { error: 'Deadline must be greater than 0' }
const cases: Record<string, [string, DeadlineUnit, object]> = {
  'nothing typed: the default of the server': ['', 's', {}],
  seconds: ['90', 's', { value: '90s' }],
  minutes: ['5', 'm', { value: '5m' }],
  hours: ['1.5', 'h', { value: '1.5h' }],
  'spaces around it': [' 90 ', 's', { value: '90s' }],
  'only blanks': ['   ', 's', noNumber],
  words: ['soon', 's', noNumber],
  'a number with its unit': ['90s', 's', noNumber],
  'an exponent': ['1e3', 's', noNumber],
  hexadecimal: ['0x10', 's', noNumber],
  infinity: ['Infinity', 's', noNumber],
  'a sign': ['+5', 's', noNumber],
  'a comma': ['1,5', 's', noNumber],
  'a bare point': ['.', 's', noNumber],
  zero: ['0', 's', tooSmall],
  'zero in other words': ['0.000', 'h', tooSmall],
  'so little that the API reads 0': ['0.0000000001', 's', tooSmall],
  negative: ['-5', 'm', tooSmall],
  'longer than the API can count': ['99999999', 'h', { error: 'Deadline must be less than 292 years' }],
}
test.each(Object.entries(cases))('%s', (_, [text, unit, expected]) =>
  expect(parseDeadline(text, unit)).toEqual(expected),
)

test('no deadline is a choice of its own, not something to type', () => expect(parseDurationMs(noDeadline)).toBe(0))

test('what is let through is a duration of the API, and more than none', () =>
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.double().map(String), fc.stringMatching(/^[-+ ]?[0-9]{0,20}[.e]?[0-9]{0,12}$/)),
      fc.constantFrom<DeadlineUnit>('s', 'm', 'h'),
      (text, unit) => {
        const { value, error } = parseDeadline(text, unit)
        expect(value === undefined || error === undefined).toBe(true)
        if (value !== undefined) expect(parseDurationMs(value)).toBeGreaterThan(0)
      },
    ),
  ))
