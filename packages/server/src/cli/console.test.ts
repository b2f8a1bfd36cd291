import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadCertificates } from '../apiserver/pki/certificates.ts'
import { type System, startSystem } from '../system.ts'
import { Browser } from '../web/testing/browser.ts'
import { hostNames } from './listen-address.ts'
import type { Role } from './roles.ts'

const main = join(import.meta.dirname, '../main.ts')
let folder: string
let system: System
const started: ChildProcess[] = []

const start = (dataDir: string, roles: Role[]) =>
  startSystem({
    dataDir,
    listen: { host: '127.0.0.1', port: 0 },
    roles: new Set(roles),
    importDirs: [],
    accel: 'auto',
    log: pino({ level: 'silent' }),
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-console-'))
  system = await start(join(folder, 'data'), ['apiserver', 'console'])
})
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await system.close()
  await rm(folder, { recursive: true })
})

function run(args: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, [main, 'console', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DISPLAY: '', WAYLAND_DISPLAY: '', ...env },
  })
  started.push(child)
  return child
}

/** The output of a command that ends by itself. */
async function ended(args: string[], env?: Record<string, string>) {
  const child = run(args, env)
  const text = { out: '', err: '' }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text.out += chunk
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text.err += chunk
  })
  const [code] = await once(child, 'close')
  return { code, ...text }
}

/** A console before the API of the system, and the lines it has printed until it was ready. */
async function before(args: string[], wanted: number) {
  const child = run(['--kubeconfig', system.kubeconfigFile, '--listen', '127.0.0.1:0', '--no-open', ...args])
  const lines: string[] = []
  for await (const line of createInterface({ input: outputOf(child) })) if (lines.push(line) === wanted) break
  return {
    lines,
    stop: async () => {
      child.kill('SIGTERM')
      const [code] = await once(child, 'exit')
      return code
    },
  }
}

function outputOf({ stdout }: ChildProcess): Readable {
  if (!stdout) throw new Error('there is no output to read')
  return stdout
}

test('a link to the running server is printed, and signs in', async () => {
  const { code, out } = await ended(['--data-dir', join(folder, 'data')])
  const url = /^console {2}(\S+)$/m.exec(out)?.[1] ?? ''
  expect([code, url.startsWith(`${system.url}/sign-in#code=`)]).toEqual([0, true])
  const browser = new Browser({ url: system.url, ca: system.ca })
  expect((await browser.signIn({ code: url.split('=')[1] ?? '' })).json.user.username).toBe('admin')
})

test('the browser is opened where there is a screen, unless it is not wanted', async () => {
  const seen = join(folder, 'opened')
  await writeFile(join(folder, 'xdg-open'), `#!/bin/sh\nprintf %s "$*" >'${seen}.tmp' && mv '${seen}.tmp' '${seen}'\n`)
  await chmod(join(folder, 'xdg-open'), 0o755)
  const env = { DISPLAY: ':0', PATH: `${folder}:${process.env.PATH}` }
  await ended(['--data-dir', join(folder, 'data'), '--no-open'], env)
  const { out } = await ended(['--data-dir', join(folder, 'data')], env)
  const url = /^console {2}(\S+)$/m.exec(out)?.[1]
  await expect.poll(() => readFile(seen, 'utf8').catch(() => '')).toBe(url)
})

test('without a server, or without its console, it is said what to do', async () => {
  const nobody = await ended(['--data-dir', join(folder, 'empty')])
  expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining("start it with 'stillpoint up'")])
  const other = await start(join(folder, 'other'), ['apiserver'])
  try {
    const without = await ended(['--data-dir', join(folder, 'other')])
    expect([without.code, without.err]).toEqual([1, expect.stringContaining('without the role console')])
  } finally {
    await other.close()
  }
})

test('before another API it serves over plain HTTP, and a link stands for the owner of the kubeconfig', async () => {
  const { lines, stop } = await before(['--use-kubeconfig-identity'], 2)
  const [, url = ''] =
    /^stillpoint console is ready: (http:\/\/localhost:\d+), before https:/.exec(lines[0] ?? '') ?? []
  const [address, code = ''] = (lines[1] ?? '').replace('console  ', '').split('#code=')
  expect(address).toBe(`${url}/sign-in`)
  const browser = new Browser({ url })
  expect((await browser.signIn({ code })).json).toMatchObject({ user: { username: 'admin' }, mode: 'proxy' })
  expect((await browser.send('GET', '/api/kubernetes/api/v1/namespaces')).json.kind).toBe('NamespaceList')
  expect(await stop()).toBe(0)
})

test('with a certificate it serves HTTP/2', async () => {
  const { ca, cert, key } = await loadCertificates(folder, 'localhost', new Date())
  await writeFile(join(folder, 'tls.crt'), cert)
  await writeFile(join(folder, 'tls.key'), key)
  const tls = ['--tls-cert', join(folder, 'tls.crt'), '--tls-key', join(folder, 'tls.key')]
  const { lines, stop } = await before(tls, 1)
  const [url = ''] = /https:\/\/localhost:\d+/.exec(lines[0] ?? '') ?? []
  expect((await new Browser({ url, ca }, 'h2').visit()).headers['content-security-policy']).toContain(
    "default-src 'self'",
  )
  expect(await stop()).toBe(0)
})

test.each([
  ['an address that others reach, without TLS', ['--listen', '0.0.0.0:0'], '--tls-cert'],
  ['a certificate without its key', ['--tls-cert', 'x.pem'], 'belong together'],
  ['a name that is none', ['--console-host', 'https://a.example'], 'without scheme and port'],
  ['a kubeconfig that is not there', ['--kubeconfig', '/missing'], 'cannot be read'],
])('%s is refused', async (_, args, why) => {
  const { code, err } = await ended(['--kubeconfig', system.kubeconfigFile, ...args])
  expect([code, err]).toEqual([1, expect.stringContaining(why)])
})

test('options of the other kind are refused', async () => {
  const { code, err } = await ended(['--use-kubeconfig-identity'])
  expect([code, err]).toEqual([1, expect.stringContaining('need --kubeconfig FILE')])
})

test('names are as browsers send them', () => {
  expect(hostNames(['VM-Host.example.com', '10.0.0.5', '::1'])).toEqual(['vm-host.example.com', '10.0.0.5', '::1'])
  for (const wrong of ['a:1', 'a/b', '', '-a', 'a b']) expect(() => hostNames([wrong])).toThrow('--console-host')
})
