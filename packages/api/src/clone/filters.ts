import { RE2JS } from 're2js'

// Filters come from users and are tried on keys in the controller, so their expressions must not be able to keep it
// busy: RE2 takes time linear in the key, and is the syntax KubeVirt's filters are written in.

const longestFilter = 256

/** What is wrong with a filter; undefined when nothing is. */
export function whyFilterInvalid(filter: string): string | undefined {
  const shown = JSON.stringify(filter)
  const pattern = filter.startsWith('!') ? filter.slice(1) : filter
  if (pattern === '') return `filter ${shown} is empty; write a regular expression, or * for every key`
  if (filter.length > longestFilter) return `filter ${shown} is longer than ${longestFilter} characters`
  if (pattern.includes('!')) return `filter ${shown} may have "!" only at its beginning`
  try {
    patternOf(filter)
    return undefined
  } catch (error) {
    return `filter ${shown} is not a regular expression: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** A test for the keys that filters select: at least one is for it and none against it. */
export function selectedBy(filters: readonly string[]): (key: string) => boolean {
  const patterns = filters.map((filter) => ({ keepsOut: filter.startsWith('!'), pattern: patternOf(filter) }))
  return (key) => {
    const matching = patterns.filter(({ pattern }) => pattern.matcher(key).find())
    return matching.length > 0 && matching.every(({ keepsOut }) => !keepsOut)
  }
}

function patternOf(filter: string): RE2JS {
  const pattern = filter.startsWith('!') ? filter.slice(1) : filter
  return RE2JS.compile(pattern === '*' ? '.*' : pattern)
}
