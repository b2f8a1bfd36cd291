import { VirtualMachine, type VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { isTrue } from '@stillpoint/api/meta/condition'
import { parseDurationMs } from '@stillpoint/api/meta/duration'
import { failure } from '@stillpoint/api/meta/status-error'
import type { ControllerContext } from '../../controller/context.ts'
import { describeError } from '../../controller/describe-error.ts'
import type { EventRecorder } from '../../controller/events.ts'
import { GuestAgentError } from '../../qemu/guest-agent.ts'
import { FreezeHeldError, whyNoHolder } from '../freeze-holder.ts'
import type { Freezer } from '../freezer.ts'
import type { Hypervisor, Machine } from '../hypervisor/hypervisor.ts'
import { hasAcpi } from '../vmi/machine-spec.ts'
import {
  badRequest,
  conflict,
  frozenBy,
  internalError,
  isDryRun,
  members,
  mustNotBeHeld,
  type SubresourceCall,
  type SubresourceHandler,
} from './answers.ts'
import { Instances } from './instances.ts'

const resource = 'virtualmachineinstances'
const done = { code: 200 }
/** Below what clients wait for an answer. */
const pausePatienceMs = 5_000

export interface VmiActionsOptions {
  context: ControllerContext
  hypervisor: Hypervisor
  freezer: Freezer
  events: EventRecorder
  adopted: Promise<void>
}

/** Actions on a running guest. Spec vm-runtime c.1, c.2; freeze and unfreeze: snapshot-restore (e). */
export function vmiActions(options: VmiActionsOptions): Map<string, SubresourceHandler> {
  const { context, freezer, events } = options
  const { client, log, now } = context
  const instances = new Instances(options)

  interface Found {
    vmi: VirtualMachineInstance
    machine: Machine
  }

  async function running(call: SubresourceCall, notRunning: string): Promise<Found> {
    const found = await instances.find(call)
    if (!found.machine) throw conflict(resource, call.name, notRunning)
    return { ...found, machine: found.machine }
  }

  async function pause(call: SubresourceCall): Promise<{ code: number }> {
    const { vmi, machine } = await running(call, 'VM is not running')
    if (machine.state.kind !== 'running') throw conflict(resource, call.name, 'VMI is already paused')
    const probe = vmi.spec.livenessProbe as Record<string, unknown> | undefined
    if (probe && probe.guestAgentPing === undefined)
      throw failure(403, 'Forbidden', 'Pausing VMIs with LivenessProbe is currently not supported')
    if (isDryRun(members(call.body))) return done
    // Stopped CPUs cannot thaw: the holder of a freeze, who needs moments, comes first.
    await freezer.betweenFreezes(machine.id, pausePatienceMs, () => machine.pause())
    events.event(vmi, 'Normal', 'Paused', 'VirtualMachineInstance paused by user')
    return done
  }

  async function unpause(call: SubresourceCall): Promise<{ code: number }> {
    const { vmi, machine } = await running(call, 'VMI is not running')
    if (machine.state.kind === 'running') throw conflict(resource, call.name, 'VMI is not paused')
    const { namespace, name } = call
    // Asked live: a snapshot that has found the guest paused counts on it from the moment of its lock.
    const vm = await client.find(VirtualMachine, { namespace, name })
    // A frozen guest that was paused can only be thawed when it runs, and the snapshot may be waiting for just that.
    if (vm?.status?.snapshotInProgress && !freezer.isFrozen(machine.id))
      throw conflict(resource, call.name, 'VM snapshot is in progress')
    if (isDryRun(members(call.body))) return done
    await machine.run()
    events.event(vmi, 'Normal', 'Unpaused', 'VirtualMachineInstance unpaused by user')
    setClock(machine)
    return done
  }

  /** The guest's clock stood still. Not waited for: the agent may take its time or be absent. */
  function setClock(machine: Machine): void {
    const { agent } = machine
    if (!agent?.answering) return
    agent.setTime(now(), { timeoutMs: 60_000 }).catch((error) => {
      log.warn({ machine: machine.id, error: describeError(error) }, 'guest clock not set after unpausing')
    })
  }

  async function freeze(call: SubresourceCall): Promise<{ code: number }> {
    const { vmi, machine } = await running(call, 'VM is not running')
    const body = members(call.body)
    const { unfreezeTimeout } = body
    const holder = holderOf(body)
    if (unfreezeTimeout === undefined) throw internalError('Unfreeze timeout in freeze request is not set')
    const timeoutMs = typeof unfreezeTimeout === 'string' ? parseDurationMs(unfreezeTimeout) : undefined
    if (timeoutMs === undefined) throw internalError('failed to unmarshal unfreeze timeout')
    try {
      await freezer.freeze(machine, timeoutMs, holder)
    } catch (error) {
      if (error instanceof FreezeHeldError) throw frozenBy(resource, call.name, error, 'try again then')
      const text = agentText(error)
      events.event(vmi, 'Warning', 'FreezeError', `Failed to freeze VMI: ${text}`)
      throw internalError(`server error. command Freeze failed: "${text}"`)
    }
    return done
  }

  async function unfreeze(call: SubresourceCall): Promise<{ code: number }> {
    const { machine } = await running(call, 'VMI is not running')
    const holder = holderOf(members(call.body))
    try {
      await freezer.unfreeze(machine, holder)
    } catch (error) {
      if (error instanceof FreezeHeldError)
        throw frozenBy(resource, call.name, error, 'it is thawed by itself when that time is over')
      throw internalError(`server error. command Unfreeze failed: "${agentText(error)}"`)
    }
    return done
  }

  async function reset(call: SubresourceCall): Promise<{ code: number }> {
    const { vmi, machine } = await running(call, 'VM is not running')
    mustNotBeHeld(resource, call.name, freezer.heldBy(machine.id))
    if (isDryRun(members(call.body))) return done
    await machine.reset()
    events.event(vmi, 'Normal', 'Reset', 'VirtualMachineInstance reset by user')
    return done
  }

  async function softReboot(call: SubresourceCall): Promise<{ code: number }> {
    const { vmi, machine } = await running(call, 'VM is not running')
    if (machine.state.kind !== 'running') throw conflict(resource, call.name, 'VMI is paused')
    const byAgent = isTrue(vmi.status?.conditions, 'AgentConnected') && machine.agent?.answering
    if (!byAgent && !hasAcpi(vmi.spec))
      throw conflict(resource, call.name, 'VMI neither have the agent connected nor the ACPI feature enabled')
    mustNotBeHeld(resource, call.name, freezer.heldBy(machine.id))
    if (isDryRun(members(call.body))) return done
    await freezer.thawBefore(machine, 'the guest is to reboot')
    if (byAgent && machine.agent) await machine.agent.shutdown('reboot')
    else await machine.powerButton()
    events.event(vmi, 'Normal', 'SoftRebooted', 'VirtualMachineInstance soft rebooted by user')
    return done
  }

  const all = { pause, unpause, freeze, unfreeze, reset, softreboot: softReboot }
  return new Map(
    Object.entries(all).map(([name, handler]) => [`subresources.kubevirt.io/virtualmachineinstances/${name}`, handler]),
  )
}

function holderOf(body: Record<string, unknown>): string | undefined {
  const why = whyNoHolder(body.holder)
  if (why !== undefined) throw badRequest(why)
  return body.holder as string | undefined
}

/** The agent's own words where there are some: callers look for them. */
function agentText(error: unknown): string {
  return error instanceof GuestAgentError ? `${error.command}: ${error.desc}` : describeError(error)
}
