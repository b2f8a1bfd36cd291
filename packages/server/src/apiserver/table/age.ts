/** What tables print when a time is not known. */
export const unknownAge = '<unknown>'

const minute = 60
const hour = 60 * minute
const day = 24 * hour
const year = 365 * day

/** A span of time as kubectl prints ages: two units while small, one when large. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1_000)
  if (seconds < -1) return '<invalid>'
  if (seconds <= 0) return '0s'
  if (seconds < 2 * minute) return `${seconds}s`
  if (seconds < 10 * minute) return two(seconds, minute, 'm', 1, 's')
  if (seconds < 3 * hour) return `${Math.floor(seconds / minute)}m`
  if (seconds < 8 * hour) return two(seconds, hour, 'h', minute, 'm')
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)}h`
  if (seconds < 8 * day) return two(seconds, day, 'd', hour, 'h')
  if (seconds < 2 * year) return `${Math.floor(seconds / day)}d`
  if (seconds < 8 * year) return two(seconds, year, 'y', day, 'd')
  return `${Math.floor(seconds / year)}y`
}

function two(seconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)}${largeName}${rest === 0 ? '' : `${rest}${smallName}`}`
}

/** The time since an RFC 3339 timestamp; undefined stands for one that is no time at all. */
export function ageOf(timestamp: string, now: Date): string | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T/.test(timestamp)) return undefined
  const then = Date.parse(timestamp)
  return Number.isNaN(then) ? undefined : humanDuration(now.getTime() - then)
}
