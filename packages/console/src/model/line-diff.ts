/** A line of a comparison: in both texts, only in the old one, or only in the new one. */
export interface DiffLine {
  kind: 'same' | 'removed' | 'added'
  text: string
  /** Its number in the old and in the new text, from 1. */
  old?: number | undefined
  new?: number | undefined
}

/** More pairs of lines than this are not compared one by one, but shown as replaced. */
const pairLimit = 4_000_000

/** What leads from one text to the other, line by line, with as many lines kept as possible. */
export function lineDiff(before: string, after: string): DiffLine[] {
  const a = linesOf(before)
  const b = linesOf(after)
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const pairs = keptPairs(a.slice(start, a.length - end), b.slice(start, b.length - end))
  const kept = [
    ...Array.from({ length: start }, (_, at) => [at, at] as const),
    ...pairs.map(([x, y]) => [x + start, y + start] as const),
    ...Array.from({ length: end }, (_, at) => [a.length - end + at, b.length - end + at] as const),
  ]
  const lines: DiffLine[] = []
  let x = 0
  let y = 0
  for (const [nextX, nextY] of [...kept, [a.length, b.length] as const]) {
    for (; x < nextX; x++) lines.push({ kind: 'removed', text: a[x] ?? '', old: x + 1 })
    for (; y < nextY; y++) lines.push({ kind: 'added', text: b[y] ?? '', new: y + 1 })
    if (x < a.length && y < b.length) lines.push({ kind: 'same', text: a[x] ?? '', old: ++x, new: ++y })
  }
  return lines
}

/** The changed lines with `around` lines about each; `undefined` where lines are left out. */
export function hunks(lines: readonly DiffLine[], around = 3): (DiffLine | undefined)[] {
  const near = (at: number): boolean =>
    lines.slice(Math.max(0, at - around), at + around + 1).some(({ kind }) => kind !== 'same')
  return lines.flatMap((line, at) => {
    if (near(at)) return [line]
    return at > 0 && near(at - 1) ? [undefined] : []
  })
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** Index pairs of a longest common subsequence. */
function keptPairs(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  if (a.length * b.length > pairLimit) return []
  const width = b.length + 1
  const lengths = new Uint32Array((a.length + 1) * width)
  const at = (x: number, y: number): number => lengths[x * width + y] ?? 0
  for (let x = a.length - 1; x >= 0; x--)
    for (let y = b.length - 1; y >= 0; y--)
      lengths[x * width + y] = a[x] === b[y] ? at(x + 1, y + 1) + 1 : Math.max(at(x + 1, y), at(x, y + 1))
  const pairs: (readonly [number, number])[] = []
  for (let x = 0, y = 0; x < a.length && y < b.length; )
    if (a[x] === b[y]) pairs.push([x++, y++])
    else if (at(x + 1, y) >= at(x, y + 1)) x++
    else y++
  return pairs
}
