import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { consistencyAnnotation, cutSetAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { refOf } from '../../kube/client.ts'
import { delay } from '../../kube/informer.ts'
import { restoreControllers } from '../../restore/controllers.ts'
import { snapshotControllers } from '../../snapshot/controllers.ts'
import { type Bench, type Process, startBench } from './bench.ts'
import { bootVm, FakeGuest, FakeStorage } from './fake-guest.ts'
import { FaultProxy, faults, type Passed, randomPlan } from './fault-proxy.ts'
import { type SeededVm, seedStorage, seedVm, startRestore, takeSnapshot } from './seeds.ts'

// Snapshot and restore behind a network that loses, refuses and delays.

/** Faults end after a while; from then on this is more than enough. */
const limitMs = 60_000

let bench: Bench
let proxy: FaultProxy
let storage: FakeStorage
let guest: FakeGuest
let process: Process

beforeAll(async () => {
  bench = await startBench({ admission: snapshotAdmission })
  await seedStorage(bench)
})
afterAll(() => bench.close())
beforeEach(async () => {
  storage = await new FakeStorage(bench).start()
  guest = new FakeGuest(bench)
  storage.guest = guest
  proxy = await FaultProxy.start(bench.api)
  process = await bench.run((context) => [snapshotControllers(context), restoreControllers(context)], {
    through: proxy,
  })
})
afterEach(async () => {
  proxy.calm()
  await process.stop()
  await proxy.close()
  await storage.close()
})

async function snapshotAndRestore(): Promise<void> {
  const source = await seedVm(bench, { disks: ['root', 'data'] })
  await bootVm(bench, source, { revision: source.revision })
  const created = await takeSnapshot(bench, source)
  const ref = refOf(created)
  const taken = await bench.until(
    VirtualMachineSnapshot,
    ref,
    (snapshot) => snapshot?.status?.readyToUse && snapshot,
    limitMs,
  )
  expect(taken.status?.phase).toBe('Succeeded')
  await unlocked(source)
  expect(guest.frozen).toBe(false)

  const { namespace } = source
  const { items: members } = await bench.client.list(VolumeSnapshot, { namespace })
  expect(members.map(({ metadata }) => metadata.name).sort()).toEqual(
    ['data', 'root'].map((disk) => `vmsnapshot-${uidOf(created)}-volume-${disk}`),
  )
  expect(new Set(members.map(({ metadata }) => metadata.annotations?.[cutSetAnnotation])).size).toBe(1)
  const { indications = [] } = taken.status ?? {}
  if (indications.includes('GuestAgent') && !indications.includes('QuiesceTimeout'))
    for (const { metadata } of members)
      expect(storage.frozenAtCut[storage.cut.indexOf(`${namespace}/${metadata.name}/${metadata.uid}`)]).toBe(true)

  await bench.client.delete(VirtualMachineInstance, source)
  const restore = await startRestore(bench, source, { targetReadinessPolicy: 'WaitEventually' })
  await bench.until(VirtualMachineRestore, refOf(restore), (found) => found?.status?.complete, limitMs)
  await unlocked(source)
  const { items: claims } = await bench.client.list(PersistentVolumeClaim, { namespace })
  expect(claims.map(({ metadata }) => metadata.name).sort()).toEqual(
    ['data-claim', `restore-${uidOf(restore)}-data`, `restore-${uidOf(restore)}-root`, 'root-claim'].sort(),
  )

  await bench.client.delete(VirtualMachineRestore, refOf(restore))
  await bench.client.delete(VirtualMachineSnapshot, ref)
  await bench.until(VirtualMachineRestore, refOf(restore), (found) => found === undefined, limitMs)
  await bench.until(VirtualMachineSnapshot, ref, (found) => found === undefined, limitMs)
  for (const member of members)
    await bench.until(VolumeSnapshot, refOf(member), (found) => found === undefined, limitMs)
  // The guest's own hooks ran once for each freeze.
  expect(guest.thawHooks).toBe(
    guest.calls.filter((call, i) => call === 'freeze' && guest.calls[i + 1] !== 'freeze').length,
  )
  expect(thawedTwice(proxy.passed.filter(({ path }) => path.includes(`/${namespace}/`)))).toEqual([])
}

async function unlocked(source: SeededVm): Promise<void> {
  await bench.until(
    VirtualMachine,
    source,
    (vm) => !vm?.status?.snapshotInProgress && !vm?.status?.restoreInProgress && !vm?.metadata.finalizers?.length,
    limitMs,
  )
}

/**
 * Thaws that were asked for although an earlier one was answered, no freeze was asked for since, and the note of the
 * thaw on the content came through. (Without that note nobody could know after a restart, so the thaw is repeated; it
 * does nothing to a guest that runs.)
 */
function thawedTwice(passed: readonly Passed[]): Passed[] {
  let done = false
  return passed.filter(({ method, path, answered = 0 }) => {
    const successful = answered >= 200 && answered < 300
    if (path.endsWith('/freeze')) done = false
    if (method === 'PATCH' && path.includes('/virtualmachinesnapshotcontents/') && !successful) done = false
    if (!path.endsWith('/unfreeze')) return false
    const again = done
    if (successful) done = true
    return again
  })
}

test.each(faults)('under faults of one kind all ends well: %s', { timeout: 2 * limitMs }, async (fault) => {
  proxy.follow(randomPlan(faults.indexOf(fault), { among: [fault], likelihood: 0.4, most: 25 }))
  proxy.cutWatches()
  await snapshotAndRestore()
  expect(proxy.passed.some((entry) => entry.fault === fault)).toBe(true)
})

test('under any mixture of faults all ends well', { timeout: 10 * limitMs }, () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0 }),
      fc.double({ min: 0.05, max: 0.6, noNaN: true }),
      async (seed, likelihood) => {
        proxy.follow(randomPlan(seed, { likelihood, most: 30 }))
        proxy.cutWatches()
        await snapshotAndRestore()
      },
    ),
    { numRuns: 6, endOnFailure: true },
  ),
)

