import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { parseFreezeReport, thawOwed } from '@stillpoint/api/snapshot/freeze-report'
import { contentFinalizer, freezeReportAnnotation, snapshotFinalizer } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { consistencyOf, deadlineOf } from '@stillpoint/api/snapshot/rules'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import type { ControllerContext } from '../controller/context.ts'
import type { EventRecorder } from '../controller/events.ts'
import { finalizerPatch, hasFinalizer } from '../controller/finalizers.ts'
import { refOf } from '../kube/client.ts'
import { CaptureProblem, captureContent, captureRevisions, type Source } from './capture.ts'
import { announce, guestOf } from './guest.ts'
import type { PodUsage } from './pods.ts'
import { planSnapshot, type SnapshotObserved, type SnapshotStep } from './snapshot-plan.ts'
import { desiredStatus, type SnapshotStatus } from './snapshot-status.ts'
import { lockSource, lockStateOf, unlockSource, whyNotLockable } from './source-lock.ts'
import { attemptOf, membersOf } from './volume-snapshots.ts'
import type { World } from './world.ts'

type Snapshot = VirtualMachineSnapshot
type Content = VirtualMachineSnapshotContent
type Requeue = { requeueAfterMs: number } | undefined

/** Revisions are not watched. */
const recheckMs = 5_000
const lockRecheckMs = 1_000

interface Pass {
  snapshot: Snapshot
  source: Source | undefined
  content: Content | undefined
  /** The content to create, when it is time to. */
  captured: Content | undefined
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

  constructor(options: SnapshotOptions) {
    this.#options = options
  }

  async reconcile(key: string): Promise<Requeue> {
    const { context, world } = this.#options
    const snapshot = world.snapshots.get(key)
    if (snapshot === undefined) return undefined
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
    const vm = captured?.uid === undefined || captured.uid === named?.metadata.uid ? named : undefined
    const vmi = world.vmis.get(vmKey)
    const lock = vm === undefined ? 'none' : lockStateOf(vm, snapshot.metadata.name)
    const active =
      unfinished && snapshot.metadata.deletionTimestamp === undefined && snapshot.status?.phase !== undefined
    const standing = content && this.#standing(content, vmi?.metadata.uid, guestOf(vmi)?.paused === true)
    const blocked =
      vm === undefined || !active || lock === 'ours'
        ? undefined
        : standing?.parked
          ? `Source not locked the guest of ${vmKey} is paused; unpause it so that it can be thawed`
          : await whyNotLockable(world, pods, vm, snapshot.metadata.name)
    const source = vm === undefined ? undefined : { vm, vmi }
    const capture =
      source !== undefined && active && lock === 'ours' && content === undefined
        ? await this.#capture(snapshot, source)
        : undefined
    return {
      snapshot,
      source,
      content,
      captured: capture?.content,
      observed: {
        now,
        snapshot,
        source: vm === undefined ? undefined : { uid: uidOf(vm), lock, blocked },
        content: standing,
        problem: capture?.problem,
      },
    }
  }

  #standing(content: Content, vmiUid: string | undefined, paused: boolean): SnapshotObserved['content'] {
    const { world } = this.#options
    const report = parseFreezeReport(content.metadata.annotations?.[freezeReportAnnotation])
    const attempt = report?.attempt ?? 1
    return {
      object: content,
      finalizer: hasFinalizer(content, contentFinalizer),
      cut: membersOf(content).every(({ name }) => {
        const found = world.volumeSnapshots.get(`${content.metadata.namespace}/${name}`)
        return found?.status?.creationTime !== undefined && attemptOf(found) === attempt
      }),
      thawOwed: thawOwed(report) && vmiUid === report?.vmiUid && !paused,
      parked: thawOwed(report) && vmiUid === report?.vmiUid && paused,
      refused: report?.refused,
    }
  }

  async #capture(snapshot: Snapshot, source: Source): Promise<{ content?: Content; problem?: string }> {
    const { context, world } = this.#options
    try {
      return { content: await captureContent(context.client, world, snapshot, source) }
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
    const { context, world } = this.#options
    const { client } = context
    const { snapshot, source, content } = pass
    switch (step.do) {
      case 'addFinalizer':
        await this.#finalizer(snapshot, 'add')
        return undefined
      case 'writeStatus':
        await this.#writeStatus(snapshot, step.status)
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
        if (content !== undefined)
          world.contents.note(
            await client.patch(
              VirtualMachineSnapshotContent,
              refOf(content),
              finalizerPatch(content, contentFinalizer, 'remove'),
            ),
          )
        return undefined
      case 'unlock':
        if (source !== undefined) await unlockSource(client, world, source.vm)
        return undefined
      case 'removeFinalizer':
        if (await this.#stillLocked(snapshot)) return { requeueAfterMs: lockRecheckMs }
        await this.#finalizer(snapshot, 'remove')
        return undefined
      case 'wait':
        return step.recheckMs === undefined ? undefined : { requeueAfterMs: step.recheckMs }
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

  async #createContent({ snapshot, source, captured, observed }: Pass): Promise<Requeue> {
    const { context, world, events, holder } = this.#options
    const { client } = context
    if (source === undefined || captured === undefined) return undefined
    try {
      await captureRevisions(client, snapshot, source)
    } catch (error) {
      if (!(error instanceof CaptureProblem)) throw error
      await this.#writeStatus(snapshot, desiredStatus({ ...observed, problem: error.message }))
      return { requeueAfterMs: recheckMs }
    }
    const report = announce(guestOf(source.vmi), consistencyOf(snapshot), {
      volumes: membersOf(captured).length,
      holder,
      now: context.now(),
    })
    captured.metadata.annotations = { [freezeReportAnnotation]: JSON.stringify(report) }
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
        `VirtualMachineSnapshot failed ${reasonOf(status, 'Failure')}`,
      )
    else {
      const waiting = reasonOf(status, 'Progressing')
      if (waiting !== reasonOf(old, 'Progressing') && waiting?.startsWith('Source '))
        if (waiting !== 'Source locked and operation in progress' && waiting !== 'Source not locked')
          events.event(snapshot, 'Warning', 'SourceNotReady', waiting)
    }
    const error = status.error?.message
    if (error !== undefined && error !== old?.error?.message)
      events.event(
        snapshot,
        'Warning',
        'VirtualMachineSnapshotError',
        `VirtualMachineSnapshot encountered error ${error}`,
      )
  }
}
