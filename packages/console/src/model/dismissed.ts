/** Kept at most: what is older has long been deleted. */
const most = 200

/** UIDs of what a person does not want to be told again; none for what cannot be read. */
export function readDismissed(text: string | null): readonly string[] {
  if (text === null) return []
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value.filter((uid) => typeof uid === 'string') : []
  } catch {
    return []
  }
}

/** With one more; the oldest are forgotten. */
export function withDismissed(known: readonly string[], uid: string): readonly string[] {
  return [...known.filter((each) => each !== uid), uid].slice(-most)
}
