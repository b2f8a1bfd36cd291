import { createHash } from 'node:crypto'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { groupVersion, type ServedGroup, type ServedVersion } from './served.ts'
import { statusVerbs, subresourceFacts, verbsOf } from './verbs.ts'

/** `/api`. */
export function apiVersions(): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    // Empty: the client is to stay with the address it came by.
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '' }],
  }
}

/** `/apis`. The core group is not among them. */
export function apiGroupList(groups: readonly ServedGroup[]): object {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.filter(({ name }) => name !== '').map(groupBody),
  }
}

/** `/apis/G`. */
export function apiGroup(group: ServedGroup): object {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(group) }
}

function groupBody({ name, versions }: ServedGroup): object {
  const entries = versions.map((served) => ({ groupVersion: groupVersion(served), version: served.version }))
  return { name, versions: entries, preferredVersion: entries[0] }
}

/** `/api/v1` and `/apis/G/V`. */
export function apiResourceList(served: ServedVersion): object {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: groupVersion(served),
    resources: [
      ...served.resources.flatMap((def) => [
        {
          name: def.plural,
          singularName: def.singular,
          namespaced: def.scope === 'Namespaced',
          kind: def.kind,
          verbs: verbsOf(def),
          ...(def.shortNames.length > 0 ? { shortNames: def.shortNames } : {}),
          ...(def.categories.length > 0 ? { categories: def.categories } : {}),
          storageVersionHash: storageVersionHash(def),
        },
        ...(def.statusSubresource ? [subresource(def, 'status', statusVerbs)] : []),
      ]),
      ...served.subresources.map((sub) => {
        const { verbs, kind } = subresourceFacts(sub)
        return { ...subresource(sub.parent, sub.name, verbs, sub.plural), ...kind }
      }),
    ],
  }
}

function subresource(def: ResourceDefinition | undefined, name: string, verbs: string[], plural = def?.plural): object {
  return {
    name: `${plural}/${name}`,
    singularName: '',
    namespaced: def === undefined || def.scope === 'Namespaced',
    kind: def?.kind ?? '',
    verbs,
  }
}

function storageVersionHash({ group, version, kind }: ResourceDefinition): string {
  return createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64')
}
