import { isDeepStrictEqual } from 'node:util'
import {
  claimOf as claimOfVolume,
  effectiveRunStrategy,
  VirtualMachine,
  VirtualMachineInstance,
  type VirtualMachineSpec,
} from '@stillpoint/api/kubevirt/kinds'
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
  restoreFinalizer,
  restoreNameAnnotation,
  undoingAnnotation,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, type VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { backendVolumeName, whyNotRestorable } from '@stillpoint/api/snapshot/rules'
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
import { applyPatches } from './patches.ts'
import {
  deletingReason,
  type ObservedClaim,
  type ObservedRetained,
  planRestore,
  type RestoreObserved,
  type RestoreStep,
} from './restore-plan.ts'
import {
  type CapturedVm,
  capturedVmOf,
  isMadeBy,
  planVolumes,
  type RestoreEntry,
  restoredClaim,
} from './restored-volumes.ts'
import { claimAgain, type Retained, rebindPatch, releasePatch, retainedOf, retainPatch } from './retained.ts'
import { adoptRevisions, restoredRevisionName, restoreRevisions } from './revisions.ts'
import { newTarget, restoredSpec, switchedTarget } from './target-definition.ts'
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
const settledPhases = new Set(['Succeeded', 'WaitForFirstConsumer', 'PendingPopulation'])

