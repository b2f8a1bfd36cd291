import { keyOf } from '@stillpoint/api/meta/object-meta'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { rfc3339 } from '../../controller/conditions.ts'
import { Controller } from '../../controller/controller.ts'
import { describeError } from '../../controller/describe-error.ts'
import { finalizerPatch, hasFinalizer } from '../../controller/finalizers.ts'
import type { Area } from '../area.ts'
import { bindCompletedAnnotation, provisionedByAnnotation, volumeFinalizer } from '../keys.ts'
import { type Observed, type Phase, plan } from './plan.ts'

/** PersistentVolumes: their phase, and the end of those whose claim is gone. */
export function volumeController(area: Area): Controller {
  const { client, inventory, drivers, events, log, now } = area

  const reconcile = async (name: string): Promise<undefined> => {
    await area.ready()
    const volume = inventory.volumes.get(name)
    if (!volume) return
    const step = plan(observe(volume, area))
    if (step.do === 'nothing') return
    log.info({ volume: name, ...step }, 'planned')
    switch (step.do) {
      case 'report':
        return setPhase(volume, step.phase)
      case 'reclaim':
        return reclaim(volume)
      case 'unprotect':
        return unprotect(volume)
      default:
        step satisfies never
    }
  }

  const reclaim = async (seen: PersistentVolume): Promise<undefined> => {
    // Read live: what follows destroys data. The policy may have been changed before the claim was deleted, and the
    // news of both come on different ways.
    const volume = await client.find(PersistentVolume, { name: seen.metadata.name })
    if (!volume || volume.metadata.uid !== seen.metadata.uid) return
    inventory.volumes.note(volume)
    if (plan(observe(volume, area)).do !== 'reclaim') return
    const { claimRef, csi } = volume.spec ?? {}
    if (claimRef?.name !== undefined) {
      const claim = await client.find(PersistentVolumeClaim, { namespace: claimRef.namespace, name: claimRef.name })
      if (claim && claim.metadata.uid === claimRef.uid) return
    }
    try {
      await drivers.get(csi?.driver ?? '').deleteVolume(csi?.volumeHandle ?? '')
    } catch (error) {
      const message = describeError(error)
      events.event(volume, 'Warning', 'VolumeFailedDelete', message)
      await setPhase(volume, 'Failed', message)
      throw error
    }
    const { name, uid } = volume.metadata
    await client.delete(PersistentVolume, { name }, uid === undefined ? {} : { uid })
    return unprotect(volume)
  }

  const unprotect = async (volume: PersistentVolume): Promise<undefined> => {
    const { name } = volume.metadata
    const current = await client.find(PersistentVolume, { name })
    if (!current || current.metadata.uid !== volume.metadata.uid) return
    const patch = finalizerPatch(current, volumeFinalizer, 'remove')
    if (patch.length > 0) await client.patch(PersistentVolume, { name }, patch)
  }

  const setPhase = async (volume: PersistentVolume, phase: Phase, message?: string): Promise<undefined> => {
    const { name, uid } = volume.metadata
    if (volume.status?.phase === phase && volume.status.message === message) return
    const status = {
      phase,
      message: message ?? null,
      ...(volume.status?.phase === phase ? {} : { lastPhaseTransitionTime: rfc3339(now()) }),
    }
    const patch = { metadata: { uid }, status }
    inventory.volumes.note(await client.patch(PersistentVolume, { name }, patch, { subresource: 'status' }))
  }

  const controller = new Controller({ name: 'volume', reconcile, log, queues: area.queues })
  inventory.volumes.onChange(({ object }) => controller.enqueue(object.metadata.name))
  inventory.claims.onChange(({ object }) => {
    for (const { metadata } of inventory.volumes.byIndex('volume/claimUid', object.metadata.uid ?? '\0'))
      controller.enqueue(metadata.name)
    if (object.spec?.volumeName) controller.enqueue(object.spec.volumeName)
  })
  return controller
}

function observe(volume: PersistentVolume, { inventory, drivers }: Area): Observed {
  const { metadata, spec, status } = volume
  const driver = spec?.csi?.driver
  return {
    ...(status?.phase === undefined ? {} : { phase: status.phase }),
    deleting: metadata.deletionTimestamp !== undefined,
    protected: hasFinalizer(volume, volumeFinalizer),
    policy: spec?.persistentVolumeReclaimPolicy === 'Delete' ? 'Delete' : 'Retain',
    ours: driver !== undefined && metadata.annotations?.[provisionedByAnnotation] === driver && drivers.has(driver),
    claim: claimState(volume, inventory),
  }
}

function claimState({ metadata, spec }: PersistentVolume, inventory: Area['inventory']): Observed['claim'] {
  const { name, namespace, uid } = spec?.claimRef ?? {}
  if (name === undefined || namespace === undefined) return 'none'
  const claim = inventory.claims.get(keyOf({ metadata: { namespace, name } }))
  // Reserved by name only, for a claim that may still come.
  if (!uid) return 'none'
  if (!claim || claim.metadata.uid !== uid) return 'gone'
  const bound =
    claim.spec?.volumeName === metadata.name && claim.metadata.annotations?.[bindCompletedAnnotation] !== undefined
  return bound ? 'bound' : 'waiting'
}
