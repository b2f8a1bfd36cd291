import { expect, test } from 'vitest'
import { chosenColumns, readChoice } from './column-choice.ts'

const columns = [{ id: 'name', fixed: true }, { id: 'size' }, { id: 'note', hidden: true }]
const shown = (choice: Record<string, boolean>) => chosenColumns(columns, choice).map(({ id }) => id)

test('a table shows its usual columns until somebody chooses', () => expect(shown({})).toEqual(['name', 'size']))
test('what is chosen counts, but for the fixed ones', () =>
  expect(shown({ name: false, size: false, note: true, old: true })).toEqual(['name', 'note']))
test('what cannot be read is no choice', () => {
  for (const text of [null, '', '[]', '{"size":"no"}', '{']) expect(readChoice(text)).toEqual({})
  expect(readChoice('{"size":false}')).toEqual({ size: false })
})
