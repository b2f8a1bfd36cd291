import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { Condition } from '@stillpoint/api/meta/condition'
import { withCondition, withoutCondition } from '../../controller/conditions.ts'
import type { MachineState } from '../hypervisor/hypervisor.ts'
import type { AgentFacts } from './agent-watch.ts'
import { addressOf, macOf, memoryBytes, targetNames } from './machine-spec.ts'
import type { VolumeReadiness } from './plan.ts'

export interface ObservedGuest {
  now: Date
  phase: string
  deleting: boolean
  nodeName: string
  machine?: { state: MachineState; accelerator: 'kvm' | 'tcg'; machineType: string } | undefined
  agent?: AgentFacts | undefined
  volumes: readonly VolumeReadiness[]
  /** Facts of the claims behind the volumes, by volume name. */
  claims: ReadonlyMap<string, ClaimFacts>
  takenAddresses: ReadonlySet<string>
  /** Why the spec cannot be applied at present. */
  trouble?: { reason: string; message: string } | undefined
}

export interface ClaimFacts {
  claimName: string
  accessModes?: string[] | undefined
  volumeMode?: string | undefined
  capacity?: Record<string, unknown> | undefined
  requests?: Record<string, unknown> | undefined
}

type Status = NonNullable<VirtualMachineInstance['status']>

/** Everything in the status but the phase and its times. A final status is a record and is not touched any more. */
export function guestStatus(vmi: VirtualMachineInstance, guest: ObservedGuest): Partial<Status> {
  const final = guest.phase === 'Succeeded' || guest.phase === 'Failed'
  const alive = guest.machine !== undefined && guest.machine.state.kind !== 'ended'
  const base = {
    nodeName: guest.nodeName,
    conditions: conditionsOf(vmi, guest),
    volumeStatus: volumeStatusOf(vmi, guest, final),
    fsFreezeStatus: guest.agent?.freeze === 'frozen' && alive ? 'frozen' : undefined,
  }
  if (final || guest.phase === 'Pending') return base
  const { cpu } = vmi.spec.domain
  return {
    ...base,
    interfaces: interfacesOf(vmi, guest),
    ...(guest.agent?.osInfo ? { guestOSInfo: named(guest.agent.osInfo) } : {}),
    ...(guest.machine ? { machine: { type: guest.machine.machineType } } : {}),
    memory: memoryOf(vmi),
    currentCPUTopology: { cores: cpu?.cores || 1, sockets: cpu?.sockets || 1, threads: cpu?.threads || 1 },
  }
}

function memoryOf(vmi: VirtualMachineInstance): object {
  const guest = `${Math.floor(memoryBytes(vmi.spec.domain) / 2 ** 20)}Mi`
  return { guestAtBoot: guest, guestCurrent: guest, guestRequested: guest }
}

function conditionsOf(vmi: VirtualMachineInstance, guest: ObservedGuest): Condition[] {
  const { now, machine, agent, trouble, phase, deleting } = guest
  const alive = machine !== undefined && machine.state.kind !== 'ended' && phase === 'Running'
  let list: Condition[] = [...(vmi.status?.conditions ?? [])]
  const set = (type: string, status: 'True' | 'False', reason?: string, message?: string): void => {
    list = withCondition(
      list,
      { type, status, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) },
      now,
    )
  }
  const drop = (type: string): void => {
    list = withoutCondition(list, type)
  }

  const state = machine?.state
  if (alive && state?.kind === 'paused' && state.cause === 'io-error')
    set('Paused', 'True', 'PausedIOError', 'VMI was paused, low-level IO error detected')
  // Started paused, a guest counts as running before its first instruction.
  else if (alive && (state?.kind === 'prelaunch' || (state?.kind === 'paused' && state.cause === 'requested')))
    set('Paused', 'True', 'PausedByUser', 'VMI was paused by user')
  else drop('Paused')

  if (alive && state?.kind === 'running' && !deleting) set('Ready', 'True')
  else if (alive && deleting) set('Ready', 'False', 'PodTerminating', 'the instance is being deleted')
  else if (phase === 'Pending' || phase === 'Scheduling' || phase === '')
    set('Ready', 'False', 'PodNotExists', 'the hypervisor process has not been started yet')
  else set('Ready', 'False', 'GuestNotRunning', alive ? 'the guest is paused' : 'the guest is not running')

  if (alive && agent?.connected) set('AgentConnected', 'True')
  else drop('AgentConnected')
  if (alive && agent?.connected && agent.unsupported)
    set(
      'AgentVersionNotSupported',
      'True',
      "This guest agent doesn't support required basic commands",
      agent.unsupported,
    )
  else drop('AgentVersionNotSupported')

  if (machine && machine.accelerator === 'tcg')
    set(
      'SoftwareEmulation',
      'True',
      'NoHardwareVirtualization',
      'the guest runs without hardware virtualisation, because this machine offers none that works',
    )
  if (machine) set('LiveMigratable', 'False', 'DisksNotLiveMigratable', 'cannot migrate: there is a single machine')

  if (trouble) set('Synchronized', 'False', trouble.reason, trouble.message)
  else drop('Synchronized')
  return list
}

function volumeStatusOf(vmi: VirtualMachineInstance, guest: ObservedGuest, final: boolean): Status['volumeStatus'] {
  const targets = targetNames(vmi.spec.domain.devices.disks ?? [])
  const published = guest.machine !== undefined && !final
  const list = (vmi.spec.volumes ?? []).map(({ name }) => {
    const target = targets.get(name)
    const claim = guest.claims.get(name)
    const readiness = guest.volumes.find((volume) => volume.name === name)
    return {
      name,
      ...(target === undefined ? {} : { target }),
      ...(published ? { phase: 'Ready' } : readiness?.state === 'ready' || final ? {} : { phase: 'Pending' }),
      ...(readiness && readiness.state !== 'ready' && !final
        ? { reason: readiness.reason, message: readiness.message }
        : {}),
      ...(claim ? { persistentVolumeClaimInfo: claim } : {}),
    }
  })
  return list.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

const guestOnlyLimit = 10

function interfacesOf(vmi: VirtualMachineInstance, { agent, takenAddresses }: ObservedGuest): Status['interfaces'] {
  const nics = vmi.spec.domain.devices.interfaces ?? []
  const address = addressOf(vmi, takenAddresses)
  const reported = agent?.interfaces ?? []
  const macs = new Set<string>()
  const own = nics.map((nic) => {
    const mac = macOf(vmi, nic)
    macs.add(mac)
    const inGuest = reported.find((one) => one.mac.toLowerCase() === mac)
    return {
      name: nic.name,
      mac,
      // What the host reaches it by. The address inside is the same for every guest behind user networking.
      ipAddress: address,
      ipAddresses: [address],
      ...(inGuest ? { interfaceName: inGuest.name } : {}),
      infoSource: inGuest ? 'domain, guest-agent' : 'domain',
      queueCount: 1,
      linkState: nic.state === 'down' ? 'down' : 'up',
    }
  })
  const others = reported
    .filter(({ mac, name }) => name !== 'lo' && mac !== '' && !macs.has(mac.toLowerCase()))
    .slice(0, guestOnlyLimit)
    .map(({ name, mac, addresses }) => ({
      interfaceName: name,
      mac,
      ...(addresses[0] ? { ipAddress: addresses[0].address, ipAddresses: addresses.map((one) => one.address) } : {}),
      infoSource: 'guest-agent',
    }))
  return [...own, ...others]
}

/** A guest without a release file leaves most of it empty. */
function named(facts: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== ''))
}
