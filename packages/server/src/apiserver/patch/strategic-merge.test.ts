import { Node } from '@stillpoint/api/core/node'
import { ServiceAccount } from '@stillpoint/api/core/service-account'
import { StatusError } from '@stillpoint/api/meta/status-error'
import type { JsonSchema } from '@stillpoint/api/schema/resource'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { strategicMerge } from './strategic-merge.ts'

const merged = (key?: string, items: JsonSchema = {}): JsonSchema => ({
  type: 'array',
  items,
  'x-kubernetes-patch-strategy': 'merge',
  ...(key === undefined ? {} : { 'x-kubernetes-patch-merge-key': key }),
})
const schema: JsonSchema = {
  properties: {
    ports: merged('name', { properties: { rules: merged('id') } }),
    tags: merged(),
    plain: { type: 'array' },
    whole: { type: 'object', 'x-kubernetes-patch-strategy': 'replace' },
  },
}
const p = (name: string, rest: object = {}) => ({ name, ...rest })

const cases: [string, object, object, object][] = [
  ['adds, changes and removes keys', { a: 1, b: 2, c: 3 }, { b: 5, c: null, d: 6 }, { a: 1, b: 5, d: 6 }],
  ['goes into maps', { m: { a: 1, b: 2 } }, { m: { b: null, c: 3 } }, { m: { a: 1, c: 3 } }],
  ['leaves no nulls in new maps', {}, { m: { a: null, b: { c: null } } }, { m: { b: {} } }],
  ['replaces a map whose strategy says so', { whole: { a: 1 } }, { whole: { b: 2 } }, { whole: { b: 2 } }],
  ['replaces a value by one of another type', { m: { a: 1 } }, { m: 'x' }, { m: 'x' }],
  ['replaces plain lists', { plain: [1, 2] }, { plain: [3, null] }, { plain: [3, null] }],
  [
    'puts what is new before what only the server has',
    { tags: ['a', 'b'] },
    { tags: ['c'] },
    { tags: ['c', 'a', 'b'] },
  ],
  ['removes from sets', { tags: ['a', 'b', 'c'] }, { '$deleteFromPrimitiveList/tags': ['b'] }, { tags: ['a', 'c'] }],
  [
    'removes from and adds to a set in a given order',
    { tags: ['a', 'b', 'c'] },
    { '$deleteFromPrimitiveList/tags': ['b'], '$setElementOrder/tags': ['d', 'c', 'a'], tags: ['d'] },
    { tags: ['d', 'c', 'a'] },
  ],
  [
    'merges elements by their key',
    { ports: [p('a', { x: 1, y: 2 }), p('b')] },
    { ports: [p('a', { x: 3, y: null }), p('c')] },
    { ports: [p('a', { x: 3 }), p('c'), p('b')] },
  ],
  [
    'merges lists inside of elements',
    { ports: [p('a', { rules: [{ id: 1 }, { id: 2 }] })] },
    { ports: [p('a', { rules: [{ id: 1, $patch: 'delete' }, { id: 3 }] })] },
    { ports: [p('a', { rules: [{ id: 3 }, { id: 2 }] })] },
  ],
  ['deletes an element', { ports: [p('a'), p('b')] }, { ports: [p('a', { $patch: 'delete' })] }, { ports: [p('b')] }],
  ['deletes an element that is not there', {}, { ports: [p('a', { $patch: 'delete' })] }, { ports: [] }],
  [
    'replaces an element',
    { ports: [p('a', { x: 1 })] },
    { ports: [p('a', { $patch: 'replace', y: 2 })] },
    { ports: [p('a', { y: 2 })] },
  ],
  [
    'replaces a merged list',
    { ports: [p('a'), p('b')] },
    { ports: [{ $patch: 'replace' }, p('c')] },
    { ports: [p('c')] },
  ],
  ['replaces a map', { m: { a: 1 } }, { m: { $patch: 'replace', b: 2 } }, { m: { b: 2 } }],
  ['empties a map', { m: { a: 1 } }, { m: { $patch: 'delete' } }, { m: {} }],
  ['merges a map when told so', { m: { a: 1 } }, { m: { $patch: 'merge', b: 2 } }, { m: { a: 1, b: 2 } }],
  [
    'keeps only the keys to retain',
    { m: { a: 1, b: 2 } },
    { m: { $retainKeys: ['a', 'c'], c: 3 } },
    { m: { a: 1, c: 3 } },
  ],
  [
    'orders elements as told, others staying before those they stood before',
    { ports: [p('a'), p('s'), p('b')] },
    { $setElementOrder: 0, '$setElementOrder/ports': [p('b'), p('c'), p('a')], ports: [p('c')] },
    { $setElementOrder: 0, ports: [p('s'), p('b'), p('c'), p('a')] },
  ],
  ['orders without other changes', { tags: ['a', 'b'] }, { '$setElementOrder/tags': ['b', 'a'] }, { tags: ['b', 'a'] }],
  ['ignores the order of a list that is not there', {}, { '$setElementOrder/tags': ['b'] }, {}],
  [
    'merges finalizers and owners of any kind',
    { metadata: { finalizers: ['a'], ownerReferences: [{ uid: '1', name: 'x' }] } },
    { metadata: { finalizers: ['b'], ownerReferences: [{ uid: '1', $patch: 'delete' }] } },
    { metadata: { finalizers: ['b', 'a'], ownerReferences: [] } },
  ],
]
test.each(cases)('%s', (_, original, patch, expected) => {
  const before = structuredClone([original, patch])
  expect(strategicMerge(original, patch, schema)).toEqual(expected)
  expect([original, patch]).toEqual(before)
})

