import { keyOf } from '@stillpoint/api/meta/object-meta'
import type { PersistentVolume } from '@stillpoint/api/storage/kinds'
import type { ControllerContext, RunningController } from '../controller/context.ts'
import { Controller } from '../controller/controller.ts'
import { EventRecorder } from '../controller/events.ts'
import { PodUsage } from '../controller/pod-usage.ts'
import { RestoreReconciler } from './restore-reconciler.ts'
import { restoreOfRetained } from './retained.ts'
import { restoreKeys, watchWorld } from './world.ts'

/** Restores virtual machines from their snapshots. */
export function restoreControllers(context: ControllerContext): RunningController {
  const log = context.log.child({ area: 'restore' })
  const world = watchWorld(context.informers)
  const events = new EventRecorder(context.client, 'restore-controller', log)
  const pods = new PodUsage(context.client)
  const reconciler = new RestoreReconciler({ context: { ...context, log }, world, events, pods })
  const controller = new Controller({
    name: 'restore',
    reconcile: (key) => reconciler.reconcile(key),
    log,
    queues: context.queues,
  })

  // Everything a restore can wait for wakes it.
  const wake = (index: string, key: string): void => {
    for (const restore of world.restores.byIndex(index, key)) controller.enqueue(keyOf(restore))
  }
  world.restores.onChange(({ object }) => controller.enqueue(keyOf(object)))
  world.vms.onChange(({ object }) => wake('restore:target', keyOf(object)))
  world.vmis.onChange(({ object }) => wake('restore:target', keyOf(object)))
  world.snapshots.onChange(({ object }) => wake('restore:snapshot', keyOf(object)))
  world.contents.onChange(({ object: { metadata, spec } }) =>
    wake('restore:snapshot', `${metadata.namespace}/${spec.virtualMachineSnapshotName}`),
  )
  world.volumeSnapshots.onChange(({ object }) => wake('restore:volume-snapshot', keyOf(object)))
  for (const informer of [world.claims, world.dataVolumes])
    informer.onChange(({ object }) => {
      const [restore] = restoreKeys(object)
      if (restore !== undefined) controller.enqueue(restore)
      wake('restore:claim', keyOf(object))
    })
  const wakeRetaining = (volume: PersistentVolume | undefined): void => {
    const restore = volume && restoreOfRetained(volume)
    if (restore !== undefined) controller.enqueue(restore)
  }
  world.volumes.onChange(({ object }) => wakeRetaining(object))
  // A claim that comes back bears no mark of the restore, which may have lost the list that names it.
  world.claims.onChange(({ object }) => wakeRetaining(world.volumes.get(object.spec?.volumeName ?? '')))
  world.storageClasses.onChange(() => {
    for (const restore of world.restores.list()) if (!restore.status?.complete) controller.enqueue(keyOf(restore))
  })

  return {
    close: async () => {
      await controller.close()
      await events.flush()
    },
  }
}
