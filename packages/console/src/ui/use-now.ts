import { useSyncExternalStore } from 'react'

// One clock for everything that counts: all times on a page change together.

interface Clock {
  get(): Date
  subscribe(listener: () => void): () => void
}

const clocks = new Map<number, Clock>()

function clockOf(everyMs: number): Clock {
  const known = clocks.get(everyMs)
  if (known) return known
  let now = new Date()
  let timer: ReturnType<typeof setInterval> | undefined
  const listeners = new Set<() => void>()
  const tick = (): void => {
    now = new Date()
    for (const listener of listeners) listener()
  }
  const clock: Clock = {
    get: () => now,
    subscribe(listener) {
      if (listeners.size === 0) {
        // While nobody looked, it stood still.
        if (Date.now() - now.getTime() > everyMs) now = new Date()
        timer = setInterval(tick, everyMs)
      }
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) clearInterval(timer)
      }
    },
  }
  clocks.set(everyMs, clock)
  return clock
}

/** The present time, anew every `everyMs`. */
export function useNow(everyMs = 10_000): Date {
  const clock = clockOf(everyMs)
  return useSyncExternalStore(clock.subscribe, clock.get)
}
