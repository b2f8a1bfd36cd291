import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { isTrue } from '@stillpoint/api/meta/condition'
import type { Consistency } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { duration, msOf } from './format.ts'
import { freezeFacts } from './freeze-facts.ts'
import type { Tone } from './snapshot-status.ts'

/** What can be had of a guest at present. */
export type AgentState =
  | { kind: 'off' }
  | { kind: 'paused' }
  | { kind: 'absent' }
  | { kind: 'connected'; fileSystems?: number; lastFrozenMs?: number }

/** By the instance of a VM, without which it is off, and by the snapshots taken of it before. */
export function agentState(
  instance: VirtualMachineInstance | undefined,
  known: { fileSystems?: number | undefined; snapshots: readonly VirtualMachineSnapshot[] },
): AgentState {
  const { phase, conditions } = instance?.status ?? {}
  if (instance === undefined || phase === 'Succeeded' || phase === 'Failed') return { kind: 'off' }
  if (isTrue(conditions, 'Paused')) return { kind: 'paused' }
  if (!isTrue(conditions, 'AgentConnected')) return { kind: 'absent' }
  const lastFrozenMs = lastFreeze(known.snapshots)
  return {
    kind: 'connected',
    ...(known.fileSystems === undefined ? {} : { fileSystems: known.fileSystems }),
    ...(lastFrozenMs === undefined ? {} : { lastFrozenMs }),
  }
}

function lastFreeze(snapshots: readonly VirtualMachineSnapshot[]): number | undefined {
  const freezes = snapshots.flatMap((snapshot) => {
    const { frozen, frozenMs } = freezeFacts(snapshot, undefined) ?? {}
    return frozen === undefined || frozenMs === undefined ? [] : [{ atMs: msOf(frozen) ?? 0, frozenMs }]
  })
  return freezes.sort((a, b) => b.atMs - a.atMs)[0]?.frozenMs
}

/** What a snapshot of this consistency would come to, taken now; `undefined` where the state is not known. */
export function agentSentence(state: AgentState | undefined, wanted: Consistency): { tone: Tone; text: string } {
  switch (state?.kind) {
    case undefined:
      return { tone: 'neutral', text: 'Whether a guest agent is connected is not known.' }
    case 'off':
      return { tone: 'success', text: 'The VirtualMachine is off: its disks are taken at rest.' }
    case 'paused':
      return unfit(wanted, 'The guest is paused, so that its agent cannot answer')
    case 'absent':
      return unfit(wanted, 'No guest agent is connected')
    case 'connected': {
      const { fileSystems, lastFrozenMs } = state
      const facts = [
        'Guest agent connected',
        ...(fileSystems === undefined ? [] : [`${fileSystems} file system${fileSystems === 1 ? '' : 's'}`]),
        ...(lastFrozenMs === undefined ? [] : [`last freeze ${duration(lastFrozenMs)}`]),
      ].join(', ')
      return wanted === 'CrashConsistent'
        ? { tone: 'info', text: `${facts}. It will not be asked to freeze the guest.` }
        : { tone: 'success', text: `${facts}.` }
    }
    default:
      return state satisfies never
  }
}

function unfit(wanted: Consistency, why: string): { tone: Tone; text: string } {
  switch (wanted) {
    case 'Required':
      return { tone: 'danger', text: `${why}: a snapshot that requires a freeze will fail.` }
    case 'Preferred':
      return { tone: 'warning', text: `${why}: the snapshot will be crash-consistent.` }
    case 'CrashConsistent':
      return { tone: 'info', text: `${why}. It is not needed.` }
    default:
      return wanted satisfies never
  }
}
