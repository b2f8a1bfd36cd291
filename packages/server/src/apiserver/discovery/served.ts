import type { ResourceDefinition } from '@stillpoint/api/schema/resource'

/** A group as clients see it: versions best first. */
export interface ServedGroup {
  name: string
  versions: ServedVersion[]
}

export interface ServedVersion {
  group: string
  version: string
  resources: readonly ResourceDefinition[]
  /** Subresources beside `status`: `plural` and name, such as `virtualmachines`, `start`. */
  subresources: readonly Subresource[]
}

export interface Subresource {
  plural: string
  name: string
  /** Undefined where only subresources of the kind are served in this group. */
  parent: ResourceDefinition | undefined
}

// Groups of nothing but subresources, under KubeVirt's name and versions.
const subresourceVersions: Record<string, string[]> = { 'subresources.kubevirt.io': ['v1', 'v1alpha3'] }

// Where a real server ranks the groups it has in its code; groups of custom kinds follow in alphabetical order.
const builtinGroups = [
  '',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'apiextensions.k8s.io',
  'coordination.k8s.io',
]

/** Everything served, in the order in which clients resolve short names. */
export function servedGroups(
  resources: readonly ResourceDefinition[],
  subresourceKeys: readonly string[],
): ServedGroup[] {
  const subresources = subresourceKeys.map(parseKey)
  const versionsOf = new Map<string, Set<string>>()
  const add = (group: string, version: string) =>
    versionsOf.set(group, (versionsOf.get(group) ?? new Set()).add(version))
  for (const { group, versions } of resources) for (const { name } of versions) add(group, name)
  for (const { group } of subresources) for (const version of subresourceVersions[group] ?? []) add(group, version)

  return [...versionsOf]
    .sort(([a], [b]) => groupRank(a) - groupRank(b) || compareText(a, b))
    .map(([name, versions]) => ({
      name,
      versions: [...versions].sort(compareVersions).map((version) => {
        const own = resources.filter((def) => def.group === name && def.versions.some((v) => v.name === version))
        return {
          group: name,
          version,
          resources: own,
          subresources: subresources
            .filter(({ group }) => group === name)
            .map(({ plural, name: sub }) => ({
              plural,
              name: sub,
              parent: own.find((def) => def.plural === plural),
            }))
            .filter(({ parent }) => parent !== undefined || name in subresourceVersions)
            .sort((a, b) => compareText(`${a.plural}/${a.name}`, `${b.plural}/${b.name}`)),
        }
      }),
    }))
}

/** `v1`, `apps/v1`. */
export function groupVersion({ group, version }: { group: string; version: string }): string {
  return group === '' ? version : `${group}/${version}`
}

/** `/api/v1`, `/apis/apps/v1`. */
export function rootPath({ group, version }: { group: string; version: string }): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`
}

/** GA before beta before alpha, newer first; names of another form come last, alphabetically. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rankVersion(a), rankVersion(b)]
  for (const [index, value] of left.entries()) {
    const other = right[index] ?? 0
    if (value !== other) return other - value
  }
  return compareText(a, b)
}

function rankVersion(version: string): number[] {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version)
  if (match === null) return [0, 0, 0]
  const [, major, stage, minor] = match
  return [stage === undefined ? 3 : stage === 'beta' ? 2 : 1, Number(major), Number(minor ?? 0)]
}

function parseKey(key: string): { group: string; plural: string; name: string } {
  const [group = '', plural = '', ...rest] = key.split('/')
  return { group, plural, name: rest.join('/') }
}

function groupRank(group: string): number {
  const rank = builtinGroups.indexOf(group)
  return rank === -1 ? builtinGroups.length : rank
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