test('published kinds say how their lists merge', () => {
  const account = { secrets: [{ name: 'a' }], imagePullSecrets: [{ name: 'a' }] }
  const patch = { secrets: [{ name: 'b' }], imagePullSecrets: [{ name: 'b' }] }
  expect(strategicMerge(account, patch, ServiceAccount.schema())).toEqual({
    secrets: [{ name: 'b' }, { name: 'a' }],
    imagePullSecrets: [{ name: 'b' }],
  })
  const node = { status: { conditions: [{ type: 'Ready', status: 'False' }] } }
  const ready = { status: { conditions: [{ type: 'Ready', status: 'True' }] } }
  expect(strategicMerge(node, ready, Node.schema())).toEqual(ready)
})

describe('refuses', () => {
  const refusals: [string, unknown, number][] = [
    ['a patch that is no map', [1], 400],
    ['an unknown directive', { m: { $patch: 'explode' } }, 400],
    ['an element without its key', { ports: [{ x: 1 }] }, 422],
    ['a deletion without a key', { ports: [{ $patch: 'delete' }] }, 422],
    ['an element that is no map', { ports: ['a'] }, 400],
    ['a list of mixed elements', { tags: ['a', {}] }, 400],
    ['maps in a set', { tags: [{}] }, 422],
    ['a list of lists', { tags: [[]] }, 422],
    ['an order that is no list', { '$setElementOrder/tags': 'a' }, 400],
    ['an order without keys', { '$setElementOrder/ports': [{}], ports: [] }, 400],
    ['an element its order does not list', { '$setElementOrder/ports': [p('a')], ports: [p('b')] }, 400],
    ['a deletion list that is no list', { '$deleteFromPrimitiveList/tags': 'a' }, 400],
    ['maps in a deletion list', { '$deleteFromPrimitiveList/tags': [{}] }, 400],
    ['retained keys that are no names', { m: { $retainKeys: [1] } }, 400],
    ['a key that is not to be retained', { m: { $retainKeys: ['a'], b: 1 } }, 400],
  ]
  test.each(refusals)('%s', (_, patch, code) => {
    const attempt = () => strategicMerge({ tags: ['x'], ports: [p('x')], m: {} }, patch, schema)
    expect(attempt).toThrow(StatusError)
    expect(attempt).toThrow(expect.objectContaining({ code }))
  })

  test('a patch nested without end', () => {
    let patch: object = {}
    for (let depth = 0; depth < 100_000; depth++) patch = { m: patch }
    expect(() => strategicMerge({}, patch, schema)).toThrow(/nested deeper/)
  })
})

const keys = fc.constantFrom('m', 'ports', 'tags', 'name', 'rules', '$patch', '__proto__', 'constructor', 'metadata')
const directives = fc.constantFrom('delete', 'replace', 'merge', 'other')
const json: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, fc.constantFrom(null, 'a', 'b', 1, true), directives, tie('list'), tie('map')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  map: fc.array(fc.tuple(keys, tie('value')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
})).value

test('any patch is merged or refused, and nobody else notices', () => {
  void fc.assert(
    fc.property(json, json, (original, patch) => {
      const before = JSON.stringify([original, patch])
      try {
        const result = strategicMerge(original, patch, schema)
        JSON.stringify(result)
      } catch (error) {
        expect(error).toBeInstanceOf(StatusError)
      }
      expect(JSON.stringify([original, patch])).toBe(before)
      expect(Object.keys(Object.prototype)).toEqual([])
    }),
    { numRuns: 2_000 },
  )
})

test('a key named __proto__ is data like any other', () => {
  const patch = JSON.parse('{"__proto__": {"polluted": true}, "m": {"constructor": {"prototype": {"polluted": true}}}}')
  const result = strategicMerge({}, patch, schema) as object
  expect(Object.hasOwn(result, '__proto__')).toBe(true)
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})

test('without directives and merged lists it is a merge patch that reaches a fixed point', () => {
  const plain = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 3 }))
  void fc.assert(
    fc.property(plain, plain, (original, patch) => {
      const once = strategicMerge(original, patch, schema)
      expect(strategicMerge(once, patch, schema)).toEqual(once)
    }),
  )
})
