import { mastersGroup } from '../auth/authorizer.ts'
import type { Caller } from './caller.ts'

/** What a timer can wait for; what is later is waited for again. */
const longestTimerMs = 2 ** 31 - 1

/** The right to go on with what was begun. */
export interface Right {
  /** Throws once the right is gone. */
  check(): void
  /** Calls back in the turn in which the right may have gone; returns how to stop that. */
  onChange(listener: () => void): () => void
}

/** The right of a caller: it changes with roles and accounts, and ends with the credential. Undefined: it never does. */
export function rightOf({
  caller,
  check,
  authorizer,
  now,
}: {
  caller: Caller
  check: () => void
  authorizer: { onChange(listener: () => void): () => void }
  now: () => Date
}): Right | undefined {
  const { user, real, expires } = caller
  // Administrators cannot lose the right, and their watches are most.
  const lasting = [user, real].every(({ groups }) => groups.includes(mastersGroup))
  if (lasting && !expires) return undefined
  return {
    check,
    onChange: (listener) => {
      const forget = lasting ? () => {} : authorizer.onChange(listener)
      const stop = expires ? at(expires, now, listener) : () => {}
      return () => {
        forget()
        stop()
      }
    },
  }
}

/** Calls back once the clock has reached a time; returns how to stop that. */
function at(time: Date, now: () => Date, callback: () => void): () => void {
  let timer: NodeJS.Timeout
  const wait = () => {
    // Never before the time: a timer may be a little early, and then nothing has ended yet.
    const leftMs = Math.max(1, time.getTime() - now().getTime())
    timer = setTimeout(() => (now() < time ? wait() : callback()), Math.min(leftMs, longestTimerMs))
  }
  wait()
  return () => clearTimeout(timer)
}
