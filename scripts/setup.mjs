/**
 * Sets up what a command of this project needs, and then runs it:
 *
 *   node scripts/setup.mjs [--for run|test|check] [-- COMMAND…]
 *
 * check: npm packages, a Node new enough, and QEMU, which component tests use. run, test: also kubectl, the guest image
 * and the built web console. test: also a browser.
 * Runs on Node 20 with nothing installed. Does only what is missing, a line for each, so a second run is silent.
 */
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import {
  fetchedNodeIsCurrent,
  fetchedNodeWorks,
  findNode,
  NODE_VERSION,
  nodePackage,
  ownNodeIsEnough,
  root,
} from './node24.mjs'
import { become, run } from './run.mjs'

/** Programs, the Debian package each is in, what it is for, and when it is needed: always when that is not said. */
const PROGRAMS = [
  { program: 'qemu-system-x86_64', from: 'qemu-system-x86', why: 'runs the virtual machines' },
  { program: 'qemu-img', from: 'qemu-utils', why: 'makes disk images' },
  {
    program: 'kubectl',
    from: 'kubernetes-client',
    why: 'speaks to the server in demo and tests',
    for: ['run', 'test'],
  },
  { program: 'mke2fs', from: 'e2fsprogs', why: 'makes the test guest’s file system', for: ['run', 'test'] },
  { program: 'chromium', from: 'chromium', why: 'drives the console in tests', for: ['test'] },
]

function parse(argv) {
  const end = argv.indexOf('--')
  const own = end < 0 ? argv : argv.slice(0, end)
  const command = end < 0 ? [] : argv.slice(end + 1)
  const purpose = own[0] === '--for' ? own[1] : own.length === 0 ? 'run' : undefined
  if (!['run', 'test', 'check'].includes(purpose))
    fail('usage: node scripts/setup.mjs [--for run|test|check] [-- COMMAND…]')
  return { purpose, command }
}

function fail(message) {
  console.error(message)
  process.exit(1)
}

/** The start and the end of what a program said: npm puts its whole manual after an error. */
function shortened(output) {
  const lines = output.trim().split('\n')
  return lines.length <= 30 ? lines.join('\n') : [...lines.slice(0, 20), '…', ...lines.slice(-5)].join('\n')
}

/** Runs one step, says that it was done; ends with the step's output when it fails. */
async function step(what, command, args, options) {
  const { code, output, seconds } = await run(command, args, options)
  if (code !== 0) fail(`${shortened(output)}\nset-up: ${what}: failed (${command} ${args.join(' ')})`)
  console.log(`set-up: ${what} (${seconds} s)`)
}

// Debian leaves /sbin out of an ordinary user's PATH.
const searchPath = () => [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']

function isInstalled(program) {
  return searchPath().some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

async function needNode() {
  if (!ownNodeIsEnough && !fetchedNodeIsCurrent()) {
    const prefix = join(root, '.tools/node')
    mkdirSync(prefix, { recursive: true })
    const spec = `${nodePackage}@${NODE_VERSION}`
    await step(`Node ${NODE_VERSION} fetched (this machine has ${process.version})`, 'npm', [
      ...['install', '--prefix', prefix, '--no-save', '--no-audit', '--no-fund', '--loglevel=error', spec],
    ])
    if (!fetchedNodeWorks()) fail(`set-up: the Node of npm package ${spec} does not run on this machine`)
  }
  process.env.PATH = `${dirname(findNode())}${delimiter}${process.env.PATH}`
}

async function needNpmPackages() {
  const key = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(root, 'node_modules/.stillpoint-setup')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return
  await step('npm packages installed', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root })
  writeFileSync(stamp, key)
}

async function needPrograms() {
  const missing = PROGRAMS.filter((needed) => needed.for?.includes(purpose) ?? true).filter(
    ({ program }) => !isInstalled(program),
  )
  if (missing.length === 0) return
  const packages = missing.map(({ from }) => from)
  const list = missing.map(({ program, from, why }) => `  ${program} (Debian package ${from}): ${why}`).join('\n')
  if (!isInstalled('apt-get') || !isInstalled('dpkg-deb'))
    fail(`set-up: missing, and this is not a Debian on which it could be installed:\n${list}`)

  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (asRoot.length > 0 && (await run('sudo', ['-n', 'true'])).code !== 0)
    fail(`set-up: missing:\n${list}\nAs root: apt-get install --no-install-recommends ${packages.join(' ')}`)

  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args) => [...asRoot, 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=120', ...args]
  const [program, ...install] = apt('install', '-y', '--no-install-recommends', ...packages)
  if ((await run('apt-cache', ['show', '--no-all-versions', ...packages])).code === 0) {
    const first = await run(program, install, { env })
    if (first.code === 0) return console.log(`set-up: installed ${packages.join(', ')} (${first.seconds} s)`)
  }
  // Unknown, or gone from the archive: the package lists are missing or old.
  const [, ...update] = apt('update')
  await step('package lists fetched', program, update, { env })
  await step(`installed ${packages.join(', ')}`, program, install, { env })
}

async function needGuest() {
  const { code, output } = await run(findNode(), [join(root, 'test/guest/build.ts')])
  if (code !== 0) fail(`${output.trim()}\nset-up: the guest image could not be built`)
  if (output !== '') console.log(`set-up: ${output.trim()}`)
}

/** The files of a folder and below, but for what is not built from: tests, packages and the result itself. */
function sourcesIn(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => !/(^|\/)(node_modules|dist)\/|\.test\.tsx?$/.test(path))
}

async function needConsole() {
  const hash = createHash('sha256')
  for (const path of [...sourcesIn('packages/console'), ...sourcesIn('packages/api/src'), 'package-lock.json'].sort())
    hash.update(`${path}\n`).update(readFileSync(join(root, path)))
  const key = hash.digest('hex')
  const folder = join(root, 'packages/console')
  const stamp = join(folder, 'dist/.stillpoint-setup')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return
  await step('console built', join(root, 'node_modules/.bin/vite'), ['build'], { cwd: folder })
  writeFileSync(stamp, key)
}

const { purpose, command } = parse(process.argv.slice(2))
await needNode()
await needNpmPackages()
await needPrograms()
if (purpose !== 'check') {
  await needConsole()
  await needGuest()
}
if (command.length > 0) become(command[0], command.slice(1))
