import type { PolicyRule } from '@stillpoint/api/core/rbac'

/**
 * What of `wanted` is not held through `held`, as rules of one verb on one thing each. Compared by what rules say and
 * not by what exists: "*" is covered by "*" only.
 */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(breakDown).filter((single) => !held.some((rule) => covers(rule, single)))
}

/** Rules of one verb, one group, one resource and at most one name, or of one verb and one path. */
function breakDown(rule: PolicyRule): PolicyRule[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  const named = resourceNames.length === 0 ? [undefined] : resourceNames.map((name) => [name])
  return [
    ...apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          named.map((name) => ({
            apiGroups: [group],
            resources: [resource],
            ...(name === undefined ? {} : { resourceNames: name }),
            verbs: [verb],
          })),
        ),
      ),
    ),
    ...nonResourceURLs.flatMap((url) => verbs.map((verb) => ({ nonResourceURLs: [url], verbs: [verb] }))),
  ]
}

function covers(holder: PolicyRule, single: PolicyRule): boolean {
  const all = (held: readonly string[] = [], wanted: readonly string[] = []) =>
    held.includes('*') || wanted.every((item) => held.includes(item))
  if (!all(holder.verbs, single.verbs)) return false
  if (single.nonResourceURLs)
    return single.nonResourceURLs.every((url) =>
      (holder.nonResourceURLs ?? []).some(
        (pattern) => pattern === url || (pattern.endsWith('*') && url.startsWith(pattern.slice(0, -1))),
      ),
    )
  const names = holder.resourceNames ?? []
  return (
    (holder.resources ?? []).length > 0 &&
    all(holder.apiGroups, single.apiGroups) &&
    (single.resources ?? []).every((resource) => coversResource(holder.resources ?? [], resource)) &&
    (names.length === 0 || (single.resourceNames ?? []).some((name) => names.includes(name)))
  )
}

function coversResource(held: readonly string[], wanted: string): boolean {
  if (held.includes('*') || held.includes(wanted)) return true
  const slash = wanted.indexOf('/')
  return slash >= 0 && held.includes(`*${wanted.slice(slash)}`)
}

/** A rule as messages show it. */
export function ruleText(rule: PolicyRule): string {
  const parts: [string, readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ]
  return `{${parts.flatMap(([name, values]) => (values?.length ? [`${name}:${listText(values)}`] : [])).join(', ')}}`
}

/** `["a" "b"]`, as a real server prints lists of words. */
export function listText(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`
}

/** The same rights in fewer rules: verbs on the same thing come together. */
export function compacted(rules: readonly PolicyRule[]): PolicyRule[] {
  const merged = new Map<string, PolicyRule>()
  for (const { verbs = [], ...thing } of rules) {
    const key = JSON.stringify(thing)
    const before = merged.get(key)
    merged.set(key, { ...thing, verbs: [...new Set([...(before?.verbs ?? []), ...verbs])] })
  }
  return [...merged.values()]
}
