import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readGuard, startFreezeGuard } from './freeze-guard.ts'
import { FreezeLeases, parseLease } from './freeze-lease.ts'
import { GuestAgent } from './guest-agent.ts'
import { bootId, fateOf, identify } from './linux-process.ts'
import { type FakeAgent, fakeAgent } from './testing/fake-agent.ts'

let dir: string
let guest: FakeAgent
let leases: FreezeLeases
beforeEach(async () => {
  dir = await mkdtemp('/tmp/spg-')
  await mkdir(join(dir, 'vm1'))
  guest = await fakeAgent()
  leases = new FreezeLeases(dir)
})
afterEach(async () => {
  const guard = await readGuard(dir)
  if (guard && (await fateOf(guard)) === 'running') process.kill(guard.pid, 'SIGKILL')
  await guest.close()
  await rm(dir, { recursive: true, force: true })
})

const lease = () => ({
  vm: 'vm1',
  agentSocket: guest.path,
  frozenAt: new Date(),
  deadline: new Date(Date.now() + 60_000),
})
const leaseGone = () =>
  vi.waitFor(() => expect(existsSync(join(dir, 'vm1/freeze.json'))).toBe(false), { timeout: 8000 })

/** A server of its own process: starts a guard, freezes the guest under a lease, and waits to be killed. */
async function frozenByServer(): Promise<() => Promise<void>> {
  const here = import.meta.dirname
  const script = `
    import { startFreezeGuard } from '${here}/freeze-guard.ts'
    import { FreezeLeases } from '${here}/freeze-lease.ts'
    import { GuestAgent } from '${here}/guest-agent.ts'
    await startFreezeGuard('${dir}')
    const agent = await GuestAgent.attach('${guest.path}', { timeoutMs: 1000 })
    await new FreezeLeases('${dir}').grant('vm1', { vm: 'vm1', agentSocket: '${guest.path}', frozenAt: new Date(), deadline: new Date() })
    await agent.freeze()
    console.log('frozen')`
  const server = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise((resolve) => server.once('exit', resolve))
  await new Promise((resolve) => server.stdout.once('data', resolve))
  return async () => {
    server.kill('SIGKILL')
    await exited
  }
}

test('thaws at once what a killed server left frozen, then ends', async () => {
  const kill = await frozenByServer()
  expect(guest.frozen).toBe(true)
  const guard = await readGuard(dir)
  await kill()
  const killedAt = Date.now()
  await leaseGone()
  expect(guest.frozen).toBe(false)
  expect(Date.now() - killedAt).toBeLessThan(3000)
  if (!guard) throw new Error('no guard')
  await vi.waitFor(async () => expect(await fateOf(guard)).not.toBe('running'), { timeout: 5000 })
})

test('keeps on until the guest answers', async () => {
  guest.answer = (command) =>
    command === 'guest-fsfreeze-thaw' && guest.log.length < 6 ? { error: 'not now' } : 'proper'
  const kill = await frozenByServer()
  await kill()
  await leaseGone()
  expect(guest.frozen).toBe(false)
})

test('does nothing while its server lives, and ends with it when nothing is frozen', async () => {
  const guard = await startFreezeGuard(dir)
  expect(guest.log).toEqual([])
  expect(await guard.close()).toEqual({ ended: true })
})

test('forgets a lease whose VM is gone', async () => {
  const self = await identify(process.pid)
  if (!self) throw new Error('no identity')
  await leases.grant('vm1', { ...lease(), agentSocket: join(dir, 'nobody'), process: { ...self, startTime: '1' } })
  const guard = await startFreezeGuard(dir)
  expect(await guard.close()).toEqual({ ended: true })
  await leaseGone()
})

test('a new server’s guard replaces the old one, which had not got through', async () => {
  const kill = await frozenByServer()
  guest.answer = () => 'silence'
  const asked = guest.log.length
  const old = await readGuard(dir)
  await kill()
  await vi.waitFor(() => expect(guest.log.length).toBeGreaterThan(asked), { timeout: 5000 })
  const guard = await startFreezeGuard(dir)
  if (!old) throw new Error('no guard')
  expect(await fateOf(old)).not.toBe('running')
  // Now the new server itself thaws, by the lease it finds.
  guest.answer = () => 'proper'
  const [found] = await leases.list()
  if (!found) throw new Error('no lease')
  const agent = await GuestAgent.attach(found.lease.agentSocket, { timeoutMs: 1000 })
  await agent.thaw()
  await leases.release(found.folder)
  await agent.close()
  expect(guest.frozen).toBe(false)
  expect(await guard.close()).toEqual({ ended: true })
})

test('stays small', async () => {
  await (await startFreezeGuard(dir)).close()
  const guard = await startFreezeGuard(dir)
  const status = await readFile(`/proc/${guard.pid}/status`, 'utf8')
  expect(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1])).toBeLessThan(24 * 1024)
  await guard.close()
})

test.each([
  ['with its holder', { holder: 'backup' }],
  ['as without one', {}],
])('a lease is read back as it was written, %s', async (_, holder) => {
  const identity = { pid: 4, startTime: '77', bootId: await bootId() }
  const given = { ...lease(), ...holder, qmpSocket: '/run/x/qmp', process: identity }
  await leases.grant('vm1', given)
  expect(await leases.list()).toEqual([{ folder: 'vm1', lease: given }])
  await leases.release('vm1')
  expect(await leases.list()).toEqual([])
})

const runtime =
  '{"sockets": {"agent": "/r/vm1/qga", "qmp": "/r/vm1/qmp"}, "process": {"pid": 5, "startTime": "9", "bootId": "b"}}'
test.each([
  ['takes what it lacks from the runtime record', '{"frozenAt": "2026-01-01T00:00:00.000Z"}', runtime, '/r/vm1/qga', 5],
  ['is still a lease when it cannot be read', '{"fro', runtime, '/r/vm1/qga', 5],
  ['falls back to the usual socket', '', '', '/r/vm1/other/qga', undefined],
])('a lease %s', (_, text, record, agentSocket, pid) => {
  const read = parseLease('vm1', agentSocket.replace(/\/qga$/, ''), text, record)
  expect(read.agentSocket).toBe(agentSocket)
  expect(read.process?.pid).toBe(pid)
})

test('a damaged guard file names no guard', async () => {
  await writeFile(join(dir, 'guard.json'), '{"pid": "x"}')
  expect(await readGuard(dir)).toBeUndefined()
})
