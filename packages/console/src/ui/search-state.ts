import { useEffect, useRef, useState } from 'react'
import { useSearchParams } from 'react-router'
import type { Sort } from './object-table.tsx'
import { useStable } from './use-stable.ts'

/** Browsers refuse addresses that change with every key. */
const addressAfterMs = 300

export interface SearchState {
  params: URLSearchParams
  change: (edit: (params: URLSearchParams) => void) => void
}

/**
 * What a page's address says after the `?`: filters, sorting, view. What is changed takes effect at once; the address
 * follows a moment later, without a new step in the browser's history.
 */
export function useSearchState(): SearchState {
  const [address, setAddress] = useSearchParams()
  const [params, setParams] = useState(address)
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined)
  const text = address.toString()

  // Somebody went back, or followed a link: the address leads.
  useEffect(() => {
    clearTimeout(waiting.current)
    setParams((now) => (now.toString() === text ? now : new URLSearchParams(text)))
  }, [text])
  useEffect(() => () => clearTimeout(waiting.current), [])

  const change = useStable((edit: (params: URLSearchParams) => void): void => {
    const next = new URLSearchParams(params)
    edit(next)
    setParams(next)
    clearTimeout(waiting.current)
    waiting.current = setTimeout(() => setAddress(next, { replace: true, preventScrollReset: true }), addressAfterMs)
  })
  return { params, change }
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
