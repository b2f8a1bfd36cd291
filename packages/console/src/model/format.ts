// How times, durations and sizes are written everywhere in the console.

/** A moment as it comes: RFC 3339, milliseconds since 1970, or a Date. */
export type Moment = string | number | Date

/** What is written where nothing is known. */
export const unknown = '-'

/** Milliseconds since 1970; undefined when there is none or it cannot be read. */
export function msOf(moment: Moment | null | undefined): number | undefined {
  if (moment === undefined || moment === null) return undefined
  const ms = new Date(moment).getTime()
  return Number.isNaN(ms) ? undefined : ms
}

/** Milliseconds from a moment until now; never less than nothing, because clocks differ. */
export function elapsedMs(moment: Moment | null | undefined, now: Date): number | undefined {
  const ms = msOf(moment)
  return ms === undefined ? undefined : Math.max(0, now.getTime() - ms)
}

const unitsMs: readonly (readonly [string, number])[] = [
  ['year', 365 * 86_400_000],
  ['month', 30 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]
/** Clocks differ by that much, and nobody counts it. */
const justNowMs = 10_000

/** `3 minutes ago`, `in 2 hours`, `just now`. */
export function relativeTime(moment: Moment | null | undefined, now: Date): string {
  const ms = msOf(moment)
  if (ms === undefined) return unknown
  const distanceMs = ms - now.getTime()
  const awayMs = Math.abs(distanceMs)
  if (awayMs < justNowMs) return 'just now'
  const [unit, unitMs] = unitsMs.find(([, least]) => awayMs >= least) ?? ['second', 1_000]
  // What expires in 24 hours is not said to expire in 23 a moment later; what is past counts whole units only.
  const count = distanceMs > 0 ? Math.round(awayMs / unitMs) : Math.floor(awayMs / unitMs)
  const amount = `${count} ${unit}${count === 1 ? '' : 's'}`
  return distanceMs > 0 ? `in ${amount}` : `${amount} ago`
}

/** `2026-08-02 14:03:05 UTC`. */
export function utcTime(moment: Moment | null | undefined): string {
  const ms = msOf(moment)
  return ms === undefined ? unknown : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** `2026-08-02 14:03:05.123 UTC`, for what is measured. */
export function exactUtcTime(moment: Moment | null | undefined): string {
  const ms = msOf(moment)
  return ms === undefined ? unknown : `${new Date(ms).toISOString().slice(0, 23).replace('T', ' ')} UTC`
}

/** `2026-08-02 16:03:05 UTC+02:00`, in the time zone of the reader. */
export function localTime(moment: Moment | null | undefined): string {
  const ms = msOf(moment)
  if (ms === undefined) return unknown
  const offset = -new Date(ms).getTimezoneOffset()
  const clock = new Date(ms + offset * 60_000).toISOString().slice(0, 19).replace('T', ' ')
  const away = Math.abs(offset)
  return `${clock} UTC${offset < 0 ? '-' : '+'}${two(Math.floor(away / 60))}:${two(away % 60)}`
}

/** A time itself, in UTC and where the reader is. */
export function absoluteTimes(moment: Moment): { utc: string; local: string } {
  return { utc: utcTime(moment), local: localTime(moment) }
}

/** `yyyyMMdd-HHmmss` in the time zone of the reader; midnight is hour 00. */
export function compactLocalTime(now: Date): string {
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  return `${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** A length of time: `40 ms`, `0.4 s`, `12 s`, `1 min 20 s`, `3 h 5 min`, `2 d 4 h`. Less than nothing is nothing. */
export function duration(ms: number): string {
  if (!(ms >= 100)) return `${Math.max(0, Math.round(ms)) || 0} ms`
  if (ms < 9_950) return `${Math.round(ms / 100) / 10} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return pair(seconds, 60, 'min', 1, 's')
  if (seconds < 86_400) return pair(seconds, 3_600, 'h', 60, 'min')
  return pair(seconds, 86_400, 'd', 3_600, 'h')
}

/** A measured length of time, not rounded below a minute: `412 ms`, `2 345 ms`. */
export function exactDuration(ms: number): string {
  if (ms >= 60_000) return duration(ms)
  return `${String(Math.max(0, Math.round(ms))).replace(/(?<=\d)(?=\d{3}$)/, '\u202f')} ms`
}

function pair(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)} ${largeUnit}${rest === 0 ? '' : ` ${rest} ${smallUnit}`}`
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** A size in binary units: `512 B`, `1.5 GiB`, `20 GiB`. */
export function bytes(count: number): string {
  if (!Number.isFinite(count)) return unknown
  const sign = count < 0 ? '-' : ''
  let value = Math.abs(count)
  let unit = 0
  // Rounded before it is compared: 1023.99 MiB is 1 GiB.
  while (rounded(value) >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024
    unit++
  }
  return `${sign}${rounded(value)} ${byteUnits[unit]}`
}

function rounded(value: number): number {
  return value < 10 ? Math.round(value * 10) / 10 : Math.round(value)
}
