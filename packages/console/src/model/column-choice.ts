import * as z from 'zod'

// Which columns of a table a person wants.

export interface ChoosableColumn {
  id: string
  /** Not shown until asked for. */
  hidden?: boolean
  /** Always shown. */
  fixed?: boolean
}

/** What differs from the table's own choice: columns that come later are shown as they come. */
export type ColumnChoice = Readonly<Record<string, boolean>>

/** The columns to show. */
export function chosenColumns<C extends ChoosableColumn>(columns: readonly C[], choice: ColumnChoice): C[] {
  return columns.filter(({ id, hidden, fixed }) => fixed || (choice[id] ?? !hidden))
}

const stored = z.record(z.string(), z.boolean())

/** A choice as it was kept; an empty one for what cannot be read. */
export function readChoice(text: string | null): ColumnChoice {
  if (text === null) return {}
  try {
    return stored.safeParse(JSON.parse(text)).data ?? {}
  } catch {
    return {}
  }
}
