import { expect, test } from 'vitest'
import { readDismissed, withDismissed } from './dismissed.ts'

test('what cannot be read counts as nothing', () => {
  for (const text of [null, '', '{', '{"a":1}', 'null']) expect(readDismissed(text)).toEqual([])
  expect(readDismissed('["a", 1, "b"]')).toEqual(['a', 'b'])
})

test('the newest is kept, once, and the oldest is forgotten', () => {
  expect(withDismissed(['a', 'b'], 'a')).toEqual(['b', 'a'])
  const many = Array.from({ length: 200 }, (_, n) => `uid-${n}`)
  const next = withDismissed(many, 'new')
  expect([next.length, next[0], next.at(-1)]).toEqual([200, 'uid-1', 'new'])
})
