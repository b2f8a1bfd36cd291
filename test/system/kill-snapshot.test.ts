import { afterAll, beforeAll, expect, test } from 'vitest'
import { snapshotOf } from '../../bench/objects.ts'
import { VirtualMachine, VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import { parseFreezeReport, thawOwed } from '../../packages/api/src/snapshot/freeze-report.ts'
import { freezeReportAnnotation, sourceFinalizer } from '../../packages/api/src/snapshot/keys.ts'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '../../packages/api/src/snapshot/kinds.ts'
import { VolumeSnapshot, VolumeSnapshotContent } from '../../packages/api/src/storage/kinds.ts'
import { Fixture, judge } from './fixtures.ts'
import type { GuestShell } from './guest-shell.ts'
import { columns, leaseExists, Remains, roundCount, seededRandom } from './kills.ts'
import { namespace, shellOf, started, stopped } from './machine.ts'
import { Server } from './server.ts'
import { spaceOf } from './space.ts'
import { until } from './until.ts'

// The server is killed at random instants of online snapshots, and sometimes again while it recovers. The guest's
// writer shows how long it stood still; some of the snapshots are restored in the end and judged.

const random = seededRandom('kills during snapshots')
const rounds = Array.from({ length: roundCount(28) }, (_, at) => ({
  name: `s-${at}`,
  /** As a part of the time from the request until the lock is gone, most of whose end is waiting for the lock. */
  instant: random() * 0.8,
  /** A new server at once, which races with the guard for the guest; or only when the guest runs. */
  restart: random() < 0.5 ? ('at once' as const) : ('later' as const),
  /** Into the new server's life. */
  again: random() < 0.25 ? random() * 400 : undefined,
}))
/** The guard needs no server, and a lease lasts 30 s: whatever takes longer than this has waited for the lease. */
const stillLimitMs = 15_000

interface Kill {
  name: string
  state: string
  frozen: boolean
}

let fixture: Fixture
let shell: GuestShell
let usualMs: number
const kills: Kill[] = []
const table: (string | number)[][] = [
  ['ROUND', 'INSTANT', 'STATE', 'FROZEN', 'NEW SERVER', 'RUNS AFTER', 'STOOD STILL', 'INDICATIONS'],
]

const lastRecord = async (): Promise<number> => (JSON.parse(await shell.must('seqw --status')) as { last: number }).last

beforeAll(async () => {
  fixture = await Fixture.start()
  await fixture.boot('vm')
  shell = await shellOf(fixture.server, 'vm')
  await shell.must('seqw -d -g 40 -i 2000 /root.seq /data/data.seq; sleep 1')
  for (const name of ['first', 'undisturbed']) {
    const began = performance.now()
    await fixture.snapshot('vm', name)
    await unlocked()
    usualMs = performance.now() - began
  }
})
afterAll(() => {
  shell?.close()
  process.stdout.write(`an undisturbed snapshot takes ${usualMs.toFixed(0)} ms\n${columns(table)}\n`)
})

function unlocked(): Promise<VirtualMachine> {
  return until(
    fixture.server.client,
    VirtualMachine,
    { namespace, name: 'vm' },
    (vm) =>
      vm !== undefined && !vm.status?.snapshotInProgress && !vm.metadata.finalizers?.includes(sourceFinalizer) && vm,
  )
}

/** How far a snapshot had come when its server died. */
function stateOf(remains: Remains, name: string): string {
  const snapshot = remains.find(VirtualMachineSnapshot, name)
  if (snapshot === undefined) return 'not stored'
  const locked = remains.find(VirtualMachine, 'vm')?.status?.snapshotInProgress === name
  if (snapshot.status?.phase === 'Succeeded') return locked ? 'succeeded, VM locked' : 'done'
  const content = remains
    .all(VirtualMachineSnapshotContent)
    .find(({ spec }) => spec.virtualMachineSnapshotName === name)
  if (content === undefined) return locked ? 'VM locked' : 'requested'
  const report = parseFreezeReport(content.metadata.annotations?.[freezeReportAnnotation])
  if (report?.thawed !== undefined) return 'thawed'
  const members = remains
    .all(VolumeSnapshot)
    .filter(({ metadata }) => metadata.name.includes(snapshot.metadata.uid ?? '\0'))
  const cut = members.filter(({ status }) => status?.creationTime !== undefined).length
  return members.length === 0 ? 'freeze announced' : `${members.length} asked, ${cut} cut`
}

/** The longest the writer stood still since this was last asked. */
let seenGaps = 0
async function longestGapMs(): Promise<number> {
  const lines = (await shell.must('cat /run/gaps')).split('\n')
  const fresh = lines.slice(seenGaps)
  seenGaps = lines.length
  return Math.max(0, ...fresh.map((line) => Number.parseFloat(line) || 0))
}

async function kill(): Promise<{ remains: Remains; killedMs: number }> {
  await fixture.server.stop('SIGKILL')
  const killedMs = performance.now()
  return { remains: await Remains.of(fixture), killedMs }
}

async function runsAgain(sinceMs: number): Promise<number> {
  const before = await lastRecord()
  await expect.poll(lastRecord, { timeout: stillLimitMs, interval: 20 }).toBeGreaterThan(before + 1)
  return performance.now() - sinceMs
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test.each(rounds)('$name: the guest runs on and the snapshot ends right', async ({ name, instant, restart, again }) => {
  await longestGapMs()
  await fixture.server.client.create(VirtualMachineSnapshot, snapshotOf('vm', name))
  await pause(instant * usualMs)
  let { remains, killedMs } = await kill()
  const state = stateOf(remains, name)
  const frozen = remains.leased
  const running = restart === 'at once' ? undefined : await runsAgain(killedMs)
  fixture.server = await Server.start(fixture.dataDir)
  let second = ''
  if (again !== undefined) {
    await pause(again)
    ;({ remains, killedMs } = await kill())
    second = stateOf(remains, name)
    fixture.server = await Server.start(fixture.dataDir)
  }
  if (running === undefined || again !== undefined) await runsAgain(killedMs)
  kills.push({ name, state, frozen })

  const snapshot = await fixture.snapshotReady(name)
  await unlocked()
  const stillMs = await longestGapMs()
  const indications = snapshot.status?.indications ?? []
  table.push([
    name,
    `${(instant * usualMs).toFixed(0)} ms`,
    state,
    frozen ? 'yes' : '',
    restart + (again === undefined ? '' : `, killed again: ${second}`),
    running === undefined ? '' : `${running.toFixed(0)} ms`,
    `${stillMs.toFixed(0)} ms`,
    indications.join(' '),
  ])
  expect(stillMs).toBeLessThan(stillLimitMs)
  expect(indications).toContain('Online')

  // Nothing is left of attempts that were interrupted.
  expect(snapshot.status?.error).toBeUndefined()
  const content = await fixture.contentOf(snapshot)
  const times = (content.status?.volumeSnapshotStatus ?? []).map(({ creationTime }) => creationTime)
  expect(times).toHaveLength(2)
  expect(new Set(times).size).toBe(1)
  expect(thawOwed(parseFreezeReport(content.metadata.annotations?.[freezeReportAnnotation]))).toBe(false)
  await expect.poll(() => leaseExists(fixture.dataDir)).toBe(false)
  const vmi = await fixture.server.client.get(VirtualMachineInstance, { namespace, name: 'vm' })
  expect(vmi.status?.fsFreezeStatus).toBeUndefined()
  const snapshots = 2 * (kills.length + 2)
  for (const definition of [VolumeSnapshot, VolumeSnapshotContent])
    await expect
      .poll(async () => (await fixture.server.client.list(definition)).items.length, { timeout: 10_000 })
      .toBe(snapshots)
})

test('what was cut around the kills is one instant of both disks', async () => {
  await shell.must('seqw --stop')
  shell.close()
  // One of each state first: those that were hit while the guest was frozen are the most telling.
  const telling = kills.toSorted((a, b) => Number(b.frozen) - Number(a.frozen))
  const chosen = [...new Map(telling.toReversed().map((each) => [each.state, each])).values()].toReversed().slice(0, 4)
  for (const { name, state } of chosen) {
    await stopped(fixture.server, 'vm')
    await fixture.restore('vm', name, `of-${name}`)
    await started(fixture.server, 'vm')
    shell = await shellOf(fixture.server, 'vm')
    const verdict = await judge(shell)
    process.stdout.write(`${name}, killed when ${state}: ${JSON.stringify(verdict)}\n`)
    expect(verdict).toMatchObject({ consistent: true })
    shell.close()
  }
})

test('and all of them can be deleted, with what the storage holds of them', async () => {
  await fixture.server.kubectl(['delete', 'vmrestore,vmsnapshot', '--all', '--timeout=60s'])
  for (const definition of [VolumeSnapshot, VolumeSnapshotContent])
    await expect.poll(async () => (await fixture.server.client.list(definition)).items, { timeout: 30_000 }).toEqual([])
  await expect.poll(async () => (await spaceOf(fixture.server)).snapshots, { timeout: 30_000 }).toEqual([])
}, 120_000)
