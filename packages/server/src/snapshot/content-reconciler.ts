import { isDeepStrictEqual } from 'node:util'
import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { isConflict } from '@stillpoint/api/meta/status-error'
import { type FreezeReport, parseFreezeReport, thawOwed } from '@stillpoint/api/snapshot/freeze-report'
import { contentFinalizer, freezeReportAnnotation } from '@stillpoint/api/snapshot/keys'
import { type VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { consistencyOf, deadlineOf } from '@stillpoint/api/snapshot/rules'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import type { ControllerContext } from '../controller/context.ts'
import { defined } from '../controller/defined.ts'
import { describeError } from '../controller/describe-error.ts'
import type { EventRecorder } from '../controller/events.ts'
import { finalizerPatch, hasFinalizer } from '../controller/finalizers.ts'
import { refOf } from '../kube/client.ts'
import { TransportError } from '../kube/transport.ts'
import { type ContentObserved, type ContentStep, leaseMs, planContent } from './content-plan.ts'
import { contentStatusOf } from './content-status.ts'
import type { CutWatch } from './cut-watch.ts'
import { runFreezeWindow, type WindowResult } from './freeze-window.ts'
import { asking, type GuestHold, guestOf, holdOf, isFrozenByAnother } from './guest.ts'
import { lockStateOf } from './source-lock.ts'
import { attemptOf, createMembers, findMember, type Member, membersOf, prepareMembers } from './volume-snapshots.ts'
import type { World } from './world.ts'

type Content = VirtualMachineSnapshotContent
type Requeue = { requeueAfterMs: number } | undefined

const thawTries = 3
const thawPauseMs = 200
const thawRetryMs = 1_000
/** Windows ends a freeze by itself and says so only at the thaw; a second one finds the guest running. */
/** What Windows allows at the least; a longer freeze may have ended without our hearing of it. */
const guestLimitMs = 9_000
const limitedText = 'fsfreeze is limited'
const limitedRetryMs = 5_000
/** How long a content may go without a status. */
const quietMs = 2_000
/** Until an event that must be on its way is in. */
const changedMs = 20
/** For what cannot be watched. */
const recheckMs = 5_000

interface Pass {
  content: Content
  snapshot: VirtualMachineSnapshot | undefined
  members: Member[]
  observed: ContentObserved
  vm: { namespace: string; name: string }
}

export interface ContentOptions {
  context: ControllerContext
  world: World
  events: EventRecorder
  cuts: CutWatch
  /** Names this process in freeze reports. */
  holder: string
}

/** Owns the freeze, the cut and the thaw of one content, and keeps its status. */
export class ContentReconciler {
  readonly #options: ContentOptions
  /** Attempts this process has begun. Forgotten by a restart, which then thaws first. */
  readonly #begun = new Set<string>()
  /** Last problem with the guest or before the cut, shown in the status until it is over. */
  readonly #problems = new Map<string, string>()

  constructor(options: ContentOptions) {
    this.#options = options
  }

  async reconcile(key: string): Promise<Requeue> {
    const content = this.#options.world.contents.get(key)
    if (content === undefined) {
      this.#problems.delete(key)
      return undefined
    }
    const pass = this.#observe(content)
    const step = planContent(pass.observed)
    this.#options.context.log.debug({ content: key, step: step.do }, 'planned')
    return await this.#perform(pass, step)
  }

  #observe(content: Content): Pass {
    const { world, context, holder } = this.#options
    const { namespace = '', name, annotations } = content.metadata
    const now = context.now()
    const named = world.snapshots.get(`${namespace}/${content.spec.virtualMachineSnapshotName}`)
    const snapshot = named !== undefined && contentName(uidOf(named)) === name ? named : undefined
    const captured = content.spec.source.virtualMachine?.metadata as { name?: string; uid?: string } | null | undefined
    const vmName = captured?.name ?? snapshot?.spec.source.name ?? ''
    const vm = world.vms.get(`${namespace}/${vmName}`)
    const members = membersOf(content)
    const report = parseFreezeReport(annotations?.[freezeReportAnnotation])
    const deadline = snapshot === undefined ? undefined : deadlineOf(snapshot)
    const over =
      snapshot?.metadata.deletionTimestamp !== undefined ||
      snapshot?.status?.phase === 'Failed' ||
      (deadline !== undefined && now.getTime() > deadline && snapshot?.status?.phase !== 'Succeeded')
    return {
      content,
      snapshot,
      members,
      vm: { namespace, name: vmName },
      observed: {
        nowMs: now.getTime(),
        deleting: content.metadata.deletionTimestamp !== undefined,
        finalizer: hasFinalizer(content, contentFinalizer),
        created: Boolean(content.status?.creationTime),
        snapshot: snapshot === undefined ? 'gone' : over ? 'ending' : 'active',
        locked:
          vm !== undefined &&
          snapshot !== undefined &&
          vm.metadata.uid === (captured?.uid ?? vm.metadata.uid) &&
          lockStateOf(vm, snapshot.metadata.name) === 'ours',
        consistency: snapshot === undefined ? 'Preferred' : consistencyOf(snapshot),
        guest: guestOf(world.vmis.get(`${namespace}/${vmName}`)),
        report,
        fresh: report?.holder === holder && thawOwed(report) && !this.#begun.has(attemptKey(content, report)),
        volumes: members.map((member) => {
          const found = findMember(world, content, member.name)
          const cutAt = found?.status?.creationTime
          return {
            name: member.name,
            found: found && {
              attempt: attemptOf(found),
              cutMs: cutAt === undefined ? undefined : Date.parse(cutAt),
              deleting: found.metadata.deletionTimestamp !== undefined,
            },
          }
        }),
      },
    }
  }

  async #perform(pass: Pass, step: ContentStep): Promise<Requeue> {
    const { context, world, events } = this.#options
    const { content, observed } = pass
    const { report } = observed
    switch (step.do) {
      case 'thaw':
        return await this.#thaw(pass)
      case 'closeReport': {
        const reason = step.end === 'guest-gone' ? 'the guest has ended' : 'nobody confirmed the thaw'
        events.event(content, 'Warning', 'ThawNotConfirmed', `Thaw of the guest not confirmed: ${reason}`)
        await this.#writeReport(content, {
          ...opened(report),
          thawed: context.now().toISOString(),
          end: report?.end ?? step.end,
          // Whether it ended before the cut or after it, and what came in its place, nobody saw.
          ...(report?.held === true && step.end === 'guest-gone' ? { held: false } : {}),
        })
        return undefined
      }
      case 'releaseContent':
        world.contents.note(
          await context.client.patch(
            VirtualMachineSnapshotContent,
            refOf(content),
            finalizerPatch(content, contentFinalizer, 'remove'),
          ),
        )
        return undefined
      case 'discard':
        await Promise.all(step.volumes.map((name) => this.#discard(content, name)))
        return undefined
      case 'reopen':
        events.event(
          content,
          'Warning',
          'CutRepeated',
          'The volumes were not cut at one instant; cutting all of them again',
        )
        await this.#writeReport(
          content,
          {
            attempt: step.attempt,
            guest: report?.guest ?? 'agent',
            ...(report?.answers === undefined ? {} : { answers: report.answers }),
          },
          'guarded',
        )
        return undefined
      case 'refuse':
        await this.#writeReport(content, { ...opened(report), refused: step.why })
        return undefined
      case 'cut':
        return step.quiesce.freeze
          ? await this.#cutFrozen(pass, step.attempt)
          : await this.#cutUnfrozen(pass, {
              ...(observed.fresh ? opened(undefined) : opened(report)),
              attempt: step.attempt,
              ...reportOf(step.quiesce),
            })
      case 'settle':
        return await this.#settle(pass, step.held)
      case 'wait':
        if (this.#isYoung(pass)) return { requeueAfterMs: quietMs }
        await this.#writeStatus(pass)
        return step.recheckMs === undefined ? undefined : { requeueAfterMs: step.recheckMs }
      default:
        return step satisfies never
    }
  }

  /** A cut usually takes milliseconds: that nothing has come of it yet is not worth a write. */
  #isYoung({ content, members, observed }: Pass): boolean {
    const { world } = this.#options
    const createdMs = Date.parse(content.metadata.creationTimestamp ?? '')
    return (
      content.status === undefined &&
      observed.snapshot === 'active' &&
      observed.nowMs - createdMs < quietMs &&
      !this.#problems.has(keyOf(content)) &&
      members.every(({ name }) => findMember(world, content, name)?.status?.error === undefined)
    )
  }

  async #discard(content: Content, name: string): Promise<void> {
    const { context, world } = this.#options
    const found = findMember(world, content, name)
    if (found === undefined) return
    await context.client.delete(VolumeSnapshot, refOf(found), { uid: uidOf(found) })
    const left = await context.client.find(VolumeSnapshot, refOf(found))
    if (left !== undefined) world.volumeSnapshots.note(left)
  }

  /** Ends a freeze that an earlier pass, or an earlier process, may have left. */
  async #thaw(pass: Pass): Promise<Requeue> {
    const { context } = this.#options
    const { content } = pass
    const report = opened(pass.observed.report)
    // Whoever froze it may have thawed it already, and nobody saw whether that was before the cut or after.
    const interrupted = report.end === undefined ? { end: 'interrupted' as const, held: false } : {}
    try {
      await holdOf(context.client, pass.vm, uidOf(content)).thaw()
    } catch (error) {
      return await this.#thawFailed(pass, report, error)
    }
    const thawed = context.now()
    await this.#writeReport(content, {
      ...withAnswers(report, [{ command: 'thaw', at: thawed.toISOString(), answer: 'thawed' }]),
      ...interrupted,
      thawed: thawed.toISOString(),
      ...(report.frozen === undefined ? {} : { frozenMs: thawed.getTime() - Date.parse(report.frozen) }),
    })
    if (report.end !== 'freeze-failed') this.#problems.delete(keyOf(content))
    return undefined
  }

  async #thawFailed(pass: Pass, report: FreezeReport, error: unknown): Promise<Requeue> {
    const text = describeError(error)
    const limited = text.includes(limitedText)
    const { content } = pass
    this.#problems.set(keyOf(content), limited ? text : `thaw of the guest failed and is repeated: ${text}`)
    this.#options.events.event(content, 'Warning', 'ThawError', `Failed to thaw VMI: ${text}`)
    // The same failure again is no news, and a write for each of many tries would be one too many.
    const told = report.answer === text ? report : withAnswers(report, [this.#answerNow('thaw', text)])
    const noted = { ...told, answer: text, ...(limited ? { held: false } : {}) }
    const written = isDeepStrictEqual(noted, pass.observed.report) ? content : await this.#writeReport(content, noted)
    await this.#writeStatus({ ...pass, content: written })
    return { requeueAfterMs: limited ? limitedRetryMs : thawRetryMs }
  }

  async #cutUnfrozen(pass: Pass, report: FreezeReport): Promise<Requeue> {
    const prepared = this.#prepare(pass, report.attempt)
    if (typeof prepared === 'string') return await this.#blocked(pass, prepared)
    if (await this.#guestChanged(pass)) return { requeueAfterMs: changedMs }
    const begun = pass.observed.volumes.some(({ found }) => found !== undefined)
    let { content } = pass
    // What the first cut saw of the guest is what the snapshot says.
    if (!begun && !isDeepStrictEqual(report, pass.observed.report))
      content = await this.#writeReport(content, report, 'guarded')
    try {
      await this.#create({ ...pass, content }, prepared)
    } catch (error) {
      if (isConflict(error) || error instanceof TransportError) throw error
      return await this.#blocked({ ...pass, content }, describeError(error))
    }
    this.#problems.delete(keyOf(content))
    return undefined
  }

  async #cutFrozen(pass: Pass, attempt: number): Promise<Requeue> {
    const { context, holder } = this.#options
    const { observed } = pass
    const seen = observed.guest
    if (seen === undefined || (await this.#guestChanged(pass))) return { requeueAfterMs: changedMs }

    const prepared = this.#prepare(pass, attempt)
    if (typeof prepared === 'string') return await this.#blocked(pass, prepared)
    const earlier = observed.report?.attempt === attempt ? observed.report : undefined
    let { content } = pass
    let report: FreezeReport
    if (observed.fresh && earlier !== undefined && earlier.vmiUid === seen.uid) report = earlier
    else {
      report = {
        attempt,
        guest: 'agent',
        ...asking(seen.uid, holder, context.now()),
        ...(earlier?.firstAsked === undefined ? {} : { firstAsked: earlier.firstAsked }),
        ...(earlier?.failedTries === undefined ? {} : { failedTries: earlier.failedTries }),
        ...(observed.report?.answers === undefined ? {} : { answers: observed.report.answers }),
      }
      content = await this.#writeReport(content, report, 'guarded')
    }
    this.#begun.add(attemptKey(content, report))
    const result = await this.#window({ ...pass, content }, prepared)
    return await this.#conclude({ ...pass, content }, report, result)
  }

  /** A VM that was offline when its cut was decided may have been started before it was made. */
  async #ranAt(vm: { namespace: string; name: string }, cutMs: number): Promise<boolean> {
    const live = await this.#options.context.client.find(VirtualMachineInstance, vm)
    return guestOf(live)?.alive === true && Date.parse(live?.metadata.creationTimestamp ?? '') <= cutMs
  }

  /** What cannot be told is not claimed. */
  async #isStill(vm: { namespace: string; name: string }, uid: string | undefined): Promise<boolean> {
    const { client, log } = this.#options.context
    try {
      return (await client.find(VirtualMachineInstance, vm))?.metadata.uid === uid
    } catch (error) {
      log.warn({ ...vm, error: describeError(error) }, 'guest could not be looked at after its thaw')
      return false
    }
  }

  /** What is decided about a guest must not rest on an old look at it. */
  async #guestChanged({ vm, observed }: Pass): Promise<boolean> {
    const { context, world } = this.#options
    const live = await context.client.find(VirtualMachineInstance, vm)
    if (live !== undefined) world.vmis.note(live)
    return !isDeepStrictEqual(guestOf(live), observed.guest)
  }

  #window(pass: Pass, prepared: readonly VolumeSnapshot[]): Promise<WindowResult> {
    const { context, cuts } = this.#options
    const hold = holdOf(context.client, pass.vm, uidOf(pass.content))
    return runFreezeWindow({
      leaseMs,
      now: () => context.now().getTime(),
      outcome: (signal) =>
        cuts.outcome(
          pass.content,
          prepared.map(({ metadata }) => metadata.name),
          signal,
        ),
      freeze: () => hold.freeze(),
      cut: () => this.#create(pass, prepared),
      thaw: () => this.#thawInsistently(hold),
    })
  }

  async #thawInsistently(hold: GuestHold): Promise<{ answerLost: boolean }> {
    let answerLost = false
    for (let tried = 1; ; tried += 1) {
      try {
        await hold.thaw()
        return { answerLost }
      } catch (error) {
        if (tried === thawTries || describeError(error).includes(limitedText)) throw error
        answerLost ||= error instanceof TransportError
        await new Promise((resolve) => setTimeout(resolve, thawPauseMs))
      }
    }
  }

  /** Writes down what was measured and tells what went wrong. */
  async #conclude(pass: Pass, asked: FreezeReport, result: WindowResult): Promise<Requeue> {
    const { events, world } = this.#options
    const { content, vm } = pass
    const key = keyOf(content)
    // The one that answered the thaw may be a guest that was started meanwhile and wrote before the cut.
    const replaced = result.end === 'cut' && result.thawError === undefined && !(await this.#isStill(vm, asked.vmiUid))
    const iso = (ms: number | undefined): string | undefined =>
      ms === undefined ? undefined : new Date(ms).toISOString()
    const failed = result.error === undefined ? undefined : describeError(result.error)
    const frozenMs =
      result.thawedMs !== undefined && result.frozenMs !== undefined ? result.thawedMs - result.frozenMs : undefined
    const heldMs = (result.cutMs ?? Number.POSITIVE_INFINITY) - (result.frozenMs ?? 0)
    const limited = result.thawError !== undefined && describeError(result.thawError).includes(limitedText)
    const busy = isFrozenByAnother(result.error)
    const guestOs = guestOsOf(world.vmis.get(`${vm.namespace}/${vm.name}`))
    const report = defined<FreezeReport>({
      ...withAnswers(asked, this.#answersOf(result, failed)),
      guestOs,
      end: result.end,
      frozen: iso(result.frozenMs),
      cut: iso(result.cutMs),
      thawed: iso(result.thawedMs),
      frozenMs,
      held:
        result.end === 'cut'
          ? heldMs <= (result.answerLost ? guestLimitMs : leaseMs) && !limited && !replaced
          : result.end === 'freeze-failed'
            ? undefined
            : false,
      answer: failed,
      failedTries: result.end === 'freeze-failed' && !busy ? (asked.failedTries ?? 0) + 1 : asked.failedTries,
      busy: busy || undefined,
    })
    if (result.end === 'freeze-failed') {
      const vmi = world.vmis.get(`${vm.namespace}/${vm.name}`)
      if (vmi !== undefined) events.event(vmi, 'Warning', 'FreezeError', `Failed to freeze VMI: ${failed}`)
      this.#problems.set(key, failed ?? '')
    } else if (failed !== undefined) this.#problems.set(key, failed)
    else this.#problems.delete(key)
    if (result.thawError !== undefined) return await this.#thawFailed(pass, report, result.thawError)

    const written = await this.#writeReport(content, report)
    const enough = report.held !== false || pass.observed.consistency !== 'Required'
    if (result.end === 'cut' && enough) return await this.#settle({ ...pass, content: written }, report.held)
    await this.#writeStatus({ ...pass, content: written })
    return { requeueAfterMs: 1 }
  }

  #answersOf({ end, frozenMs, thawedMs }: WindowResult, failed: string | undefined): Answer[] {
    const at = (ms: number): string => new Date(ms).toISOString()
    const answers: Answer[] = []
    if (frozenMs !== undefined) answers.push({ command: 'freeze', at: at(frozenMs), answer: 'frozen' })
    else if (end === 'freeze-failed') answers.push(this.#answerNow('freeze', failed ?? 'no answer'))
    if (thawedMs !== undefined) answers.push({ command: 'thaw', at: at(thawedMs), answer: 'thawed' })
    return answers
  }

  #answerNow(command: Answer['command'], answer: string): Answer {
    return { command, at: this.#options.context.now().toISOString(), answer }
  }

  async #settle(pass: Pass, held: boolean | undefined): Promise<Requeue> {
    const { context, world } = this.#options
    let { content } = pass
    const report = parseFreezeReport(content.metadata.annotations?.[freezeReportAnnotation])
    if (report !== undefined) {
      const times = pass.members.flatMap(({ name }) => {
        const at = findMember(world, content, name)?.status?.creationTime
        return at === undefined ? [] : [Date.parse(at)]
      })
      const skewMs = times.length > 1 ? Math.max(...times) - Math.min(...times) : 0
      const guest =
        report.guest === 'offline' && (await this.#ranAt(pass.vm, Math.max(...times))) ? 'no-agent' : report.guest
      if (guest !== report.guest && pass.observed.consistency === 'Required') {
        const refused = 'required consistency cannot be reached: the VM was started before the cut'
        await this.#writeReport(content, { ...report, refused })
        return undefined
      }
      const complete = defined<FreezeReport>({ ...report, guest, held, ...(skewMs > 0 ? { skewMs } : {}) })
      if (!isDeepStrictEqual(complete, report)) content = await this.#writeReport(content, complete)
    }
    this.#problems.delete(keyOf(content))
    await this.#writeStatus({ ...pass, content }, context.now())
    return undefined
  }

  #prepare({ content, members, observed }: Pass, attempt: number): VolumeSnapshot[] | string {
    const missing = new Set(observed.volumes.filter(({ found }) => found === undefined).map(({ name }) => name))
    return prepareMembers(
      this.#options.world,
      content,
      members.filter(({ name }) => missing.has(name)),
      attempt,
    )
  }

  async #create({ content }: Pass, prepared: readonly VolumeSnapshot[]): Promise<void> {
    const { context, world, events } = this.#options
    for (const { metadata } of await createMembers(context.client, world, content, prepared))
      events.event(
        content,
        'Normal',
        'SuccessfulVolumeSnapshotCreate',
        `Successfully created VolumeSnapshot ${metadata.name}`,
      )
  }

  async #blocked(pass: Pass, problem: string): Promise<Requeue> {
    this.#problems.set(keyOf(pass.content), problem)
    await this.#writeStatus(pass)
    return { requeueAfterMs: recheckMs }
  }

  async #writeReport(content: Content, report: FreezeReport, guarded?: 'guarded'): Promise<Content> {
    const { context, world } = this.#options
    const { resourceVersion } = content.metadata
    const written = await context.client.patch(VirtualMachineSnapshotContent, refOf(content), {
      metadata: {
        uid: uidOf(content),
        // Nobody may open a window on what somebody else has changed; closing one must always succeed.
        ...(guarded ? { resourceVersion } : {}),
        annotations: { [freezeReportAnnotation]: JSON.stringify(report) },
      },
    })
    world.contents.note(written)
    return written
  }

  async #writeStatus({ content, members, snapshot }: Pass, settledAt?: Date): Promise<void> {
    const { context, world, events } = this.#options
    const old = content.status
    const volumes = members.map(({ name }) => ({ name, found: findMember(world, content, name) }))
    const status = contentStatusOf({
      old,
      volumes,
      ending: snapshot === undefined || snapshot.metadata.deletionTimestamp !== undefined,
      settledAt,
      problem: this.#problems.get(keyOf(content)),
      now: context.now(),
    })
    if (isDeepStrictEqual(status, old)) return
    if (status.creationTime && status.error?.message !== old?.error?.message)
      for (const { name, found } of volumes)
        if (found === undefined)
          events.event(content, 'Warning', 'VolumeSnapshotMissing', `VolumeSnapshot ${name} no longer exists`)
    const replaced = Object.fromEntries(Object.keys(old ?? {}).map((key) => [key, null]))
    const written = await context.client.patch(
      VirtualMachineSnapshotContent,
      refOf(content),
      { metadata: { uid: uidOf(content) }, status: { ...replaced, ...status } },
      { subresource: 'status' },
    )
    world.contents.note(written)
  }
}

type Answer = NonNullable<FreezeReport['answers']>[number]

/** Of a guest that is asked again and again, the last answers are enough. */
const keptAnswers = 10

function withAnswers(report: FreezeReport, answers: readonly Answer[]): FreezeReport {
  const all = [...(report.answers ?? []), ...answers].slice(-keptAnswers)
  return all.length === 0 ? report : { ...report, answers: all }
}

function guestOsOf(vmi: VirtualMachineInstance | undefined): string | undefined {
  const { prettyName, name } = (vmi?.status?.guestOSInfo ?? {}) as { prettyName?: string; name?: string }
  return prettyName ?? name
}

function attemptKey(content: Content, report: FreezeReport): string {
  return `${uidOf(content)}/${report.attempt}/${report.asked}`
}

function opened(report: FreezeReport | undefined): FreezeReport {
  return report ?? { attempt: 1, guest: 'offline' }
}

function reportOf(quiesce: { guest: FreezeReport['guest']; unfrozen?: string }): Partial<FreezeReport> {
  return { guest: quiesce.guest, ...(quiesce.unfrozen === undefined ? {} : { unfrozen: quiesce.unfrozen }) }
}
