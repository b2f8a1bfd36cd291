/** `npm run screenshots`: makes the pictures in docs/console anew, and the page that shows them. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './node24.mjs'

const folder = join(root, 'docs/console')
mkdirSync(folder, { recursive: true })
for (const file of readdirSync(folder)) if (file.endsWith('.png')) rmSync(join(folder, file))
const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  ['run', '--config', 'test/console/vitest.config.ts', 'pages.test.ts'],
  { cwd: root, stdio: 'inherit', env: { ...process.env, SCREENSHOTS: '1' } },
)
const looks = ['light', 'dark', 'phone']
const names = readdirSync(folder)
  .filter((file) => file.endsWith('-light.png'))
  .map((file) => file.slice(0, -'-light.png'.length))
  .sort()
const rows = names.map(
  (name) => `| ${name} | ${looks.map((look) => `![${name}, ${look}](${name}-${look}.png)`).join(' | ')} |`,
)
writeFileSync(
  join(folder, 'README.md'),
  `# What the console looks like

Made by \`npm run screenshots\` from the tests in test/console/pages.test.ts, which look at each page, dialog and state
in light, in dark and on a phone, with axe-core. The states are objects put into a server without controllers.

| | Light | Dark | Phone |
|---|---|---|---|
${rows.join('\n')}
`,
)
process.exitCode = status === 0 ? 0 : 1
