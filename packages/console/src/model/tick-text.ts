const dayMs = 24 * 3_600_000

/** What stands at a mark of a time axis whose marks are so far apart, in the reader's own time. */
export function tickText(timeMs: number, stepMs: number, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone }
  const time = new Date(timeMs)
  if (stepMs >= 90 * dayMs) return time.toLocaleDateString('en', { year: 'numeric', month: 'short', ...zone })
  if (stepMs >= dayMs) return time.toLocaleDateString('en', { month: 'short', day: 'numeric', ...zone })
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  if (stepMs < 60_000) return time.toLocaleTimeString('en', { ...clock, second: '2-digit', ...zone })
  const text = time.toLocaleTimeString('en', { ...clock, ...zone })
  // At midnight the day says more than the hour.
  return text === '00:00' ? time.toLocaleDateString('en', { month: 'short', day: 'numeric', ...zone }) : text
}
