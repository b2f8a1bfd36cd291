import type { RunStrategy } from '@stillpoint/api/kubevirt/kinds'

//                 start wanted, disks ready
//   no instance ────────────────────────────► instance ──guest ends──► final instance
//        ▲                                        │ stop wanted             │ strategy
//        └──────────── finalizer released ◄───── deleting ◄─────────────────┘

export interface StateChangeRequest {
  action: 'Start' | 'Stop'
  uid?: string | undefined
  data?: Record<string, string> | undefined
}

export interface StartFailure {
  count: number
  instanceUid: string
  retryAt: Date
}

export interface Instance {
  uid: string
  /** Controlled by this VM. Another of the same name is somebody else's. */
  owned: boolean
  deleting: boolean
  /** The phase is Succeeded or Failed. */
  final: boolean
  failed: boolean
  /** The VM controller's own finalizer is still on it. */
  held: boolean
  runningSince?: Date
  endedAt?: Date
}

export interface ObservedVm {
  now: Date
  vm: {
    deleting: boolean
    /** Deleted with its dependents to be kept. */
    orphaning: boolean
    held: boolean
    strategy: RunStrategy
    /** The strategy the last instance was created under. */
    lastStrategy?: string | undefined
    /** The restore that is exchanging its disks. */
    restoring?: string | undefined
    requests: readonly StateChangeRequest[]
    startFailure?: StartFailure | undefined
    /** Templates are to wait for the first start. */
    delayDataVolumes: boolean
  }
  instance?: Instance | undefined
  /** Those of the VM's templates. */
  dataVolumes: readonly { name: string; exists: boolean; ready: boolean }[]
}

export type VmStep =
  | { do: 'hold' }
  | { do: 'release' }
  | { do: 'createDataVolumes'; names: string[] }
  | { do: 'create'; paused: boolean }
  | { do: 'delete'; uid: string; why: string }
  | { do: 'releaseInstance'; uid: string }
  /** With a reason when a person who wonders should read of it in the events. */
  | { do: 'wait'; why: string; reason?: string; recheckMs?: number }
  | { do: 'nothing' }

/** Decides the one next step towards what the run strategy and the requests ask for. */
export function planVm(observed: ObservedVm): VmStep {
  const { vm, instance, dataVolumes } = observed
  if (instance?.owned && instance.deleting && instance.final && instance.held)
    return { do: 'releaseInstance', uid: instance.uid }
  if (vm.deleting) return planDeletion(observed)
  // Before anything is created, so that a deletion of the VM ends the guest gracefully first.
  if (!vm.held) return { do: 'hold' }

  const missing = dataVolumes.filter(({ exists }) => !exists).map(({ name }) => name)
  const starting = !instance && wantsStart(observed)
  if (missing.length > 0 && vm.restoring === undefined && (starting || !vm.delayDataVolumes))
    return { do: 'createDataVolumes', names: missing }

  if (instance) return planExisting(vm, instance)
  return starting ? planStart(observed) : { do: 'nothing' }
}

function planDeletion({ vm, instance }: ObservedVm): VmStep {
  if (!vm.held) return { do: 'nothing' }
  if (!instance?.owned || vm.orphaning) return { do: 'release' }
  if (!instance.deleting) return { do: 'delete', uid: instance.uid, why: 'the virtual machine is being deleted' }
  return { do: 'wait', why: 'the instance is stopping' }
}

function planExisting(vm: ObservedVm['vm'], instance: Instance): VmStep {
  if (!instance.owned)
    return { do: 'wait', why: 'a virtual machine instance of this name exists that is not controlled by this VM' }
  if (instance.deleting) return { do: 'wait', why: 'the instance is stopping' }
  const why = whyDelete(vm, instance)
  return why === undefined ? { do: 'nothing' } : { do: 'delete', uid: instance.uid, why }
}

function whyDelete(vm: ObservedVm['vm'], instance: Instance): string | undefined {
  const stopAsked = vm.requests.some(({ action, uid }) => action === 'Stop' && uid === instance.uid)
  const startAsked = vm.requests.some(({ action }) => action === 'Start')
  switch (vm.strategy) {
    case 'Halted':
      return 'the run strategy is Halted'
    case 'Always':
      if (instance.final) return 'the guest has ended and the run strategy is Always'
      return stopAsked ? 'a restart was asked for' : undefined
    case 'RerunOnFailure':
      if (instance.final) return instance.failed ? 'the guest has failed' : 'the guest has ended'
      return stopAsked ? 'a stop was asked for' : undefined
    case 'Manual':
      if (instance.final) return startAsked || stopAsked ? 'a new start was asked for' : undefined
      return stopAsked ? 'a stop was asked for' : undefined
    case 'Once':
      return undefined
    default:
      vm.strategy satisfies never
  }
  return undefined
}