/** Attempts that fit into a time when the pauses between them begin with 4 ms and double. */
const attemptsWithin = (ms: number): number => Math.floor(Math.log2(ms / 4 + 1)) + 2
const watched = 11
const noFault = new AbortController().signal

test('while the API answers only errors it is asked ever less', { timeout: 2 * limitMs }, async () => {
  const forMs = 3_000
  storage.cutting = false
  const source = await seedVm(bench)
  const created = await takeSnapshot(bench, source, { annotations: { [consistencyAnnotation]: 'CrashConsistent' } })
  const member = { namespace: source.namespace, name: `vmsnapshot-${uidOf(created)}-volume-root` }
  await bench.until(VolumeSnapshot, member, (found) => found !== undefined)
  await process.quiet()
  for (const answer of ['error', 'dropped'] as const) {
    proxy.follow(() => answer)
    const before = proxy.passed.length
    proxy.cutWatches()
    await delay(forMs, noFault)
    // Nothing is told, so nothing wakes a controller; each watch lists and watches.
    const asked = proxy.passed.length - before
    expect(asked).toBeLessThanOrEqual(watched * 2 * attemptsWithin(forMs))
    expect(asked).toBeGreaterThanOrEqual(watched)
    proxy.calm()
    await process.quiet()
  }
  storage.cutting = true
  await storage.work()
  await bench.until(VirtualMachineSnapshot, refOf(created), (snapshot) => snapshot?.status?.readyToUse, limitMs)
})

test('while every write is refused each object is tried ever less', { timeout: 2 * limitMs }, async () => {
  const forMs = 3_000
  proxy.follow(({ method }) => (method === 'GET' ? undefined : 'error'))
  const source = await seedVm(bench)
  const before = proxy.passed.length
  const created = await takeSnapshot(bench, source)
  await delay(forMs, noFault)
  const asked = proxy.passed.length - before
  // Its status of volumes and the snapshot; a pass reads once and writes once.
  const keys = 2
  expect(asked).toBeLessThanOrEqual(keys * 2 * attemptsWithin(forMs))
  proxy.calm()
  await bench.until(VirtualMachineSnapshot, refOf(created), (snapshot) => snapshot?.status?.readyToUse, limitMs)
})

test('a server that asks for patience is given it', { timeout: limitMs }, async () => {
  const source = await seedVm(bench)
  await bench.until(VirtualMachine, source, (vm) => vm?.status?.volumeSnapshotStatuses)
  await process.quiet()
  let refused = false
  proxy.follow(({ method }) => {
    if (refused || method === 'GET') return undefined
    refused = true
    return 'throttled'
  })
  const before = proxy.passed.length
  const created = await takeSnapshot(bench, source)
  await bench.until(VirtualMachineSnapshot, refOf(created), (snapshot) => snapshot?.status?.readyToUse, limitMs)
  const [throttled, next] = proxy.passed.slice(before).filter(({ method }) => method !== 'GET')
  expect(throttled?.answered).toBe(429)
  expect((next?.atMs ?? 0) - (throttled?.atMs ?? 0)).toBeGreaterThanOrEqual(1_000)
})

/** Waits for so long a time without any request; what is still on its way, events for one, may come before. */
async function restFor(ms: number): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const before = proxy.passed.length
    await delay(ms, noFault)
    const asked = proxy.passed.slice(before)
    if (asked.length === 0) return
    if (tries === 3) expect(asked).toEqual([])
  }
}

test.each(['nothing is to be done', 'a claim is waited for', 'a snapshot for a restore is waited for'])(
  'not a single request is made while %s',
  { timeout: limitMs },
  async (what) => {
    const source = await seedVm(bench)
    if (what === 'a claim is waited for')
      await bench.client.patch(
        PersistentVolumeClaim,
        { namespace: source.namespace, name: 'root-claim' },
        { status: { phase: 'Pending' } },
        { subresource: 'status' },
      )
    if (what === 'a snapshot for a restore is waited for') {
      const restore = await startRestore(bench, source, { from: 'later' })
      await bench.until(VirtualMachineRestore, refOf(restore), (found) => found?.status?.conditions)
    } else {
      const ref = refOf(await takeSnapshot(bench, source))
      await bench.until(VirtualMachineSnapshot, ref, (snapshot) =>
        what === 'nothing is to be done'
          ? snapshot?.status?.readyToUse
          : snapshot?.status?.conditions?.some(({ reason }) => reason?.includes('not bound')),
      )
    }
    await restFor(3_000)
  },
)
