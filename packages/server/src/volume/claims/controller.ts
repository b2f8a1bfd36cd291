import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { keyOf } from '@stillpoint/api/meta/object-meta'
import { dataSourceOf } from '@stillpoint/api/storage/data-source'
import { PersistentVolumeClaim, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { Controller } from '../../controller/controller.ts'
import type { Area } from '../area.ts'
import { claimsOfInstance, claimsOfMachine } from '../inventory.ts'
import { News } from '../news.ts'
import { observe } from './observe.ts'
import { perform } from './perform.ts'
import { plan } from './plan.ts'

export interface ClaimHooks {
  /** Ends what is being written into the volume of a claim and gives the volume back. */
  abandonFill(claimUid: string): Promise<void>
}

/** Waiting claims are looked at again now and then: what they wait for may be the driver's to give. */
const recheckMs = 60_000
const staleRetryMs = 200

/** PersistentVolumeClaim → a volume of the CSI driver, a PersistentVolume, and the two bound. */
export function claimController(area: Area, { abandonFill }: ClaimHooks): Controller {
  const { client, inventory, drivers, log, now } = area
  const told = new News(recheckMs / 2, now)

  const reconcile = async (key: string): Promise<{ requeueAfterMs: number } | undefined> => {
    await area.ready()
    const claim = inventory.claims.get(key)
    if (!claim) {
      told.forget(key)
      return
    }
    const step = plan(observe(claim, inventory, drivers))
    if (step.do === 'nothing') return
    log[step.do === 'wait' ? 'debug' : 'info']({ claim: key, ...step }, 'planned')
    if (step.do === 'wait' && !told.isNews(key, `${step.reason}: ${step.message}`)) return { requeueAfterMs: recheckMs }
    if (step.do === 'unprotect') {
      await catchUp(claim.metadata.namespace)
      if (plan(observe(claim, inventory, drivers)).do !== 'unprotect') return { requeueAfterMs: staleRetryMs }
    }
    if (step.do === 'discard') await abandonFill(claim.metadata.uid ?? '')
    await perform(step, claim, area)
    return step.do === 'wait' ? { requeueAfterMs: recheckMs } : undefined
  }

  // The caches of two resources do not run in step: a machine, a snapshot or a clone that was created before the
  // deletion of a claim may be seen after it.
  const catchUp = async (namespace = 'default'): Promise<void> => {
    const [instances, snapshots, claims] = await Promise.all([
      client.list(VirtualMachineInstance, { namespace }),
      client.list(VolumeSnapshot, { namespace }),
      client.list(PersistentVolumeClaim),
    ])
    for (const instance of instances.items) inventory.instances.note(instance)
    for (const snapshot of snapshots.items) inventory.snapshots.note(snapshot)
    for (const other of claims.items) inventory.claims.note(other)
  }

  const controller = new Controller({ name: 'volume-claim', reconcile, workers: 8, log, queues: area.queues })
  const enqueueAll = (claims: readonly Parameters<typeof keyOf>[0][]): void => {
    for (const claim of claims) controller.enqueue(keyOf(claim))
  }
  const unbound = () => inventory.claims.list().filter(({ spec }) => !spec?.volumeName)

  inventory.claims.onChange(({ object, old }) => {
    controller.enqueue(keyOf(object))
    enqueueAll(inventory.claims.byIndex('volume/source', `PersistentVolumeClaim/${keyOf(object)}`))
    // A source that waits to be deleted until its clone is made.
    for (const each of [object, ...(old ? [old] : [])]) {
      const source = dataSourceOf(each.spec)
      if (source?.kind === 'PersistentVolumeClaim')
        controller.enqueue(`${source.namespace ?? each.metadata.namespace}/${source.name}`)
    }
  })
  inventory.volumes.onChange(({ object }) => {
    const { namespace, name } = object.spec?.claimRef ?? {}
    if (namespace !== undefined && name !== undefined) controller.enqueue(`${namespace}/${name}`)
    // Also those that wait for it, whoever it belonged to until now.
    enqueueAll(inventory.claims.byIndex('volume/name', object.metadata.name))
  })
  inventory.classes.onChange(() => enqueueAll(unbound()))
  inventory.snapshots.onChange(({ object }) => {
    enqueueAll(inventory.claims.byIndex('volume/source', `VolumeSnapshot/${keyOf(object)}`))
    const source = object.spec.source.persistentVolumeClaimName
    if (source !== undefined) controller.enqueue(`${object.metadata.namespace}/${source}`)
  })
  inventory.contents.onChange(({ object }) => {
    const { namespace, name } = object.spec.volumeSnapshotRef
    enqueueAll(inventory.claims.byIndex('volume/source', `VolumeSnapshot/${namespace}/${name}`))
  })
  inventory.instances.onChange(({ object, old }) => {
    for (const key of new Set([object, old ?? object].flatMap(claimsOfInstance))) controller.enqueue(key)
  })
  inventory.machines.onChange(({ object, old }) => {
    for (const key of new Set([object, old ?? object].flatMap(claimsOfMachine))) controller.enqueue(key)
  })
  return controller
}
