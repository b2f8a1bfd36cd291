#!/usr/bin/env node
// The command `stillpoint`. Plain JavaScript, so that a Node too old for the program itself can still find a newer one.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const server = dirname(dirname(fileURLToPath(import.meta.url)))
const project = dirname(dirname(server))
const fetched = join(project, `.tools/node/node_modules/node-${process.platform}-${process.arch}/bin/node`)

const own = Number(process.versions.node.split('.')[0]) >= 24
const node = own ? process.execPath : existsSync(fetched) ? fetched : undefined
if (node === undefined) {
  console.error(
    `stillpoint needs Node 24 or newer, this is ${process.version}. Run "npm run setup" in ${project} once.`,
  )
  process.exit(1)
}
if (!existsSync(join(project, 'node_modules'))) {
  console.error(`stillpoint: its packages are not installed. Run "npm run setup" in ${project} once.`)
  process.exit(1)
}

const args = [join(server, 'src/main.ts'), ...process.argv.slice(2)]
if (process.execve !== undefined) {
  // Takes this process's place: signals, exit code and memory are the program's own.
  process.removeAllListeners('warning')
  process.execve(node, [node, ...args], process.env)
}

const child = spawn(node, args, { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])
  process.on(signal, () => {
    // A terminal sends these two to the whole group: the child has its own already.
    if (process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')) return
    child.kill(signal)
  })
child.on('error', (error) => {
  console.error(`stillpoint: ${node}: ${error.message}`)
  process.exit(127)
})
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
