import { snapshotNameOf } from '@stillpoint/api/clone/names'
import { keyOf } from '@stillpoint/api/meta/object-meta'
import type { VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { Controller } from '../controller/controller.ts'
import { type ExpiryOptions, ExpiryReconciler } from './expiry-reconciler.ts'
import { indexUsers, snapshotsOf, volumeSnapshotOf } from './snapshot-users.ts'

/** Deletes snapshots when the time in their annotation `expires-at` has passed. */
export function expiryController(options: ExpiryOptions): Controller {
  const { context, world } = options
  const reconciler = new ExpiryReconciler(options)
  const controller = new Controller({
    name: 'snapshot-expiry',
    reconcile: (key) => reconciler.reconcile(key),
    log: context.log,
    queues: context.queues,
  })
  indexUsers(world)
  const wakeOwner = ({ metadata, spec }: VirtualMachineSnapshotContent): void =>
    controller.enqueue(`${metadata.namespace}/${spec.virtualMachineSnapshotName}`)

  world.snapshots.onChange(({ object }) => controller.enqueue(keyOf(object)))
  // Everything that keeps an expired snapshot wakes it when it ends.
  world.restores.onChange(({ object }) => {
    for (const name of snapshotsOf(object)) controller.enqueue(`${object.metadata.namespace}/${name}`)
  })
  world.clones.onChange(({ object }) => controller.enqueue(`${object.metadata.namespace}/${snapshotNameOf(object)}`))
  world.claims.onChange(({ object }) => {
    const source = volumeSnapshotOf(object)
    if (source !== undefined)
      for (const content of world.contents.byIndex('users:member', `${object.metadata.namespace}/${source}`))
        wakeOwner(content)
  })
  world.contents.onChange(({ object }) => wakeOwner(object))
  return controller
}
