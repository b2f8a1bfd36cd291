import { randomUUID } from 'node:crypto'
import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import type { ControllerContext, RunningController } from '../controller/context.ts'
import { Controller } from '../controller/controller.ts'
import { EventRecorder } from '../controller/events.ts'
import { PodUsage } from '../controller/pod-usage.ts'
import { ContentReconciler } from './content-reconciler.ts'
import { CutWatch } from './cut-watch.ts'
import { expiryController } from './expiry-controller.ts'
import { SnapshotReconciler } from './snapshot-reconciler.ts'
import { VolumeStatusReconciler } from './volume-statuses.ts'
import { vmsUsing, watchWorld } from './world.ts'

/** A cut keeps its worker for as long as the guest is frozen, so there are more of them than usual. */
const contentWorkers = 16
const snapshotWorkers = 6

/** Takes snapshots of virtual machines, deletes those that have expired, and keeps `status.volumeSnapshotStatuses` of every VM. */
export function snapshotControllers(context: ControllerContext): RunningController {
  const { informers, client, queues } = context
  const log = context.log.child({ area: 'snapshot' })
  const world = watchWorld(informers)
  const events = new EventRecorder(client, 'snapshot-controller', log)
  const holder = randomUUID()
  const cuts = new CutWatch(client, world, log)
  const shared = { context: { ...context, log }, world, events }
  const contentsOf = new ContentReconciler({ ...shared, cuts, holder })
  const snapshotsOf = new SnapshotReconciler({ ...shared, pods: new PodUsage(client), holder })
  const statusesOf = new VolumeStatusReconciler({ context, world })
  const contents = new Controller({
    name: 'snapshot-content',
    reconcile: (key) => contentsOf.reconcile(key),
    workers: contentWorkers,
    log,
    queues,
  })
  const snapshots = new Controller({
    name: 'snapshot',
    reconcile: (key) => snapshotsOf.reconcile(key),
    workers: snapshotWorkers,
    log,
    queues,
  })
  const statuses = new Controller({
    name: 'volume-snapshot-status',
    reconcile: (key) => statusesOf.reconcile(key),
    log,
    queues,
  })
  const expiries = expiryController(shared)

  // A VM changes often and may have many snapshots: those that are done with it, and it with them, are left in peace.
  const wakeVm = (key: string): void => {
    const holder = world.vms.get(key)?.status?.snapshotInProgress
    for (const snapshot of world.snapshots.byIndex('snapshot:source', key))
      if (!isFinished(snapshot) || snapshot.metadata.deletionTimestamp || snapshot.metadata.name === holder)
        snapshots.enqueue(keyOf(snapshot))
    for (const content of world.contents.byIndex('snapshot:vm', key))
      if (!content.status?.creationTime || content.metadata.deletionTimestamp) contents.enqueue(keyOf(content))
  }
  const wakeWaiting = ({ metadata, spec }: VirtualMachineSnapshot): void => {
    for (const waiting of world.snapshots.byIndex('snapshot:source', `${metadata.namespace}/${spec.source.name}`))
      if (!isFinished(waiting) && waiting.metadata.uid !== metadata.uid) snapshots.enqueue(keyOf(waiting))
  }
  const wakeClaim = (namespace: string | undefined, claim: string): void => {
    for (const vm of vmsUsing(world, namespace, claim)) {
      wakeVm(vm)
      statuses.enqueue(vm)
    }
  }
  const wakeUnfinished = (): void => {
    for (const snapshot of world.snapshots.list()) if (!isFinished(snapshot)) snapshots.enqueue(keyOf(snapshot))
    for (const content of world.contents.list()) if (!content.status?.creationTime) contents.enqueue(keyOf(content))
    for (const vm of world.vms.list()) statuses.enqueue(keyOf(vm))
  }

  world.snapshots.onChange(({ object }) => {
    snapshots.enqueue(keyOf(object))
    contents.enqueue(`${object.metadata.namespace}/${contentName(uidOf(object))}`)
    // Who waits for the same VM may be the next in line now.
    if (isFinished(object) || object.metadata.deletionTimestamp) wakeWaiting(object)
  })
  world.restores.onChange(({ object }) =>
    snapshots.enqueue(`${object.metadata.namespace}/${object.spec.virtualMachineSnapshotName}`),
  )
  world.contents.onChange(({ object }) => {
    contents.enqueue(keyOf(object))
    snapshots.enqueue(`${object.metadata.namespace}/${object.spec.virtualMachineSnapshotName}`)
  })
  world.volumeSnapshots.onChange(({ object }) => {
    const owner = object.metadata.ownerReferences?.find(({ controller }) => controller)
    if (owner?.kind === 'VirtualMachineSnapshotContent') contents.enqueue(`${object.metadata.namespace}/${owner.name}`)
  })
  world.vms.onChange(({ object }) => {
    wakeVm(keyOf(object))
    statuses.enqueue(keyOf(object))
  })
  world.vmis.onChange(({ object }) => wakeVm(keyOf(object)))
  world.claims.onChange(({ object }) => wakeClaim(object.metadata.namespace, object.metadata.name))
  world.dataVolumes.onChange(({ object }) => wakeClaim(object.metadata.namespace, object.metadata.name))
  world.snapshotClasses.onChange(wakeUnfinished)
  world.storageClasses.onChange(wakeUnfinished)
  world.profiles.onChange(wakeUnfinished)

  return {
    close: async () => {
      await Promise.all([snapshots.close(), contents.close(), statuses.close(), expiries.close()])
      await events.flush()
    },
  }
}

function isFinished({ status }: VirtualMachineSnapshot): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}
