import { beforeAll, expect, test } from 'vitest'
import { snapshotOf } from '../../bench/objects.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { Fixture } from './fixtures.ts'
import { agentConnected, namespace, shellOf } from './machine.ts'
import { Server } from './server.ts'

let fixture: Fixture

beforeAll(async () => {
  fixture = await Fixture.start()
  await fixture.boot('vm')
})

const call = (subresource: 'freeze' | 'unfreeze' | 'pause' | 'unpause', body: object = {}): Promise<unknown> =>
  fixture.server.client.call(
    {
      group: 'subresources.kubevirt.io',
      version: 'v1',
      namespace,
      resource: 'virtualmachineinstances',
      name: 'vm',
      subresource,
    },
    { method: 'PUT', body },
  )
const freeze = (unfreezeTimeout: string, holder?: string) =>
  call('freeze', { unfreezeTimeout, ...(holder === undefined ? {} : { holder }) })

const lastRecord = async (shell: { must(command: string): Promise<string> }): Promise<number> =>
  (JSON.parse(await shell.must('seqw --status')) as { last: number }).last

test('a guest frozen by a server that is killed thaws without a new one', async () => {
  const shell = await shellOf(fixture.server, 'vm')
  await shell.must('seqw -d /root.seq /data/data.seq; sleep 1')
  await freeze('60s', 'backup')
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

test('a snapshot waits for a guest that another has frozen, and does not end its window', async () => {
  const shell = await shellOf(fixture.server, 'vm')
  await shell.must('rm -f /root.seq /data/data.seq; seqw -d /root.seq /data/data.seq; sleep 1')
  await freeze('3s', 'backup')
  const frozenAt = Date.now()
  await fixture.server.client.create(VirtualMachineSnapshot, snapshotOf('vm', 'after-backup'))
  await expect(call('unfreeze', { holder: 'somebody' })).rejects.toThrow(
    'guest is frozen by backup for at most 3 s more',
  )
  await expect(call('unfreeze')).rejects.toThrow('guest is frozen by backup')
  const snapshot = await fixture.snapshotReady('after-backup')
  expect(Date.now() - frozenAt).toBeGreaterThan(3_000)
  expect(snapshot.status?.indications?.toSorted()).toEqual(['GuestAgent', 'Online'])
  const { maxGapMs } = JSON.parse(await shell.must('seqw --stop')) as { maxGapMs: number }
  expect(maxGapMs).toBeGreaterThan(2_900)
  shell.close()
})

test('a guest paused in the middle of a snapshot is thawed all the same, and runs on', async () => {
  const shell = await shellOf(fixture.server, 'vm')
  await shell.must('seqw -d /root.seq /data/data.seq; sleep 1')
  for (const delayMs of [0, 60, 120, 200]) {
    const name = `paused-${delayMs}`
    await fixture.server.client.create(VirtualMachineSnapshot, snapshotOf('vm', name))
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    await call('pause')
    const snapshot = await fixture.snapshotReady(name)
    // Until the lock is gone, a guest that was found paused stays so.
    await expect.poll(() => call('unpause').then(() => 'runs', String), { timeout: 10_000 }).toBe('runs')
    const before = await lastRecord(shell)
    await expect.poll(() => lastRecord(shell), { timeout: 15_000, interval: 100 }).toBeGreaterThan(before + 1)
    const report = await fixture.freezeReport(snapshot)
    process.stdout.write(`paused ${delayMs} ms into a snapshot: ${JSON.stringify(report)}\n`)
    expect(report.asked === undefined).toBe(report.thawed === undefined)
  }
  await shell.must('seqw --stop')
  shell.close()
})
