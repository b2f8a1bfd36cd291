import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hunks, lineDiff } from './line-diff.ts'

const shown = (before: string, after: string): string[] =>
  lineDiff(before, after).map(({ kind, text }) => ({ same: ' ', removed: '-', added: '+' })[kind] + text)

test('a changed line is removed and added in its place', () =>
  expect(shown('a\nb\nc\n', 'a\nx\nc\n')).toEqual([' a', '-b', '+x', ' c']))
test('from nothing, everything is added', () => expect(shown('', 'a\nb')).toEqual(['+a', '+b']))
test('what stays is found between changes', () =>
  expect(shown('a\nb\nc\nd', 'x\nb\nd\ne')).toEqual(['-a', '+x', ' b', '-c', ' d', '+e']))

const texts = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 }).map((lines) => lines.join('\n'))
test('both texts can be read from the comparison, and its line numbers are theirs', () => {
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const lines = lineDiff(before, after)
      const old = lines.filter(({ kind }) => kind !== 'added')
      const young = lines.filter(({ kind }) => kind !== 'removed')
      expect(old.map(({ text }) => text).join('\n')).toBe(before)
      expect(young.map(({ text }) => text).join('\n')).toBe(after)
      expect(old.map((line) => line.old)).toEqual(old.map((_, at) => at + 1))
      expect(young.map((line) => line.new)).toEqual(young.map((_, at) => at + 1))
    }),
  )
})

test('equal texts have no changes', () => {
  fc.assert(fc.property(texts, (text) => lineDiff(text, text).every(({ kind }) => kind === 'same')))
})

test('hunks keep what is near a change and say where lines are left out', () => {
  const before = Array.from({ length: 12 }, (_, at) => `line ${at}`)
  const after = before.with(6, 'changed')
  const shownLines = hunks(lineDiff(before.join('\n'), after.join('\n')), 1)
  expect(shownLines.map((line) => line?.text)).toEqual(['line 5', 'line 6', 'changed', 'line 7', undefined])
})
