import { apiVersionOf } from '@stillpoint/api/schema/resource'
import type { ResourcePath } from './request-path.ts'

// kubectl lists these without asking whether they are served, and fails without an answer (docs/decisions/0004).
const absent = [
  { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true },
  {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    namespaced: false,
  },
]

/** The answer to a list of a kind there is nothing of; undefined for every other request. */
export function listOfNone(path: ResourcePath, verb: string, revision: number): object | undefined {
  const { group, version, resource, namespace } = path
  const found = absent.find((kind) => kind.group === group && kind.version === version && kind.plural === resource)
  if (found === undefined || verb !== 'list' || (namespace !== undefined && !found.namespaced)) return undefined
  return {
    kind: `${found.kind}List`,
    apiVersion: apiVersionOf(found),
    metadata: { resourceVersion: String(revision) },
    items: [],
  }
}
