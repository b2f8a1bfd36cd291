import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { ServedGroup, ServedVersion } from './served.ts'
import { type GroupVersionKind, statusVerbs, subresourceFacts, verbsOf } from './verbs.ts'

interface SubresourceEntry {
  subresource: string
  responseKind: GroupVersionKind
  verbs: string[]
}

/** All of a root path in one document: `/api` with the core group, or `/apis` with the others. */
export function aggregatedDiscovery(groups: readonly ServedGroup[], apiVersion: 'v2' | 'v2beta1'): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${apiVersion}`,
    metadata: {},
    items: groups.map(({ name, versions }) => ({
      metadata: { name },
      versions: versions.map((served) => ({
        version: served.version,
        freshness: 'Current',
        resources: [...served.resources.map((def) => entry(def, served)), ...orphans(served)],
      })),
    })),
  }
}

function entry(def: ResourceDefinition, served: ServedVersion): object {
  const responseKind = { group: served.group, version: served.version, kind: def.kind }
  const subresources: SubresourceEntry[] = [
    ...(def.statusSubresource ? [{ subresource: 'status', responseKind, verbs: statusVerbs }] : []),
    ...subresourcesOf(served, def.plural, responseKind),
  ]
  return {
    resource: def.plural,
    responseKind,
    scope: def.scope,
    singularResource: def.singular,
    verbs: verbsOf(def),
    ...(def.shortNames.length > 0 ? { shortNames: def.shortNames } : {}),
    ...(def.categories.length > 0 ? { categories: def.categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  }
}

function subresourcesOf(served: ServedVersion, plural: string, parent: GroupVersionKind): SubresourceEntry[] {
  return served.subresources
    .filter((sub) => sub.plural === plural)
    .map((sub) => {
      const { verbs, kind } = subresourceFacts(sub)
      return { subresource: sub.name, responseKind: kind ?? parent, verbs }
    })
}

/** Subresources without a resource hang from a parent without verbs and kind, which clients skip. */
function orphans(served: ServedVersion): object[] {
  const plurals = new Set(served.subresources.filter(({ parent }) => parent === undefined).map(({ plural }) => plural))
  const responseKind = { group: '', version: '', kind: '' }
  return [...plurals].map((plural) => ({
    resource: plural,
    responseKind,
    scope: 'Namespaced',
    singularResource: '',
    verbs: [],
    subresources: subresourcesOf(served, plural, responseKind),
  }))
}
