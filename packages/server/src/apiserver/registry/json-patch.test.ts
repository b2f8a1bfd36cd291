import { StatusError } from '@stillpoint/api/meta/status-error'
import { describe, expect, test } from 'vitest'
import { jsonPatchOf } from './json-patch.ts'

const target = { metadata: { labels: { 'a/b': '1', c: '2' } }, list: [1, 2, 3] }

const cases: Record<string, [patch: object[], result: object]> = {
  'adds, at the end of a list too': [
    [
      { op: 'add', path: '/x', value: 1 },
      { op: 'add', path: '/list/-', value: 4 },
      { op: 'add', path: '/list/0', value: 0 },
    ],
    { ...target, x: 1, list: [0, 1, 2, 3, 4] },
  ],
  'removes escaped keys': [
    [{ op: 'remove', path: '/metadata/labels/a~1b' }],
    { ...target, metadata: { labels: { c: '2' } } },
  ],
  'replaces, moves and copies': [
    [
      { op: 'replace', path: '/list/1', value: 9 },
      { op: 'move', from: '/metadata', path: '/m' },
      { op: 'copy', from: '/list', path: '/l' },
    ],
    { m: target.metadata, list: [1, 9, 3], l: [1, 9, 3] },
  ],
  'tests first': [[{ op: 'test', path: '/list', value: [1, 2, 3] }], target],
}

describe('a JSON patch', () => {
  test.each(Object.entries(cases))('%s', async (_, [patch, result]) => {
    const apply = await jsonPatchOf(patch)
    expect(apply(target)).toEqual(result)
    expect(apply(target)).toEqual(result)
  })

  test('cannot fill the memory with copies of copies', async () => {
    const doubling = Array.from({ length: 64 }, (_, index) => ({ op: 'copy', from: '', path: `/c${index}` }))
    const apply = await jsonPatchOf(doubling)
    expect(() => apply({ text: 'x'.repeat(1_000) })).toThrow(/copy operations exceed/)
  })

  test.each([
    ['an unknown operation', [{ op: 'eat', path: '/list' }]],
    ['no path', [{ op: 'add', value: 1 }]],
    ['a missing path', [{ op: 'replace', path: '/none/deeper', value: 1 }]],
    ['an index beyond the list', [{ op: 'add', path: '/list/9', value: 1 }]],
  ])('with %s is refused', async (_, patch) => {
    const apply = await jsonPatchOf(patch)
    expect(() => apply(target)).toThrow(StatusError)
  })
})
