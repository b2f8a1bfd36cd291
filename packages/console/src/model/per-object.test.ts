import { expect, test, vi } from 'vitest'
import { perObject } from './per-object.ts'

test('is worked out once for an object, and anew for another that is equal', () => {
  const compute = vi.fn(({ n }: { n: number }) => (n === 0 ? undefined : n * 2))
  const twice = perObject(compute)
  const one = { n: 1 }
  const none = { n: 0 }
  expect([twice(one), twice(one), twice({ n: 1 }), twice(none), twice(none)]).toEqual([2, 2, 2, undefined, undefined])
  expect(compute).toHaveBeenCalledTimes(3)
})
