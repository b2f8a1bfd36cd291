/** The median, and the spread beside it: machines are noisy. */
export interface Summary {
  min: number
  median: number
  max: number
  runs: number
}

export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  return { min: at(0), median: at(0.5), max: sorted.at(-1) ?? Number.NaN, runs: sorted.length }
}

export interface Line {
  what: string
  unit: string
  summary: Summary
  /** What must hold of the median, in words, and whether it does. */
  aim?: { text: string; met: boolean }
}

export function tableOf(lines: readonly Line[]): string {
  const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1))
  const rows = [
    ['WHAT', 'MIN', 'MEDIAN', 'MAX', 'UNIT', 'RUNS', 'AIM', ''],
    ...lines.map(({ what, unit, summary, aim }) => [
      what,
      digits(summary.min),
      digits(summary.median),
      digits(summary.max),
      unit,
      `${summary.runs}`,
      aim?.text ?? '',
      aim ? (aim.met ? 'met' : 'MISSED') : '',
    ]),
  ]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i > 0 && i < 4 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
