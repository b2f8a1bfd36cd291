import { useEffect, useLayoutEffect, useReducer, useRef } from 'react'

/** Rows that are drawn in full with one frame. */
const perFrame = 6

/**
 * Which of the rows that are shown are drawn in full already. After a leap through a long list the first ones are at
 * once, the others with the next frames, so that none of them takes long.
 */
export function useFilled(keys: readonly string[]): ReadonlySet<string> {
  const drawn = useRef<ReadonlySet<string>>(new Set())
  const [, again] = useReducer((times: number) => times + 1, 0)
  const filled = new Set<string>()
  let fresh = 0
  for (const key of keys) if (drawn.current.has(key) || fresh++ < perFrame) filled.add(key)
  useLayoutEffect(() => {
    drawn.current = filled
  })
  useEffect(() => {
    if (filled.size >= keys.length) return
    const frame = requestAnimationFrame(again)
    return () => cancelAnimationFrame(frame)
  })
  return filled
}
