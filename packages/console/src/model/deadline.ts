import { parseDurationMs } from '@stillpoint/api/meta/duration'

export type DeadlineUnit = 's' | 'm' | 'h'

/** The value for "no deadline". It does not switch off the limit of a freeze. */
export const noDeadline = '0'

/** As the API: 64 bits of nanoseconds. */
const longestMs = 2 ** 63 / 1e6

/** `spec.failureDeadline` for what was typed; neither value nor error for nothing typed: the server's default. */
export function parseDeadline(text: string, unit: DeadlineUnit): { value?: string; error?: string } {
  if (text === '') return {}
  const typed = text.trim()
  if (!/^-?\d+(\.\d+)?$/.test(typed)) return { error: 'Deadline must be a number' }
  const value = `${typed}${unit}`
  const ms = parseDurationMs(value) ?? Number.NaN
  // Less than a nanosecond is 0 to the API, and that means no deadline.
  if (!(ms >= 1)) return { error: 'Deadline must be greater than 0' }
  return ms < longestMs ? { value } : { error: 'Deadline must be less than 292 years' }
}
