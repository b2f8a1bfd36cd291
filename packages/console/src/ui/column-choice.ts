import { useMemo, useState } from 'react'
import { type ChoosableColumn, type ColumnChoice, chosenColumns, readChoice } from '../model/column-choice.ts'

export interface ChosenColumns<C> {
  shown: readonly C[]
  choose: (id: string, on: boolean) => void
  reset: () => void
}

/** The columns of a table as this person wants them; `table` names it. */
export function useChosenColumns<C extends ChoosableColumn>(table: string, columns: readonly C[]): ChosenColumns<C> {
  const key = `stillpoint.columns.${table}`
  const [choice, setChoice] = useState(() => readChoice(localStorage.getItem(key)))
  const keep = (next: ColumnChoice): void => {
    setChoice(next)
    localStorage.setItem(key, JSON.stringify(next))
  }
  return {
    shown: useMemo(() => chosenColumns(columns, choice), [columns, choice]),
    choose: (id, on) => keep({ ...choice, [id]: on }),
    reset: () => keep({}),
  }
}
