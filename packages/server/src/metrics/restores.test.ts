import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import { bootVm, FakeStorage } from '../controller/testing/fake-guest.ts'
import {
  type SeededVm,
  seedClaim,
  seedSnapshot,
  seedStorage,
  seedVm,
  startRestore,
} from '../controller/testing/seeds.ts'
import { restoreControllers } from '../restore/controllers.ts'
import { Metrics } from './metrics.ts'
import { queueMetrics } from './queues.ts'
import { measureRestores } from './restores.ts'
import { readOne, readSeries } from './testing/series.ts'

let bench: Bench
let storage: FakeStorage
let metrics: Metrics
let process: Process

async function start(): Promise<void> {
  metrics = new Metrics()
  const queues = queueMetrics(metrics)
  process = await bench.run((context) => {
    const controllers = [restoreControllers({ ...context, queues })]
    measureRestores(context.informers, metrics, context.now)
    return controllers
  })
}

beforeAll(async () => {
  bench = await startBench({ admission: snapshotAdmission })
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
})
afterAll(async () => {
  await storage.close()
  await bench.close()
})
beforeEach(start)
afterEach(() => process.stop())

type Restore = VirtualMachineRestore | undefined
const until = <T>({ namespace }: SeededVm, holds: (restore: Restore) => T | undefined | false) =>
  bench.until(VirtualMachineRestore, { namespace, name: 'back' }, holds)
const failed = (restore: Restore) => restore?.status?.conditions?.some(({ type }) => type === 'Failure')
const counts = () => readSeries(metrics, 'stillpoint_restore_duration_seconds_count')

async function snapshotted(): Promise<SeededVm> {
  const source = await seedVm(bench)
  await seedSnapshot(bench, source.vm)
  return source
}

test('a restore is measured once, and not again by another process', async () => {
  const source = await snapshotted()
  await startRestore(bench, source)
  await until(source, (restore) => restore?.status?.complete)
  expect(await counts()).toEqual({ '{outcome="complete"}': 1 })
  expect(await readOne(metrics, 'workqueue_adds_total{name="virt-controller-restore-vmrestore"}')).toBeGreaterThan(0)
  await process.stop()
  await start()
  expect(await counts()).toEqual({})
})

const failing = { type: 'Failure', status: 'True', reason: 'for a reason nobody has heard of' } as const

test.each(['target_running', 'claim_taken', 'other'])('a failure counts under its class: %s', async (reason) => {
  const source = await snapshotted()
  const { namespace } = source
  if (reason === 'target_running') await bootVm(bench, source)
  if (reason === 'claim_taken') await seedClaim(bench, namespace, 'mine')
  await startRestore(bench, source, {
    targetReadinessPolicy: 'FailImmediate',
    ...(reason === 'claim_taken' ? { volumeRestoreOverrides: [{ volumeName: 'root', restoreName: 'mine' }] } : {}),
    ...(reason === 'other' ? { from: 'nothing' } : {}),
  })
  if (reason === 'other') {
    const { status } = await until(source, (restore) => restore?.status?.conditions && restore)
    const conditions = [...(status?.conditions ?? []), failing]
    const ref = { namespace, name: 'back' }
    await bench.client.patch(VirtualMachineRestore, ref, { status: { conditions } }, { subresource: 'status' })
  }
  await until(source, failed)
  await process.quiet()
  expect(await counts()).toEqual({ '{outcome="failed"}': 1 })
  const classes = { '{reason="target_running"}': 0, '{reason="claim_taken"}': 0, '{reason="other"}': 0 }
  expect(await readSeries(metrics, 'stillpoint_restore_failures_total')).toEqual({
    ...classes,
    [`{reason="${reason}"}`]: 1,
  })
})

test('a restore deleted before it is done counts as that', async () => {
  const source = await seedVm(bench)
  await startRestore(bench, source, { from: 'nothing' })
  await until(source, (restore) => restore?.status?.conditions?.length)
  await bench.client.delete(VirtualMachineRestore, { namespace: source.namespace, name: 'back' })
  await until(source, (restore) => restore === undefined)
  await process.quiet()
  expect(await counts()).toEqual({ '{outcome="deleted"}': 1 })
})
