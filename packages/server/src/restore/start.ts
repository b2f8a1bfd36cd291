import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { isConflict, isForbidden, isNotFound, StatusError } from '@stillpoint/api/meta/status-error'
import {
  notStartedAnnotation,
  runStrategyAnnotation,
  startedAnnotation,
  startedByAnnotation,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { startRevisionName } from '@stillpoint/api/snapshot/names'
import { rfc3339 } from '../controller/conditions.ts'
import type { ControllerContext } from '../controller/context.ts'
import { describeError } from '../controller/describe-error.ts'
import type { EventRecorder } from '../controller/events.ts'
import { refOf } from '../kube/client.ts'
import { isRunning, type Pass } from './observe.ts'
import { isMadeBy } from './restored-volumes.ts'
import { retryAfterRefusal, type StartOutcome, type StartStep } from './start-plan.ts'
import type { World } from './world.ts'

type Restore = VirtualMachineRestore
type Requeue = { requeueAfterMs: number } | undefined

const lookAgainMs = 20
const goneRecheckMs = 1_000
/** Annotations are no place for a page of text. */
const longestText = 400

interface Tools {
  context: ControllerContext
  world: World
  events: EventRecorder
}

/** Starts targets of restores. Remembers refusals only; what must survive is on the restore and on the VM. */
export class TargetStarter {
  readonly #tools: Tools
  readonly #refusals = new Map<string, { count: number; told: boolean; notBefore: Date }>()

  constructor(tools: Tools) {
    this.#tools = tools
  }

  notBefore(restoreKey: string): Date | undefined {
    return this.#refusals.get(restoreKey)?.notBefore
  }

  forget(restoreKey: string): void {
    this.#refusals.delete(restoreKey)
  }

  async perform(pass: Pass, step: StartStep): Promise<Requeue> {
    if (step.do === 'waitToStart') return step.recheckMs === undefined ? undefined : { requeueAfterMs: step.recheckMs }
    if (step.do === 'noteStrategy') {
      await this.#annotate(pass.restore, { [runStrategyAnnotation]: step.strategy })
      return undefined
    }
    const againMs = await this.#lookAgainMs(pass)
    if (againMs !== undefined) return { requeueAfterMs: againMs }
    return step.do === 'settleStart' ? await this.#settle(pass, step) : await this.#start(pass, step)
  }

  async #start(pass: Pass, step: StartStep & { do: 'setStrategy' | 'requestStart' }): Promise<Requeue> {
    const { restore, target } = pass
    if (target === undefined) return undefined
    if (await this.#hasRunSince(restore, target))
      return await this.#settle(pass, { outcome: 'started', text: 'it was started already' })
    try {
      if (step.do === 'setStrategy') await this.#setStrategy(restore, target, step)
      else await this.#request(target)
    } catch (error) {
      return await this.#refused(pass, step, error)
    }
    this.forget(keyOf(restore))
    if (step.do === 'requestStart')
      return await this.#settle(pass, { outcome: 'started', text: 'a start was asked for' })
    if (!step.starts) return undefined
    return await this.#settle(pass, { outcome: 'started', text: `run strategy ${step.strategy}` })
  }

  /**
   * Looks at the world itself: a user may have started, locked or changed the VM just now. Then it is to be decided anew,
   * so many milliseconds later; undefined: it is as it was seen.
   */
  async #lookAgainMs({ target, observed }: Pass): Promise<number | undefined> {
    const { context, world } = this.#tools
    if (target === undefined) return undefined
    const ref = refOf(target)
    const live = await context.client.find(VirtualMachine, ref)
    // That something is gone cannot be noted: its event has to come.
    if (live === undefined) return goneRecheckMs
    world.vms.note(live)
    const instance = await context.client.find(VirtualMachineInstance, ref)
    if (instance !== undefined) world.vmis.note(instance)
    // What was decided on, and not what is known by now.
    const wasRunning = observed.target?.running === true
    if (instance === undefined && wasRunning) return goneRecheckMs
    const isSame = live.metadata.resourceVersion === target.metadata.resourceVersion
    return isSame && isRunning(instance) === wasRunning ? undefined : lookAgainMs
  }

  /**
   * A guest leaves the revision it was started with. One of the restored definition, younger than the restored disks,
   * was started by us before we could say so, or by somebody else; and it may have been stopped again since.
   */
  async #hasRunSince(restore: Restore, target: VirtualMachine): Promise<boolean> {
    const { context, world } = this.#tools
    if (!isMadeBy(target, restore)) return false
    const { namespace, generation } = target.metadata
    const name = startRevisionName(uidOf(target), generation ?? 0)
    const revision = await context.client.find(ControllerRevision, { namespace, name })
    const since = world.claims
      .byIndex('restore:name', keyOf(restore))
      .filter((claim) => isMadeBy(claim, restore))
      .map(({ metadata }) => metadata.creationTimestamp ?? '')
    const youngest = [restore.metadata.creationTimestamp ?? '', ...since].sort().at(-1) ?? ''
    return revision !== undefined && Date.parse(revision.metadata.creationTimestamp ?? '') >= Date.parse(youngest)
  }

  /** With a note on the VM in the same write: after a crash there is no doubt whose it was. */
  async #setStrategy(
    restore: Restore,
    target: VirtualMachine,
    { strategy, starts }: StartStep & { do: 'setStrategy' },
  ): Promise<void> {
    const { context, world } = this.#tools
    const { uid, resourceVersion } = target.metadata
    const annotations = starts ? { [startedByAnnotation]: uidOf(restore) } : {}
    const spec =
      target.spec.running === undefined
        ? { runStrategy: strategy }
        : strategy === 'Always'
          ? { running: true }
          : { running: null, runStrategy: strategy }
    const patch = { metadata: { uid, resourceVersion, annotations }, spec }
    world.vms.note(await context.client.patch(VirtualMachine, refOf(target), patch))
  }

  async #request(target: VirtualMachine): Promise<void> {
    const { context, world } = this.#tools
    const { namespace, name } = target.metadata
    const ref = { group: 'subresources.kubevirt.io', version: 'v1', resource: 'virtualmachines', subresource: 'start' }
    await context.client.call({ ...ref, namespace, name }, { method: 'PUT', body: {} })
    const asked = await context.client.find(VirtualMachine, { namespace, name })
    if (asked !== undefined) world.vms.note(asked)
  }

  /** Tried again later and later; after the last time a person has to do it, and is told how. */
  async #refused(pass: Pass, step: StartStep, error: unknown): Promise<Requeue> {
    // Nobody answered, or somebody wrote in between: no refusal.
    if (!(error instanceof StatusError) || (step.do === 'setStrategy' && isConflict(error))) throw error
    const { restore } = pass
    const { context, events } = this.#tools
    const key = keyOf(restore)
    const { count = 0, told = false } = this.#refusals.get(key) ?? {}
    const retryMs = retryAfterRefusal(count + 1)
    const hint = isForbidden(error) ? '; the controllers need the rights of deploy/rbac.yaml' : ''
    const why = `${describeError(error).slice(0, longestText)}${hint}`
    if (retryMs === undefined) {
      this.forget(key)
      return await this.#settle(pass, { outcome: 'failed', text: why })
    }
    // One that was started by somebody else meanwhile is refused for a good reason, and the next look shows it.
    const againMs = await this.#lookAgainMs(pass)
    if (againMs === undefined && !told)
      events.event(restore, 'Warning', reasons.failed, `${sentenceOf(restore, 'failed')}: ${why}; tried again`)
    const notBefore = new Date(context.now().getTime() + retryMs)
    this.#refusals.set(key, { count: count + 1, told: told || againMs === undefined, notBefore })
    context.log.warn({ restore: key, error: why, retryMs }, 'start refused, will retry')
    return { requeueAfterMs: againMs ?? retryMs }
  }

  /** Marks the restore, so that nothing is started for it another time, and tells it of restore and VM. */
  async #settle(
    { restore, target }: Pass,
    { outcome, text }: { outcome: StartOutcome; text: string },
  ): Promise<undefined> {
    const { context, events } = this.#tools
    const mark =
      outcome === 'started' ? { [startedAnnotation]: rfc3339(context.now()) } : { [notStartedAnnotation]: text }
    if (!(await this.#annotate(restore, mark))) return
    const { namespace } = restore.metadata
    const { name } = restore.spec.target
    const remedy = outcome === 'failed' ? `; start it yourself, for example: virtctl start -n ${namespace} ${name}` : ''
    const said = `${sentenceOf(restore, outcome)}: ${text}${remedy}`
    for (const object of target === undefined ? [restore] : [restore, target])
      events.event(object, outcome === 'failed' ? 'Warning' : 'Normal', reasons[outcome], said)
    context.log.info({ restore: keyOf(restore), outcome, text }, 'start settled')
  }

  /** Whether the restore is still there. */
  async #annotate(restore: Restore, annotations: Record<string, string>): Promise<boolean> {
    const { context, world } = this.#tools
    const metadata = { uid: uidOf(restore), annotations }
    try {
      world.restores.note(await context.client.patch(VirtualMachineRestore, refOf(restore), { metadata }))
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }
}

const reasons = {
  started: 'RestoreTargetStarted',
  left: 'RestoreTargetLeft',
  failed: 'RestoreTargetNotStarted',
} satisfies Record<StartOutcome, string>

function sentenceOf({ metadata, spec }: Restore, outcome: StartOutcome): string {
  const does = { started: 'is started', left: 'is left as it is', failed: 'could not be started' }[outcome]
  return `VirtualMachine ${spec.target.name} ${does} after VirtualMachineRestore ${metadata.name}`
}
