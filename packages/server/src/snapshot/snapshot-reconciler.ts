import type { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { VirtualMachine, type VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { conditionOf, isTrue } from '@stillpoint/api/meta/condition'
import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { parseFreezeReport, thawOwed } from '@stillpoint/api/snapshot/freeze-report'
import {
  contentFinalizer,
  freezeReportAnnotation,
  receiptAnnotation,
  snapshotFinalizer,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import type { Receipt } from '@stillpoint/api/snapshot/receipt'
import { consistencyOf, deadlineOf } from '@stillpoint/api/snapshot/rules'
import { VolumeSnapshot, VolumeSnapshotContent } from '@stillpoint/api/storage/kinds'
import type { ControllerContext } from '../controller/context.ts'
import type { EventRecorder } from '../controller/events.ts'
import { finalizerPatch, hasFinalizer } from '../controller/finalizers.ts'
import type { PodUsage } from '../controller/pod-usage.ts'
import { refOf } from '../kube/client.ts'
import {
  CaptureProblem,
  captureContent,
  captureRevisions,
  definitionOf,
  keepCopies,
  keepRevisions,
  type Source,
} from './capture.ts'
import { announce, guestOf } from './guest.ts'
import type { CutTime } from './receipt.ts'
import { failureOf, planSnapshot, type SnapshotObserved, type SnapshotStep } from './snapshot-plan.ts'
import type { SnapshotStatus } from './snapshot-status.ts'
import { isUnfinishedRestore } from './snapshot-users.ts'
import { type Blocked, lockSource, lockStateOf, unlockSource, whyNotLockable } from './source-lock.ts'
import { attemptOf, membersOf } from './volume-snapshots.ts'
import type { World } from './world.ts'

type Snapshot = VirtualMachineSnapshot
type Content = VirtualMachineSnapshotContent
type Requeue = { requeueAfterMs: number } | undefined

const lockRecheckMs = 1_000
/** A wait is told by an event once it has lasted this long. */
const waitLastsMs = 1_000

interface Pass {
  snapshot: Snapshot
  source: Source | undefined
  content: Content | undefined
  /** Why the source cannot be locked. */
  blocked: Blocked | undefined
  /** The content to create, when it is time to. */
  captured: Content | undefined
  /** Copies of revisions that are to be there before it. */
  revisions: readonly ControllerRevision[]
  observed: SnapshotObserved
}

export interface SnapshotOptions {
  context: ControllerContext
  world: World
  events: EventRecorder
  pods: PodUsage
  holder: string
}

/** Takes one snapshot through its life: lock, content, status, unlock, deletion. */
export class SnapshotReconciler {
  readonly #options: SnapshotOptions
  /** What was said last of those that wait, so that it is not said again at each look. */
  readonly #told = new Map<string, string>()
  /** Since when (ms of the controllers' clock) they wait for what. */
  readonly #waits = new Map<string, { text: string; sinceMs: number }>()

  constructor(options: SnapshotOptions) {
    this.#options = options
  }

  async reconcile(key: string): Promise<Requeue> {
    const { context, world } = this.#options
    const snapshot = world.snapshots.get(key)
    if (snapshot === undefined) {
      this.#told.delete(key)
      this.#waits.delete(key)
      return undefined
    }
    const pass = await this.#observe(snapshot)
    const step = planSnapshot(pass.observed)
    context.log.debug({ snapshot: key, step: step.do }, 'planned')
    return await this.#perform(pass, step)
  }

  async #observe(snapshot: Snapshot): Promise<Pass> {
    const { context, world, pods } = this.#options
    const { namespace = '' } = snapshot.metadata
    const now = context.now()
    const phase = snapshot.status?.phase
    const unfinished = phase !== 'Succeeded' && phase !== 'Failed'
    const deadline = deadlineOf(snapshot)
    // Before judging by the clock, look at what really is: it may have been cut a moment ago.
    if (unfinished && deadline !== undefined && now.getTime() > deadline) await this.#refresh(snapshot)

    const content = world.contents.get(`${namespace}/${contentName(uidOf(snapshot))}`)
    const vmKey = `${namespace}/${snapshot.spec.source.name}`
    const named = world.vms.get(vmKey)
    const captured = content?.spec.source.virtualMachine?.metadata as { uid?: string } | null | undefined
    // Whoever recreates a VM under the name after it was locked makes another one.
    const pinned = captured?.uid ?? (wasLocked(snapshot) ? snapshot.status?.sourceUID : undefined)
    const vm = pinned === undefined || pinned === named?.metadata.uid ? named : undefined
    const vmi = world.vmis.get(vmKey)
    const lock = vm === undefined ? 'none' : lockStateOf(vm, snapshot.metadata.name)
    const active =
      unfinished && snapshot.metadata.deletionTimestamp === undefined && snapshot.status?.phase !== undefined
    const standing = content && (await this.#standing(snapshot, content, vmi))
    const blocked =
      vm === undefined || !active || lock === 'ours'
        ? undefined
        : standing?.parked
          ? {
              reason: `Source not locked the guest of ${vmKey} is paused`,
              hint: 'unpause it so that it can be thawed',
            }
          : await whyNotLockable({ client: context.client, world, pods }, vm, snapshot)
    const source = vm === undefined ? undefined : { vm, vmi }
    const capture =
      source !== undefined && active && lock === 'ours' && content === undefined
        ? await this.#capture(snapshot, source)
        : undefined
    return {
      snapshot,
      source,
      content,
      blocked,
      captured: capture?.problem === undefined ? capture?.content : undefined,
      revisions: capture?.problem === undefined ? (capture?.revisions ?? []) : [],
      observed: {
        now,
        snapshot,
        source: vm === undefined ? undefined : { uid: uidOf(vm), lock, blocked: blocked?.reason },
        content: standing,
        problem: capture?.problem,
        usedBy: this.#restoresFrom(snapshot),
      },
    }
  }

  async #standing(
    snapshot: Snapshot,
    content: Content,
    vmi: VirtualMachineInstance | undefined,
  ): Promise<SnapshotObserved['content']> {
    const { world } = this.#options
    const paused = guestOf(vmi)?.paused === true
    const report = parseFreezeReport(content.metadata.annotations?.[freezeReportAnnotation])
    const attempt = report?.attempt ?? 1
    return {
      object: content,
      finalizer: hasFinalizer(content, contentFinalizer),
      cut: membersOf(content).every(({ name }) => {
        const found = world.volumeSnapshots.get(`${content.metadata.namespace}/${name}`)
        return found?.status?.creationTime !== undefined && attemptOf(found) === attempt
      }),
      thawOwed: thawOwed(report) && vmi?.metadata.uid === report?.vmiUid && !paused,
      parked: thawOwed(report) && vmi?.metadata.uid === report?.vmiUid && paused,
      report,
      cuts: await this.#cutsOf(snapshot, content),
    }
  }

  /** Asks for the exact time where the volume snapshot tells seconds only, but just when a receipt is to be written. */
  async #cutsOf({ status }: Snapshot, content: Content): Promise<CutTime[]> {
    const { context, world } = this.#options
    const ends = Boolean(content.status?.creationTime) && status?.phase !== 'Succeeded'
    return await Promise.all(
      membersOf(content).map(async ({ name, volume }): Promise<CutTime> => {
        const found = world.volumeSnapshots.get(`${content.metadata.namespace}/${name}`)?.status
        const told = found?.creationTime
        if (told === undefined) return { name: volume, volumeSnapshotName: name, at: undefined }
        const seconds = { ms: Date.parse(told), precisionMs: told.includes('.') ? 1 : 1_000 }
        const bound = found?.boundVolumeSnapshotContentName
        const exact =
          ends && seconds.precisionMs > 1 && bound
            ? await context.client.find(VolumeSnapshotContent, { name: bound })
            : undefined
        const at =
          exact?.status?.creationTime === undefined
            ? seconds
            : { ms: Math.round(exact.status.creationTime / 1_000_000), precisionMs: 1 }
        return { name: volume, volumeSnapshotName: name, at }
      }),
    )
  }

  /** Restores that have chosen their volumes from this snapshot and are not through with them. */
  #restoresFrom({ metadata }: Snapshot): string[] {
    return this.#options.world.restores
      .byIndex('snapshot:restored', `${metadata.namespace}/${metadata.name}`)
      .filter((restore) => restore.status?.restores !== undefined && isUnfinishedRestore(restore))
      .map((restore) => restore.metadata.name)
  }

  async #capture(
    snapshot: Snapshot,
    source: Source,
  ): Promise<{ content: Content; revisions: ControllerRevision[]; problem?: never } | { problem: string }> {
    const { context, world } = this.#options
    try {
      const definition = await definitionOf(context.client, source)
      const content = await captureContent(context.client, world, snapshot, source, definition)
      return { content, revisions: await captureRevisions(context.client, snapshot, source, definition) }
    } catch (error) {
      if (error instanceof CaptureProblem) return { problem: error.message }
      throw error
    }
  }

  async #refresh(snapshot: Snapshot): Promise<void> {
    const { context, world } = this.#options
    const { namespace } = snapshot.metadata
    const ref = { namespace, name: contentName(uidOf(snapshot)) }
    const content = await context.client.find(VirtualMachineSnapshotContent, ref)
    if (content === undefined) return
    world.contents.note(content)
    for (const { name } of membersOf(content)) {
      const found = await context.client.find(VolumeSnapshot, { namespace, name })
      if (found !== undefined) world.volumeSnapshots.note(found)
    }
  }

  async #perform(pass: Pass, step: SnapshotStep): Promise<Requeue> {
    const { context, world, events } = this.#options
    const { client } = context
    const { snapshot, source, content } = pass
    switch (step.do) {
      case 'addFinalizer':
        await this.#finalizer(snapshot, 'add')
        return undefined
      case 'writeStatus':
        await this.#writeStatus(snapshot, step.status)
        return undefined
      case 'writeReceipt':
        await this.#writeReceipt(snapshot, step.receipt)
        return undefined
      case 'lock':
        if (source !== undefined) await lockSource(client, world, source.vm, snapshot.metadata.name)
        return undefined
      case 'createContent':
        return await this.#createContent(pass)
      case 'deleteContent': {
        if (content === undefined) return undefined
        await client.delete(VirtualMachineSnapshotContent, refOf(content), { uid: uidOf(content) })
        return undefined
      }
      case 'releaseContent':
        if (content !== undefined) {
          await keepRevisions(client, snapshot, content)
          world.contents.note(
            await client.patch(
              VirtualMachineSnapshotContent,
              refOf(content),
              finalizerPatch(content, contentFinalizer, 'remove'),
            ),
          )
        }
        return undefined
      case 'holdDeletion': {
        const text = `Deletion waits for VirtualMachineRestore ${step.usedBy.join(', ')}, which reads this snapshot`
        if (this.#told.get(keyOf(snapshot)) !== text) events.event(snapshot, 'Normal', 'SnapshotInUse', text)
        this.#told.set(keyOf(snapshot), text)
        return undefined
      }
      case 'unlock':
        if (source !== undefined) await unlockSource(client, world, source.vm)
        return undefined
      case 'removeFinalizer':
        if (await this.#stillLocked(snapshot)) return { requeueAfterMs: lockRecheckMs }
        await this.#finalizer(snapshot, 'remove')
        return undefined
      case 'wait': {
        const recheckMs = Math.min(step.recheckMs ?? Infinity, this.#tellWait(pass) ?? Infinity)
        return recheckMs === Infinity ? undefined : { requeueAfterMs: recheckMs }
      }
      default:
        return step satisfies never
    }
  }

  /** Looks at the world itself: nobody would ever unlock the source of a snapshot that is gone. */
  async #stillLocked({ metadata, spec }: Snapshot): Promise<boolean> {
    const { context, world } = this.#options
    const live = await context.client.find(VirtualMachine, { namespace: metadata.namespace, name: spec.source.name })
    if (live !== undefined) world.vms.note(live)
    return live?.status?.snapshotInProgress === metadata.name
  }

  async #finalizer(snapshot: Snapshot, action: 'add' | 'remove'): Promise<void> {
    const { context, world } = this.#options
    const patch = finalizerPatch(snapshot, snapshotFinalizer, action)
    if (patch.length > 0)
      world.snapshots.note(await context.client.patch(VirtualMachineSnapshot, refOf(snapshot), patch))
  }

  async #createContent({ snapshot, source, captured, revisions }: Pass): Promise<Requeue> {
    const { context, world, events, holder } = this.#options
    const { client } = context
    if (source === undefined || captured === undefined) return undefined
    await keepCopies(client, revisions)
    const report = announce(guestOf(source.vmi), consistencyOf(snapshot), {
      volumes: membersOf(captured).length,
      holder,
      now: context.now(),
    })
    captured.metadata.annotations = {
      ...captured.metadata.annotations,
      [freezeReportAnnotation]: JSON.stringify(report),
    }
    try {
      world.contents.note(await client.create(VirtualMachineSnapshotContent, captured))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      world.contents.note(await client.get(VirtualMachineSnapshotContent, refOf(captured)))
    }
    events.event(
      snapshot,
      'Normal',
      'SuccessfulVirtualMachineSnapshotContentCreate',
      `Successfully created VirtualMachineSnapshotContent ${captured.metadata.name}`,
    )
    return undefined
  }

  async #writeReceipt(snapshot: Snapshot, receipt: Receipt): Promise<void> {
    const { context, world } = this.#options
    const { uid } = snapshot.metadata
    const metadata = { uid, annotations: { [receiptAnnotation]: JSON.stringify(receipt) } }
    world.snapshots.note(await context.client.patch(VirtualMachineSnapshot, refOf(snapshot), { metadata }))
  }

  async #writeStatus(snapshot: Snapshot, status: SnapshotStatus): Promise<void> {
    const { context, world } = this.#options
    const old = snapshot.status
    const removed = Object.fromEntries(Object.keys(old ?? {}).map((key) => [key, null]))
    // The phase is final once it is Failed or Succeeded: never decide it on an old look, and never let the last
    // write of a process that has died take it back.
    const { uid, resourceVersion } = snapshot.metadata
    world.snapshots.note(
      await context.client.patch(
        VirtualMachineSnapshot,
        refOf(snapshot),
        { metadata: { uid, resourceVersion }, status: { ...removed, ...status } },
        { subresource: 'status' },
      ),
    )
    context.log.info({ snapshot: keyOf(snapshot), from: old?.phase ?? '', to: status.phase }, 'snapshot status written')
    this.#tell(snapshot, status)
  }

  /** What a person following the events wants to know, once each. */
  #tell(snapshot: Snapshot, status: SnapshotStatus): void {
    const { events } = this.#options
    const old = snapshot.status
    const { name } = snapshot.metadata
    const reasonOf = (of: SnapshotStatus | undefined, type: string): string | undefined =>
      of?.conditions?.find((condition) => condition.type === type)?.reason
    if (status.phase !== old?.phase && status.phase === 'Succeeded')
      events.event(
        snapshot,
        'Normal',
        'VirtualMachineSnapshotComplete',
        `Successfully completed VirtualMachineSnapshot ${name}`,
      )
    else if (status.phase !== old?.phase && status.phase === 'Failed')
      events.event(
        snapshot,
        'Warning',
        'VirtualMachineSnapshotFailed',
        `VirtualMachineSnapshot failed ${failureOf(reasonOf(status, 'Failure') ?? '', old)}`,
      )
    const error = status.error?.message
    if (error !== undefined && error !== old?.error?.message)
      events.event(
        snapshot,
        'Warning',
        'VirtualMachineSnapshotError',
        `VirtualMachineSnapshot encountered error ${error}${remedyFor(error)}`,
      )
  }

  /**
   * What it waits for, and what a person can do about it. Answers in how many milliseconds that is to be told, if it
   * still holds: a VM and its snapshot that are created together come by two watches, in any order.
   */
  #tellWait({ snapshot, blocked }: Pass): number | undefined {
    const key = keyOf(snapshot)
    const { name } = snapshot.spec.source
    const isLost = progressOf(snapshot) === 'Source does not exist'
    if (blocked === undefined && !isLost) {
      this.#waits.delete(key)
      return undefined
    }
    const { reason, hint } = blocked ?? {
      reason: 'Source does not exist',
      hint: `create VirtualMachine ${name}, or delete this snapshot`,
    }
    const text = `${reason}; ${hint}`
    if (this.#told.get(key) === text) return undefined
    const nowMs = this.#options.context.now().getTime()
    const seen = this.#waits.get(key)
    // A clock that is set back must not put it off.
    const sinceMs = seen?.text === text ? Math.min(seen.sinceMs, nowMs) : nowMs
    this.#waits.set(key, { text, sinceMs })
    const leftMs = sinceMs + waitLastsMs - nowMs
    if (leftMs > 0) return leftMs
    this.#told.set(key, text)
    this.#options.events.event(snapshot, 'Warning', 'SourceNotReady', text)
    return undefined
  }
}

/** What a person can do about an error that the snapshot goes on trying; empty when its words say it. */
function remedyFor(error: string): string {
  if (error.includes('matching VolumeSnapshotClasses'))
    return '; mark one of them as default by the annotation snapshot.storage.kubernetes.io/is-default-class: "true"'
  if (error.includes('command Freeze failed')) return '; tried again, see the guest agent and its hooks in the guest'
  const [, failing] = /^VolumeSnapshot (\S+) error/.exec(error) ?? []
  return failing === undefined ? '' : `; see kubectl describe volumesnapshot ${failing}`
}

function progressOf({ status }: Snapshot): string | undefined {
  return conditionOf(status?.conditions, 'Progressing')?.reason
}

/** Its status says that it has held the lock. */
function wasLocked({ status }: Snapshot): boolean {
  return isTrue(status?.conditions, 'Progressing')
}
