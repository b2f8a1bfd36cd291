import { useCallback, useLayoutEffect, useRef } from 'react'

/** A function that never changes its identity and always does what the last render gave: for memoized children. */
export function useStable<A extends unknown[], R>(latest: (...given: A) => R): (...given: A) => R {
  const kept = useRef(latest)
  useLayoutEffect(() => {
    kept.current = latest
  })
  return useCallback((...given: A) => kept.current(...given), [])
}
