/** `npm test`: unit and component tests, crash schedules, system tests against real machines, the console in a browser. Arguments go to all. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './node24.mjs'

const suites = [
  { name: 'unit and component tests', args: [] },
  {
    name: 'crash schedules and long tests',
    args: ['--config', 'test/schedules.config.ts'],
    env: { SCHEDULES: '2000' },
  },
  { name: 'system tests', args: ['--config', 'test/system/vitest.config.ts'] },
  { name: 'console tests in a browser', args: ['--config', 'test/console/vitest.config.ts'] },
]
const reports = join(root, '.cache/test-summaries')
mkdirSync(reports, { recursive: true })

const lines = []
let failed = false
for (const [index, { name, args, env = {} }] of suites.entries()) {
  const summary = join(reports, `${index}.json`)
  rmSync(summary, { force: true })
  const started = performance.now()
  const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts/summary-reporter.mjs')}`]
  const { status } = spawnSync(
    join(root, 'node_modules/.bin/vitest'),
    ['run', ...args, ...reporters, ...process.argv.slice(2)],
    { cwd: root, stdio: 'inherit', env: { ...env, ...process.env, TEST_SUMMARY: summary } },
  )
  failed ||= status !== 0
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  try {
    const result = JSON.parse(readFileSync(summary, 'utf8'))
    const counts = `${result.passed} passed, ${result.failed} failed, ${result.skipped.length} skipped`
    lines.push(`${name}: ${counts}${status === 0 ? '' : `, exit code ${status}`} (${seconds} s)`)
    for (const { name: test, file, note } of result.skipped)
      lines.push(`  skipped: ${file}: ${test}: ${note ?? 'no reason given'}`)
  } catch (error) {
    lines.push(`${name}: no summary (exit code ${status}): ${error.message}`)
    failed = true
  }
}
console.log(`\n${lines.join('\n')}`)
process.exitCode = failed ? 1 : 0
