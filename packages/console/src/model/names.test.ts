import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  beforeRestoreName,
  bulkName,
  bulkSuffix,
  cloneName,
  cloneNameFor,
  defaultSnapshotName,
  randomText,
  restoreName,
  whyNotName,
  whyNotSuffix,
} from './names.ts'

const named = (name: string) => ({ metadata: { name } })
const night = new Date(2026, 7, 2, 0, 5, 9)

test('the name of a snapshot has the VM and the local time, midnight as 00', () =>
  expect(defaultSnapshotName(named('web-1'), night)).toBe('web-1-snapshot-20260802-000509'))

test('a long VM name is cut to 38', () =>
  expect(defaultSnapshotName(named('v'.repeat(60)), night)).toBe(`${'v'.repeat(38)}-snapshot-20260802-000509`))

test('randomness goes to the end', () =>
  expect(defaultSnapshotName(named('web-1'), night, 'x7b2k9')).toBe('web-1-snapshot-20260802-000509-x7b2k9'))

test('names of several have the VM, six random characters and the suffix', () =>
  expect(bulkName(named('web-1'), 'abc123', bulkSuffix(night))).toBe('web-1-abc123-snapshot-20260802-000509'))

test('a restore is named after its snapshot and the instant', () =>
  expect(restoreName(named('snap.a'), 1_780_000_000_123)).toBe('restore-snap.a-1780000000123'))

test('a clone is named after its VM and the instant', () =>
  expect(cloneName('web-2', 1_780_000_000_123)).toBe('web-2-1780000000123'))

test('a VM made from a snapshot has its name', () => expect(cloneNameFor(named('snap'))).toBe('snap'))

test('the snapshot before a restore says so', () =>
  expect(beforeRestoreName(named('web-1'), night)).toBe('before-restore-web-1-20260802-000509'))

test('random texts are of letters and digits', () => {
  expect(randomText(() => 0)).toBe('aaaaaa')
  expect(randomText(() => 0.999_999, 3)).toBe('999')
})

const label = /^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const subdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const part = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?$/)
const objectName = fc
  .array(part, { minLength: 1, maxLength: 8 })
  .map((parts) =>
    parts
      .join('.')
      .slice(0, 253)
      .replace(/[-.]+$/, ''),
  )
  .filter((name) => subdomain.test(name))
const time = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })

test('every generated name is valid', () =>
  fc.assert(
    fc.property(objectName, time, (name, now) => {
      const random = randomText(() => 0.5)
      const suffix = bulkSuffix(now)
      for (const made of [
        defaultSnapshotName(named(name), now),
        defaultSnapshotName(named(name), now, random),
        bulkName(named(name), random, suffix),
        cloneNameFor(named(name)),
        beforeRestoreName(named(name), now),
      ]) {
        expect(made).toMatch(label)
        expect(whyNotName(made, new Set())).toBeUndefined()
      }
      expect(restoreName(named(name), now.getTime())).toMatch(subdomain)
      expect(cloneName(name, now.getTime())).toMatch(subdomain)
    }),
  ))

test('every suffix that is let through makes valid names with every VM', () =>
  fc.assert(
    fc.property(fc.array(objectName, { maxLength: 3 }), part, (vms, suffix) => {
      fc.pre(whyNotSuffix(suffix, vms) === undefined)
      for (const vm of vms) {
        const name = bulkName(named(vm), 'abc123', suffix)
        expect(name).toMatch(label)
        expect(name.endsWith(`-abc123-${suffix}`)).toBe(true)
      }
    }),
  ))

const names: Record<string, [string, string | undefined]> = {
  good: ['my-snap-1', undefined],
  empty: ['', 'A name is required'],
  taken: ['taken', '"taken" exists already; choose another name'],
  'too long': ['a'.repeat(64), 'Name must be at most 63 characters, and has 64'],
  longest: ['a'.repeat(63), undefined],
  capitals: ['Snap', 'Name must be in lower-case letters'],
  'a dash in front': ['-snap', 'Name must begin and end with a letter or digit'],
  'a dash behind': ['snap-', 'Name must begin and end with a letter or digit'],
  'a space': ['my snap', 'Name may have only lower-case letters, digits and -'],
  'a dot': ['my.snap', 'Name may have only lower-case letters, digits and -'],
  'a line break': ['snap\n', 'Name may have only lower-case letters, digits and -'],
}
test.each(Object.entries(names))('a name that is %s', (_, [name, expected]) =>
  expect(whyNotName(name, new Set(['taken']))).toBe(expected),
)

const suffixes: Record<string, [string, string[], string | undefined]> = {
  good: ['nightly', ['web-1'], undefined],
  empty: ['', ['web-1'], 'A suffix is required'],
  'as long as the VM lets it': ['s'.repeat(50), ['web-1'], undefined],
  'longer than the VM lets it': ['s'.repeat(51), ['web-1'], 'Suffix must be at most 50 characters, and has 51'],
  'judged by the longest VM': [
    's'.repeat(36),
    ['a', 'v'.repeat(20)],
    'Suffix must be at most 35 characters, and has 36',
  ],
  'let through up to 24 however long a VM is': ['s'.repeat(24), ['v'.repeat(63)], undefined],
  'no label': ['Now', ['web-1'], 'Suffix must be in lower-case letters'],
}
test.each(Object.entries(suffixes))('a suffix that is %s', (_, [suffix, vms, expected]) =>
  expect(whyNotSuffix(suffix, vms)).toBe(expected),
)
