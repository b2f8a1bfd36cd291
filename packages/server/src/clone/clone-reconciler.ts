import { isDeepStrictEqual } from 'node:util'
import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import {
  bearsMarkOf,
  cloneFinalizer,
  cloneRestoreName,
  snapshotNameOf,
  targetNameOf,
} from '@stillpoint/api/clone/names'
import { clonePatches } from '@stillpoint/api/clone/patches'
import { capturedOf, whyContentUnfit, whySourceUnfit } from '@stillpoint/api/clone/rules'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { conditionOf } from '@stillpoint/api/meta/condition'
import { type KubeObject, keyOf, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists, isConflict, isInvalid } from '@stillpoint/api/meta/status-error'
import { type ObjectOf, objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { lastRestoreUidAnnotation } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  type VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { whyNotRestorable } from '@stillpoint/api/snapshot/rules'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { rfc3339, withCondition } from '../controller/conditions.ts'
import type { ControllerContext } from '../controller/context.ts'
import { describeError } from '../controller/describe-error.ts'
import type { EventRecorder } from '../controller/events.ts'
import { finalizerPatch } from '../controller/finalizers.ts'
import { refOf } from '../kube/client.ts'
import type { Informer } from '../kube/informer.ts'
import { TransportError } from '../kube/transport.ts'
import { type CloneObserved, type CloneStep, fail, planClone, type Report } from './clone-plan.ts'
import type { World } from './world.ts'

type Clone = VirtualMachineClone
type Status = NonNullable<Clone['status']>

interface Pass {
  clone: Clone
  snapshot: VirtualMachineSnapshot | undefined
  content: VirtualMachineSnapshotContent | undefined
  restore: VirtualMachineRestore | undefined
  target: VirtualMachine | undefined
  observed: CloneObserved
}

export interface CloneOptions {
  context: ControllerContext
  world: World
  events: EventRecorder
}

/** Takes one clone through its life: snapshot, restore, and what is left when both are done. */
export class CloneReconciler {
  readonly #options: CloneOptions

  constructor(options: CloneOptions) {
    this.#options = options
  }

  async reconcile(key: string): Promise<undefined> {
    const { context, world } = this.#options
    const clone = world.clones.get(key)
    if (clone === undefined) return
    const pass = await this.#observe(clone)
    const step = planClone(pass.observed)
    context.log.debug({ clone: key, step: step.do }, 'planned')
    try {
      await this.#perform(pass, step)
    } catch (error) {
      // What the API refuses is for a person to see; what only came between is tried again at once.
      const { phase } = clone.status ?? {}
      if (!isConflict(error) && !(error instanceof TransportError) && phase !== 'Succeeded' && phase !== 'Failed')
        await this.#report(clone, { state: 'Still processing', message: describeError(error) })
      throw error
    }
  }

  async #observe(clone: Clone): Promise<Pass> {
    const { world } = this.#options
    const { namespace = '' } = clone.metadata
    const { phase, ...known } = clone.status ?? {}
    const uid = uidOf(clone)
    const snapshotName = snapshotNameOf(clone)
    const restoreName = cloneRestoreName(uid)
    const targetName = targetNameOf(clone)
    const find = <R extends ResourceDefinition>(definition: R, informer: Informer<R>, name: string, certain: boolean) =>
      this.#find(definition, informer, { namespace, name, certain })

    const snapshot = await find(VirtualMachineSnapshot, world.snapshots, snapshotName, Boolean(known.snapshotName))
    const restore = await find(VirtualMachineRestore, world.restores, restoreName, Boolean(known.restoreName))
    const ending = isDeleting(clone) || phase === 'Failed'
    const made = restore?.status?.complete === true || phase === 'CreatingTargetVM' || phase === 'Succeeded'
    const target = await find(VirtualMachine, world.vms, targetName, made || ending)
    const contentOf = (name: string) => world.contents.get(`${namespace}/${name}`)
    const content = contentOf(snapshot?.status?.virtualMachineSnapshotContentName ?? '')
    const problem = whyNotRestorable(`${namespace}/${snapshotName}`, snapshot, contentOf)
    return {
      clone,
      snapshot,
      content,
      restore,
      target,
      observed: {
        clone,
        snapshotName,
        restoreName,
        targetName,
        source: await this.#sourceOf(clone, snapshot === undefined && !ending),
        snapshot: snapshot && {
          own: isOwnedBy(snapshot, clone),
          deleting: isDeleting(snapshot),
          failed: failureOfSnapshot(snapshot),
          problem,
          obstacle: problem === undefined && content !== undefined ? whyContentUnfit(clone, content) : undefined,
        },
        restore: restore && {
          deleting: isDeleting(restore),
          complete: restore.status?.complete === true,
          ...outcomeOf(restore),
        },
        target: target && { ours: bearsMarkOf(uid, target.metadata.annotations?.[lastRestoreUidAnnotation]) },
        unbound: target === undefined ? [] : await this.#unbound(clone, restore, ending),
      },
    }
  }

  /** From the local copy. Where a missing object decides over life and death, the API itself is asked. */
  async #find<R extends ResourceDefinition>(
    definition: R,
    informer: Informer<R>,
    { namespace, name, certain }: { namespace: string; name: string; certain: boolean },
  ): Promise<ObjectOf<R> | undefined> {
    const copy = informer.get(`${namespace}/${name}`)
    if (copy !== undefined || !certain) return copy
    const live = await this.#options.context.client.find(definition, { namespace, name })
    if (live !== undefined) informer.note(live)
    return live
  }

  /** `deciding`: whether the clone begins depends on it. */
  async #sourceOf(clone: Clone, deciding: boolean): Promise<CloneObserved['source']> {
    const { kind, name } = clone.spec.source
    if (kind === 'VirtualMachineSnapshot') return { kind: 'snapshot' }
    if (kind !== 'VirtualMachine') return { kind: 'unsupported' }
    const { world, context } = this.#options
    const ref = { namespace: clone.metadata.namespace ?? '', name }
    const copy = world.vms.get(`${ref.namespace}/${name}`)
    const obstacle = copy && whySourceUnfit(clone, copy)
    if (!deciding || obstacle?.final !== true) return { kind: 'vm', exists: copy !== undefined, obstacle }
    // The local copy may be older than the clone. What fails it for good is decided by the VM as it is.
    const vm = await context.client.find(VirtualMachine, ref)
    if (vm !== undefined) world.vms.note(vm)
    return { kind: 'vm', exists: vm !== undefined, obstacle: vm && whySourceUnfit(clone, vm) }
  }

  /** Claims the restore made that are not bound yet. One that is gone needs nothing any more. */
  async #unbound(clone: Clone, restore: VirtualMachineRestore | undefined, ending: boolean): Promise<string[]> {
    const { world, context } = this.#options
    const { namespace = '' } = clone.metadata
    const uid = uidOf(clone)
    const planned = restore?.status?.restores?.map((entry) => entry.persistentVolumeClaim) ?? []
    // The end may come right after the claims did, and takes away what they are filled from.
    if (ending)
      for (const claim of (await context.client.list(PersistentVolumeClaim, { namespace })).items)
        world.claims.note(claim)
    const marked = world.claims.byIndex('clone:restore', `${namespace}/${cloneRestoreName(uid)}`)
    const names = [...new Set([...planned, ...marked.map(({ metadata }) => metadata.name)])]
    const claims = await Promise.all(
      names.map((name) => this.#find(PersistentVolumeClaim, world.claims, { namespace, name, certain: true })),
    )
    return claims.flatMap((claim) =>
      claim !== undefined &&
      bearsMarkOf(uid, claim.metadata.annotations?.[lastRestoreUidAnnotation]) &&
      !isDeleting(claim) &&
      claim.status?.phase !== 'Bound'
        ? [claim.metadata.name]
        : [],
    )
  }

  async #perform(pass: Pass, step: CloneStep): Promise<void> {
    const { context, world } = this.#options
    const { client } = context
    const { clone, snapshot, restore, target } = pass
    switch (step.do) {
      case 'addFinalizer':
        await this.#finalizer(clone, 'add')
        return
      case 'report':
        await this.#report(clone, step.report)
        return
      case 'createSnapshot':
        await this.#createSnapshot(clone)
        return
      case 'createRestore':
        await this.#createRestore(pass)
        return
      case 'deleteRestore':
        if (restore !== undefined) await client.delete(VirtualMachineRestore, refOf(restore), { uid: uidOf(restore) })
        return
      case 'deleteSnapshot':
        if (snapshot !== undefined)
          await client.delete(VirtualMachineSnapshot, refOf(snapshot), { uid: uidOf(snapshot) })
        return
      case 'leaveSnapshot':
        if (snapshot !== undefined && target !== undefined) {
          const metadata = { uid: uidOf(snapshot), ownerReferences: [ownedBy(target)] }
          world.snapshots.note(await client.patch(VirtualMachineSnapshot, refOf(snapshot), { metadata }))
        }
        return
      case 'tidy':
        if (restore !== undefined) await client.delete(VirtualMachineRestore, refOf(restore), { uid: uidOf(restore) })
        if (snapshot !== undefined && pass.observed.snapshot?.own)
          await client.delete(VirtualMachineSnapshot, refOf(snapshot), { uid: uidOf(snapshot) })
        await this.#report(clone, step.report)
        return
      case 'removeFinalizer':
        await this.#finalizer(clone, 'remove')
        return
      case 'deleteClone':
        await client.delete(VirtualMachineClone, refOf(clone), { uid: uidOf(clone) })
        return
      case 'wait':
        return
      default:
        step satisfies never
    }
  }

  async #finalizer(clone: Clone, action: 'add' | 'remove'): Promise<void> {
    const { context, world } = this.#options
    const patch = finalizerPatch(clone, cloneFinalizer, action)
    world.clones.note(await context.client.patch(VirtualMachineClone, refOf(clone), patch))
  }

  async #createSnapshot(clone: Clone): Promise<void> {
    const { context, world } = this.#options
    const metadata = { ...childMetadata(clone), name: snapshotNameOf(clone) }
    const { apiGroup, kind, name } = clone.spec.source
    const source = { ...(apiGroup === undefined ? {} : { apiGroup }), kind, name }
    const snapshot = objectOf(VirtualMachineSnapshot, metadata, { spec: { source } })
    try {
      world.snapshots.note(await context.client.create(VirtualMachineSnapshot, snapshot))
    } catch (error) {
      if (isInvalid(error)) {
        await this.#report(clone, fail('SnapshotCreationFailed', describeError(error)).report)
        return
      }
      if (!isAlreadyExists(error)) throw error
      world.snapshots.note(await context.client.get(VirtualMachineSnapshot, refOf(snapshot)))
    }
  }

  async #createRestore({ clone, content, observed }: Pass): Promise<void> {
    const { context, world, events } = this.#options
    const captured = content === undefined ? undefined : capturedOf(content)
    if (captured === undefined) throw new Error('the snapshot content is gone')
    const { snapshotName, restoreName, targetName } = observed
    const rival = await context.client.find(VirtualMachine, { ...refOf(clone), name: targetName })
    if (rival !== undefined) {
      // It came just now. The next pass, which this wakes, decides about it.
      world.vms.note(rival)
      return
    }
    const { volumeNamePolicy } = clone.spec
    const restore = objectOf(
      VirtualMachineRestore,
      { ...childMetadata(clone), name: restoreName },
      {
        spec: {
          target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: targetName },
          virtualMachineSnapshotName: snapshotName,
          // Should another VM of that name have come just now, it is not waited for until its disks can be replaced.
          targetReadinessPolicy: 'FailImmediate',
          ...(volumeNamePolicy === undefined ? {} : { volumeRestorePolicy: volumeNamePolicy }),
          patches: clonePatches(clone, captured),
        },
      },
    )
    const text = `VirtualMachineSnapshot ${snapshotName} is ready to use`
    try {
      const created = await context.client.create(VirtualMachineRestore, restore)
      events.event(clone, 'Normal', 'SnapshotReady', text)
      world.restores.note(created)
    } catch (error) {
      if (isAlreadyExists(error)) {
        world.restores.note(await context.client.get(VirtualMachineRestore, refOf(restore)))
        return
      }
      if (isInvalid(error)) {
        await this.#report(clone, fail('RestoreCreationFailed', describeError(error)).report)
        return
      }
      if (!(error instanceof TransportError))
        events.event(clone, 'Warning', 'RestoreCreationFailed', describeError(error))
      throw error
    }
  }

  /** Writes what differs, and records the event only then. */
  async #report(clone: Clone, { state, message, event, ...changes }: Report): Promise<void> {
    const { context, world, events } = this.#options
    const { client, log } = context
    const now = context.now()
    const old: Status = clone.status ?? {}
    let conditions = old.conditions
    const set = (type: string, value: boolean): void => {
      const status = value ? 'True' : 'False'
      conditions = withCondition(conditions, { type, status, reason: state, message }, now)
    }
    set('Progressing', state === 'Still processing')
    set('Ready', state === 'Ready')
    const named = Object.entries({ ...old, ...changes, conditions }).filter(([, value]) => value !== null)
    const status = Object.fromEntries(named) as Status
    if (status.phase === 'Succeeded') status.creationTime ??= rfc3339(now)
    if (isDeepStrictEqual(status, old)) return
    // Guarded: what is written by who saw less must never take back an end. A merge patch removes what is null.
    const { uid, resourceVersion } = clone.metadata
    const patch = { metadata: { uid, resourceVersion }, status: { ...changes, ...status } }
    world.clones.note(await client.patch(VirtualMachineClone, refOf(clone), patch, { subresource: 'status' }))
    if (event !== undefined) events.event(clone, event.type, event.reason, event.text)
    if (status.phase !== old.phase)
      log.info({ clone: keyOf(clone), from: old.phase, to: status.phase }, 'clone moved on')
  }
}

