// Labels and annotations as people write them: the rules of Kubernetes for their names and values.

const prefixRule = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const nameRule = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

/** What is wrong with the key of a label or an annotation; undefined when nothing is. */
export function whyNotKey(key: string): string | undefined {
  const parts = key.split('/')
  const name = parts.at(-1) ?? ''
  const prefix = parts.length > 1 ? parts.slice(0, -1).join('/') : undefined
  if (name === '') return 'A key is required'
  if (parts.length > 2) return `"${key}" has more than one /`
  if (name.length > 63) return `The name in "${key}" must have at most 63 characters`
  if (!nameRule.test(name))
    return `"${name}" may have letters, digits, -, _ and . only, and must begin and end with a letter or digit`
  if (prefix !== undefined && (prefix.length > 253 || !prefixRule.test(prefix)))
    return `"${prefix}" before the / must be a DNS name`
  return undefined
}

/** What is wrong with the value of a label. */
export function whyNotLabelValue(value: string): string | undefined {
  if (value.length > 63) return `"${value}" must have at most 63 characters`
  return value === '' || nameRule.test(value)
    ? undefined
    : `"${value}" may have letters, digits, -, _ and . only, and must begin and end with a letter or digit`
}

/** A label as it is typed, `key=value` or a key alone; or what is wrong with it. */
export function parseLabel(text: string): { key: string; value: string } | { problem: string } {
  const at = text.indexOf('=')
  const key = (at < 0 ? text : text.slice(0, at)).trim()
  const value = at < 0 ? '' : text.slice(at + 1).trim()
  const problem = whyNotKey(key) ?? whyNotLabelValue(value)
  return problem === undefined ? { key, value } : { problem }
}

export type Pairs = Readonly<Record<string, string>>

/**
 * The merge patch that makes one map of the other: what somebody else changed meanwhile, and was not touched here, stays.
 * Undefined when there is nothing to change.
 */
export function pairsPatch(before: Pairs, after: Pairs): Record<string, string | null> | undefined {
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  const put = Object.entries(after).filter(([key, value]) => !Object.hasOwn(before, key) || before[key] !== value)
  if (removed.length + put.length === 0) return undefined
  return Object.fromEntries([...removed.map((key): [string, null] => [key, null]), ...put])
}

export interface Pair {
  key: string
  value: string
}

/** What is wrong with a list of annotations; rows without key and value do not count. */
export function whyNotPairs(pairs: readonly Pair[]): string | undefined {
  const seen = new Set<string>()
  for (const { key, value } of pairs) {
    if (key.trim() === '' && value === '') continue
    const problem = whyNotKey(key.trim())
    if (problem !== undefined) return problem
    if (seen.has(key.trim())) return `"${key.trim()}" is there twice`
    seen.add(key.trim())
  }
  return undefined
}

/** The map that a list of pairs stands for. */
export function mapOf(pairs: readonly Pair[]): Record<string, string> {
  return Object.fromEntries(pairs.filter(({ key }) => key.trim() !== '').map(({ key, value }) => [key.trim(), value]))
}
