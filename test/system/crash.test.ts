import { beforeAll, expect, test } from 'vitest'
import { snapshotOf } from '../../bench/objects.ts'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { Fixture, judge } from './fixtures.ts'
import { agentConnected, namespace, shellOf, started, stopped } from './machine.ts'
import { Server } from './server.ts'
import { until } from './until.ts'

let fixture: Fixture

beforeAll(async () => {
  fixture = await Fixture.start()
  await fixture.boot('vm')
})

const freeze = (unfreezeTimeout: string): Promise<unknown> =>
  fixture.server.client.call(
    {
      group: 'subresources.kubevirt.io',
      version: 'v1',
      namespace,
      resource: 'virtualmachineinstances',
      name: 'vm',
      subresource: 'freeze',
    },
    { method: 'PUT', body: { unfreezeTimeout } },
  )

const lastRecord = async (shell: { must(command: string): Promise<string> }): Promise<number> =>
  (JSON.parse(await shell.must('seqw --status')) as { last: number }).last

test('a guest frozen by a server that is killed thaws without a new one', async () => {
  const shell = await shellOf(fixture.server, 'vm')
  await shell.must('seqw -d /root.seq /data/data.seq; sleep 1')
  await freeze('60s')
  const frozenAt = await lastRecord(shell)
  await fixture.server.stop('SIGKILL')
  const killed = Date.now()
  // Far below the lease: the guard thaws at once.
  await expect.poll(() => lastRecord(shell), { timeout: 15_000, interval: 100 }).toBeGreaterThan(frozenAt + 1)
  const thawedMs = Date.now() - killed
  process.stdout.write(`guest thawed ${thawedMs} ms after its server was killed\n`)
  await shell.must('seqw --stop')
  shell.close()
  fixture.server = await Server.start(fixture.dataDir)
  await agentConnected(fixture.server, 'vm')
})

test('a guest frozen by a client that never thaws it is thawed when the lease is over', async () => {
  const shell = await shellOf(fixture.server, 'vm')
  await shell.must('seqw -d /root.seq /data/data.seq; sleep 1')
  await freeze('2s')
  const frozenAt = await lastRecord(shell)
  await expect.poll(() => lastRecord(shell), { timeout: 15_000, interval: 100 }).toBeGreaterThan(frozenAt + 1)
  await shell.must('seqw --stop')
  shell.close()
})

test('the VM goes on while its server restarts, and is found again', async () => {
  const shell = await shellOf(fixture.server, 'vm')
  const uptime = Number((await shell.must('cut -d. -f1 /proc/uptime')).trim())
  const uid = await fixture.server.kubectl(['get', 'vmi', 'vm', '-o', 'jsonpath={.metadata.uid}'])
  await fixture.crash()
  await agentConnected(fixture.server, 'vm')
  expect(Number(await shell.must('cut -d. -f1 /proc/uptime'))).toBeGreaterThanOrEqual(uptime)
  expect(await fixture.server.kubectl(['get', 'vmi', 'vm', '-o', 'jsonpath={.metadata.uid}'])).toBe(uid)
  shell.close()
})

// From before the lock to after the status: freeze, cut and thaw take about 0.1 s of it.
test.each([20, 60, 90, 120, 150, 180, 250, 400])(
  'a server killed %i ms into an online snapshot: the guest runs, the snapshot ends right',
  async (delayMs) => {
    const name = `killed-${delayMs}`
    const shell = await shellOf(fixture.server, 'vm')
    await shell.must('rm -f /root.seq /data/data.seq; seqw -d /root.seq /data/data.seq; sleep 0.5')
    await fixture.server.client.create(VirtualMachineSnapshot, snapshotOf('vm', name))
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    await fixture.crash()
    const before = await lastRecord(shell)
    await expect.poll(() => lastRecord(shell), { timeout: 30_000, interval: 100 }).toBeGreaterThan(before + 1)
    await fixture.snapshotReady(name)
    await until(
      fixture.server.client,
      VirtualMachine,
      { namespace, name: 'vm' },
      (vm) => (vm !== undefined && vm.status?.snapshotInProgress === undefined) || undefined,
    )
    await shell.must('seqw --stop')
    shell.close()
  },
)

test('what was cut around a kill is one instant of both disks', async () => {
  for (const name of ['killed-90', 'killed-150']) {
    await stopped(fixture.server, 'vm')
    await fixture.restore('vm', name, `of-${name}`)
    await started(fixture.server, 'vm')
    const shell = await shellOf(fixture.server, 'vm')
    expect(await judge(shell)).toMatchObject({ consistent: true })
    shell.close()
  }
})
