import { expect, test } from 'vitest'
import { newestFirst } from './newest.ts'
import { hoursAgo, snapshot } from './testing/objects.ts'

test('the newest first, and what is of the same second by name', () => {
  const at = (name: string, creationTimestamp: string) => snapshot({ metadata: { name, creationTimestamp } })
  const sorted = [at('a', hoursAgo(3)), at('c', hoursAgo(1)), at('b1', hoursAgo(2)), at('b2', hoursAgo(2))]
  expect(sorted.toSorted(newestFirst).map(({ metadata }) => metadata.name)).toEqual(['c', 'b2', 'b1', 'a'])
})
