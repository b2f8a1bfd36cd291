import { keyOf } from '@stillpoint/api/meta/object-meta'
import type { ControllerContext, RunningController } from '../controller/context.ts'
import { Controller } from '../controller/controller.ts'
import { EventRecorder } from '../controller/events.ts'
import { CloneReconciler } from './clone-reconciler.ts'
import { restoreKeys, watchWorld } from './world.ts'

/** Makes copies of virtual machines, by a snapshot and a restore of its own. */
export function cloneControllers(context: ControllerContext): RunningController {
  const log = context.log.child({ area: 'clone' })
  const world = watchWorld(context.informers)
  const events = new EventRecorder(context.client, 'clone-controller', log)
  const reconciler = new CloneReconciler({ context: { ...context, log }, world, events })
  const controller = new Controller({
    name: 'clone',
    reconcile: (key) => reconciler.reconcile(key),
    log,
    queues: context.queues,
  })

  // Everything a clone can wait for wakes it.
  const wake = (index: string, key: string): void => {
    for (const clone of world.clones.byIndex(index, key)) controller.enqueue(keyOf(clone))
  }
  world.clones.onChange(({ object }) => controller.enqueue(keyOf(object)))
  world.vms.onChange(({ object }) => wake('clone:vm', keyOf(object)))
  world.snapshots.onChange(({ object }) => wake('clone:snapshot', keyOf(object)))
  world.contents.onChange(({ object: { metadata, spec } }) =>
    wake('clone:snapshot', `${metadata.namespace}/${spec.virtualMachineSnapshotName}`),
  )
  world.restores.onChange(({ object }) => wake('clone:restore', keyOf(object)))
  world.claims.onChange(({ object }) => {
    for (const restore of restoreKeys(object)) wake('clone:restore', restore)
  })

  return {
    close: async () => {
      await controller.close()
      await events.flush()
    },
  }
}
