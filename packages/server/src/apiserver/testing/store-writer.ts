import { SqliteStore } from '../store/sqlite-store.ts'

// Writes as fast as it can and prints what was acknowledged, until somebody kills it.
const [path = '', prefix = ''] = process.argv.slice(2)
const store = new SqliteStore(path)

for (let batch = 0; batch < 100_000; batch++)
  await Promise.all(
    Array.from({ length: 5 }, async (_, index) => {
      const key = `${prefix}/${batch}-${index}`
      const revision = await store.write({ key, expectedRevision: 0, value: 'x'.repeat(1_000) })
      process.stdout.write(`${key} ${revision}\n`)
    }),
  )
