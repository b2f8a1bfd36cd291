import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRestored } from './restored.ts'

const first = { time: '2026-01-01T00:00:00Z', target: 'vm', restore: 'r1', uid: 'u1' }
const second = { time: '2026-01-02T00:00:00Z', target: 'vm', restore: 'r2' }

const cases: Record<string, [string | undefined, unknown]> = {
  'nothing when there is none': [undefined, []],
  'all entries, with and without UID': [JSON.stringify([first, second]), [first, second]],
  'newest last, however they were written': [JSON.stringify([second, first]), [first, second]],
  'entries among nonsense': [JSON.stringify([null, 7, [], {}, { ...first, time: 'soon' }, second]), [second]],
  'no members it does not know': [JSON.stringify([{ ...second, uid: 4, more: true }]), [second]],
  'nothing of what is no list': ['{"time":"2026-01-01T00:00:00Z"}', []],
  'nothing of what is no JSON': ['[{', []],
}
test.each(Object.entries(cases))('reads %s', (_, [text, expected]) => expect(parseRestored(text)).toEqual(expected))

test('whatever the annotation holds, it answers with entries whose time can be read', () => {
  const near = fc.array(fc.record({ time: fc.anything(), target: fc.anything(), restore: fc.anything() }))
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    near.map((value) => JSON.stringify(value) ?? ''),
  )
  fc.assert(
    fc.property(text, (given) => {
      for (const { time } of parseRestored(given)) expect(Date.parse(time)).not.toBeNaN()
    }),
  )
})
