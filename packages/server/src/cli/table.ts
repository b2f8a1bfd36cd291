/** Rows aligned in columns, three spaces apart, the way kubectl prints them. */
export function columns(rows: readonly (readonly string[])[]): string {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(width(i)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}
