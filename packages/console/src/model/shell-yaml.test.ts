import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { shellJson, shellYaml } from './shell-yaml.ts'
import { restore, snapshot, vm } from './testing/objects.ts'

const yamlOf = (spec: unknown) => {
  const object = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a' }, spec }
  return shellYaml(object).slice('apiVersion: v1\nkind: Thing\nmetadata:\n  name: a\n'.length)
}

const cases: Record<string, [unknown, string]> = {
  'a text': ['web-1', 'spec: web-1\n'],
  'a text with spaces': ['two words', 'spec: two words\n'],
  'an empty text': ['', 'spec: ""\n'],
  'a text that looks like a number': ['012', 'spec: "012"\n'],
  'a text that looks like a truth': ['Yes', 'spec: "Yes"\n'],
  'a text that looks like nothing': ['null', 'spec: "null"\n'],
  'a text that ends in a space': ['a ', 'spec: "a "\n'],
  'a text of two lines': ['a\nb', 'spec: "a\\nb"\n'],
  'what turns the direction': ['\u202e', 'spec: "\\u202e"\n'],
  'what is not seen, beyond 16 bits': ['\u{e0001}', 'spec: "\\U000e0001"\n'],
  'what is only half a character': ['\ud800', 'spec: "\ufffd"\n'],
  'other languages as they are': ['Zürich 東京', 'spec: "Zürich 東京"\n'],
  'numbers, truths and nothing': [[1.5, true, null], 'spec:\n- 1.5\n- true\n- null\n'],
  'empty things': [{ a: [], b: {}, c: undefined }, 'spec:\n  a: []\n  b: {}\n'],
  'lists of objects': [[{ a: 1, b: [2] }], 'spec:\n- a: 1\n  b:\n  - 2\n'],
  'lists in lists': [[[1, 2], []], 'spec:\n- - 1\n  - 2\n- []\n'],
}
test.each(Object.entries(cases))('writes %s', (_, [spec, expected]) => {
  expect(yamlOf(spec)).toBe(expected)
})

test('who manages which fields is not said', () =>
  expect(shellYaml({ ...vm(), metadata: { name: 'a', managedFields: [{ manager: 'kubectl' }] } })).not.toMatch(
    /manage/,
  ))

test.each([vm(), snapshot(), restore()])('what a $kind is, it is when it is read again', (object) =>
  expect(parse(shellYaml(object), { version: '1.1' })).toEqual(object),
)

const value = fc
  .letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'yes',
        'No',
        '~',
        '-',
        '- a',
        'a: b',
        '# a',
        '1_000',
        '0o7',
        '1:30',
        '2026-01-01',
        '.nan',
        '<<',
        '=',
        '*a',
      ),
      fc.double({ noDefaultInfinity: true, noNaN: true }).filter((number) => !Object.is(number, -0)),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any')),
      fc.dictionary(
        fc.string({ unit: 'binary' }).filter((key) => key.isWellFormed()),
        tie('any'),
        { noNullPrototype: true },
      ),
    ),
  }))
  .any.filter((given) => JSON.stringify(given).isWellFormed() && !/\\ud[89a-f]/.test(JSON.stringify(given)))

test('whatever there is, it is the same when it is read again, and nothing in it is hidden', () =>
  fc.assert(
    fc.property(value, (given) => {
      const text = yamlOf(given)
      expect(parse(text, { version: '1.1', merge: false })).toEqual({ spec: given })
      expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      expect(JSON.parse(shellJson(given))).toEqual(given)
      expect(shellJson(given)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    }),
  ))
