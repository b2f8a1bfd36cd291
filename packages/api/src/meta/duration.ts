const unitsMs: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

/**
 * Milliseconds of a Go duration (`1m30s`, `1.5h`, `-5s`, `0`). A number without a unit means seconds, as
 * the user documentation promises. Returns undefined for anything else.
 */
export function parseDurationMs(text: string): number | undefined {
  if (/^[+-]?\d+$/.test(text)) return Number(text) * 1_000
  const match = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(text)
  if (!match) return undefined
  let sum = 0
  for (const [, value, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    sum += Number(value) * (unitsMs[unit ?? ''] ?? Number.NaN)
  return match[1] === '-' ? -sum : sum
}

/** Go's spelling of a duration in whole seconds: `5m0s`, `10s`, `1h0m0s`. */
export function formatDuration(ms: number): string {
  const total = Math.round(ms / 1_000)
  if (total === 0) return '0s'
  const sign = total < 0 ? '-' : ''
  const seconds = Math.abs(total)
  const hours = Math.floor(seconds / 3_600)
  const minutes = Math.floor((seconds % 3_600) / 60)
  const rest = `${seconds % 60}s`
  if (hours > 0) return `${sign}${hours}h${minutes}m${rest}`
  return minutes > 0 ? `${sign}${minutes}m${rest}` : sign + rest
}
