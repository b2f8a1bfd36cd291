import { StatusError } from '@stillpoint/api/meta/status-error'

const firstMs = 5
const longestMs = 30_000
/** A server that asks for more patience than this is asked again all the same. */
const longestAskedMs = 60_000

/** Milliseconds to wait after the n-th failure in a row: 5 ms doubling to 30 s, with up to a fifth taken off at random. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const full = Math.min(firstMs * 2 ** Math.min(failures - 1, 20), longestMs)
  return full * (1 - 0.2 * random())
}

/** As `backoffMs`, but not before the time the server asked for with Retry-After. */
export function retryMs(failures: number, error: unknown, random: () => number = Math.random): number {
  return Math.max(backoffMs(failures, random), Math.min(askedMs(error), longestAskedMs))
}

function askedMs(error: unknown): number {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth += 1)
    if (at instanceof StatusError) return (at.status.details?.retryAfterSeconds ?? 0) * 1_000
  return 0
}
