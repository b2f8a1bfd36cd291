import { parseExpiresAt } from '@stillpoint/api/snapshot/expiry'

//   no time ─→ told, once for each value
//   before its time ─→ wait ─→ due ─→ (not finished, locked: its change wakes it) ─→ (in use: the end of that does)
//     ─→ delete
//   being deleted, without annotation ─→ nothing

export interface ExpiryObserved {
  now: Date
  /** The annotation as it is written. */
  expiresAt: string | undefined
  deleting: boolean
  /** Succeeded or Failed, with the finalizer that makes its content go with it. */
  finished: boolean
  locked: boolean
  /** What still needs the snapshot: kind and name. */
  usedBy: readonly string[]
}

export type ExpiryStep =
  | { do: 'nothing' }
  | { do: 'tellInvalid'; expiresAt: string }
  | { do: 'wait'; recheckMs: number }
  | { do: 'hold'; usedBy: readonly string[] }
  | { do: 'delete'; due: Date }

/**
 * A timer counts the time this process lives through. The clock may be set, a machine may sleep: what is left is
 * measured anew from time to time. It also keeps far below the 24.8 days that a timer can hold.
 */
export const longestWaitMs = 3_600_000

/** Decides what becomes of a snapshot that says when it expires. */
export function planExpiry({ now, expiresAt, deleting, finished, locked, usedBy }: ExpiryObserved): ExpiryStep {
  if (deleting || expiresAt === undefined) return { do: 'nothing' }
  const due = parseExpiresAt(expiresAt)
  if (due === undefined) return { do: 'tellInvalid', expiresAt }
  if (locked) return { do: 'nothing' }
  const leftMs = due.getTime() - now.getTime()
  if (leftMs > 0) return { do: 'wait', recheckMs: Math.min(leftMs, longestWaitMs) }
  if (!finished) return { do: 'nothing' }
  return usedBy.length > 0 ? { do: 'hold', usedBy } : { do: 'delete', due }
}
