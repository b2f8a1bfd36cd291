/** `npm run check`: types, lint, format, import arrows, unit and component tests. Side by side; all are reported. */
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { root } from './node24.mjs'
import { run } from './run.mjs'

const bin = (name) => join(root, 'node_modules/.bin', name)
const checks = [
  { name: 'types', command: bin('tsc'), args: ['-p', '.'] },
  { name: 'types of the console', command: bin('tsc'), args: ['-p', 'packages/console'] },
  { name: 'lint and format', command: bin('biome'), args: ['check', '--error-on-warnings'] },
  { name: 'import arrows', command: process.execPath, args: ['scripts/arrows.ts'] },
  { name: 'tests', command: bin('vitest'), args: ['run'] },
]

const started = performance.now()
const results = await Promise.all(
  checks.map(async ({ name, command, args }) => {
    const result = await run(command, args, { cwd: root })
    // A failure's output is shown when it is there, not when the slowest check ends.
    console.log(`${result.code === 0 ? 'ok    ' : 'FAILED'} ${name} (${result.seconds} s)`)
    if (result.code !== 0) console.log(result.output.trimEnd())
    else if (name === 'tests') console.log(stripVTControlCharacters(result.output).match(/^ *Tests .*$/m)?.[0] ?? '')
    return result.code === 0
  }),
)
console.log(
  `check: ${results.every(Boolean) ? 'ok' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
)
process.exitCode = results.every(Boolean) ? 0 : 1
