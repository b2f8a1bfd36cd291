import { effectiveRunStrategy, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { isConflict, isInvalid } from '@stillpoint/api/meta/status-error'
import type { ControllerContext } from '../../controller/context.ts'
import { type JsonPatchOperation, refOf } from '../../kube/client.ts'
import type { FreezeHold } from '../freeze-holder.ts'
import { whyNotStarted, whyRunStateFixed } from '../vm/locks.ts'
import { finalPhases } from '../vm/observe.ts'
import type { StateChangeRequest } from '../vm/plan.ts'
import {
  badRequest,
  conflict,
  isDryRun,
  members,
  mustNotBeHeld,
  notFound,
  type SubresourceCall,
  type SubresourceHandler,
} from './answers.ts'

const resource = 'virtualmachines'
const accepted = { code: 202 }

interface Found {
  vm: VirtualMachine
  /** Of this name, final or not. */
  instance: VirtualMachineInstance | undefined
  live: boolean
}

export interface VmActionsOptions {
  context: ControllerContext
  /** On whose behalf the guest of an instance must stay frozen for now. */
  heldBy(instanceUid: string): FreezeHold | undefined
}

/** start, stop and restart: they change the VM object; its controller does the rest. Spec vm-runtime c.2. */
export function vmActions({ context, heldBy }: VmActionsOptions): Map<string, SubresourceHandler> {
  const { client, log } = context

  // Asked live: a user who has just read "Stopped" must not be told that the VM runs.
  async function find({ namespace, name }: SubresourceCall): Promise<Found> {
    const [vm, instance] = await Promise.all([
      client.find(VirtualMachine, { namespace, name }),
      client.find(VirtualMachineInstance, { namespace, name }),
    ])
    if (!vm) throw notFound(resource, name)
    const phase = instance?.status?.phase ?? ''
    return { vm, instance, live: instance !== undefined && !finalPhases.includes(phase) }
  }

  async function start(call: SubresourceCall): Promise<{ code: number }> {
    const { vm, instance, live } = await find(call)
    const body = members(call.body)
    const strategy = effectiveRunStrategy(vm.spec)
    const refuse = (why: string) => conflict(resource, call.name, why)
    if (live && instance?.status?.phase && instance.status.phase !== 'Unknown') throw refuse('VM is already running')
    const paused = body.paused === true
    switch (strategy) {
      case 'Always':
      case 'Once':
        throw refuse(`${strategy} does not support manual start requests`)
      case 'RerunOnFailure':
        if (instance?.status?.phase === 'Failed')
          throw refuse('RerunOnFailure does not support starting VM from failed state')
        break
      case 'Halted':
        // Before anything is written: a start that is refused must leave nothing behind.
        refuseWhen(call, whyRunStateFixed(vm))
        if (isDryRun(body)) return accepted
        if (paused) await request(vm, [{ action: 'Start', data: { paused: 'true' } }])
        await setRunning(vm, true)
        return accepted
      case 'Manual':
        break
      default:
        strategy satisfies never
    }
    refuseWhen(call, whyNotStarted(vm))
    mustBeIdle(vm, 'Start')
    const begin: StateChangeRequest = { action: 'Start', ...(paused ? { data: { paused: 'true' } } : {}) }
    const requests = instance ? [{ action: 'Stop' as const, uid: uidOf(instance) }, begin] : [begin]
    if (!isDryRun(body)) await request(vm, requests)
    return accepted
  }

  async function stop(call: SubresourceCall): Promise<{ code: number }> {
    const { vm, instance, live } = await find(call)
    const body = members(call.body)
    const strategy = effectiveRunStrategy(vm.spec)
    const grace = gracePeriod(body.gracePeriod, 'gracePeriod')
    const refuse = (why: string) => conflict(resource, call.name, why)
    if (!instance || !live) {
      if (strategy !== 'Always' && strategy !== 'Once') throw refuse('VM is not running')
    }
    const present = instance?.spec.terminationGracePeriodSeconds
    const shorter = grace !== undefined && (present === undefined || grace < present)
    if (strategy === 'Halted' && !shorter)
      throw refuse('Halted only supports manual stop requests with a shorter graceperiod')
    if (strategy === 'Manual' || strategy === 'RerunOnFailure') mustBeIdle(vm, 'Stop')
    else if (strategy !== 'Halted') refuseWhen(call, whyRunStateFixed(vm))
    // Who wants it at once has no use for what the guest still holds back.
    if (instance && live && grace !== 0) mustNotBeHeld(resource, call.name, heldBy(uidOf(instance)))
    if (isDryRun(body)) return accepted
    // First, so that a stop that is already going on is shortened as well.
    if (instance && live && grace !== undefined) await shortenGrace(instance, grace)
    if (strategy === 'Always' || strategy === 'Once') await setRunning(vm, false)
    else if (strategy !== 'Halted' && instance) await request(vm, [{ action: 'Stop', uid: uidOf(instance) }])
    return accepted
  }

  async function restart(call: SubresourceCall): Promise<{ code: number }> {
    const body = members(call.body)
    const grace = gracePeriod(body.gracePeriodSeconds, 'gracePeriodSeconds')
    if (grace !== undefined && grace > 0) throw badRequest('For force restart, only gracePeriod=0 is supported for now')
    const { vm, instance, live } = await find(call)
    const strategy = effectiveRunStrategy(vm.spec)
    const refuse = (why: string) => conflict(resource, call.name, why)
    // The reference's spelling; clients may compare it.
    if (strategy === 'Halted' || strategy === 'Once')
      throw refuse(`RunStategy ${strategy} does not support manual restart requests`)
    if (!instance || !live) throw refuse('VM is not running: Halted')
    refuseWhen(call, whyNotStarted(vm))
    mustBeIdle(vm, 'Stop')
    if (grace !== 0) mustNotBeHeld(resource, call.name, heldBy(uidOf(instance)))
    if (isDryRun(body)) return accepted
    await request(vm, [{ action: 'Stop', uid: uidOf(instance) }, { action: 'Start' }])
    if (grace === 0) await shortenGrace(instance, 0)
    return accepted
  }

  function refuseWhen({ name }: SubresourceCall, why: string | undefined): void {
    if (why !== undefined) throw conflict(resource, name, why)
  }

  function mustBeIdle(vm: VirtualMachine, action: 'Start' | 'Stop'): void {
    if ((vm.status?.stateChangeRequests ?? []).length === 0) return
    const why = `unable to complete request: ${action.toLowerCase()} not possible, stop/start already underway`
    throw conflict(resource, vm.metadata.name, why)
  }

  async function request(vm: VirtualMachine, requests: StateChangeRequest[]): Promise<void> {
    const { uid, resourceVersion } = vm.metadata
    const patch = { metadata: { uid, resourceVersion }, status: { stateChangeRequests: requests } }
    try {
      await client.patch(VirtualMachine, refOf(vm), patch, { subresource: 'status' })
    } catch (error) {
      if (isConflict(error)) throw new OutdatedError(vm.metadata.name, { cause: error })
      throw error
    }
  }

  async function setRunning(vm: VirtualMachine, running: boolean): Promise<void> {
    const path = vm.spec.running === undefined ? '/spec/runStrategy' : '/spec/running'
    const before = vm.spec.running ?? vm.spec.runStrategy
    const value = vm.spec.running === undefined ? (running ? 'Always' : 'Halted') : running
    const patch: JsonPatchOperation[] = [
      { op: 'test', path, value: before },
      { op: 'replace', path, value },
    ]
    try {
      await client.patch(VirtualMachine, refOf(vm), patch)
    } catch (error) {
      // A lock of a snapshot or restore: the request was right, the time is wrong.
      if (isInvalid(error)) throw conflict(resource, vm.metadata.name, error.message)
      throw error
    }
    log.info({ kind: 'VirtualMachine', namespace: vm.metadata.namespace, name: vm.metadata.name, running }, 'switched')
  }

  async function shortenGrace(instance: VirtualMachineInstance, seconds: number): Promise<void> {
    await client.patch(VirtualMachineInstance, refOf(instance), {
      metadata: { uid: instance.metadata.uid },
      spec: { terminationGracePeriodSeconds: seconds },
    })
  }

  return new Map<string, SubresourceHandler>([
    ['subresources.kubevirt.io/virtualmachines/start', onPresentState(start)],
    ['subresources.kubevirt.io/virtualmachines/stop', onPresentState(stop)],
    ['subresources.kubevirt.io/virtualmachines/restart', onPresentState(restart)],
  ])
}

/** The VM was written between our look at it and our request. */
class OutdatedError extends Error {
  constructor(name: string, options: ErrorOptions) {
    super(`virtual machine ${name} has changed meanwhile`, options)
    this.name = 'OutdatedError'
  }
}

const looks = 5

/** Looks again and decides anew: the controller writes to the VM all the time, which is no business of the caller. */
function onPresentState(act: SubresourceHandler): SubresourceHandler {
  return async (call) => {
    for (let look = 1; ; look += 1)
      try {
        return await act(call)
      } catch (error) {
        if (!(error instanceof OutdatedError)) throw error
        if (look === looks) throw error.cause
      }
  }
}

function gracePeriod(value: unknown, field: string): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw badRequest(`${field} must be a whole number`)
  if (value < 0) throw badRequest('gracePeriod has to be greater or equal to 0')
  return value
}
