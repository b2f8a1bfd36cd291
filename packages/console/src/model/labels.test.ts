import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mapOf, pairsPatch, parseLabel, whyNotPairs } from './labels.ts'

const labels: Record<string, [string, string | { key: string; value: string }]> = {
  'a key and a value': [' tier = gold ', { key: 'tier', value: 'gold' }],
  'a key alone': ['tier', { key: 'tier', value: '' }],
  'a key with a prefix': ['example.com/tier=Gold_1', { key: 'example.com/tier', value: 'Gold_1' }],
  nothing: ['', 'A key is required'],
  'a value alone': ['=gold', 'A key is required'],
  'two slashes': ['a/b/c=d', 'more than one /'],
  'a prefix that is no DNS name': ['Example/tier=gold', 'must be a DNS name'],
  'a key that ends badly': ['tier-=gold', 'begin and end'],
  'a key that is too long': [`${'k'.repeat(64)}=v`, 'at most 63'],
  'a value that is too long': [`k=${'v'.repeat(64)}`, 'at most 63'],
  'a value with a second =': ['k=a=b', 'letters, digits'],
}
test.each(Object.entries(labels))('a label: %s', (_, [text, expected]) => {
  const label = parseLabel(text)
  if (typeof expected === 'string') expect(label).toEqual({ problem: expect.stringContaining(expected) })
  else expect(label).toEqual(expected)
})

describe('a patch of pairs', () => {
  test('has what was added, changed and removed, and nothing else', () =>
    expect(pairsPatch({ same: '1', old: '2', gone: '3' }, { same: '1', old: '4', new: '5' })).toEqual({
      gone: null,
      old: '4',
      new: '5',
    }))
  test('is none where nothing has changed', () => expect(pairsPatch({ a: '1' }, { a: '1' })).toBeUndefined())
  test('makes one of the other, whatever they are', () => {
    const pairs = fc.dictionary(fc.string(), fc.string())
    fc.assert(
      fc.property(pairs, pairs, (before, after) => {
        const now = new Map(Object.entries(before))
        for (const [key, value] of Object.entries(pairsPatch(before, after) ?? {}))
          if (value === null) now.delete(key)
          else now.set(key, value)
        expect(now).toEqual(new Map(Object.entries(after)))
      }),
    )
  })
})

test('annotations are checked as they are, without the empty rows', () => {
  const pair = (key: string, value = '') => ({ key, value })
  expect(whyNotPairs([pair('a', 'x'), pair(''), pair('b')])).toBeUndefined()
  expect(whyNotPairs([pair('a'), pair(' a ')])).toBe('"a" is there twice')
  expect(whyNotPairs([pair('', 'lost')])).toBe('A key is required')
  expect(mapOf([pair(' a ', ' x '), pair('')])).toEqual({ a: ' x ' })
})
