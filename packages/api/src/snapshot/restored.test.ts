import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRestored, type RestoredEntry, restoredLimit, withRestored } from './restored.ts'

const first = { time: '2026-01-01T00:00:00Z', target: 'vm', targetUID: 'v1', restore: 'r1', restoreUID: 'u1' }
const second = { time: '2026-01-02T00:00:00Z', target: 'vm', restore: 'r2' }

const cases: Record<string, [string | undefined, unknown]> = {
  'nothing when there is none': [undefined, []],
  'all entries, with and without UIDs': [JSON.stringify([first, second]), [first, second]],
  'newest last, however they were written': [JSON.stringify([second, first]), [first, second]],
  'entries among nonsense': [JSON.stringify([null, 7, [], {}, { ...first, time: 'soon' }, second]), [second]],
  'no members it does not know': [JSON.stringify([{ ...second, targetUID: 4, restoreUID: 4, more: true }]), [second]],
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

const at = (second: number, restoreUID = `u${second}`): RestoredEntry & { restoreUID: string } => ({
  time: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
  target: 'vm',
  restore: `r${second}`,
  restoreUID,
})
const full = Array.from({ length: restoredLimit }, (_, index) => at(index + 10))

const additions: Record<string, [readonly RestoredEntry[], RestoredEntry & { restoreUID: string }, unknown]> = {
  'the first': [[], at(1), [at(1)]],
  'the newest last': [[at(1)], at(2), [at(1), at(2)]],
  'one that is told late in its place': [[at(1), at(3)], at(2), [at(1), at(2), at(3)]],
  'no restore twice, whatever else is said of it': [[at(1, 'same')], at(2, 'same'), undefined],
  'to a full list, and drops the oldest': [full, at(50), [...full.slice(1), at(50)]],
  'nothing older than a full list': [full, at(1), undefined],
  'nothing to a full list that is as old as its oldest': [full, at(10, 'other'), undefined],
}
test.each(Object.entries(additions))('adds %s', (_, [entries, entry, expected]) =>
  expect(withRestored(entries, entry)).toEqual(expected),
)

test('however often and in whatever order restores tell, it comes to rest on the newest', () => {
  const told = fc.uniqueArray(fc.record({ second: fc.nat(30), uid: fc.nat(60) }), { selector: ({ uid }) => uid })
  fc.assert(
    fc.property(told, fc.infiniteStream(fc.nat(99)), (restores, order) => {
      let entries: RestoredEntry[] = []
      let writes = 0
      const tell = ({ second, uid }: { second: number; uid: number }): void => {
        const next = withRestored(entries, at(second, `u${uid}`))
        if (next !== undefined) writes += 1
        entries = next ?? entries
      }
      for (const each of restores) tell(restores[(order.next().value ?? 0) % restores.length] ?? each)
      for (const each of restores) tell(each)
      const once = writes
      for (const each of restores) tell(each)
      expect(writes).toBe(once)
      expect(entries.length).toBe(Math.min(restores.length, restoredLimit))
      expect(parseRestored(JSON.stringify(entries))).toEqual(entries)
      const times = restores.map(({ second }) => second).sort((a, b) => a - b)
      expect(entries.map(({ time }) => new Date(time).getUTCSeconds())).toEqual(times.slice(-restoredLimit))
    }),
  )
})
