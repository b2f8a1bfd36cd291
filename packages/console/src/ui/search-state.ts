import { useEffect, useRef, useState } from 'react'
import { useSearchParams } from 'react-router'
import type { Sort } from './object-table.tsx'
import { useStable } from './use-stable.ts'

/** Browsers refuse addresses that change with every key: after one change, the next wait for a pause of that length. */
const pauseMs = 300

/** Done again when the address has changed meanwhile. */
type Edit = (params: URLSearchParams) => void

export interface SearchState {
  params: URLSearchParams
  change: (edit: Edit) => void
}

/**
 * What a page's address says after the `?`: filters, sorting, view. What is changed takes effect at once; the address
 * follows, a moment later when it changes often, and without a new step in the browser's history.
 */
export function useSearchState(): SearchState {
  const [address, setAddress] = useSearchParams()
  const text = address.toString()
  const [params, setParams] = useState(address)
  /** What the address does not say yet. */
  const pending = useRef<Edit[]>([])
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined)
  const writtenMs = useRef(0)

  // Somebody went back, followed a link, or changed another part of it.
  useEffect(() => {
    const next = edited(text, pending.current)
    setParams((now) => (now.toString() === next.toString() ? now : next))
  }, [text])
  useEffect(() => () => clearTimeout(waiting.current), [])

  const write = useStable((): void => {
    const next = edited(text, pending.current)
    pending.current = []
    writtenMs.current = Date.now()
    setAddress(next, { replace: true, preventScrollReset: true })
  })
  const change = useStable((edit: Edit): void => {
    pending.current.push(edit)
    setParams(edited(text, pending.current))
    clearTimeout(waiting.current)
    if (Date.now() - writtenMs.current > pauseMs) write()
    else waiting.current = setTimeout(write, pauseMs)
  })
  return { params, change }
}

function edited(text: string, edits: readonly Edit[]): URLSearchParams {
  const params = new URLSearchParams(text)
  for (const edit of edits) edit(params)
  return params
}

/** `sort=created` or, the other way round, `sort=-created`. */
export function sortIn(params: URLSearchParams, usual: Sort): Sort {
  const text = params.get('sort')
  if (!text) return usual
  return text.startsWith('-') ? { column: text.slice(1), direction: 'desc' } : { column: text, direction: 'asc' }
}

export function putSort(params: URLSearchParams, { column, direction }: Sort, usual: Sort): void {
  if (column === usual.column && direction === usual.direction) params.delete('sort')
  else params.set('sort', direction === 'desc' ? `-${column}` : column)
}
