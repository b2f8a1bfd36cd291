import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileJsonPath, JsonPathError } from './json-path.ts'

const object = {
  metadata: { name: 'web', labels: { 'app.kubernetes.io/name': 'x' } },
  spec: { list: ['a', 'b', 'c'], count: 3, items: [{ n: 1 }, { n: 2, deep: { name: 'd' } }] },
  status: {
    conditions: [
      { type: 'Ready', status: 'True', severity: 5 },
      { type: 'Paused', status: 'False' },
    ],
  },
}

const cases: [string, string, unknown[]][] = [
  ['a field', '.spec.count', [3]],
  ['a path in braces', '{.spec.count}', [3]],
  ['a path from the root', '$.spec.count', [3]],
  ['a field that is not there', '.spec.other.deeper', []],
  ['an inherited property is no field', '.spec.constructor', []],
  ['an escaped dot', '.metadata.labels.app\\.kubernetes\\.io/name', ['x']],
  ['a quoted name', `.metadata.labels['app.kubernetes.io/name']`, ['x']],
  ['two quoted names', `.metadata['name',"labels"].length`, []],
  ['the first element', '.spec.list[0]', ['a']],
  ['the last element', '.spec.list[-1]', ['c']],
  ['an index out of bounds', '.spec.list[7]', []],
  ['several elements', '.spec.list[0,2]', ['a', 'c']],
  ['a slice', '.spec.list[1:]', ['b', 'c']],
  ['a slice with a step', '.spec.list[0:3:2]', ['a', 'c']],
  ['all elements', '.spec.items[*].n', [1, 2]],
  ['all members', '.metadata.*', ['web', { 'app.kubernetes.io/name': 'x' }]],
  ['any depth', '..name', ['web', 'd']],
  ['a filter with single quotes', `.status.conditions[?(@.type=='Ready')].status`, ['True']],
  ['a filter with double quotes and blanks', '.status.conditions[?( @.type == "Paused" )].status', ['False']],
  ['a filter with !=', '.status.conditions[?(@.type!="Ready")].type', ['Paused']],
  ['a filter by number', '.status.conditions[?(@.severity>=5)].type', ['Ready']],
  ['a filter by presence', '.status.conditions[?(@.severity)].type', ['Ready']],
  ['a filter nothing satisfies', '.status.conditions[?(@.type=="Gone")].status', []],
  ['a step on a scalar', '.spec.count[0].x', []],
]
test.each(cases)('%s', (_, path, expected) => expect(compileJsonPath(path)(object)).toEqual(expected))

describe('what is no path is refused with the place', () => {
  test.each(['.spec[', '.spec[?(@.a=="x)]', '.spec[?(a)]', '.spec[]', '.a]', '.spec..', '.a[0:3:0]', '.(x)'])(
    '%s',
    (path) => expect(() => compileJsonPath(path)).toThrow(JsonPathError),
  )
})

test('any text compiles or is refused, and never breaks on any value', () => {
  const alphabet = fc.constantFrom(...`.[]()*?@$'"=!<>\\ab0-1:,{} `)
  void fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 30 }), fc.jsonValue(), (chars, value) => {
      try {
        expect(Array.isArray(compileJsonPath(chars.join(''))(value))).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(JsonPathError)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a quoted name reaches every own key', () => {
  void fc.assert(
    fc.property(fc.string(), fc.jsonValue(), (key, value) => {
      const held = Object.fromEntries([[key, value]])
      const quoted = key.replace(/[\\']/g, '\\$&')
      expect(compileJsonPath(`['${quoted}']`)(held)).toEqual([value])
    }),
  )
})
