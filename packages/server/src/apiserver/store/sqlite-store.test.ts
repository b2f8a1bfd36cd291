import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CompactionPlan } from './compaction.ts'
import { SqliteStore } from './sqlite-store.ts'
import { type Change, Compacted, RevisionMismatch } from './store.ts'

let directory: string
let path: string
let store: SqliteStore
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stillpoint-store-'))
  path = join(directory, 'store.sqlite')
  store = new SqliteStore(path)
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

const put = (key: string, value: string, expectedRevision = 0) => store.write({ key, expectedRevision, value })
const state = () => [...store.all()].map(({ key, value }) => `${key}=${value}`)

describe('writes', () => {
  test('get revisions in the order they were asked for', async () => {
    const revisions = await Promise.all(['a', 'b', 'c'].map((key) => put(`/${key}`, key)))
    expect(revisions).toEqual([2, 3, 4])
    expect(store.revision).toBe(4)
  })

  test('lose against a write that was first', async () => {
    const first = await put('/a', '1')
    const [winner, loser] = await Promise.allSettled([put('/a', '2', first), put('/a', '3', first)])
    expect(winner).toMatchObject({ status: 'fulfilled' })
    expect(loser).toMatchObject({ status: 'rejected', reason: expect.any(RevisionMismatch) })
    expect(state()).toEqual(['/a=2'])
    await expect(put('/a', '4')).rejects.toBeInstanceOf(RevisionMismatch)
    await expect(put('/b', '1', 77)).rejects.toBeInstanceOf(RevisionMismatch)
  })

  test('are published once each, in order, before they are acknowledged', async () => {
    const seen: Change[] = []
    store.onCommit((change) => seen.push(change))
    const first = await put('/a', '1')
    expect(seen.length).toBe(1)
    await Promise.all([put('/a', '2', first), put('/b', '1')])
    await store.write({ key: '/a', expectedRevision: first + 1, value: undefined })
    expect(seen.map(({ revision, key, value, previous }) => [revision, key, value, previous?.value])).toEqual([
      [2, '/a', '1', undefined],
      [3, '/a', '2', '1'],
      [4, '/b', '1', undefined],
      [5, '/a', undefined, '2'],
    ])
  })
})

describe('history', () => {
  beforeEach(async () => {
    await put('x/a', '1')
    await put('x/b', '1')
    await put('x/a', '2', 2)
    await store.write({ key: 'x/b', expectedRevision: 3, value: undefined })
    await put('y/a', 'other')
  })

  test('shows each past state', () => {
    const at = (revision: number) => store.at('x/', revision).map(({ key, value }) => `${key}=${value}`)
    expect([1, 2, 3, 4, 5, 6].map(at)).toEqual([
      [],
      ['x/a=1'],
      ['x/a=1', 'x/b=1'],
      ['x/a=2', 'x/b=1'],
      ['x/a=2'],
      ['x/a=2'],
    ])
  })

  test('shows a page of a past state', () => {
    const at = (from: string, count: number) => store.at('x/', 4, { from, count }).map(({ key }) => key)
    expect([at('', 1), at('x/b', 5), at('x/a\0', 5), at('x/c', 5)]).toEqual([['x/a'], ['x/b'], ['x/b'], []])
  })

  test('tells what happened since', () => {
    expect(store.since('x/', 3)).toEqual([
      { revision: 4, key: 'x/a', value: '2', previous: { revision: 2, value: '1' } },
      { revision: 5, key: 'x/b', value: undefined, previous: { revision: 3, value: '1' } },
    ])
  })

  test('is gone after compaction, and only then', async () => {
    await store.compact(4)
    expect(() => store.since('x/', 3)).toThrow(Compacted)
    expect(() => store.at('x/', 3)).toThrow(Compacted)
    expect(store.at('x/', 4).map(({ value }) => value)).toEqual(['2', '1'])
    expect(store.since('x/', 4)).toMatchObject([{ previous: { value: '1' } }, { key: 'y/a' }].slice(0, 1))
    await store.compact(6)
    expect(store.at('x/', 6).map(({ value }) => value)).toEqual(['2'])
    expect(state()).toEqual(['x/a=2', 'y/a=other'])
  })

  test('and state survive a restart, and revisions go on', async () => {
    await store.compact(6)
    await store.close()
    store = new SqliteStore(path)
    expect([store.revision, store.compactedRevision, state()]).toEqual([6, 6, ['x/a=2', 'y/a=other']])
    expect(await put('z', '1')).toBe(7)
  })

  test('is in a backup', async () => {
    const copy = join(directory, 'copy.sqlite')
    await store.backup(copy)
    const other = new SqliteStore(copy)
    expect([...other.all()]).toEqual([...store.all()])
    await other.close()
  })
})

