import { keyOf } from '@stillpoint/api/meta/object-meta'
import { dataSourceOf } from '@stillpoint/api/storage/data-source'
import type { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { Controller } from '../../controller/controller.ts'
import type { Area } from '../area.ts'
import { observe, unitOf } from './observe.ts'
import { perform } from './perform.ts'
import { plan } from './plan.ts'

const cutTimeoutMs = 20_000
const driverRetryMs = 1_000

/** VolumeSnapshot → a cut in the driver, and a VolumeSnapshotContent that names it. */
export function snapshotController(area: Area): Controller {
  const { client, inventory, drivers, events, log, now, headStartMs } = area
  const context = { client, inventory, drivers, events, now, cutTimeoutMs, headStartMs }

  const reconcile = async (key: string): Promise<{ requeueAfterMs: number } | undefined> => {
    await area.ready()
    const unit = observe(key, inventory, drivers, now())
    let requeueAfterMs = drivers.allKnown ? undefined : driverRetryMs
    for (const step of plan(unit.observed)) {
      if (step.do === 'wait') {
        requeueAfterMs = Math.min(step.recheckMs, requeueAfterMs ?? step.recheckMs)
        log.debug({ unit: key, because: step.because }, 'snapshot waits')
        continue
      }
      log.info({ unit: key, step: step.do, members: unit.observed.members.length }, 'planned')
      await perform(step, unit, context)
    }
    return requeueAfterMs === undefined ? undefined : { requeueAfterMs }
  }

  const controller = new Controller({ name: 'volume-snapshot', reconcile, workers: 8, log, queues: area.queues })
  const enqueue = (snapshot: VolumeSnapshot): void => controller.enqueue(unitOf(snapshot))
  const enqueueByClaim = (claimKey: string): void =>
    inventory.snapshots.byIndex('volume/claim', claimKey).forEach(enqueue)

  inventory.snapshots.onChange(({ object, old }) => {
    enqueue(object)
    // One that left its set leaves the others waiting for nothing.
    if (old) enqueue(old)
  })
  inventory.contents.onChange(({ object }) => {
    const { namespace, name } = object.spec.volumeSnapshotRef
    const snapshot = inventory.snapshots.get(`${namespace}/${name}`)
    if (snapshot) enqueue(snapshot)
  })
  inventory.claims.onChange(({ object }) => {
    enqueueByClaim(keyOf(object))
    const source = dataSourceOf(object.spec)
    if (source?.kind !== 'VolumeSnapshot') return
    const used = inventory.snapshots.get(`${source.namespace ?? object.metadata.namespace}/${source.name}`)
    if (used) enqueue(used)
  })
  inventory.snapshotClasses.onChange(() => {
    for (const snapshot of inventory.snapshots.list()) if (snapshot.status?.error !== undefined) enqueue(snapshot)
  })
  return controller
}
