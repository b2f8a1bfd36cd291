import type { Attributes, ResourceAttributes } from '../auth/attributes.ts'
import { parseFieldSelector } from '../watch/field-selector.ts'
import { parseResourcePath, type ResourcePath } from './request-path.ts'

const verbs: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch' }

/** The verb a request needs, in the words of authorization. */
export function verbOf(method: string, path: Pick<ResourcePath, 'name' | 'watch'>, query: URLSearchParams): string {
  if (method === 'GET' || method === 'HEAD') {
    const watch = query.get('watch')
    if (path.watch || watch === '1' || watch === 'true') return 'watch'
    return path.name === undefined ? 'list' : 'get'
  }
  if (method === 'DELETE') return path.name === undefined ? 'deletecollection' : 'delete'
  return verbs[method] ?? method.toLowerCase()
}

/** What a request on a resource asks for. */
export function attributesOf(method: string, path: ResourcePath, query: URLSearchParams): ResourceAttributes {
  const { group, resource, subresource, name, namespace } = path
  const verb = verbOf(method, path, query)
  return {
    verb,
    group,
    resource,
    subresource: subresource === undefined ? undefined : subresourceRight(subresource),
    // A Namespace is judged as a thing in itself: who has rights in it may be allowed to read it.
    namespace: namespace ?? (group === '' && resource === 'namespaces' ? name : undefined),
    name: name ?? (verb === 'create' ? undefined : selectedName(query)),
  }
}

/** The subresource a right is about: in `portforward/8080/tcp` the port is no part of it. */
export function subresourceRight(subresource: string): string {
  return subresource.replace(/\/\d.*$/, '')
}

/** What a request on any path asks for, where nothing is known of it beforehand. */
export function attributesOfPath(method: string, path: string, query: URLSearchParams): Attributes {
  const resourcePath = parseResourcePath(path)
  return resourcePath ? attributesOf(method, resourcePath, query) : { verb: verbOfPath(method), path }
}

export function verbOfPath(method: string): string {
  return method === 'HEAD' ? 'get' : method.toLowerCase()
}

function selectedName(query: URLSearchParams): string | undefined {
  const text = query.get('fieldSelector')
  if (!text) return undefined
  // What cannot be read selects nothing; it is refused later, with the reason.
  try {
    return parseFieldSelector(text).find(({ field, equal }) => field === 'metadata.name' && equal)?.value
  } catch {
    return undefined
  }
}
