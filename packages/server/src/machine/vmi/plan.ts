import type { EndCause, MachineState } from '../hypervisor/hypervisor.ts'

//   unset ─► Pending ─► Scheduling ─► Scheduled ─► Running ─► Succeeded | Failed
//               │ volumes    │ publish,    │ CPUs        │ guest ended, killed,
//               │ ready      │ launch      │ start       │ process vanished
//   At every phase a deletion leads to the end of the process, a final phase, released volumes, and no object.

export interface ObservedVmi {
  now: Date
  phase: '' | 'Pending' | 'Scheduling' | 'Scheduled' | 'Running' | 'Succeeded' | 'Failed'
  /** When the phase was entered. */
  since: Date
  deletedAt?: Date | undefined
  graceSeconds: number
  acpi: boolean
  held: boolean
  startPaused: boolean
  volumes: readonly VolumeReadiness[]
  machine?: MachineState | undefined
  /** The folder of the machine, with published volumes, is still there. */
  hasFolder: boolean
  /** For so long at most a holder has the guest frozen. */
  frozenForMs?: number | undefined
  /** When the guest was last asked to end; only to ask not too often. */
  shutdownAskedAt?: Date | undefined
}

export type VolumeReadiness =
  | { name: string; state: 'ready' }
  | { name: string; state: 'waiting'; reason: string; message: string }
  /** Nothing will change unless somebody creates or changes an object. */
  | { name: string; state: 'missing'; reason: string; message: string }

export type VmiStep =
  | { do: 'hold' }
  | { do: 'enter'; phase: 'Pending' | 'Scheduling' }
  | { do: 'waitForVolumes'; reason: string; message: string; recheckMs: number }
  | { do: 'launch' }
  | { do: 'run'; paused: boolean }
  | { do: 'shutdown' }
  | { do: 'end'; cause: EndCause }
  /** Ends the process, then records the phase: a final phase promises that nothing writes to the disks any more. */
  | { do: 'finish'; phase: 'Succeeded' | 'Failed'; reason: string; message: string }
  | { do: 'clean' }
  | { do: 'release' }
  | { do: 'wait'; recheckMs?: number | undefined }

/** A guest that still boots ignores the power button. */
export const shutdownRepeatMs = 5_000
/** Longer, and starting the process is given up: the owner's run strategy decides what then. */
export const launchLimitMs = 120_000
const volumeRecheckMs = 5_000

export function planVmi(observed: ObservedVmi): VmiStep {
  const { phase, held, machine, hasFolder, deletedAt } = observed
  if (phase === 'Succeeded' || phase === 'Failed') {
    if (machine && machine.kind !== 'ended') return { do: 'end', cause: 'Quit' }
    if (machine || hasFolder) return { do: 'clean' }
    return deletedAt && held ? { do: 'release' } : { do: 'wait' }
  }
  if (machine?.kind === 'ended') return planEnded(machine.cause, machine.message)
  if (deletedAt) return planStop(observed, deletedAt)
  if (!held) return { do: 'hold' }
  switch (phase) {
    case '':
      return { do: 'enter', phase: 'Pending' }
    case 'Pending':
      return planPending(observed)
    case 'Scheduling':
      return planLaunch(observed)
    case 'Scheduled':
    case 'Running':
      return planRunning(observed)
    default:
      return phase satisfies never
  }
}

function planPending({ volumes }: ObservedVmi): VmiStep {
  const blocked = volumes.filter((volume) => volume.state !== 'ready')
  // What needs a person is told before what will pass by itself.
  const first = blocked.find(({ state }) => state === 'missing') ?? blocked[0]
  if (first) return { do: 'waitForVolumes', reason: first.reason, message: first.message, recheckMs: volumeRecheckMs }
  return { do: 'enter', phase: 'Scheduling' }
}

function planLaunch(observed: ObservedVmi): VmiStep {
  const { machine, now, since, startPaused } = observed
  if (machine) return { do: 'run', paused: startPaused }
  if (now.getTime() - since.getTime() > launchLimitMs)
    return {
      do: 'finish',
      phase: 'Failed',
      reason: 'LaunchDeadlineExceeded',
      message: `the hypervisor could not be started within ${launchLimitMs / 1_000} s`,
    }
  // A claim may have been deleted since.
  const blocked = planPending(observed)
  return blocked.do === 'waitForVolumes' ? blocked : { do: 'launch' }
}

function planRunning({ machine, phase, startPaused }: ObservedVmi): VmiStep {
  if (!machine)
    return {
      do: 'finish',
      phase: 'Failed',
      reason: 'Vanished',
      message: 'the hypervisor process is gone without a trace',
    }
  if (phase === 'Scheduled' || machine.kind === 'prelaunch') return { do: 'run', paused: startPaused }
  return { do: 'wait' }
}

function planStop(observed: ObservedVmi, deletedAt: Date): VmiStep {
  const { now, machine, graceSeconds, acpi, shutdownAskedAt, frozenForMs = 0 } = observed
  if (!machine) return { do: 'finish', phase: 'Succeeded', reason: 'Stopped', message: 'deleted before the guest ran' }
  if (machine.kind === 'prelaunch' || graceSeconds <= 0) return { do: 'end', cause: 'Quit' }
  const leftMs = deletedAt.getTime() + graceSeconds * 1_000 - now.getTime()
  if (leftMs <= 0) return { do: 'end', cause: acpi ? 'Killed' : 'Quit' }
  // Its disks are being cut: a guest that is thawed to end would write into that. But it needs time to end, too.
  const patienceMs = Math.min(frozenForMs, leftMs - (graceSeconds * 1_000) / 2)
  if (patienceMs > 0) return { do: 'wait', recheckMs: patienceMs }
  const sinceAskedMs = shutdownAskedAt ? now.getTime() - shutdownAskedAt.getTime() : Number.POSITIVE_INFINITY
  if (sinceAskedMs >= shutdownRepeatMs) return { do: 'shutdown' }
  return { do: 'wait', recheckMs: Math.min(leftMs, shutdownRepeatMs - sinceAskedMs) }
}

const failures: Record<EndCause, boolean> = {
  GuestShutdown: false,
  GuestReset: false,
  Quit: false,
  Killed: true,
  GuestPanicked: true,
  InternalError: true,
  Vanished: true,
  HostRebooted: true,
}

function planEnded(cause: EndCause, message: string): VmiStep {
  return { do: 'finish', phase: failures[cause] ? 'Failed' : 'Succeeded', reason: cause, message }
}