/** Everything made for a clone goes with it, whatever happens to its finalizer. */
function childMetadata(clone: Clone) {
  return { namespace: clone.metadata.namespace ?? '', ownerReferences: [ownedBy(clone)] }
}

function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
  return object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) === true
}

function isDeleting(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

function failureOfSnapshot({ status }: VirtualMachineSnapshot): string | undefined {
  if (status?.phase !== 'Failed') return undefined
  const reason = conditionOf(status.conditions, 'Failure')?.reason
  return [reason, status.error?.message].filter((text) => text !== undefined).join(': ') || 'no reason given'
}

function outcomeOf({ status, spec }: VirtualMachineRestore): {
  failed: string | undefined
  problem: string | undefined
} {
  const failure = conditionOf(status?.conditions, 'Failure')
  const progressing = conditionOf(status?.conditions, 'Progressing')
  const problem = progressing?.status === 'False' ? progressing.reason : undefined
  if (failure?.status === 'True') return { failed: failure.reason ?? 'no reason given', problem }
  // The restore tries these again and again, but neither the patches nor what they are applied to will ever change.
  const vm = spec.target.name
  const hopeless = [`error patching VM ${vm}: `, `VirtualMachine.kubevirt.io ${JSON.stringify(vm)} is invalid: `].some(
    (text) => problem?.startsWith(text),
  )
  return { failed: hopeless ? problem : undefined, problem }
}
