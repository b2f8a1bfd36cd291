import { StatusError } from '@stillpoint/api/meta/status-error'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { duplicateKeys } from './http/duplicate-keys.ts'
import { parseAccept } from './http/negotiate.ts'
import { parseResourcePath } from './http/request-path.ts'
import { isDeeperThan, jsonEqual, sortKeys } from './json.ts'
import { mergePatch } from './registry/merge-patch.ts'
import { parseFieldSelector } from './watch/field-selector.ts'
import { parseLabelSelector } from './watch/label-selector.ts'

const onlyStatusErrors = (parse: () => unknown) => {
  try {
    parse()
  } catch (error) {
    expect(error).toBeInstanceOf(StatusError)
    expect((error as StatusError).code).toBe(400)
  }
}

const labelCases: Record<string, [selector: string, selects: Record<string, string>[], not: Record<string, string>[]]> =
  {
    'a value': ['a=b', [{ a: 'b' }], [{ a: 'c' }, {}]],
    'a value with two signs and spaces': [' a == b ', [{ a: 'b' }], [{}]],
    'an empty value': ['a=', [{ a: '' }], [{ a: 'x' }, {}]],
    'another value or none': ['a!=b', [{ a: 'c' }, {}], [{ a: 'b' }]],
    'one of several': ['a in (b, c)', [{ a: 'b' }, { a: 'c' }], [{ a: 'd' }, {}]],
    'none of several': ['a notin (b,c)', [{ a: 'd' }, {}], [{ a: 'b' }]],
    'a key': ['example.com/a', [{ 'example.com/a': '' }], [{}]],
    'no such key': ['!a', [{}], [{ a: '' }]],
    'a larger number': ['a>3', [{ a: '10' }], [{ a: '3' }, { a: 'x' }, {}]],
    'a smaller number': ['a<3', [{ a: '-1' }], [{ a: '3' }]],
    'all of several': ['a=b,c,!d', [{ a: 'b', c: '' }], [{ a: 'b' }, { a: 'b', c: '', d: '' }]],
  }
describe('a label selector selects', () => {
  test.each(Object.entries(labelCases))('%s', (_, [selector, selects, not]) => {
    const matches = parseLabelSelector(selector)
    expect(selects.map((labels) => matches?.(labels))).toEqual(selects.map(() => true))
    expect(not.map((labels) => matches?.(labels))).toEqual(not.map(() => false))
  })
  test.each(['a b', 'a in b', 'a in (b', '=', 'a=b=c', 'a=(b)', ',', '!!a', 'a>x', 'a=b c', '-a'])(
    '%j is refused',
    (selector) => {
      expect(() => parseLabelSelector(selector)).toThrow(StatusError)
    },
  )
  test('nothing a client may send breaks it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[ab!=<>(), in]*$/)), (text) =>
        onlyStatusErrors(() => parseLabelSelector(text)?.({ a: 'b' })),
      ),
    )
  })
})

describe('a field selector', () => {
  test('reads escapes', () => {
    expect(parseFieldSelector('a.b=c\\,d\\=e\\\\,f!=g,h==')).toEqual([
      { field: 'a.b', equal: true, value: 'c,d=e\\' },
      { field: 'f', equal: false, value: 'g' },
      { field: 'h', equal: true, value: '' },
    ])
  })
  test('round-trips any value it escapes', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const escaped = value.replace(/[\\,=]/g, '\\$&')
        expect(parseFieldSelector(`f=${escaped}`)).toEqual([{ field: 'f', equal: true, value }])
      }),
    )
  })
  test('nothing a client may send breaks it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[ab!=\\,]*$/)), (text) =>
        onlyStatusErrors(() => parseFieldSelector(text)),
      ),
    )
  })
})

describe('a path', () => {
  const base = { group: '', version: 'v1', namespace: undefined, name: undefined, subresource: undefined, watch: false }
  const cases: Record<string, ReturnType<typeof parseResourcePath>> = {
    '/api/v1/namespaces': { ...base, resource: 'namespaces' },
    '/api/v1/namespaces/n': { ...base, resource: 'namespaces', name: 'n' },
    '/api/v1/namespaces/n/status': { ...base, resource: 'namespaces', name: 'n', subresource: 'status' },
    '/api/v1/namespaces/n/finalize': { ...base, resource: 'namespaces', name: 'n', subresource: 'finalize' },
    '/api/v1/namespaces/n/configmaps': { ...base, namespace: 'n', resource: 'configmaps' },
    '/api/v1/namespaces/n/configmaps/c/': { ...base, namespace: 'n', resource: 'configmaps', name: 'c' },
    '/api/v1/watch/configmaps': { ...base, resource: 'configmaps', watch: true },
    '/apis/g.io/v1/namespaces/n/vms/x/portforward/80/tcp': {
      ...base,
      group: 'g.io',
      namespace: 'n',
      resource: 'vms',
      name: 'x',
      subresource: 'portforward/80/tcp',
    },
    '/apis/g.io/v1/vms': { ...base, group: 'g.io', resource: 'vms' },
    '/api/v1/namespaces/n/configmaps/a%20b': { ...base, namespace: 'n', resource: 'configmaps', name: 'a b' },
    '/api/v1': undefined,
    '/apis/g.io/v1': undefined,
    '/metrics': undefined,
    '/': undefined,
  }
  test.each(Object.entries(cases))('%s', (path, expected) => expect(parseResourcePath(path)).toEqual(expected))
  test('never breaks the parser', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webPath(),
          fc.string().map((text) => `/api/v1/${text}`),
        ),
        (path) => void parseResourcePath(path),
      ),
    )
  })
})

describe('a JSON text', () => {
  test.each([
    ['{"a":1,"b":{"a":1},"a":2}', ['a']],
    ['{"a":[{"b":1,"b":2},{"b":1}]}', ['a[0].b']],
    ['{"a":"{\\"a\\":1,\\"a\\":2}","\\u0061":1}', ['a']],
    ['[1,2,"x","x"]', []],
  ])('%s repeats %j', (text, expected) => expect(duplicateKeys(text)).toEqual(expected))
  test('made of an object repeats nothing', () => {
    fc.assert(fc.property(fc.json(), (text) => void expect(duplicateKeys(text)).toEqual([])))
  })
  test('is equal to itself in any order of keys', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => jsonEqual(value, sortKeys(value))))
  })
  test('knows its depth', () => {
    expect([isDeeperThan([[[]]], 2), isDeeperThan([[[1]]], 3), isDeeperThan(1, 0)]).toEqual([true, false, false])
  })
})

test('a merge patch follows the examples of RFC 7386', () => {
  const examples: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, result] of examples) expect(mergePatch(target, patch)).toEqual(result)
})

test('an Accept header is read in the order of wishes', () => {
  expect(
    parseAccept('text/html;q=0.5, application/json;as=Table;v=v1;g=meta.k8s.io, application/yaml;q=0').map(
      ({ type, parameters }) => [type, parameters.as],
    ),
  ).toEqual([
    ['application/json', 'Table'],
    ['text/html', undefined],
  ])
  fc.assert(fc.property(fc.string(), (text) => void parseAccept(text)))
})