interface Pass {
  restore: Restore
  target: VirtualMachine | undefined
  content: VirtualMachineSnapshotContent | undefined
  captured: CapturedVm | undefined
  /** The captured definition on the restored disks, once they are planned. */
  spec: VirtualMachineSpec | undefined
  retained: readonly Retained[]
  observed: RestoreObserved
}

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

  constructor(options: RestoreOptions) {
    this.#options = options
  }

  async reconcile(key: string): Promise<Requeue> {
    const { context, world } = this.#options
    const restore = world.restores.get(key)
    if (restore === undefined) {
      this.#told.delete(key)
      return undefined
    }
    const pass = await this.#observe(restore)
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

  async #observe(restore: Restore): Promise<Pass> {
    const { world, context } = this.#options
    const { namespace = '' } = restore.metadata
    const snapshotKey = `${namespace}/${restore.spec.virtualMachineSnapshotName}`
    const snapshot = world.snapshots.get(snapshotKey)
    const contentOf = (name: string) => world.contents.get(`${namespace}/${name}`)
    const content = contentOf(snapshot?.status?.virtualMachineSnapshotContentName ?? '')
    const captured = content === undefined ? undefined : capturedVmOf(content)
    const targetKey = `${namespace}/${restore.spec.target.name}`
    const target = world.vms.get(targetKey)
    const entries = restore.status?.restores ?? []
    const spec =
      captured === undefined || restore.status?.restores === undefined
        ? undefined
        : restoredSpec(captured, entries, (name) => restoredRevisionName(name, restore))
    const made = world.claims.byIndex('restore:name', keyOf(restore)).filter((claim) => isMadeBy(claim, restore))
    const used = new Set(target === undefined ? [] : claimNamesOf(target.spec))
    const stateful = new Set(used)
    for (const { metadata } of this.#stateClaims(namespace, restore.spec.target.name)) stateful.add(metadata.name)
    if (target === undefined && captured !== undefined && content !== undefined)
      for (const name of this.#leftBehind(restore, captured, content)) stateful.add(name)
    const claims = entries.map((entry) => this.#claimOf(restore, entry, stateful))
    const volumes =
      content === undefined || captured === undefined
        ? undefined
        : planVolumes({
            restore,
            content,
            captured,
            target,
            claimOf: (name) => world.claims.get(`${namespace}/${name}`),
            claimsOfTarget: stateful,
          })
    const retained = this.#retained(restore)
    const running = isRunning(world.vmis.get(targetKey))
    const undecided = target !== undefined && !running && target.status?.restoreInProgress !== restore.metadata.name
    const claimNames = [...stateful].sort()
    return {
      restore,
      target,
      content,
      captured,
      spec,
      retained,
      observed: {
        now: context.now(),
        restore,
        target: target && {
          name: target.metadata.name,
          switched: isMadeBy(target, restore),
          running,
          stopping: isStopping(target),
          restoreInProgress: target.status?.restoreInProgress,
          snapshotInProgress: target.status?.snapshotInProgress,
          deleting: target.metadata.deletionTimestamp !== undefined,
          fenced: target.metadata.annotations?.[undoingAnnotation] === uidOf(restore),
        },
        snapshotProblem:
          // One that is going away waits for restores that have begun, and for no others.
          snapshot?.metadata.deletionTimestamp !== undefined && restore.status?.restores === undefined
            ? `VMSnapshot ${snapshotKey} is being deleted`
            : whyNotRestorable(snapshotKey, snapshot, contentOf),
        sourceName: captured?.name ?? snapshot?.spec.source.name,
        volumes,
        claims,
        dataVolumes: this.#dataVolumesOf(restore, spec, entries),
        obsolete:
          target === undefined || spec === undefined
            ? []
            : templateNames(target.spec).filter((name) => !templateNames(spec).includes(name)),
        toHandOver:
          target === undefined
            ? 0
            : this.#unowned(made, target).length + (this.#stateToMove(restore) === undefined ? 0 : 1),
        toDelete: target === undefined ? 0 : this.#obsoleteObjects(restore, target).length,
        halfMade:
          made.filter((claim) => !used.has(claim.metadata.name)).length + this.#madeDataVolumes(restore, target).length,
        retained: retained.map((one) => this.#observeRetained(restore, one)),
        pods: {
          claims: claimNames,
          count: undecided ? await this.#options.pods.count(namespace, stateful) : 0,
        },
      },
    }
  }

  /** The very claims that were snapshotted, of a VM that is gone and is to come back; none that another VM has now. */
  #leftBehind(restore: Restore, captured: CapturedVm, { spec }: VirtualMachineSnapshotContent): string[] {
    const { world } = this.#options
    const { namespace } = restore.metadata
    if (captured.name !== restore.spec.target.name) return []
    return (spec.volumeBackups ?? []).flatMap(({ persistentVolumeClaim: { metadata } }) => {
      const { name, uid } = (metadata ?? {}) as { name?: string; uid?: string }
      const found = world.claims.get(`${namespace}/${name}`)
      if (found === undefined || uid === undefined || found.metadata.uid !== uid) return []
      const users = world.vms.byIndex('restore:claim', keyOf(found))
      return users.length === 0 ? [found.metadata.name] : []
    })
  }

  #claimOf(restore: Restore, entry: RestoreEntry, claimsOfTarget: ReadonlySet<string>): ObservedClaim {
    const { world } = this.#options
    const { namespace } = restore.metadata
    const claim = world.claims.get(`${namespace}/${entry.persistentVolumeClaim}`)
    const storageClass = world.storageClasses.get(claim?.spec?.storageClassName ?? '')
    return {
      entry,
      claim:
        claim === undefined
          ? 'absent'
          : claim.metadata.deletionTimestamp !== undefined
            ? 'deleting'
            : isMadeBy(claim, restore)
              ? 'ours'
              : 'other',
      phase: claim?.status?.phase ?? 'Pending',
      waitsForConsumer:
        storageClass === undefined ? undefined : storageClass.volumeBindingMode === 'WaitForFirstConsumer',
      usedByTarget: claimsOfTarget.has(entry.persistentVolumeClaim),
      volumeSnapshot: world.volumeSnapshots.get(`${namespace}/${entry.volumeSnapshotName}`) !== undefined,
    }
  }

  /** DataVolumes of restored templates: they adopt the restored claims of their name. */
  #dataVolumesOf(restore: Restore, spec: VirtualMachineSpec | undefined, entries: readonly RestoreEntry[]) {
    const restored = new Set(entries.map(({ dataVolumeName }) => dataVolumeName))
    return (spec === undefined ? [] : templateNames(spec))
      .filter((name) => restored.has(name))
      .map((name) => {
        const found = this.#options.world.dataVolumes.get(`${restore.metadata.namespace}/${name}`)
        return { name, missing: found === undefined, settled: settledPhases.has(found?.status?.phase ?? '') }
      })
  }

  #madeDataVolumes(restore: Restore, target: VirtualMachine | undefined): DataVolume[] {
    const used = target === undefined ? [] : templateNames(target.spec)
    return this.#options.world.dataVolumes
      .byIndex('restore:name', keyOf(restore))
      .filter(
        ({ metadata }) => metadata.annotations?.[prePopulatedAnnotation] === 'true' && !used.includes(metadata.name),
      )
      .filter(
        ({ metadata }) =>
          metadata.name.includes(uidOf(restore)) ||
          restore.status?.restores?.some(({ dataVolumeName }) => dataVolumeName === metadata.name),
      )
  }

  #retained(restore: Restore): Retained[] {
    return this.#options.world.volumes
      .byIndex('restore:retained', keyOf(restore))
      .flatMap((volume) => retainedOf(volume, restore) ?? [])
  }

  #observeRetained(restore: Restore, { volume, claim }: Retained): ObservedRetained {
    const found = this.#options.world.claims.get(`${claim.namespace}/${claim.name}`)
    const { uid } = volume.spec?.claimRef ?? {}
    const isBack = found?.spec?.volumeName === volume.metadata.name
    return {
      volume: volume.metadata.name,
      claim:
        found === undefined
          ? 'absent'
          : found.metadata.deletionTimestamp !== undefined
            ? 'deleting'
            : isMadeBy(found, restore)
              ? 'ours'
              : !isBack
                ? 'other'
                : found.status?.phase === 'Bound' && (!uid || uid === found.metadata.uid)
                  ? 'back'
                  : 'deleting',
      reserved: !uid,
    }
  }

  #stateClaims(namespace: string, vm: string): PersistentVolumeClaim[] {
    return this.#options.world.claims.byIndex('restore:state-of', `${namespace}/${vm}`)
  }

  /** Claims that are to be given to the VM now that it exists. */
  #unowned(made: readonly PersistentVolumeClaim[], target: VirtualMachine): PersistentVolumeClaim[] {
    return made.filter(
      (claim) =>
        claim.metadata.annotations?.[ownedByVmAnnotation] !== undefined &&
        target.metadata.deletionTimestamp === undefined,
    )
  }

  #obsoleteObjects(restore: Restore, target: VirtualMachine): (DataVolume | PersistentVolumeClaim)[] {
    const { world } = this.#options
    const { namespace } = restore.metadata
    if (!isMadeBy(target, restore) && restore.status?.complete !== true) return []
    const kept = new Set([...templateNames(target.spec), ...claimNamesOf(target.spec)])
    const dataVolumes = (restore.status?.deletedDataVolumes ?? []).flatMap((name) => {
      const found = kept.has(name) ? undefined : world.dataVolumes.get(`${namespace}/${name}`)
      return found === undefined ? [] : [found]
    })
    const states = world.claims.byIndex(
      'restore:obsolete-state',
      `${namespace}/${backendVolumeName(target.metadata.name)}`,
    )
    return [...dataVolumes, ...states].filter(({ metadata }) => metadata.deletionTimestamp === undefined)
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
          await this.#patchVmStatus(target, {
            metadata: { resourceVersion },
            status: { restoreInProgress: restore.metadata.name },
          })
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
          for (const object of this.#obsoleteObjects(restore, target))
            await client.delete(object.kind === 'DataVolume' ? DataVolume : PersistentVolumeClaim, refOf(object), {
              uid: uidOf(object),
            })
        await this.#releaseRetained(pass, { keepData: false })
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
        await this.#rollBack(pass, step)
        return { requeueAfterMs: deletedRecheckMs }
      case 'releaseRetained':
        await this.#releaseRetained(pass, step)
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

  /** One step back from a replacement in place. */
  async #rollBack(
    { restore, retained }: Pass,
    step: { do: 'removeRestored' | 'rebind' | 'claimAgain' | 'releaseRolledBack'; volume: string },
  ): Promise<void> {
    const { context, world, events } = this.#options
    const { client } = context
    const one = retained.find(({ volume }) => volume.metadata.name === step.volume)
    if (one === undefined) return
    const { namespace, name, dataVolumeName } = one.claim
    const volumeRef = { name: step.volume }
    switch (step.do) {
      case 'removeRestored': {
        const claim = world.claims.get(`${namespace}/${name}`)
        if (claim !== undefined) await client.delete(PersistentVolumeClaim, refOf(claim), { uid: uidOf(claim) })
        return
      }
      case 'rebind':
        world.volumes.note(await client.patch(PersistentVolume, volumeRef, rebindPatch(one.volume)))
        return
      case 'claimAgain':
        try {
          world.claims.note(await client.create(PersistentVolumeClaim, claimAgain(one)))
        } catch (error) {
          if (!isAlreadyExists(error)) throw error
          world.claims.note(await client.get(PersistentVolumeClaim, { namespace, name }))
        }
        events.event(restore, 'Normal', 'RestoreRolledBack', `PVC ${name} is back on volume ${step.volume}`)
        return
      case 'releaseRolledBack': {
        // What follows lets the volume go with its claim, so it must not rest on an old look.
        if (!(await this.#isBack(one))) return
        const dataVolume = world.dataVolumes.get(`${namespace}/${dataVolumeName}`)
        if (dataVolume?.metadata.annotations?.[restoreNameAnnotation] === restore.metadata.name) {
          const annotations = { [restoreNameAnnotation]: null, [prePopulatedAnnotation]: null }
          world.dataVolumes.note(await client.patch(DataVolume, refOf(dataVolume), { metadata: { annotations } }))
        }
        world.volumes.note(await client.patch(PersistentVolume, volumeRef, releasePatch(one.volume, { policy: true })))
        return
      }
      default:
        step.do satisfies never
    }
  }

  /** The old claim is there, now, and bound to its old volume. */
  async #isBack({ volume, claim: { namespace, name } }: Retained): Promise<boolean> {
    const { context, world } = this.#options
    const claim = await context.client.find(PersistentVolumeClaim, { namespace, name })
    if (claim === undefined) return false
    world.claims.note(claim)
    const { metadata, spec, status } = claim
    return (
      metadata.deletionTimestamp === undefined &&
      spec?.volumeName === volume.metadata.name &&
      status?.phase === 'Bound' &&
      volume.spec?.claimRef?.uid === metadata.uid
    )
  }

  /** The new claim is there, now, and has a volume of its own. */
  async #isReplaced(restore: Restore, { volume, claim: { namespace, name } }: Retained): Promise<boolean> {
    const { context, world } = this.#options
    const claim = await context.client.find(PersistentVolumeClaim, { namespace, name })
    if (claim === undefined) return false
    world.claims.note(claim)
    const isBound = claim.status?.phase === 'Bound' && claim.spec?.volumeName !== volume.metadata.name
    return isMadeBy(claim, restore) && isBound
  }

  /** What was kept as the way back is needed no more; or it is left to a person, who is told. */
  async #releaseRetained(
    { restore, retained, target }: Pass,
    { keepData, volumes }: { keepData: boolean; volumes?: readonly string[] },
  ): Promise<void> {
    const { context, world, events } = this.#options
    for (const one of retained) {
      const { volume, claim } = one
      const { name } = volume.metadata
      if (volumes?.includes(name) === false) continue
      if (!keepData && target !== undefined && !(await this.#isReplaced(restore, one))) continue
      if (keepData) {
        const text = `PersistentVolume ${name} with the former data of PVC ${claim.name} is kept; delete it when it is not needed`
        events.event(restore, 'Warning', 'FormerVolumeKept', text)
      }
      world.volumes.note(
        await context.client.patch(PersistentVolume, { name }, releasePatch(volume, { policy: !keepData })),
      )
    }
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

  /** The restored claim of TPM and EFI state while it is not yet the only one of the VM. */
  #stateToMove({ metadata, spec, status }: Restore): { restored: string; old: string[] } | undefined {
    const { namespace = '' } = metadata
    const entry = status?.restores?.find(({ volumeName }) => volumeName === backendVolumeName(spec.target.name))
    const restored = entry?.persistentVolumeClaim
    if (restored === undefined || this.#options.world.claims.get(`${namespace}/${restored}`) === undefined)
      return undefined
    const names = this.#stateClaims(namespace, spec.target.name).map((claim) => claim.metadata.name)
    if (names.length === 1 && names[0] === restored) return undefined
    return { restored, old: names.filter((name) => name !== restored) }
  }

  /**
   * The restored state becomes the VM's before the old one ceases to be: never is there none. Only after the switch,
   * because a restore that is given up before it must leave the old one where it was.
   */
  async #moveState(restore: Restore): Promise<void> {
    const { context, world } = this.#options
    const { namespace } = restore.metadata
    const vm = restore.spec.target.name
    const move = this.#stateToMove(restore)
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

  /** Removes what was made for a target that will not get it. */
  async #discard({ restore, target }: Pass): Promise<void> {
    const { context, world } = this.#options
    const used = new Set(target === undefined ? [] : claimNamesOf(target.spec))
    for (const dataVolume of this.#madeDataVolumes(restore, target))
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
    if (await this.#writeStatus(restore, {}, both(text)))
      this.#options.events.event(
        restore,
        'Warning',
        'VirtualMachineRestoreError',
        `VirtualMachineRestore encountered error ${text}`,
      )
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

function templateNames(spec: VirtualMachineSpec): string[] {
  return spec.dataVolumeTemplates?.map(({ metadata }) => metadata.name) ?? []
}

function claimNamesOf(spec: VirtualMachineSpec): string[] {
  return (spec.template.spec.volumes ?? []).flatMap((volume) => claimOfVolume(volume) ?? [])
}

/** A guest that has ended uses no disk any more, even while its object is still there. */
function isRunning(vmi: VirtualMachineInstance | undefined): boolean {
  return vmi !== undefined && vmi.status?.phase !== 'Succeeded' && vmi.status?.phase !== 'Failed'
}

function isStopping(vm: VirtualMachine): boolean {
  return (
    effectiveRunStrategy(vm.spec) === 'Halted' ||
    vm.status?.stateChangeRequests?.some(({ action }) => action === 'Stop') === true
  )
}
