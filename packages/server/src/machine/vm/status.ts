import type { Condition } from '@stillpoint/api/meta/condition'
import { conditionOf, isTrue } from '@stillpoint/api/meta/condition'
import { rfc3339, withCondition } from '../../controller/conditions.ts'
import {
  type ObservedVm,
  openRequests,
  type StartFailure,
  type StateChangeRequest,
  setToStart,
  type VmStep,
} from './plan.ts'

/** What the status shows beyond what decides. */
export interface Shown {
  generation: number
  conditions: readonly Condition[]
  instance?:
    | {
        phase?: string | undefined
        conditions: readonly Condition[]
        generation?: number | undefined
        createdUnder?: string | undefined
        /** Built from another template than the VM has now. */
        outdated: boolean
      }
    | undefined
  /** Data volumes that templates or volumes name, as far as they exist. */
  dataVolumes: readonly { phase?: string | undefined; conditions: readonly Condition[]; claimBound: boolean }[]
  claimsBound: boolean
  failure?: { reason: string; message: string } | undefined
}

export interface VmStatusFields {
  created: boolean
  ready: boolean
  printableStatus: string
  runStrategy?: string | undefined
  conditions: Condition[]
  stateChangeRequests: StateChangeRequest[]
  startFailure?: StartFailure | undefined
  observedGeneration?: number | undefined
  desiredGeneration: number
}

/** The whole status this controller owns. `startFailure` is decided by `nextStartFailure`. */
export function vmStatus(
  observed: ObservedVm,
  shown: Shown,
  step: VmStep,
  startFailure: StartFailure | undefined,
): VmStatusFields {
  const { instance } = shown
  return {
    created: observed.instance?.owned === true,
    ready: isTrue(instance?.conditions, 'Ready'),
    printableStatus: printableStatus(observed, shown, step, startFailure),
    runStrategy: instance?.createdUnder ?? observed.vm.lastStrategy,
    conditions: vmConditions(observed, shown, step),
    stateChangeRequests: openRequests(observed),
    startFailure,
    observedGeneration: instance?.generation,
    desiredGeneration: shown.generation,
  }
}

const waitingPhases = [undefined, 'Pending', 'Scheduling', 'Scheduled']

/** First match wins, in the order of the specification's table (a.10). */
export function printableStatus(
  observed: ObservedVm,
  shown: Shown,
  step: VmStep,
  startFailure: StartFailure | undefined,
): string {
  const { vm } = observed
  const instance = observed.instance?.owned ? observed.instance : undefined
  const view = instance ? shown.instance : undefined
  const trouble = conditionOf(view?.conditions, 'Synchronized')
  const troubled = (reason: string): boolean => trouble?.status === 'False' && trouble.reason === reason
  const unschedulable = conditionOf(view?.conditions, 'PodScheduled')

  if (vm.deleting) return 'Terminating'
  if (instance && !instance.final && (instance.deleting || step.do === 'delete')) return 'Stopping'
  if (view?.phase === 'Running') return isTrue(view.conditions, 'Paused') ? 'Paused' : 'Running'
  if (troubled('FailedPvcNotFound')) return 'ErrorPvcNotFound'
  if (shown.dataVolumes.some(dataVolumeFailed)) return 'DataVolumeError'
  if (unschedulable?.status === 'False' && unschedulable.reason === 'Unschedulable') return 'ErrorUnschedulable'
  if (shown.dataVolumes.some(isProvisioning)) return 'Provisioning'
  if (setToStart(observed) && !shown.claimsBound && !instance?.final) return 'WaitingForVolumeBinding'
  if (troubled('ErrImagePull')) return 'ErrImagePull'
  if (troubled('ImagePullBackOff')) return 'ImagePullBackOff'
  if (step.do === 'create' || (instance && waitingPhases.includes(view?.phase))) return 'Starting'
  if ((!instance || instance.final) && (startFailure?.count ?? 0) > 0 && vm.strategy !== 'Manual')
    return 'CrashLoopBackOff'
  if (!instance || instance.final) return 'Stopped'
  return 'Unknown'
}

function dataVolumeFailed({ phase, conditions }: Shown['dataVolumes'][number]): boolean {
  const running = conditionOf(conditions, 'Running')
  return (
    phase === 'Failed' ||
    (running?.status === 'False' && (running.reason === 'Error' || running.reason === 'ImagePullFailed'))
  )
}

function isProvisioning({ phase, claimBound }: Shown['dataVolumes'][number]): boolean {
  if (phase === 'Succeeded' || phase === 'PendingPopulation') return false
  return phase !== 'WaitForFirstConsumer' || claimBound
}

const own = ['Ready', 'Failure', 'RestartRequired']

function vmConditions({ now, instance: facts }: ObservedVm, shown: Shown, step: VmStep): Condition[] {
  const { instance, failure } = shown
  // Mirrored conditions leave with the instance they came from.
  const mirrored = instance?.conditions.filter(({ type }) => !own.includes(type)) ?? []
  let list: Condition[] = shown.conditions.filter(({ type }) => own.includes(type))
  const ready = conditionOf(instance?.conditions, 'Ready')
  if (ready) list = replace(list, ready)
  else if (!instance)
    list = withCondition(
      list,
      {
        type: 'Ready',
        status: 'False',
        reason: 'VMINotExists',
        message: `VMI does not exist${step.do === 'wait' ? `: ${step.why}` : ''}`,
      },
      now,
    )
  else
    list = withCondition(
      list,
      { type: 'Ready', status: 'False', reason: 'VMIConditionMissing', message: 'VMI is missing the Ready condition' },
      now,
    )
  list = failure
    ? withCondition(list, { type: 'Failure', status: 'True', ...failure }, now)
    : list.filter(({ type }) => type !== 'Failure')
  list =
    instance?.outdated && !facts?.final
      ? withCondition(
          list,
          {
            type: 'RestartRequired',
            status: 'True',
            reason: 'RestartRequired',
            message: 'a non-live-updatable field was changed in the template spec',
          },
          now,
        )
      : list.filter(({ type }) => type !== 'RestartRequired')
  return [...list, ...mirrored]
}

function replace(list: readonly Condition[], condition: Condition): Condition[] {
  const at = list.findIndex(({ type }) => type === condition.type)
  return at === -1 ? [condition, ...list] : list.with(at, condition)
}

/** How the failure count travels. */
export function startFailureField(failure: StartFailure | undefined): object | null {
  if (!failure) return null
  return {
    consecutiveFailCount: failure.count,
    lastFailedVMIUID: failure.instanceUid,
    retryAfterTimestamp: rfc3339(failure.retryAt),
  }
}
