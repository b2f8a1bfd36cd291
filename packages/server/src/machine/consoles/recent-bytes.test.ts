import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecentBytes } from './recent-bytes.ts'

test('keeps the last bytes, however they came', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.uint8Array({ maxLength: 50 })),
      fc.nat(60),
      (limit, chunks, count) => {
        const recent = new RecentBytes(limit)
        for (const chunk of chunks) recent.push(chunk)
        const all = Buffer.concat(chunks)
        const wanted = Math.min(count, limit, all.length)
        expect(recent.last(count)).toEqual(all.subarray(all.length - wanted))
      },
    ),
  )
})
