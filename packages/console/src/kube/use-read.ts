import { useEffect, useState } from 'react'

/** What a page wants once and need not follow; neither member while it is asked for. */
export interface Read<T> {
  value?: T
  error?: unknown
}

/** Reads something once for each `key`; an empty key reads nothing. */
export function useRead<T>(key: string, read: (signal: AbortSignal) => Promise<T>): Read<T> {
  const [state, setState] = useState<{ key: string; read: Read<T> }>({ key: '', read: {} })
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for what is read
  useEffect(() => {
    if (key === '') return
    const ended = new AbortController()
    read(ended.signal).then(
      (value) => !ended.signal.aborted && setState({ key, read: { value } }),
      (error: unknown) => !ended.signal.aborted && setState({ key, read: { error } }),
    )
    return () => ended.abort()
  }, [key])
  return state.key === key ? state.read : {}
}
