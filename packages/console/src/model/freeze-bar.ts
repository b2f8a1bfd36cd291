import type { Receipt } from '@stillpoint/api/snapshot/receipt'
import { msOf } from './format.ts'

/** A moment of a freeze on its time bar. */
export interface FreezeMark {
  label: string
  /** Milliseconds since 1970, and since the bar begins. */
  atMs: number
  offsetMs: number
  /** Where it stands on the bar, 0 to 100. */
  percent: number
}

export interface FreezeTimes {
  totalMs: number
  /** From asked until thawed, in the order in which they happened. */
  marks: FreezeMark[]
  /** One for each disk; its label is the name of the volume. */
  cuts: FreezeMark[]
  /** While the guest stood still, from and to in percent. */
  frozen?: { from: number; to: number }
}

/** The times of a receipt on one bar; undefined when there are fewer than two. */
export function freezeTimes({ freeze, volumes }: Receipt): FreezeTimes | undefined {
  const moments = [
    { label: 'Freeze asked for', atMs: msOf(freeze?.asked) },
    { label: 'Frozen', atMs: msOf(freeze?.began) },
    { label: 'All disks cut', atMs: msOf(freeze?.cut) },
    { label: 'Thawed', atMs: msOf(freeze?.thawed) },
  ].filter(isKnown)
  const cutTimes = volumes.map(({ name, cut }) => ({ label: name, atMs: msOf(cut) })).filter(isKnown)
  const all = [...moments, ...cutTimes].map(({ atMs }) => atMs)
  if (all.length < 2) return undefined
  const beginMs = Math.min(...all)
  const totalMs = Math.max(...all) - beginMs
  const mark = ({ label, atMs }: Known): FreezeMark => {
    const offsetMs = atMs - beginMs
    return { label, atMs, offsetMs, percent: totalMs === 0 ? 0 : (offsetMs / totalMs) * 100 }
  }
  const marks = moments.map(mark).sort((a, b) => a.atMs - b.atMs)
  const from = marks.find(({ label }) => label === 'Frozen')?.percent
  const to = marks.find(({ label }) => label === 'Thawed')?.percent
  return {
    totalMs,
    marks,
    cuts: cutTimes.map(mark),
    ...(from === undefined ? {} : { frozen: { from, to: to ?? 100 } }),
  }
}

interface Known {
  label: string
  atMs: number
}

function isKnown(moment: { label: string; atMs: number | undefined }): moment is Known {
  return moment.atMs !== undefined
}
