import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { root } from './server.ts'

const execute = promisify(execFile)
const limitMs = 60_000

export interface Binary {
  path: string
  /** `1.32` */
  version: string
}

export interface Result {
  code: number
  stdout: string
  stderr: string
}

/** The machine's kubectl, and Debian's older one where that can be had; and why one is missing. */
export async function kubectlBinaries(): Promise<{ found: Binary[]; missing: string[] }> {
  const found: Binary[] = []
  const missing: string[] = []
  for (const locate of [async () => process.env.KUBECTL ?? 'kubectl', debianKubectl])
    try {
      const path = await locate()
      const version = await versionOf(path)
      if (!found.some((other) => other.version === version)) found.push({ path, version })
    } catch (error) {
      missing.push(error instanceof Error ? error.message.trim().split('\n').slice(0, 2).join(': ') : String(error))
    }
  return { found, missing }
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await execute(path, ['version', '--client', '-o', 'json'], { timeout: limitMs })
  const { clientVersion } = JSON.parse(stdout) as { clientVersion: { major: string; minor: string } }
  return `${clientVersion.major}.${Number.parseInt(clientVersion.minor, 10)}`
}

/** kubectl 1.20 from Debian's registry, unpacked under `.cache` and not installed. */
async function debianKubectl(): Promise<string> {
  const dir = join(root, '.cache/kubectl-1.20')
  const path = join(dir, 'usr/bin/kubectl')
  if (existsSync(path)) return path
  // Two test files may come here at once, and a program that is still being written cannot be run: each unpacks aside,
  // the first puts its own in place.
  await mkdir(join(root, '.cache'), { recursive: true })
  const aside = await mkdtemp(`${dir}.`)
  try {
    await execute('apt-get', ['download', 'kubernetes-client'], { cwd: aside, timeout: limitMs })
    const archive = (await readdir(aside)).find((name) => name.endsWith('.deb'))
    if (archive === undefined) throw new Error('apt-get download kubernetes-client left no package')
    await execute('dpkg-deb', ['-x', archive, '.'], { cwd: aside, timeout: limitMs })
    await rename(aside, dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(aside, { recursive: true, force: true })
  }
  return path
}

/** One kubectl with a kubeconfig and a home of its own, so that no cache or preference of the user plays a part. */
export class Kubectl {
  readonly version: string
  readonly #path: string
  readonly #env: NodeJS.ProcessEnv

  constructor({ path, version }: Binary, kubeconfig: string, home: string) {
    this.version = version
    this.#path = path
    this.#env = { ...process.env, KUBECONFIG: kubeconfig, HOME: home, KUBECACHEDIR: join(home, 'cache') }
  }

  /** Whether this is `minor` of version 1 or later. */
  atLeast(minor: number): boolean {
    return Number(this.version.split('.')[1]) >= minor
  }

  run(args: readonly string[], { input = '', env = {} }: { input?: string; env?: NodeJS.ProcessEnv } = {}) {
    return new Promise<Result>((resolve, reject) => {
      const options = { env: { ...this.#env, ...env }, timeout: limitMs, maxBuffer: 64 * 1024 * 1024 }
      const child = execFile(this.#path, [...args], options, (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(error)
        else resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
      })
      // A kubectl that fails early does not read what it is given; its exit code says why.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(input)
    })
  }

  /** Output of a command that must succeed and have nothing to complain about. */
  async ok(...args: string[]): Promise<string> {
    return this.#mustBeQuiet(args, await this.run(args))
  }

  /** The same with standard input: an object or a text. */
  async feed(input: object | string, ...args: string[]): Promise<string> {
    const text = typeof input === 'string' ? input : JSON.stringify(input)
    return this.#mustBeQuiet(args, await this.run(args, { input: text }))
  }

  /** What a command that must fail says. */
  async refused(input: object | string, ...args: string[]): Promise<string> {
    const text = typeof input === 'string' ? input : JSON.stringify(input)
    const { code, stdout, stderr } = await this.run(args, { input: text })
    if (code === 0) throw new Error(`kubectl ${args.join(' ')} was not refused: ${stdout}`)
    return stderr.trim()
  }

  /** A command that goes on until it is ended. */
  start(...args: string[]): Running {
    return new Running(spawn(this.#path, args, { env: this.#env, stdio: ['ignore', 'pipe', 'inherit'] }))
  }

  #mustBeQuiet(args: readonly string[], { code, stdout, stderr }: Result): string {
    if (code !== 0 || stderr !== '') throw new Error(`kubectl ${args.join(' ')}: exit code ${code}: ${stderr}${stdout}`)
    return stdout
  }
}

/** The lines of a running kubectl. */
export class Running {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(child: ChildProcess) {
    this.#child = child
    if (!child.stdout) throw new Error('kubectl has no output')
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  /** The next line that matches. */
  async line(pattern: RegExp): Promise<string> {
    const seen: string[] = []
    const late = AbortSignal.timeout(limitMs)
    const end = once(late, 'abort').then(() => ({ done: true as const, value: undefined }))
    for (;;) {
      const { done, value } = await Promise.race([this.#lines.next(), end])
      if (done) throw new Error(`no line like ${pattern} within ${limitMs} ms; seen:\n${seen.join('\n')}`)
      if (pattern.test(value)) return value
      seen.push(value)
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
  }
}
