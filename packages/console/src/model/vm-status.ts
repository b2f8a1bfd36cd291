import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { conditionOf, isTrue } from '@stillpoint/api/meta/condition'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { restoreStatus } from './restores.ts'
import { snapshotStatus, type Tone } from './snapshot-status.ts'

export interface ShownVmStatus {
  /** The API's own word. */
  label: string
  tone: Tone
  /** It is on its way to another state. */
  running: boolean
  /** Why it is so, or what it waits for. */
  detail?: string | undefined
}

const tones: Record<string, Tone> = {
  Running: 'success',
  Stopped: 'neutral',
  Paused: 'warning',
  Unknown: 'warning',
  CrashLoopBackOff: 'danger',
  ErrorUnschedulable: 'danger',
  ErrImagePull: 'danger',
  ImagePullBackOff: 'danger',
  ErrorPvcNotFound: 'danger',
  DataVolumeError: 'danger',
}
const settled = new Set(Object.keys(tones))

/** What a VM does now, and why. */
export function vmStatus(vm: VirtualMachine): ShownVmStatus {
  const word = vm.status?.printableStatus || 'Stopped'
  const label = vm.metadata.deletionTimestamp === undefined ? word : 'Terminating'
  const tone = Object.hasOwn(tones, label) ? (tones[label] ?? 'info') : 'info'
  const quiet = tone === 'success' || tone === 'neutral'
  return { label, tone, running: !settled.has(label), ...(quiet ? {} : { detail: whyNotSettled(vm) }) }
}

function whyNotSettled({ status }: VirtualMachine): string | undefined {
  const conditions = status?.conditions
  const synchronized = conditionOf(conditions, 'Synchronized')
  const told = [
    synchronized?.status === 'False' ? synchronized : undefined,
    isTrue(conditions, 'Failure') ? conditionOf(conditions, 'Failure') : undefined,
    isTrue(conditions, 'Paused') ? conditionOf(conditions, 'Paused') : undefined,
  ].find((condition) => condition?.message !== undefined || condition?.reason !== undefined)
  const failures = status?.startFailure?.consecutiveFailCount
  return told?.message ?? told?.reason ?? (failures ? `${failures} failed starts in a row` : undefined)
}

export type GuestAgent = 'connected' | 'unsupported' | 'absent' | 'off'

/** Whether the guest agent answers; `off` while there is no guest that could. */
export function guestAgentOf({ status }: VirtualMachine): GuestAgent {
  if (isTrue(status?.conditions, 'AgentConnected'))
    return isTrue(status?.conditions, 'AgentVersionNotSupported') ? 'unsupported' : 'connected'
  return status?.created === true || status?.printableStatus === 'Running' ? 'absent' : 'off'
}

export interface VmWork {
  kind: 'snapshot' | 'restore'
  name: string
  /** A sentence: what is done, and what it waits for. */
  text: string
  tone: Tone
}

/** What holds a VM now: the snapshot that is taken of it, or the restore into it. */
export function vmWork(
  { status, metadata }: VirtualMachine,
  snapshots: readonly VirtualMachineSnapshot[],
  restores: readonly VirtualMachineRestore[],
  now: Date,
): VmWork | undefined {
  const named = <T extends VirtualMachineSnapshot | VirtualMachineRestore>(objects: readonly T[], name: string) =>
    objects.find((each) => each.metadata.name === name && each.metadata.namespace === metadata.namespace)
  const { snapshotInProgress, restoreInProgress } = status ?? {}
  if (restoreInProgress) {
    const restore = named(restores, restoreInProgress)
    const { label, reason, tone } = restore ? restoreStatus(restore, now) : working
    const from = restore ? ` from ${restore.spec.virtualMachineSnapshotName}` : ''
    return { kind: 'restore', name: restoreInProgress, text: `Restoring${from}: ${reason ?? label}`, tone }
  }
  if (!snapshotInProgress) return undefined
  const snapshot = named(snapshots, snapshotInProgress)
  const { reason, tone } = snapshot ? snapshotStatus(snapshot, now) : working
  const why = reason === undefined ? '' : `: ${reason}`
  return { kind: 'snapshot', name: snapshotInProgress, text: `Taking snapshot ${snapshotInProgress}${why}`, tone }
}
const working: { label: string; reason?: string; tone: Tone } = { label: 'In progress', tone: 'info' }
