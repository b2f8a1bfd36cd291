import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expiryCause, isLocked, parseExpiresAt, quoted } from './expiry.ts'
import { expiresAtAnnotation, lockedKey } from './keys.ts'

test.each([
  ['2026-08-03T12:00:00Z', '2026-08-03T12:00:00.000Z'],
  ['2026-08-03t12:00:00z', '2026-08-03T12:00:00.000Z'],
  ['2026-08-03T12:00:00+02:00', '2026-08-03T10:00:00.000Z'],
  ['2026-01-01T00:30:00+02:00', '2025-12-31T22:30:00.000Z'],
  ['2026-08-03T12:00:00.5-00:30', '2026-08-03T12:30:00.500Z'],
  ['2026-08-03T12:00:00.1230001Z', '2026-08-03T12:00:00.124Z'],
  ['2028-02-29T23:59:59Z', '2028-02-29T23:59:59.000Z'],
])('%s is a time', (text, instant) => expect(parseExpiresAt(text)?.toISOString()).toBe(instant))

test.each([
  '',
  'tomorrow',
  '24h',
  '1785758400',
  '2026-08-03',
  '2026-08-03T12:00Z',
  '2026-08-03T12:00:00',
  '2026-08-03 12:00:00Z',
  ' 2026-08-03T12:00:00Z',
  '2026-08-03T12:00:00Z\n',
  '2026-02-29T12:00:00Z',
  '2026-04-31T12:00:00+02:00',
  '2026-13-01T12:00:00Z',
  '2026-00-01T12:00:00Z',
  '2026-08-03T24:00:00Z',
  '2026-08-03T12:60:00Z',
  '2026-08-03T12:00:60Z',
  '2026-08-03T12:00:00+25:00',
  '2026-08-03T12:00:00.Z',
])('%j is no time', (text) => expect(parseExpiresAt(text)).toBeUndefined())

test('every instant is read as what it is', () => {
  const years = { min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }
  fc.assert(
    fc.property(fc.date(years), (date) => {
      expect(parseExpiresAt(date.toISOString())).toEqual(date)
    }),
  )
})

test('anything may be written there', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(() => parseExpiresAt(text)).not.toThrow()
    }),
  )
})

const object = (annotations?: Record<string, string>, labels?: Record<string, string>) => ({
  apiVersion: 'snapshot.kubevirt.io/v1beta1',
  kind: 'VirtualMachineSnapshot',
  metadata: { name: 'snap', ...(annotations ? { annotations } : {}), ...(labels ? { labels } : {}) },
})
const expiring = (text: string) => object({ [expiresAtAnnotation]: text })

test('a lock is the word true, in a label or an annotation', () => {
  expect(isLocked(object({ [lockedKey]: 'true' }))).toBe(true)
  expect(isLocked(object({}, { [lockedKey]: 'true' }))).toBe(true)
  expect(isLocked(object({ [lockedKey]: 'false' }, { [lockedKey]: '' }))).toBe(false)
  expect(isLocked(object())).toBe(false)
})

test('what is no time is refused when it is new or changed, with the field and the remedy', () => {
  const cause = {
    reason: 'FieldValueInvalid',
    field: 'metadata.annotations[snapshot.stillpoint.dev/expires-at]',
    message:
      'snapshot.stillpoint.dev/expires-at is not a time: "soon"; write RFC 3339, for example 2026-08-03T12:00:00Z, or remove the annotation',
  }
  expect(expiryCause(expiring('soon'), undefined)).toEqual(cause)
  expect(expiryCause(expiring('soon'), object())).toEqual(cause)
  expect(expiryCause(expiring('soon'), expiring('later'))).toEqual(cause)
  expect(expiryCause(expiring('soon'), expiring('soon'))).toBeUndefined()
  expect(expiryCause(object(), expiring('soon'))).toBeUndefined()
  expect(expiryCause(expiring('2026-08-03T12:00:00Z'), expiring('soon'))).toBeUndefined()
})

test('a long value is shown in part', () => expect(quoted('x'.repeat(1_000)).length).toBeLessThan(80))
