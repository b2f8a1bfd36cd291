import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { expiryRemedy, isLocked, quoted } from '@stillpoint/api/snapshot/expiry'
import { expiresAtAnnotation, snapshotFinalizer } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import type { ControllerContext } from '../controller/context.ts'
import type { EventRecorder } from '../controller/events.ts'
import { hasFinalizer } from '../controller/finalizers.ts'
import { refOf } from '../kube/client.ts'
import { type ExpiryObserved, planExpiry } from './expiry-plan.ts'
import { refreshUsers, usersOf } from './snapshot-users.ts'
import type { World } from './world.ts'

type Snapshot = VirtualMachineSnapshot

export interface ExpiryOptions {
  context: ControllerContext
  world: World
  events: EventRecorder
}

/** Deletes snapshots whose time has passed. It remembers only what it has told. */
export class ExpiryReconciler {
  readonly #options: ExpiryOptions
  readonly #told = new Map<string, string>()

  constructor(options: ExpiryOptions) {
    this.#options = options
  }

  async reconcile(key: string): Promise<{ requeueAfterMs: number } | undefined> {
    const { context, world } = this.#options
    const snapshot = world.snapshots.get(key)
    if (snapshot === undefined) {
      this.#told.delete(key)
      return undefined
    }
    let step = planExpiry(this.#observe(snapshot))
    if (step.do === 'delete') {
      // The copies may be behind: a restore that has begun meanwhile must not lose its snapshot.
      await refreshUsers(context.client, world, snapshot.metadata.namespace ?? '')
      step = planExpiry(this.#observe(snapshot))
    }
    context.log.debug({ snapshot: key, step: step.do }, 'expiry planned')
    switch (step.do) {
      case 'nothing':
        this.#told.delete(key)
        return undefined
      case 'wait':
        this.#told.delete(key)
        return { requeueAfterMs: step.recheckMs }
      case 'tellInvalid': {
        const text = `Not deleted by itself: ${expiresAtAnnotation} is not a time: ${quoted(step.expiresAt)}; ${expiryRemedy}`
        // Only the beginning of a long value is in the text: what was told is told by the whole.
        this.#tell(snapshot, step.expiresAt, { type: 'Warning', reason: 'ExpiryInvalid', text })
        return undefined
      }
      case 'hold': {
        const text = `Expired; its deletion waits for ${step.usedBy.join(', ')}`
        this.#tell(snapshot, text, { type: 'Normal', reason: 'SnapshotInUse', text })
        return undefined
      }
      case 'delete':
        await this.#delete(snapshot, step.due)
        return undefined
      default:
        return step satisfies never
    }
  }

  #observe(snapshot: Snapshot): ExpiryObserved {
    const { context, world } = this.#options
    const { phase } = snapshot.status ?? {}
    return {
      now: context.now(),
      expiresAt: snapshot.metadata.annotations?.[expiresAtAnnotation],
      deleting: snapshot.metadata.deletionTimestamp !== undefined,
      // Without its finalizer its content would be left behind: it gets it first.
      finished: (phase === 'Succeeded' || phase === 'Failed') && hasFinalizer(snapshot, snapshotFinalizer),
      locked: isLocked(snapshot),
      usedBy: usersOf(world, snapshot),
    }
  }

  /** Only as it was looked at: an annotation or a lock of the last moment makes it a Conflict. */
  async #delete(snapshot: Snapshot, due: Date): Promise<void> {
    const { context, world, events } = this.#options
    const { namespace, name, resourceVersion } = snapshot.metadata
    await context.client.delete(VirtualMachineSnapshot, refOf(snapshot), { uid: uidOf(snapshot), resourceVersion })
    context.log.info({ snapshot: keyOf(snapshot), expiresAt: due.toISOString() }, 'expired snapshot deleted')
    const vm = world.vms.get(`${namespace}/${snapshot.spec.source.name}`)
    const { sourceUID } = snapshot.status ?? {}
    // Whoever asks where the snapshot has gone looks at its VM, as long as that is the one it was taken of.
    const subject = vm !== undefined && (sourceUID ?? uidOf(vm)) === uidOf(vm) ? vm : snapshot
    const text = `VirtualMachineSnapshot ${name} expired at ${due.toISOString()} and is deleted`
    events.event(subject, 'Normal', 'Expired', text)
  }

  #tell(
    snapshot: Snapshot,
    what: string,
    { type, reason, text }: { type: 'Normal' | 'Warning'; reason: string; text: string },
  ): void {
    if (this.#told.get(keyOf(snapshot)) === what) return
    this.#told.set(keyOf(snapshot), what)
    this.#options.events.event(snapshot, type, reason, text)
  }
}
