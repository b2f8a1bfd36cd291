import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { benchConsole } from './console.ts'
import { benchFreeze } from './freeze.ts'
import { benchRestore } from './restore.ts'
import { benchScale } from './scale.ts'
import { benchSnapshot } from './snapshot.ts'
import { benchStart } from './start.ts'
import { type Line, tableOf } from './table.ts'

// `npm run bench [-- --runs 20] [-- --only freeze,snapshot,restore,scale,start,console] [-- --out FILE]`: measures on this machine,
// against floors measured in the same run, and prints one table. Nothing here is a test.

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    only: { type: 'string', default: 'start,snapshot,freeze,restore,scale,console' },
    out: { type: 'string' },
  },
})
const runs = Number(values.runs)
if (!(Number.isInteger(runs) && runs > 0)) throw new Error(`--runs '${values.runs}' is not a whole number above 0`)
const benches: Record<string, (dir: string, runs: number) => Promise<Line[]>> = {
  start: benchStart,
  snapshot: benchSnapshot,
  freeze: benchFreeze,
  restore: benchRestore,
  scale: benchScale,
  console: benchConsole,
}
const lines: Line[] = []
for (const name of values.only.split(',')) {
  const bench = benches[name]
  if (!bench) throw new Error(`--only '${name}' is not one of ${Object.keys(benches).join(', ')}`)
  const dir = await mkdtemp(join(tmpdir(), `stillpoint-bench-${name}-`))
  process.stderr.write(`measuring ${name}, ${runs} runs…\n`)
  lines.push(...(await bench(dir, runs)))
  await rm(dir, { recursive: true, force: true })
}
const table = tableOf(lines)
process.stdout.write(`${table}\n`)
if (values.out !== undefined) await writeFile(resolve(values.out), `${table}\n`)