test('behaves as a map with a log, whatever the order of writes and compactions', async () => {
  const step = fc.record({
    key: fc.constantFrom('p/a', 'p/b', 'q/a'),
    value: fc.option(fc.string(), { nil: undefined }),
    stale: fc.boolean(),
    compact: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const fresh = new SqliteStore(join(directory, `${Math.random()}.sqlite`))
      const model = new Map<string, { revision: number; value: string }>()
      const snapshots = new Map<number, string[]>()
      try {
        for (const { key, value, stale, compact } of steps) {
          const expectedRevision = (model.get(key)?.revision ?? 0) + (stale ? 1 : 0)
          const impossible = value === undefined && !model.has(key)
          if (impossible) continue
          const before = fresh.revision
          const outcome = await fresh.write({ key, expectedRevision, value }).catch(() => undefined)
          if (stale) {
            expect(outcome).toBeUndefined()
            continue
          }
          expect(outcome).toBe(before + 1)
          if (value === undefined) model.delete(key)
          else model.set(key, { revision: before + 1, value })
          snapshots.set(before + 1, [...model].map(([name, entry]) => `${name}=${entry.value}`).sort())
          if (compact) await fresh.compact(before)
        }
        for (const [revision, expected] of snapshots)
          if (revision >= fresh.compactedRevision)
            expect(
              fresh
                .at('', revision)
                .map(({ key, value }) => `${key}=${value}`)
                .sort(),
            ).toEqual(expected)
      } finally {
        await fresh.close()
      }
    }),
    { numRuns: 40 },
  )
})

test('refuses a second server on the same file', () => {
  expect(() => new SqliteStore(path)).toThrow(/is in use by another server/)
})

test('loses nothing acknowledged when its process is killed', async () => {
  await store.close()
  const acknowledged = new Map<string, number>()
  for (let round = 0; round < 3; round++) {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../testing/store-writer.ts', import.meta.url)), path, `r${round}`],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const lines = createInterface({ input: child.stdout })
    let count = 0
    lines.on('line', (line) => {
      const [key = '', revision = ''] = line.split(' ')
      acknowledged.set(key, Number(revision))
      if (++count === 100 + 37 * round) child.kill('SIGKILL')
    })
    await once(child, 'close')
    store = new SqliteStore(path)
    const stored = new Map([...store.all()].map(({ key, revision }) => [key, revision]))
    for (const [key, revision] of acknowledged) expect(stored.get(key)).toBe(revision)
    expect(store.revision).toBeGreaterThanOrEqual(Math.max(...acknowledged.values()))
    await store.close()
  }
  expect(acknowledged.size).toBeGreaterThan(300)
  // The write-ahead log may end in the middle of a page when the machine dies.
  expect((await readFile(path)).subarray(0, 15).toString()).toBe('SQLite format 3')
  store = new SqliteStore(path)
}, 30_000)

test('keeps ten minutes and ten thousand revisions of history', () => {
  const plan = new CompactionPlan()
  const at = (minute: number) => new Date(minute * 60_000)
  expect(plan.target(at(0), 20_000)).toBe(0)
  expect(plan.target(at(5), 50_000)).toBe(0)
  expect(plan.target(at(10), 60_000)).toBe(20_000)
  expect(plan.target(at(15), 60_001)).toBe(50_000)
  expect(plan.target(at(25), 60_002)).toBe(50_002)
})
