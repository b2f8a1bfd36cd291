import type { UserInfo } from '../registry/admission.ts'
import { forbidden, forbiddenPath } from '../registry/errors.ts'
import type { ResourcePath } from './request-path.ts'

const verbs: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch' }

/** Administrators and controllers may do everything, everybody else nothing. */
export function mayDoEverything({ groups }: UserInfo): boolean {
  return groups.includes('system:masters')
}

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

/** The refusal of a call on a resource, with the text clients show. */
export function refuseResource(user: UserInfo, verb: string, path: ResourcePath): Error {
  const { group, resource, name = '', subresource, namespace } = path
  const what = subresource === undefined ? resource : `${resource}/${subresource}`
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const text = `User ${JSON.stringify(user.username)} cannot ${verb} resource "${what}" in API group "${group}" ${where}`
  return forbidden({ group, plural: resource, kind: '' }, name, text)
}

export function refusePath(user: UserInfo, method: string, path: string): Error {
  return forbiddenPath(user.username, method.toLowerCase(), path)
}
