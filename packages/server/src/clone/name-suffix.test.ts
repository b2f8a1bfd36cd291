import { expect, test } from 'vitest'
import { newNameSuffix } from './name-suffix.ts'

test('a suffix is five characters of a name, and the next another', () => {
  const suffixes = Array.from({ length: 20 }, newNameSuffix)
  for (const suffix of suffixes) expect(suffix).toMatch(/^[b-df-hj-np-tv-xz2-9]{5}$/)
  expect(new Set(suffixes).size).toBeGreaterThan(1)
})
