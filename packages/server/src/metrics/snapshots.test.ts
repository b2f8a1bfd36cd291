import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { consistencyAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import { bootVm, FakeGuest, FakeStorage } from '../controller/testing/fake-guest.ts'
import { type SeededVm, seedStorage, seedVm, takeSnapshot } from '../controller/testing/seeds.ts'
import { snapshotControllers } from '../snapshot/controllers.ts'
import { Metrics } from './metrics.ts'
import { queueMetrics } from './queues.ts'
import { measureSnapshots } from './snapshots.ts'
import { readOne, readSeries } from './testing/series.ts'

let bench: Bench
let guest: FakeGuest
let storage: FakeStorage
let metrics: Metrics
let process: Process

/** A process of its own, with metrics of its own. */
async function start(): Promise<void> {
  metrics = new Metrics()
  const queues = queueMetrics(metrics)
  process = await bench.run((context) => {
    const controllers = [snapshotControllers({ ...context, queues })]
    measureSnapshots(context.informers, metrics, context.now)
    return controllers
  })
}

beforeAll(async () => {
  bench = await startBench({ admission: snapshotAdmission })
  await seedStorage(bench)
})
afterAll(() => bench.close())
beforeEach(async () => {
  guest = new FakeGuest(bench)
  storage = await new FakeStorage(bench).start()
  storage.guest = guest
  await start()
})
afterEach(async () => {
  await process.stop()
  await storage.close()
})

type Snapshot = VirtualMachineSnapshot | undefined
const ready = (snapshot: Snapshot) => snapshot?.status?.readyToUse === true && snapshot
const failed = (snapshot: Snapshot) => snapshot?.status?.phase === 'Failed' && snapshot
const until = <T>({ namespace }: SeededVm, holds: (snapshot: Snapshot) => T | undefined | false) =>
  bench.until(VirtualMachineSnapshot, { namespace, name: 'snap' }, holds)
async function running(options: Parameters<typeof bootVm>[2] = {}, disks = ['root', 'data']): Promise<SeededVm> {
  const source = await seedVm(bench, { disks })
  await bootVm(bench, source, { revision: source.revision, ...options })
  return source
}

test('an online snapshot is measured once, whatever happens to it later, and its series goes with it', async () => {
  const source = await running()
  const { namespace, name } = source
  await takeSnapshot(bench, source)
  const taken = await until(source, ready)
  await process.quiet()
  expect(await readSeries(metrics, 'stillpoint_snapshot_duration_seconds_count')).toEqual({
    '{outcome="succeeded"}': 1,
  })
  const seconds = await readOne(metrics, 'stillpoint_snapshot_duration_seconds_sum{outcome="succeeded"}')
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThan(10)
  expect(await readOne(metrics, 'stillpoint_snapshot_ready_seconds_count')).toBe(1)
  expect(await readSeries(metrics, 'stillpoint_freeze_window_seconds_count')).toEqual({ '{end="cut"}': 1 })
  expect(await readOne(metrics, 'stillpoint_cut_skew_seconds_count')).toBe(1)
  const series = `{name="${name}",snapshot_name="snap",namespace="${namespace}"}`
  const gauge = () => readSeries(metrics, 'kubevirt_vmsnapshot_succeeded_timestamp_seconds')
  expect(await gauge()).toEqual({ [series]: Date.parse(taken.status?.creationTime ?? '') / 1_000 })
  expect(await readOne(metrics, 'workqueue_adds_total{name="virt-controller-snapshot-vmsnapshot"}')).toBeGreaterThan(0)
  expect(await readOne(metrics, 'workqueue_depth{name="virt-controller-snapshot-vmsnapshotcontent"}')).toBe(0)

  // Its status is lost and written again.
  const lost = await bench.client.patch(
    VirtualMachineSnapshot,
    { namespace, name: 'snap' },
    { status: { phase: null, readyToUse: null } },
    { subresource: 'status' },
  )
  expect(lost.status?.phase).toBeUndefined()
  const later = ({ metadata }: VirtualMachineSnapshot) =>
    BigInt(metadata.resourceVersion ?? 0) > BigInt(lost.metadata.resourceVersion ?? 0)
  await until(source, (snapshot) => snapshot && later(snapshot) && snapshot.status?.phase && ready(snapshot))
  expect(await readOne(metrics, 'stillpoint_snapshot_duration_seconds_count{outcome="succeeded"}')).toBe(1)
  expect(await readOne(metrics, 'stillpoint_snapshot_ready_seconds_count')).toBe(1)

  // Another process counts nothing of what was before it, and shows what is.
  await process.stop()
  await start()
  expect(await readSeries(metrics, 'stillpoint_snapshot_duration_seconds_count')).toEqual({})
  expect(await readOne(metrics, 'stillpoint_snapshot_ready_seconds_count')).toBe(0)
  expect(await readSeries(metrics, 'stillpoint_freeze_window_seconds_count')).toEqual({})
  expect(await readOne(metrics, 'stillpoint_cut_skew_seconds_count')).toBe(0)
  expect(await gauge()).toEqual({ [series]: expect.any(Number) })

  await bench.client.delete(VirtualMachineSnapshot, { namespace, name: 'snap' })
  await until(source, (snapshot) => snapshot === undefined)
  await process.quiet()
  expect(await gauge()).toEqual({})
  expect(await readSeries(metrics, 'stillpoint_snapshot_duration_seconds_count')).toEqual({})
})

test('what another process had begun is counted by the one that ends it', async () => {
  storage.cutting = false
  const source = await running({}, ['root'])
  const { metadata } = await takeSnapshot(bench, source)
  const member = { namespace: source.namespace, name: `vmsnapshot-${metadata.uid}-volume-root` }
  await bench.until(VolumeSnapshot, member, (found) => found !== undefined)
  expect(guest.frozen).toBe(true)
  process.crash()
  await process.stop()
  await start()
  storage.cutting = true
  await storage.work()
  await until(source, ready)
  expect(await readSeries(metrics, 'stillpoint_snapshot_duration_seconds_count')).toEqual({
    '{outcome="succeeded"}': 1,
  })
  expect(await readOne(metrics, 'stillpoint_snapshot_ready_seconds_count')).toBe(1)
})

test('an offline snapshot has no freeze and no skew', async () => {
  const source = await seedVm(bench, { disks: ['root', 'data'] })
  await takeSnapshot(bench, source)
  await until(source, ready)
  expect(await readSeries(metrics, 'stillpoint_freeze_window_seconds_count')).toEqual({})
  expect(await readOne(metrics, 'stillpoint_cut_skew_seconds_count')).toBe(0)
})

test.each([
  ['deadline', { failureDeadline: '1s' }],
  ['consistency', { annotations: { [consistencyAnnotation]: 'Required' } }],
] as const)('a failure counts under its class: %s', async (reason, options) => {
  storage.cutting = false
  const source = await running({ agent: false })
  await takeSnapshot(bench, source, options)
  await until(source, failed)
  expect(await readSeries(metrics, 'stillpoint_snapshot_duration_seconds_count')).toEqual({ '{outcome="failed"}': 1 })
  const classes = { '{reason="deadline"}': 0, '{reason="consistency"}': 0, '{reason="other"}': 0 }
  expect(await readSeries(metrics, 'stillpoint_snapshot_failures_total')).toEqual({
    ...classes,
    [`{reason="${reason}"}`]: 1,
  })
})

test('a snapshot deleted before it is taken counts as that', async () => {
  storage.cutting = false
  const source = await seedVm(bench)
  await takeSnapshot(bench, source)
  await until(source, (snapshot) => snapshot?.status?.phase === 'InProgress')
  await bench.client.delete(VirtualMachineSnapshot, { namespace: source.namespace, name: 'snap' })
  await until(source, (snapshot) => snapshot === undefined)
  await process.quiet()
  expect(await readSeries(metrics, 'stillpoint_snapshot_duration_seconds_count')).toEqual({ '{outcome="deleted"}': 1 })
})

test('a freeze that is refused counts each time', async () => {
  guest.freezeFailures = ['command Freeze failed']
  const source = await running()
  await takeSnapshot(bench, source)
  await until(source, ready)
  expect(await readOne(metrics, 'stillpoint_freeze_failures_total')).toBe(1)
  expect(await readSeries(metrics, 'stillpoint_freeze_window_seconds_count')).toEqual({ '{end="cut"}': 1 })
})

test.each([
  ['error', 'agent hangs'],
  ['limited', 'guest-fsfreeze-thaw: fsfreeze is limited up to 10 seconds'],
])('a thaw that fails counts once for its answer: %s', async (reason, text) => {
  guest.thawFailures = reason === 'limited' ? [text] : Array<string>(5).fill(text)
  const source = await running()
  await takeSnapshot(bench, source)
  await until(source, ready)
  expect(guest.frozen).toBe(false)
  const classes = { '{reason="limited"}': 0, '{reason="error"}': 0 }
  expect(await readSeries(metrics, 'stillpoint_thaw_failures_total')).toEqual({
    ...classes,
    [`{reason="${reason}"}`]: 1,
  })
  const { items } = await bench.client.list(VirtualMachineSnapshotContent, { namespace: source.namespace })
  expect(items).toHaveLength(1)
})
