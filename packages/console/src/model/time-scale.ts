// From times to places on a line, and back: what a zoomable time axis needs. Times are milliseconds since 1970, places
// are pixels.

export interface Range {
  fromMs: number
  toMs: number
}

/** A range is never shorter than this: below, points are seconds apart and nothing more is to be seen. */
export const shortestMs = 10_000
const share = 0.04

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const steps = [
  ...[10, 30].map((n) => n * second),
  ...[1, 5, 15, 30].map((n) => n * minute),
  ...[1, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 30, 90, 180, 365].map((n) => n * day),
]

/** All of these times, with a little room on both sides. */
export function rangeOf(timesMs: readonly number[]): Range {
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY
  for (const time of timesMs) {
    if (time < from) from = time
    if (time > to) to = time
  }
  if (from > to) return { fromMs: 0, toMs: shortestMs }
  const room = Math.max((to - from) * share, shortestMs / 2)
  return { fromMs: from - room, toMs: to + room }
}

/** Where a time is on a line of this length; outside of the range beyond its ends. */
export function placeOf({ fromMs, toMs }: Range, width: number, timeMs: number): number {
  return ((timeMs - fromMs) / (toMs - fromMs)) * width
}

/** Shows more (factor below 1) or less around one time, within the limits of all there is. */
export function zoomed(range: Range, factor: number, aroundMs: number, all: Range): Range {
  const span = range.toMs - range.fromMs
  const wanted = Math.min(Math.max(span * factor, shortestMs), all.toMs - all.fromMs)
  const before = (aroundMs - range.fromMs) / span
  return within({ fromMs: aroundMs - before * wanted, toMs: aroundMs + (1 - before) * wanted }, all)
}

/** Moved by a share of what is shown, within the limits of all there is. */
export function moved(range: Range, by: number, all: Range): Range {
  const shift = (range.toMs - range.fromMs) * by
  return within({ fromMs: range.fromMs + shift, toMs: range.toMs + shift }, all)
}

function within(range: Range, all: Range): Range {
  const span = Math.min(range.toMs - range.fromMs, all.toMs - all.fromMs)
  const fromMs = Math.min(Math.max(range.fromMs, all.fromMs), all.toMs - span)
  return { fromMs, toMs: fromMs + span }
}

/** How far the clock of the reader is ahead of UTC at a time. */
const readersOffsetMs = (timeMs: number): number => -new Date(timeMs).getTimezoneOffset() * minute

/** Times that are round on the clock of the reader, for the marks of an axis, at most so many. */
export function ticksOf(
  { fromMs, toMs }: Range,
  most: number,
  offsetMsAt: (timeMs: number) => number = readersOffsetMs,
): { stepMs: number; timesMs: number[] } {
  const span = toMs - fromMs
  const stepMs = steps.find((step) => span / step <= most) ?? Math.ceil(span / most / (365 * day)) * 365 * day
  const timesMs: number[] = []
  const first = Math.ceil((fromMs + offsetMsAt(fromMs)) / stepMs) * stepMs
  for (let clock = first; timesMs.length <= most; clock += stepMs) {
    // Twice a year the clock is moved between two marks.
    const time = clock - offsetMsAt(clock - offsetMsAt(clock))
    if (time > toMs) break
    if (time >= fromMs && time > (timesMs.at(-1) ?? Number.NEGATIVE_INFINITY)) timesMs.push(time)
  }
  return { stepMs, timesMs }
}

/** Things closer together than so many pixels become one group, in order of place. */
export function clustersOf<T>(items: readonly T[], placeOfItem: (item: T) => number, leastPx: number): T[][] {
  const sorted = items.map((item) => ({ item, at: placeOfItem(item) })).sort((a, b) => a.at - b.at)
  const groups: T[][] = []
  let begin = Number.NEGATIVE_INFINITY
  for (const { item, at } of sorted) {
    const last = groups.at(-1)
    if (last && at - begin < leastPx) last.push(item)
    else {
      groups.push([item])
      begin = at
    }
  }
  return groups
}
