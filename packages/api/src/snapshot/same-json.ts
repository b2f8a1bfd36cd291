/** Whether two values are the same as JSON; a member that is undefined is no member. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]))
  const entries = (value: object): [string, unknown][] =>
    Object.entries(value).filter(([, member]) => member !== undefined)
  const [left, right] = [entries(a), new Map(entries(b))]
  return left.length === right.size && left.every(([key, member]) => right.has(key) && sameJson(member, right.get(key)))
}
