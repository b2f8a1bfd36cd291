const minuteMs = 60_000
const units = [
  { unit: 'year', ms: 365 * 24 * 60 * minuteMs },
  { unit: 'month', ms: 30 * 24 * 60 * minuteMs },
  { unit: 'day', ms: 24 * 60 * minuteMs },
  { unit: 'hour', ms: 60 * minuteMs },
  { unit: 'minute', ms: minuteMs },
] as const
const words = new Intl.RelativeTimeFormat('en', { numeric: 'always' })

/** "3 minutes ago", "in 2 hours". */
export function relativeTime(time: Date, now: Date): string {
  const ms = time.getTime() - now.getTime()
  const found = units.find((unit) => Math.abs(ms) >= unit.ms)
  return found ? words.format(Math.trunc(ms / found.ms), found.unit) : 'just now'
}

/** The time itself, in UTC and where the reader is. */
export function absoluteTimes(time: Date): { utc: string; local: string } {
  const utc = time.toISOString().replace('T', ' ').slice(0, 19)
  return { utc: `${utc} UTC`, local: `${time.toLocaleString()} local time` }
}

/** "0.4 s", "1 min 20 s", "2 h 5 min". */
export function duration(ms: number): string {
  const seconds = ms / 1_000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
