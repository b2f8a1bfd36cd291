import type { PolicyRule } from '@stillpoint/api/core/rbac'
import { type Attributes, isPath } from './attributes.ts'

const none: readonly string[] = []

/** Whether one rule of a role allows a request. Rules on resources say nothing of paths, and the other way round. */
export function ruleAllows(rule: PolicyRule, asked: Attributes): boolean {
  const { verbs = none, apiGroups = none, resources = none, resourceNames = none, nonResourceURLs = none } = rule
  if (!hasOrAll(verbs, asked.verb)) return false
  if (isPath(asked)) return nonResourceURLs.some((pattern) => pathMatches(pattern, asked.path))
  return (
    hasOrAll(apiGroups, asked.group) &&
    resources.some((pattern) => resourceMatches(pattern, asked.resource, asked.subresource)) &&
    (resourceNames.length === 0 || (asked.name !== undefined && resourceNames.includes(asked.name)))
  )
}

function hasOrAll(list: readonly string[], wanted: string): boolean {
  return list.includes('*') || list.includes(wanted)
}

function resourceMatches(pattern: string, resource: string, subresource: string | undefined): boolean {
  if (pattern === '*') return true
  if (subresource === undefined) return pattern === resource
  return pattern === `${resource}/${subresource}` || pattern === `*/${subresource}`
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path
}
