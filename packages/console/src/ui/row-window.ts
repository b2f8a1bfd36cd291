import { useVirtualizer } from '@tanstack/react-virtual'
import { type RefObject, useEffect, useLayoutEffect, useState } from 'react'
import { mainScroller } from '../shell/main-scroller.ts'

/** Fewer rows than this are all drawn: nothing is gained by less, and find-in-page works. */
const virtualFrom = 60
const guessedRowPx = 57
/** Rows drawn at least beyond the edges of the screen. */
const overscan = 4
/**
 * Rows come and go by so many: with every row that is put into a table the browser works out the style of all of them
 * anew, because PatternFly has rules for "any element after another".
 */
const chunk = 4

function chunks({ startIndex, endIndex, count }: { startIndex: number; endIndex: number; count: number }): number[] {
  const first = Math.floor(Math.max(startIndex - overscan, 0) / chunk) * chunk
  const end = Math.min(Math.ceil((endIndex + overscan + 1) / chunk) * chunk, count)
  return Array.from({ length: end - first }, (_, at) => first + at)
}

export interface ShownRow {
  index: number
  key: string
  /** Its height, as far as it is known; undefined where all rows are drawn. */
  px: number | undefined
}

export interface RowWindow {
  /** The rows to draw. */
  shown: readonly ShownRow[]
  /** Height of the rows before and after them. */
  beforePx: number
  afterPx: number
  /** Reference for the element of each row; undefined where all rows are drawn. */
  measure: ((node: Element | null) => void) | undefined
}

/** Which rows of a long list are on the screen, or near. The page scrolls, not the list. */
export function useRowWindow<T>(
  table: RefObject<HTMLTableElement | null>,
  rows: readonly T[],
  rowKey: (row: T) => string,
): RowWindow {
  const virtual = rows.length >= virtualFrom
  const topPx = useTop(table, virtual)
  const [rowPx, setRowPx] = useState(guessedRowPx)
  const virtualizer = useVirtualizer({
    enabled: virtual,
    count: virtual ? rows.length : 0,
    getScrollElement: mainScroller,
    estimateSize: () => rowPx,
    getItemKey: (index) => rowKey(rows[index] as T),
    scrollMargin: topPx,
    overscan,
    rangeExtractor: chunks,
  })
  useEffect(() => {
    // The first rows tell how high the others will be, so that the list does not grow while it is scrolled.
    const [first] = virtualizer.getVirtualItems()
    const heights = [...(table.current?.tBodies ?? [])].filter(isRow).map(({ offsetHeight }) => offsetHeight)
    if (!virtual || first?.index !== 0 || heights.length === 0) return
    const average = Math.round(heights.reduce((sum, px) => sum + px, 0) / heights.length)
    setRowPx(average)
    virtualizer.measure()
  }, [table, virtual, virtualizer])
  if (!virtual) {
    const shown = rows.map((row, index) => ({ index, key: rowKey(row), px: undefined }))
    return { shown, beforePx: 0, afterPx: 0, measure: undefined }
  }
  const items = virtualizer.getVirtualItems()
  return {
    shown: items.map(({ index, key, size }) => ({ index, key: String(key), px: size })),
    beforePx: (items[0]?.start ?? topPx) - topPx,
    afterPx: virtualizer.getTotalSize() - ((items.at(-1)?.end ?? topPx) - topPx),
    measure: virtualizer.measureElement,
  }
}

function isRow(body: HTMLElement): boolean {
  return body.dataset.index !== undefined
}

/** How far the rows begin below the start of what scrolls; followed while what is above them grows and shrinks. */
function useTop(table: RefObject<HTMLTableElement | null>, virtual: boolean): number {
  const [topPx, setTopPx] = useState(0)
  useLayoutEffect(() => {
    const scroller = mainScroller()
    if (!virtual || !scroller) return
    const look = (): void => {
      const head = table.current?.tHead
      if (head)
        setTopPx(
          Math.round(head.getBoundingClientRect().bottom - scroller.getBoundingClientRect().top + scroller.scrollTop),
        )
    }
    const observer = new ResizeObserver(look)
    for (const part of scroller.children) observer.observe(part)
    look()
    return () => observer.disconnect()
  }, [table, virtual])
  return topPx
}
