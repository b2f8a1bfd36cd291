import { keyOf } from '@stillpoint/api/meta/object-meta'
import { VolumeSnapshot, VolumeSnapshotContent } from '@stillpoint/api/storage/kinds'
import { Controller } from '../../controller/controller.ts'
import { describeError } from '../../controller/describe-error.ts'
import { finalizerPatch, hasFinalizer } from '../../controller/finalizers.ts'
import type { Area } from '../area.ts'
import { contentFinalizer } from '../keys.ts'
import { plan } from './plan.ts'

/** Deletes the driver's snapshot when its VolumeSnapshotContent is deleted. */
export function contentController({ client, inventory, drivers, events, log, ready, queues }: Area): Controller {
  const reconcile = async (name: string): Promise<undefined> => {
    await ready()
    const content = inventory.contents.get(name)
    if (!content || content.metadata.deletionTimestamp === undefined) return
    const { volumeSnapshotRef: owner, driver, deletionPolicy: policy } = content.spec
    // Read live: what follows destroys data.
    const snapshot =
      owner.name === undefined
        ? undefined
        : await client.find(VolumeSnapshot, { namespace: owner.namespace, name: owner.name })
    const snapshotId = content.status?.snapshotHandle ?? content.spec.source.snapshotHandle
    const step = plan({
      deleting: true,
      protected: hasFinalizer(content, contentFinalizer),
      policy,
      owned: snapshot !== undefined && (owner.uid === undefined || owner.uid === snapshot.metadata.uid),
      ...(snapshotId === undefined ? {} : { snapshotId }),
    })
    switch (step.do) {
      case 'nothing':
        return
      case 'delete-snapshot':
        try {
          await drivers.get(driver).deleteSnapshot(step.snapshotId)
        } catch (error) {
          events.event(content, 'Warning', 'SnapshotDeleteError', `Failed to delete snapshot: ${describeError(error)}`)
          throw error
        }
        log.info({ content: name, snapshot: step.snapshotId }, 'snapshot deleted')
        break
      case 'release':
        break
      default:
        step satisfies never
    }
    const patch = finalizerPatch(content, contentFinalizer, 'remove')
    inventory.contents.note(await client.patch(VolumeSnapshotContent, { name }, patch))
  }
  const controller = new Controller({ name: 'volume-snapshot-content', reconcile, log, queues })
  inventory.contents.onChange(({ object }) => controller.enqueue(object.metadata.name))
  inventory.snapshots.onChange(({ type, object }) => {
    if (type !== 'deleted') return
    const key = keyOf(object)
    for (const { metadata, spec } of inventory.contents.list())
      if (`${spec.volumeSnapshotRef.namespace}/${spec.volumeSnapshotRef.name}` === key)
        controller.enqueue(metadata.name)
  })
  return controller
}
