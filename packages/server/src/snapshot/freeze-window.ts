/** What a window needs from the world. Times are milliseconds since 1970. */
export interface FreezeWindow {
  freeze(): Promise<void>
  /** Resolves only when the guest has confirmed that it runs again. */
  thaw(): Promise<{ answerLost: boolean } | undefined>
  /** Asks for all cuts at once. */
  cut(): Promise<void>
  /** Resolves when every volume is cut, or when there is no use in waiting on. Listens from the moment of the call. */
  outcome(signal: AbortSignal): Promise<'cut' | 'error' | 'deleted'>
  leaseMs: number
  now(): number
}

export interface WindowResult {
  end: 'cut' | 'error' | 'deleted' | 'timeout' | 'freeze-failed'
  askedMs: number
  frozenMs?: number
  cutMs?: number
  /** When the thaw was confirmed; absent: it is still owed. */
  thawedMs?: number
  /** An answer to the thaw was lost on the way; it may have been that the guest had thawed by itself before. */
  answerLost?: boolean
  /** What went wrong, if anything did. */
  error?: unknown
  thawError?: unknown
}

/**
 * The only path on which a guest is frozen: freeze, cut, thaw, in this order and whatever happens in between.
 * Nothing slow belongs in here. Never throws.
 */
export async function runFreezeWindow(window: FreezeWindow): Promise<WindowResult> {
  const result: WindowResult = { end: 'freeze-failed', askedMs: window.now() }
  const watching = new AbortController()
  try {
    const outcome = window.outcome(watching.signal)
    await window.freeze()
    result.frozenMs = window.now()
    result.end = 'error'
    result.end = await withinLease(window.leaseMs, async () => {
      const asked = window.cut()
      // What is seen to be cut is cut, whether or not the answer to the request for it has come.
      return await Promise.race([asked.then(() => outcome), outcome])
    })
    if (result.end === 'cut') result.cutMs = window.now()
  } catch (error) {
    result.error = error
  } finally {
    watching.abort()
    await thaw(window, result)
  }
  return result
}

/** A freeze that failed may have frozen all the same, so a thaw is owed in every case. */
async function thaw(window: FreezeWindow, result: WindowResult): Promise<void> {
  try {
    const thawed = await window.thaw()
    result.thawedMs = window.now()
    if (thawed?.answerLost) result.answerLost = true
  } catch (error) {
    result.thawError = error
  }
}

async function withinLease<T>(leaseMs: number, work: () => Promise<T>): Promise<T | 'timeout'> {
  const { promise, resolve } = Promise.withResolvers<'timeout'>()
  const timer = setTimeout(() => resolve('timeout'), leaseMs)
  try {
    return await Promise.race([work(), promise])
  } finally {
    clearTimeout(timer)
  }
}
