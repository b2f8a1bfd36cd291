import type { UserInfo } from '../registry/admission.ts'
import { forbidden, forbiddenPath } from '../registry/errors.ts'
import { type Attributes, type Decision, isPath } from './attributes.ts'

/** The refusal of a request, with the text clients show. */
export function refusal(user: UserInfo, asked: Attributes, { reason }: Decision): Error {
  if (isPath(asked)) return forbiddenPath(user.username, asked.verb, asked.path, reason)
  const { verb, group, resource, name = '', subresource, namespace } = asked
  const what = subresource === undefined ? resource : `${resource}/${subresource}`
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const text = `User ${JSON.stringify(user.username)} cannot ${verb} resource "${what}" in API group "${group}" ${where}`
  return forbidden({ group, plural: resource, kind: '' }, name, reason === '' ? text : `${text}: ${reason}`)
}
