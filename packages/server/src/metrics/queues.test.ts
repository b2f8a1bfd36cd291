import pino from 'pino'
import { expect, test } from 'vitest'
import { Controller } from '../controller/controller.ts'
import { Metrics } from './metrics.ts'
import { queueMetrics } from './queues.ts'
import { readOne, readSeries } from './testing/series.ts'

const log = pino({ level: 'silent' })

test('a queue tells what waits, what is worked on and for how long', async () => {
  const metrics = new Metrics()
  let nowMs = 0
  const entered = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  const controller = new Controller({
    name: 'snapshot',
    log,
    workers: 1,
    queues: queueMetrics(metrics, () => nowMs),
    reconcile: async (key) => {
      if (key === 'ns/a') {
        entered.resolve()
        await leave.promise
      }
      return undefined
    },
  })
  const labels = '{name="virt-controller-snapshot-vmsnapshot"}'
  controller.enqueue('ns/a')
  controller.enqueue('ns/b')
  controller.enqueue('ns/b')
  await entered.promise
  nowMs = 2_000
  expect(await readSeries(metrics, 'workqueue_depth')).toEqual({ [labels]: 1 })
  expect(await readSeries(metrics, 'workqueue_adds_total')).toEqual({ [labels]: 2 })
  expect(await readSeries(metrics, 'workqueue_unfinished_work_seconds')).toEqual({ [labels]: 2 })
  leave.resolve()
  await controller.close()
  expect(await readOne(metrics, `workqueue_work_duration_seconds_sum${labels}`)).toBe(2)
  expect(await readSeries(metrics, 'workqueue_unfinished_work_seconds')).toEqual({ [labels]: 0 })
  expect(await readSeries(metrics, 'workqueue_depth')).toEqual({ [labels]: 0 })
  expect(await readOne(metrics, `workqueue_queue_duration_seconds_count${labels}`)).toBe(1)
})

test('a failure and a wish to look again are retries', async () => {
  const metrics = new Metrics()
  const done = Promise.withResolvers<void>()
  let passes = 0
  const controller = new Controller({
    name: 'anything',
    log,
    queues: queueMetrics(metrics),
    reconcile: async () => {
      passes += 1
      if (passes === 1) throw new Error('not yet')
      if (passes === 2) return { requeueAfterMs: 1 }
      done.resolve()
      return undefined
    },
  })
  controller.enqueue('a')
  await done.promise
  await controller.close()
  expect(await readSeries(metrics, 'workqueue_retries_total')).toEqual({ '{name="anything"}': 2 })
  expect(await readSeries(metrics, 'workqueue_adds_total')).toEqual({ '{name="anything"}': 3 })
})