function planStart({ now, vm, dataVolumes }: ObservedVm): VmStep {
  // A guest that starts on disks that are being exchanged under it would lose what it writes.
  if (vm.restoring !== undefined)
    return { do: 'wait', reason: 'RestoreInProgress', why: `restore "${vm.restoring}" is in progress` }
  const pending = dataVolumes.filter(({ ready }) => !ready).map(({ name }) => name)
  if (pending.length > 0) return { do: 'wait', why: `data volumes are not ready: ${pending.join(', ')}` }
  const retryMs = backsOff(vm.strategy) && vm.startFailure ? vm.startFailure.retryAt.getTime() - now.getTime() : 0
  if (retryMs > 0) return { do: 'wait', why: 'waiting before the next start after a failure', recheckMs: retryMs }
  return { do: 'create', paused: vm.requests.some(({ action, data }) => action === 'Start' && data?.paused === 'true') }
}

/** Whether the VM, which has no instance, is to get one. */
function wantsStart({ vm }: ObservedVm): boolean {
  const asked = vm.requests.some(({ action }) => action === 'Start')
  switch (vm.strategy) {
    case 'Always':
    case 'Once':
      return true
    case 'Halted':
      return false
    case 'Manual':
      return asked
    case 'RerunOnFailure':
      return asked || vm.lastStrategy !== 'RerunOnFailure'
    default:
      return vm.strategy satisfies never
  }
}

/** "Set to start" of the table of printable statuses. */
export function setToStart(observed: ObservedVm): boolean {
  const { vm, instance } = observed
  if (!instance || vm.strategy === 'Always' || vm.strategy === 'Halted') return wantsStart(observed)
  if (vm.strategy === 'Manual') return !vm.requests.some(({ action }) => action === 'Stop')
  return vm.strategy === 'RerunOnFailure' && (!instance.final || instance.failed)
}

function backsOff(strategy: RunStrategy): boolean {
  return strategy === 'Always' || strategy === 'RerunOnFailure'
}

/** The requests that are still open; those of a guest that ended under RerunOnFailure and is to be started again included. */
export function openRequests({ vm, instance }: ObservedVm): StateChangeRequest[] {
  const open = vm.requests.filter(({ action, uid }) =>
    action === 'Start' ? !instance || instance.final || stopsFirst(vm.requests, instance) : instance?.uid === uid,
  )
  const rerun =
    vm.strategy === 'RerunOnFailure' && instance?.owned && instance.final && instance.failed && !instance.deleting
  return rerun && !open.some(({ action }) => action === 'Start') ? [...open, { action: 'Start' }] : open
}

// A restart is [Stop(uid), Start]: its start is not done by the instance that is still to be stopped.
function stopsFirst(requests: readonly StateChangeRequest[], instance: Instance): boolean {
  return instance.deleting || requests.some(({ action, uid }) => action === 'Stop' && uid === instance.uid)
}

/** An instance that fails sooner has not really run. */
export const stableAfterMs = 60_000
const maxDelaySeconds = 300

/**
 * The count of failures in a row. `random` (0 to 1) spreads the retries; it only matters when a failure is counted.
 * Deletion by somebody else is no failure, hence only an instance that nobody deletes yet is counted.
 */
export function nextStartFailure({ now, vm, instance }: ObservedVm, random: number): StartFailure | undefined {
  const counts = backsOff(vm.strategy) || vm.strategy === 'Once'
  if (!counts || !instance?.owned) return counts ? keepUnlessAsked(vm) : undefined
  const ranMs = instance.runningSince ? (instance.endedAt ?? now).getTime() - instance.runningSince.getTime() : 0
  if (ranMs >= stableAfterMs) return undefined
  const { startFailure } = vm
  if (!instance.final || !instance.failed || instance.deleting || startFailure?.instanceUid === instance.uid)
    return startFailure
  const count = (startFailure?.count ?? 0) + 1
  const seconds = Math.max(maxDelaySeconds / 30, 10) * count ** 2
  const delayMs = Math.min(seconds * (1 + random / 2), maxDelaySeconds) * 1_000
  return { count, instanceUid: instance.uid, retryAt: new Date(now.getTime() + delayMs) }
}

// A start that a user asks for does not wait for what went wrong before. The request that follows a failure under
// RerunOnFailure is ours, and cannot be told from a user's: there the user has to wait.
function keepUnlessAsked(vm: ObservedVm['vm']): StartFailure | undefined {
  return vm.strategy !== 'RerunOnFailure' && vm.requests.length > 0 ? undefined : vm.startFailure
}
