import { useState } from 'react'

/** A set of keys that are on, and what turns one on or off. */
export function useToggled(): [ReadonlySet<string>, (key: string) => void] {
  const [on, setOn] = useState<ReadonlySet<string>>(new Set())
  const toggle = (key: string): void => {
    const next = new Set(on)
    if (!next.delete(key)) next.add(key)
    setOn(next)
  }
  return [on, toggle]
}
