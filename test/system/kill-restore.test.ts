import { afterAll, beforeAll, expect, test } from 'vitest'
import { restoreOf } from '../../bench/objects.ts'
import { claimOf, VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { conditionOf } from '../../packages/api/src/meta/condition.ts'
import { VirtualMachineRestore } from '../../packages/api/src/snapshot/kinds.ts'
import { DataVolume } from '../../packages/api/src/storage/cdi.ts'
import { PersistentVolume, PersistentVolumeClaim } from '../../packages/api/src/storage/kinds.ts'
import { Fixture, judge } from './fixtures.ts'
import { columns, Remains, roundCount, seededRandom } from './kills.ts'
import { namespace, shellOf, started, stopped } from './machine.ts'
import { Server } from './server.ts'
import { spaceOf } from './space.ts'
import { until } from './until.ts'

// The server is killed at random instants of restores of a stopped VM, and sometimes again while it recovers. At
// every death the VM must have one complete set of disks, the old or the new one; in the end it has the new one, and
// nothing of the old is left. Now and then it is started, to see that the disks hold what the snapshot did.

const random = seededRandom('kills during restores')
const rounds = Array.from({ length: roundCount(24) }, (_, at) => ({
  name: `r-${at}`,
  snapshot: random() < 0.5 ? 'a' : 'b',
  /** As a part of the time from the request until the lock is gone. */
  instant: random(),
  /** Into the new server's life. */
  again: random() < 0.3 ? random() * 500 : undefined,
  started: at % 8 === 7,
}))

let fixture: Fixture
let usualMs: number
const table: (string | number)[][] = [['ROUND', 'SNAPSHOT', 'INSTANT', 'STATE', 'DISKS', 'KILLED AGAIN', 'CONTENT']]

beforeAll(async () => {
  fixture = await Fixture.start()
  await fixture.boot('vm')
  const shell = await shellOf(fixture.server, 'vm')
  for (const name of ['a', 'b']) {
    await shell.must(`echo ${name} >/data/mark; sync; seqw -d -i 2000 /root.seq /data/data.seq; sleep 1`)
    await fixture.snapshot('vm', name)
    await shell.must('seqw --stop')
  }
  shell.close()
  await stopped(fixture.server, 'vm')
  for (const name of ['first', 'undisturbed']) {
    const began = performance.now()
    await fixture.restore('vm', 'a', name)
    await unlocked()
    usualMs = performance.now() - began
  }
})
afterAll(() => {
  process.stdout.write(`an undisturbed restore takes ${usualMs.toFixed(0)} ms\n${columns(table)}\n`)
})

function unlocked(): Promise<VirtualMachine> {
  return until(
    fixture.server.client,
    VirtualMachine,
    { namespace, name: 'vm' },
    (vm) => vm !== undefined && !vm.status?.restoreInProgress && vm,
  )
}

function disksOf(vm: VirtualMachine | undefined): string[] {
  return (vm?.spec.template.spec.volumes ?? []).flatMap((volume) => claimOf(volume) ?? [])
}

/** How far a restore had come when its server died. */
function stateOf(remains: Remains, name: string): string {
  const restore = remains.find(VirtualMachineRestore, name)
  const locked = remains.find(VirtualMachine, 'vm')?.status?.restoreInProgress === name
  if (restore?.status?.complete) return locked ? 'complete, VM locked' : 'done'
  const entries = restore?.status?.restores
  if (entries === undefined) return locked ? 'VM locked' : 'requested'
  const claims = entries.flatMap((entry) => remains.find(PersistentVolumeClaim, entry.persistentVolumeClaim) ?? [])
  const bound = claims.filter(({ status }) => status?.phase === 'Bound').length
  return `${claims.length} claims, ${bound} bound`
}

/** Throws unless the VM has one whole set of disks, each with its data. Says which. */
function setOf(remains: Remains, before: readonly string[], name: string): 'old' | 'new' {
  const disks = disksOf(remains.find(VirtualMachine, 'vm'))
  const fresh = remains.find(VirtualMachineRestore, name)?.status?.restores ?? []
  const isNew = !disks.every((disk) => before.includes(disk))
  if (isNew) expect(disks.toSorted()).toEqual(fresh.map((entry) => entry.persistentVolumeClaim).toSorted())
  else expect(disks).toEqual(before)
  for (const disk of disks) {
    const claim = remains.find(PersistentVolumeClaim, disk)
    expect(claim, `claim ${disk} of the ${isNew ? 'new' : 'old'} disks`).toBeDefined()
    expect(claim?.metadata.deletionTimestamp, `deletion of ${disk}`).toBeUndefined()
    expect(claim?.status?.phase, disk).toBe('Bound')
    expect(remains.find(PersistentVolume, claim?.spec?.volumeName ?? ''), `volume of ${disk}`).toBeDefined()
  }
  return isNew ? 'new' : 'old'
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test.each(rounds)('$name: the VM has its old disks or its new ones, and in the end the new', async (round) => {
  const { name, snapshot, instant, again } = round
  const { client } = fixture.server
  const before = disksOf(await client.get(VirtualMachine, { namespace, name: 'vm' }))
  await client.create(VirtualMachineRestore, restoreOf('vm', snapshot, name))
  await pause(instant * usualMs)
  await fixture.server.stop('SIGKILL')
  const first = await Remains.of(fixture)
  const state = stateOf(first, name)
  const disks = setOf(first, before, name)
  fixture.server = await Server.start(fixture.dataDir)
  let second = ''
  if (again !== undefined) {
    await pause(again)
    await fixture.server.stop('SIGKILL')
    const remains = await Remains.of(fixture)
    second = `${stateOf(remains, name)}, ${setOf(remains, before, name)} disks`
    fixture.server = await Server.start(fixture.dataDir)
  }
  const row = [name, snapshot, `${(instant * usualMs).toFixed(0)} ms`, state, disks, second]
  table.push(row)

  const restore = await until(
    fixture.server.client,
    VirtualMachineRestore,
    { namespace, name },
    (found) => found?.status?.complete === true && found,
    30_000,
  )
  const vm = await unlocked()
  expect(conditionOf(restore.status?.conditions, 'Ready')?.status).toBe('True')
  expect(disksOf(vm).toSorted()).toEqual(
    (restore.status?.restores ?? []).map((entry) => entry.persistentVolumeClaim).toSorted(),
  )
  // The old disks are gone, and everything else that was made on the way.
  for (const definition of [PersistentVolumeClaim, PersistentVolume, DataVolume])
    await expect
      .poll(async () => (await fixture.server.client.list(definition)).items.map(({ metadata }) => metadata.name), {
        timeout: 15_000,
      })
      .toHaveLength(2)

  if (!round.started) return
  await started(fixture.server, 'vm')
  const shell = await shellOf(fixture.server, 'vm')
  expect(await shell.must('cat /data/mark')).toBe(snapshot)
  const verdict = await judge(shell)
  shell.close()
  row.push(JSON.stringify(verdict))
  expect(verdict).toMatchObject({ consistent: true })
  await stopped(fixture.server, 'vm')
})

test('the storage holds two disks and two snapshots of each, and nothing else', async () => {
  await expect
    .poll(
      async () => {
        const { volumes, snapshots } = await spaceOf(fixture.server)
        return { volumes: volumes.length, snapshots: snapshots.length }
      },
      { timeout: 30_000 },
    )
    .toEqual({ volumes: 2, snapshots: 4 })
})
