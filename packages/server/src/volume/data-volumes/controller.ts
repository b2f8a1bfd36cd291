import { isDeepStrictEqual } from 'node:util'
import { keyOf, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { populatedForAnnotation } from '@stillpoint/api/snapshot/keys'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { withCondition } from '../../controller/conditions.ts'
import { Controller } from '../../controller/controller.ts'
import { refOf } from '../../kube/client.ts'
import type { Area } from '../area.ts'
import { createdForDataVolumeAnnotation } from '../keys.ts'
import { observe } from './observe.ts'
import { plan, type Report } from './plan.ts'

/** DataVolume → a claim, and a status that tells how far its filling is. */
export function dataVolumeController(area: Area): Controller {
  const { client, inventory, drivers, events, log, now } = area

  const reconcile = async (key: string): Promise<undefined> => {
    await area.ready()
    const dataVolume = inventory.dataVolumes.get(key)
    if (!dataVolume) return
    const { step, report } = plan(observe(dataVolume, inventory, drivers))
    if (step?.do === 'create-claim') await createClaim(dataVolume, step.claim)
    else if (step?.do === 'adopt') await adopt(dataVolume, key)
    if (step) log.info({ dataVolume: key, step: step.do }, 'planned')
    if (report) await writeReport(dataVolume, report)
  }

  const createClaim = async (dataVolume: DataVolume, claim: PersistentVolumeClaim): Promise<void> => {
    try {
      inventory.claims.note(await client.create(PersistentVolumeClaim, claim))
    } catch (error) {
      if (isAlreadyExists(error)) throw error
      events.event(dataVolume, 'Warning', 'ErrClaimNotValid', `PVC ${claim.metadata.name}: ${(error as Error).message}`)
      throw error
    }
  }

  const adopt = async (dataVolume: DataVolume, key: string): Promise<void> => {
    const claim = inventory.claims.get(key)
    if (!claim) return
    const { uid, resourceVersion, ownerReferences = [] } = claim.metadata
    const metadata = {
      uid,
      resourceVersion,
      ownerReferences: [...ownerReferences, ownedBy(dataVolume)],
      annotations: {
        [createdForDataVolumeAnnotation]: uidOf(dataVolume),
        [populatedForAnnotation]: dataVolume.metadata.name,
      },
    }
    inventory.claims.note(await client.patch(PersistentVolumeClaim, refOf(claim), { metadata }))
  }

  const writeReport = async (dataVolume: DataVolume, report: Report): Promise<void> => {
    const { event, conditions, ...facts } = report
    const before = dataVolume.status ?? {}
    const list = conditions.reduce((all, each) => withCondition(all, each, now()), before.conditions ?? [])
    const status = { ...facts, conditions: list }
    const { phase, progress, restartCount, claimName } = before
    const known = {
      phase,
      progress,
      restartCount,
      ...(claimName === undefined ? {} : { claimName }),
      conditions: before.conditions,
    }
    if (isDeepStrictEqual(known, status)) return
    const patch = { metadata: { uid: dataVolume.metadata.uid }, status }
    inventory.dataVolumes.note(await client.patch(DataVolume, refOf(dataVolume), patch, { subresource: 'status' }))
    if (event && (facts.phase !== phase || event.type === 'Warning'))
      events.event(dataVolume, event.type, event.reason, event.message)
  }

  const controller = new Controller({ name: 'data-volume', reconcile, log, queues: area.queues })
  const enqueueBySource = (kind: string, key: string): void => {
    for (const each of inventory.dataVolumes.byIndex('volume/source', `${kind}/${key}`)) controller.enqueue(keyOf(each))
  }
  inventory.dataVolumes.onChange(({ object }) => controller.enqueue(keyOf(object)))
  inventory.claims.onChange(({ object }) => {
    controller.enqueue(keyOf(object))
    enqueueBySource('PersistentVolumeClaim', keyOf(object))
  })
  inventory.snapshots.onChange(({ object }) => enqueueBySource('VolumeSnapshot', keyOf(object)))
  const enqueueUnfinished = (): void => {
    for (const each of inventory.dataVolumes.list())
      if (each.status?.phase !== 'Succeeded') controller.enqueue(keyOf(each))
  }
  inventory.classes.onChange(enqueueUnfinished)
  inventory.profiles.onChange(enqueueUnfinished)
  inventory.instances.onChange(({ type }) => {
    if (type !== 'modified') enqueueUnfinished()
  })
  return controller
}
