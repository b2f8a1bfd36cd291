import { isDeepStrictEqual } from 'node:util'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { conditionOf } from '@stillpoint/api/meta/condition'
import { controllerOf, keyOf, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists, isConflict, isNotFound } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import {
  allowClaimAdoptionAnnotation,
  cleanupStateLabel,
  ownedByVmAnnotation,
  persistentStateLabel,
  prePopulatedAnnotation,
  restoredAnnotation,
  restoreFinalizer,
  restoreNameAnnotation,
  undoingAnnotation,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { backendVolumeName, hasEnded } from '@stillpoint/api/snapshot/rules'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { rfc3339, withCondition } from '../controller/conditions.ts'
import type { ControllerContext } from '../controller/context.ts'
import { describeError } from '../controller/describe-error.ts'
import type { EventRecorder } from '../controller/events.ts'
import { finalizerPatch } from '../controller/finalizers.ts'
import type { PodUsage } from '../controller/pod-usage.ts'
import { refOf } from '../kube/client.ts'
import { TransportError } from '../kube/transport.ts'
import {
  claimNamesOf,
  isRunning,
  madeDataVolumes,
  observeRestore,
  obsoleteObjects,
  type Pass,
  stateToMove,
} from './observe.ts'
import { applyPatches } from './patches.ts'
import { deletingReason, planRestore, type RestoreStep } from './restore-plan.ts'
import { isMadeBy, type RestoreEntry, restoredClaim } from './restored-volumes.ts'
import { retainedOf, retainPatch } from './retained.ts'
import { adoptRevisions, restoreRevisions } from './revisions.ts'
import { TargetStarter } from './start.ts'
import { newTarget, switchedTarget } from './target-definition.ts'
import { Turns } from './turns.ts'
import { releaseRetained, rollBack } from './undo.ts'
import type { World } from './world.ts'

type Restore = VirtualMachineRestore
type Status = NonNullable<Restore['status']>
type Requeue = { requeueAfterMs: number } | undefined

/** What is over sooner is not worth a word. */
const momentMs = 2_000
/** Everything waited for is watched; this is for what a watch cannot tell. */
const recheckMs = 30_000
/** What was changed or deleted is seen when its event is in; objects without a way back to the restore are looked for. */
const deletedRecheckMs = 1_000

export interface RestoreOptions {
  context: ControllerContext
  world: World
  events: EventRecorder
  pods: PodUsage
}

/** Takes one restore through its life. */
export class RestoreReconciler {
  readonly #options: RestoreOptions
  /** What was said last of those that wait, so that it is not said again at each look. */
  readonly #told = new Map<string, string>()
  readonly #starter: TargetStarter
  readonly #turns = new Turns()

  constructor(options: RestoreOptions) {
    this.#options = options
    this.#starter = new TargetStarter(options)
  }

  async reconcile(key: string): Promise<Requeue> {
    const { context, world } = this.#options
    const restore = world.restores.get(key)
    if (restore === undefined) {
      this.#told.delete(key)
      this.#starter.forget(key)
      return undefined
    }
    const startNotBefore = this.#starter.notBefore(key)
    const pass = await observeRestore(restore, { world, pods: this.#options.pods, now: context.now(), startNotBefore })
    const step = planRestore(pass.observed)
    context.log.debug({ restore: key, step: step.do }, 'planned')
    try {
      return await this.#perform(pass, step)
    } catch (error) {
      // What the API refuses is for a person to see; what only came between is tried again at once.
      if (!isConflict(error) && !(error instanceof TransportError))
        await this.#problem(pass.restore, describeError(error))
      throw error
    }
  }

  async #perform(pass: Pass, step: RestoreStep): Promise<Requeue> {
    const { context, world, events } = this.#options
    const { client } = context
    const { restore, target } = pass
    switch (step.do) {
      case 'initialise':
        await this.#writeStatus(restore, { complete: false }, both('Initializing VirtualMachineRestore', true))
        return undefined
      case 'own':
        await this.#own(restore, target)
        return undefined
      case 'waitForTarget': {
        const reason = waitReasons[step.policy] ?? powerOff
        const text =
          step.policy === 'StopTarget'
            ? reason
            : 'Restore target VMI still exists, please stop the restore target to proceed with restore'
        if (await this.#writeStatus(restore, {}, both(reason)))
          events.event(restore, 'Warning', 'RestoreTargetNotReady', text)
        return step.recheckMs === undefined ? undefined : { requeueAfterMs: step.recheckMs }
      }
      case 'stopTarget':
        if (await this.#writeStatus(restore, {}, both(waitReasons.StopTarget)))
          events.event(restore, 'Warning', 'RestoreTargetNotReady', waitReasons.StopTarget)
        if (target !== undefined) await this.#stop(target)
        return { requeueAfterMs: recheckMs }
      case 'fail':
        await this.#writeStatus(restore, {}, [
          ...both(step.reason),
          { type: 'Failure', status: true, reason: step.reason },
        ])
        events.event(restore, 'Warning', 'Operation failed', `VirtualMachineRestore failed ${step.reason}`)
        return undefined
      case 'problem':
        await this.#problem(restore, step.text)
        return { requeueAfterMs: recheckMs }
      case 'lock':
        if (target !== undefined) {
          const { resourceVersion } = target.metadata
          const patch = { metadata: { resourceVersion }, status: { restoreInProgress: restore.metadata.name } }
          await this.#turns.take(keyOf(target), () => this.#patchVmStatus(target, patch))
        }
        return undefined
      case 'planVolumes':
        await this.#writeStatus(
          restore,
          { restores: step.entries },
          progress('Creating new PVCs', 'Waiting for new PVCs'),
        )
        return undefined
      case 'createClaims':
        await Promise.all(step.entries.map((entry) => this.#createClaim(pass, entry)))
        return undefined
      case 'replaceClaim':
        if (await this.#started(restore)) return { requeueAfterMs: deletedRecheckMs }
        await this.#replaceClaim(restore, step.entry)
        return undefined
      case 'createDataVolumes':
        for (const name of step.names) await this.#createDataVolume(pass, name)
        return undefined
      case 'noteObsolete':
        await this.#writeStatus(
          restore,
          { deletedDataVolumes: step.names },
          progress('Updating target spec', 'Waiting for target update'),
        )
        return undefined
      case 'switchTarget':
        if (await this.#started(restore)) return { requeueAfterMs: deletedRecheckMs }
        await this.#switchTarget(pass)
        return undefined
      case 'handOver':
        await this.#handOver(pass)
        return { requeueAfterMs: deletedRecheckMs }
      case 'deleteObsolete':
        if (target !== undefined)
          for (const object of obsoleteObjects(world, restore, target))
            await client.delete(object.kind === 'DataVolume' ? DataVolume : PersistentVolumeClaim, refOf(object), {
              uid: uidOf(object),
            })
        await releaseRetained(this.#options, pass, { keepData: false })
        return { requeueAfterMs: deletedRecheckMs }
      case 'unlock':
        if (target !== undefined) {
          const { resourceVersion } = target.metadata
          await this.#patchVmStatus(target, {
            metadata: { resourceVersion },
            status: { restoreInProgress: null, memoryDumpRequest: null },
          })
        }
        return undefined
      case 'complete':
        await this.#complete(pass)
        return undefined
      case 'record':
        await this.#record(restore, step.history)
        return undefined
      case 'noteStrategy':
      case 'setStrategy':
      case 'requestStart':
      case 'settleStart':
      case 'waitToStart':
        // KubeVirt takes a start from anybody, whoever has locked the VM since it was looked at.
        return await this.#turns.take(`${restore.metadata.namespace}/${restore.spec.target.name}`, () =>
          this.#starter.perform(pass, step),
        )
      case 'discard':
        await this.#discard(pass)
        return { requeueAfterMs: deletedRecheckMs }
      case 'fence':
        await this.#annotateTarget(target, uidOf(restore))
        return undefined
      case 'unfence':
        await this.#annotateTarget(target, null)
        return undefined
      case 'removeRestored':
      case 'rebind':
      case 'claimAgain':
      case 'releaseRolledBack':
        await rollBack(this.#options, pass, step)
        return { requeueAfterMs: deletedRecheckMs }
      case 'releaseRetained':
        await releaseRetained(this.#options, pass, step)
        // A volume without its note leads to no restore any more.
        return { requeueAfterMs: deletedRecheckMs }
      case 'writeDeleting':
        await this.#writeStatus(restore, {}, both(deletingReason))
        return undefined
      case 'removeFinalizer':
        if (await this.#stillLocked(restore)) return { requeueAfterMs: deletedRecheckMs }
        try {
          world.restores.note(
            await client.patch(
              VirtualMachineRestore,
              refOf(restore),
              finalizerPatch(restore, restoreFinalizer, 'remove'),
            ),
          )
        } catch (error) {
          // Gone already, and the watch is behind.
          if (!isNotFound(error)) throw error
        }
        return undefined
      case 'wait':
        if (step.progressing === undefined || step.ready === undefined) return undefined
        await this.#writeStatus(restore, {}, progress(step.progressing, step.ready))
        return this.#tellWait(pass)
      default:
        return step satisfies never
    }
  }

  /** Names what is waited for, once it is more than a moment. */
  #tellWait({ restore, observed }: Pass): Requeue {
    const { context, events } = this.#options
    const since = conditionOf(restore.status?.conditions, 'Progressing')?.lastTransitionTime
    const leftMs = Date.parse(since ?? '') + momentMs - context.now().getTime()
    if (leftMs > 0) return { requeueAfterMs: leftMs }
    const claims = observed.claims
      .filter(({ claim, phase }) => claim === 'deleting' || phase !== 'Bound')
      .map(({ entry }) => entry.persistentVolumeClaim)
    const dataVolumes = observed.dataVolumes.filter(({ settled }) => !settled).map(({ name }) => name)
    const text =
      claims.length > 0
        ? `Waiting for PVC ${claims.join(', ')}: see kubectl describe pvc ${claims[0]}`
        : `Waiting for DataVolume ${dataVolumes.join(', ')}: see kubectl describe datavolume ${dataVolumes[0]}`
    if (claims.length + dataVolumes.length === 0 || this.#told.get(keyOf(restore)) === text) return undefined
    this.#told.set(keyOf(restore), text)
    events.event(restore, 'Normal', 'WaitingForVolumes', text)
    return undefined
  }

  async #own(restore: Restore, target: VirtualMachine | undefined): Promise<void> {
    const { context, world } = this.#options
    const { resourceVersion, uid, finalizers = [], ownerReferences = [] } = restore.metadata
    const owners = target !== undefined && ownerReferences.length === 0 ? [ownedBy(target)] : ownerReferences
    const patch = {
      metadata: {
        uid,
        resourceVersion,
        finalizers: [...new Set([...finalizers, restoreFinalizer])],
        ...(owners.length > 0 ? { ownerReferences: owners } : {}),
      },
    }
    world.restores.note(await context.client.patch(VirtualMachineRestore, refOf(restore), patch))
  }

  /** Looks at the world itself: nobody would ever unlock the target of a restore that is gone. */
  async #stillLocked({ metadata, spec }: Restore): Promise<boolean> {
    const { context, world } = this.#options
    const live = await context.client.find(VirtualMachine, { namespace: metadata.namespace, name: spec.target.name })
    if (live !== undefined) world.vms.note(live)
    return live?.status?.restoreInProgress === metadata.name
  }

  /** Looks at the world itself: the target may have been started just before it was locked. */
  async #started({ metadata, spec }: Restore): Promise<boolean> {
    const { context, world } = this.#options
    const ref = { namespace: metadata.namespace, name: spec.target.name }
    const live = await context.client.find(VirtualMachineInstance, ref)
    if (live !== undefined) world.vmis.note(live)
    return isRunning(live)
  }

  /** Asks once; a VM that is stopping already is left alone. */
  async #stop(target: VirtualMachine): Promise<void> {
    const { context, world } = this.#options
    const { namespace, name } = target.metadata
    const ref = { group: 'subresources.kubevirt.io', version: 'v1', resource: 'virtualmachines', subresource: 'stop' }
    try {
      await context.client.call({ ...ref, namespace, name }, { method: 'PUT', body: {} })
    } catch (error) {
      if (!isConflict(error)) throw error
    }
    // What the call has changed is known to the next pass, which may come before its event.
    const asked = await context.client.find(VirtualMachine, { namespace, name })
    if (asked !== undefined) world.vms.note(asked)
  }

  async #createClaim(pass: Pass, entry: RestoreEntry): Promise<void> {
    const { context, world } = this.#options
    const { restore, content, captured, target } = pass
    const backup = content?.spec.volumeBackups?.find(({ volumeName }) => volumeName === entry.volumeName)
    const volumeSnapshot = world.volumeSnapshots.get(`${restore.metadata.namespace}/${entry.volumeSnapshotName}`)
    if (backup === undefined || captured === undefined || volumeSnapshot === undefined)
      throw new Error(`volume ${entry.volumeName} is not in the snapshot content any more`)
    const claim = restoredClaim({ restore, captured, target, backup, entry, volumeSnapshot })
    try {
      world.claims.note(await context.client.create(PersistentVolumeClaim, claim))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      world.claims.note(await context.client.get(PersistentVolumeClaim, refOf(claim)))
    }
  }

  /** Makes room for the restored claim of the same name; its DataVolume learns first that it will not be empty. */
  async #replaceClaim(restore: Restore, entry: RestoreEntry): Promise<void> {
    const { context, world } = this.#options
    const { client } = context
    const { namespace } = restore.metadata
    const old = world.claims.get(`${namespace}/${entry.persistentVolumeClaim}`)
    if (old === undefined) return
    // The way back, until the new one is proven.
    const volumeName = old.spec?.volumeName
    const volume = volumeName ? await client.find(PersistentVolume, { name: volumeName }) : undefined
    if (volume !== undefined && retainedOf(volume, restore) === undefined)
      world.volumes.note(
        await client.patch(
          PersistentVolume,
          { name: volume.metadata.name },
          retainPatch(volume, old, restore, entry.dataVolumeName),
        ),
      )
    if (entry.dataVolumeName !== undefined && controllerOf(old)?.kind === 'DataVolume') {
      const ref = { namespace, name: entry.dataVolumeName }
      const annotations = {
        [restoreNameAnnotation]: restore.metadata.name,
        [prePopulatedAnnotation]: entry.dataVolumeName,
      }
      world.dataVolumes.note(await client.patch(DataVolume, ref, { metadata: { annotations } }))
    }
    await client.delete(PersistentVolumeClaim, refOf(old), { uid: uidOf(old) })
  }

  async #annotateTarget(target: VirtualMachine | undefined, undoing: string | null): Promise<void> {
    const { context, world } = this.#options
    if (target === undefined) return
    const metadata = { uid: uidOf(target), annotations: { [undoingAnnotation]: undoing } }
    world.vms.note(await context.client.patch(VirtualMachine, refOf(target), { metadata }))
  }

  async #createDataVolume({ restore, spec }: Pass, name: string): Promise<void> {
    const { context, world, events } = this.#options
    const template = spec?.dataVolumeTemplates?.find(({ metadata }) => metadata.name === name)
    if (template === undefined) return
    const dataVolume = objectOf(
      DataVolume,
      {
        name,
        namespace: restore.metadata.namespace ?? '',
        ...(template.metadata.labels === undefined ? {} : { labels: template.metadata.labels }),
        annotations: {
          ...template.metadata.annotations,
          [restoreNameAnnotation]: restore.metadata.name,
          [prePopulatedAnnotation]: 'true',
          [allowClaimAdoptionAnnotation]: 'true',
        },
      },
      { spec: template.spec },
    )
    try {
      world.dataVolumes.note(await context.client.create(DataVolume, dataVolume))
    } catch (error) {
      if (isAlreadyExists(error)) {
        world.dataVolumes.note(await context.client.get(DataVolume, refOf(dataVolume)))
        return
      }
      const text = `Error creating restore DataVolume ${name}: ${describeError(error)}`
      events.event(restore, 'Warning', 'RestoreDataVolumeCreateError', text)
      throw error
    }
  }

  /** Everything the new definition needs is made first; the definition itself is one write. */
  async #switchTarget(pass: Pass): Promise<void> {
    const { context, world } = this.#options
    const { client } = context
    const { restore, target, captured, spec } = pass
    if (captured === undefined || spec === undefined) throw new Error('the snapshot content is gone')
    await restoreRevisions(client, { restore, captured, target })
    if (target !== undefined) {
      world.vms.note(await client.update(VirtualMachine, switchedTarget(target, spec, { restore, captured })))
      return
    }
    const vm = applyPatches(newTarget(spec, { restore, captured }), restore.spec.patches)
    try {
      world.vms.note(await client.create(VirtualMachine, vm))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      world.vms.note(await client.get(VirtualMachine, refOf(vm)))
    }
  }

  /**
   * The restored state becomes the VM's before the old one ceases to be: never is there none. Only after the switch,
   * because a restore that is given up before it must leave the old one where it was.
   */
  async #moveState(restore: Restore): Promise<void> {
    const { context, world } = this.#options
    const { namespace } = restore.metadata
    const vm = restore.spec.target.name
    const move = stateToMove(world, restore)
    if (move === undefined) return
    const label = async (name: string, labels: Record<string, string | null>): Promise<void> =>
      world.claims.note(
        await context.client.patch(PersistentVolumeClaim, { namespace, name }, { metadata: { labels } }),
      )
    await label(move.restored, { [persistentStateLabel]: vm })
    for (const name of move.old)
      await label(name, { [persistentStateLabel]: null, [cleanupStateLabel]: backendVolumeName(vm) })
  }

  /** Gives the VM what was made before it existed. */
  async #handOver({ restore, target }: Pass): Promise<void> {
    const { context, world } = this.#options
    if (target === undefined) return
    await this.#moveState(restore)
    for (const claim of world.claims
      .byIndex('restore:name', keyOf(restore))
      .filter((made) => isMadeBy(made, restore))) {
      if (claim.metadata.annotations?.[ownedByVmAnnotation] === undefined) continue
      const metadata = {
        uid: uidOf(claim),
        annotations: { [ownedByVmAnnotation]: null },
        ...(controllerOf(claim) === undefined ? { ownerReferences: [ownedBy(target)] } : {}),
      }
      world.claims.note(await context.client.patch(PersistentVolumeClaim, refOf(claim), { metadata }))
    }
  }

  async #complete({ restore, target, captured }: Pass): Promise<void> {
    const { context, events } = this.#options
    if (target !== undefined) await adoptRevisions(context.client, target)
    await this.#writeStatus(restore, { complete: true, restoreTime: rfc3339(context.now()) }, [
      { type: 'Progressing', status: false, reason: 'Operation complete' },
      { type: 'Ready', status: true, reason: 'Operation complete' },
    ])
    const recreated =
      captured?.uid !== undefined &&
      target !== undefined &&
      captured.name === target.metadata.name &&
      captured.uid !== uidOf(target)
    const note = recreated
      ? `; the VM was recreated since the snapshot (UID ${captured?.uid} is now ${uidOf(target)})`
      : ''
    const text = `Successfully completed VirtualMachineRestore ${restore.metadata.name}${note}`
    events.event(restore, 'Normal', 'VirtualMachineRestoreComplete', text)
    context.log.info({ restore: keyOf(restore) }, 'restore complete')
  }

  /** Tells the snapshot that it was restored; what it says survives this restore. */
  async #record({ metadata, spec }: Restore, history: string): Promise<void> {
    const { context, world } = this.#options
    const { virtualMachineSnapshotName: name } = spec
    const { namespace } = metadata
    const snapshot = world.snapshots.get(`${namespace}/${name}`)
    if (snapshot === undefined) return
    // Guarded: another restore of the same snapshot may have told just now.
    const { uid, resourceVersion } = snapshot.metadata
    const patch = { metadata: { uid, resourceVersion, annotations: { [restoredAnnotation]: history } } }
    try {
      world.snapshots.note(await context.client.patch(VirtualMachineSnapshot, { namespace, name }, patch))
    } catch (error) {
      // Gone, and this restore hears of it.
      if (!isNotFound(error)) throw error
    }
  }

  /** Removes what was made for a target that will not get it. */
  async #discard({ restore, target }: Pass): Promise<void> {
    const { context, world } = this.#options
    const used = new Set(target === undefined ? [] : claimNamesOf(target.spec))
    for (const dataVolume of madeDataVolumes(world, restore, target))
      await context.client.delete(DataVolume, refOf(dataVolume), { uid: uidOf(dataVolume) })
    for (const claim of world.claims.byIndex('restore:name', keyOf(restore)))
      if (isMadeBy(claim, restore) && !used.has(claim.metadata.name))
        await context.client.delete(PersistentVolumeClaim, refOf(claim), { uid: uidOf(claim) })
  }

  async #patchVmStatus(target: VirtualMachine, patch: object): Promise<void> {
    const { context, world } = this.#options
    world.vms.note(await context.client.patch(VirtualMachine, refOf(target), patch, { subresource: 'status' }))
  }

  async #problem(restore: Restore, text: string): Promise<void> {
    if (await this.#tellProblem(restore, text))
      this.#options.events.event(
        restore,
        'Warning',
        'VirtualMachineRestoreError',
        `VirtualMachineRestore encountered error ${text}`,
      )
  }

  /** Shown in the conditions, but for a restore that has ended: what comes afterwards changes nothing of that. */
  async #tellProblem(restore: Restore, text: string): Promise<boolean> {
    if (!hasEnded(restore)) return await this.#writeStatus(restore, {}, both(text))
    const isNew = this.#told.get(keyOf(restore)) !== text
    this.#told.set(keyOf(restore), text)
    return isNew
  }

  /** Writes what differs; whether anything did. */
  async #writeStatus(restore: Restore, changes: Partial<Status>, conditions: readonly Wanted[]): Promise<boolean> {
    const { context, world } = this.#options
    const old = restore.status
    let list = old?.conditions
    for (const { type, status, reason } of conditions)
      list = withCondition(list, { type, status: status ? 'True' : 'False', reason }, context.now())
    const status: Status = { ...old, complete: old?.complete ?? false, ...changes, conditions: list ?? [] }
    if (isDeepStrictEqual(status, old)) return false
    // Guarded: what a process writes that saw less must never take back what is complete or has failed.
    const { uid, resourceVersion } = restore.metadata
    const patch = { metadata: { uid, resourceVersion }, status }
    world.restores.note(
      await context.client.patch(VirtualMachineRestore, refOf(restore), patch, { subresource: 'status' }),
    )
    return true
  }
}

interface Wanted {
  type: 'Progressing' | 'Ready' | 'Failure'
  status: boolean
  reason: string
}

function both(reason: string, progressing = false): Wanted[] {
  return [
    { type: 'Progressing', status: progressing, reason },
    { type: 'Ready', status: false, reason },
  ]
}

function progress(progressing: string, ready: string): Wanted[] {
  return [
    { type: 'Progressing', status: true, reason: progressing },
    { type: 'Ready', status: false, reason: ready },
  ]
}

const powerOff = 'Waiting for target VM to be powered off. Please stop the restore target to proceed with restore'
const waitReasons: Record<string, string> & { StopTarget: string } = {
  WaitGracePeriod: `${powerOff}, or the operation will fail after 5m0s`,
  WaitEventually: powerOff,
  StopTarget: 'Automatically stopping restore target for restore operation',
}
