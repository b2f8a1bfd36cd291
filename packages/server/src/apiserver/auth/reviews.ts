import type { PolicyRule } from '@stillpoint/api/core/rbac'
import type { SubjectAccessReview, TokenReview } from '@stillpoint/api/core/reviews'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { UserInfo } from '../registry/admission.ts'
import { badRequest, type FieldError, fieldError, invalid } from '../registry/errors.ts'
import type { Attributes } from './attributes.ts'
import type { Authenticator } from './authenticator.ts'
import type { Authorizer } from './authorizer.ts'

type AccessSpec = SubjectAccessReview['spec']

/** One question, decoded and checked against its schema. */
export interface Question {
  definition: ResourceDefinition
  review: KubeObject
  user: UserInfo
  namespace: string | undefined
}

type Answer = (question: Question) => object

/** Answers the kinds that are questions; by kind. */
export function reviewAnswers(authorizer: Authorizer, authenticator: Authenticator): Readonly<Record<string, Answer>> {
  const access = (question: Question, user: UserInfo): object => {
    const { allowed, reason } = authorizer.check(user, askedIn(question))
    return { allowed, ...(reason === '' ? {} : { reason }) }
  }
  const subjectAccess = (question: Question) => {
    const { user = '', groups = [], uid } = specOf<AccessSpec>(question)
    if (user === '' && groups.length === 0)
      refuse(question, [fieldError('invalid', 'spec.user', 'at least one of user or group must be specified', user)])
    return access(question, { username: user, groups, ...(uid === undefined ? {} : { uid }) })
  }
  return {
    SelfSubjectAccessReview: (question) => access(question, question.user),
    SubjectAccessReview: subjectAccess,
    LocalSubjectAccessReview: (question) => {
      const { resourceAttributes, nonResourceAttributes } = specOf<AccessSpec>(question)
      const path = 'spec.resourceAttributes.namespace'
      if (nonResourceAttributes)
        refuse(question, [
          fieldError(
            'invalid',
            'spec.nonResourceAttributes',
            'disallowed on this kind of request',
            nonResourceAttributes,
          ),
        ])
      if (resourceAttributes && resourceAttributes.namespace !== question.namespace)
        refuse(question, [fieldError('invalid', path, 'must match metadata.namespace', resourceAttributes.namespace)])
      return subjectAccess(question)
    },
    SelfSubjectRulesReview: (question) => {
      const { namespace = '' } = specOf<{ namespace?: string }>(question)
      if (namespace === '') throw badRequest('no namespace on request')
      return rulesStatus(authorizer.rulesFor(question.user, namespace))
    },
    TokenReview: (question) => tokenStatus(authenticator, specOf<TokenReview['spec']>(question)),
    SelfSubjectReview: ({ user }) => ({ userInfo: user }),
  }
}

function specOf<Spec>({ review }: Question): Spec {
  return (review as KubeObject & { spec: Spec }).spec
}

function askedIn(question: Question): Attributes {
  const { resourceAttributes, nonResourceAttributes } = specOf<AccessSpec>(question)
  if (resourceAttributes && nonResourceAttributes)
    refuse(question, [
      fieldError(
        'invalid',
        'spec.nonResourceAttributes',
        'cannot be specified in combination with resourceAttributes',
        nonResourceAttributes,
      ),
    ])
  if (nonResourceAttributes) {
    const { verb = '', path = '' } = nonResourceAttributes
    return { verb, path }
  }
  if (!resourceAttributes)
    return refuse(question, [
      fieldError(
        'invalid',
        'spec.resourceAttributes',
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
        null,
      ),
    ])
  const { verb = '', group = '', resource = '', subresource, namespace, name } = resourceAttributes
  return {
    verb,
    group,
    resource,
    subresource: subresource || undefined,
    namespace: namespace || undefined,
    name: name || undefined,
  }
}

function rulesStatus(rules: readonly PolicyRule[]): object {
  const unique = [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()]
  const onPaths = ({ nonResourceURLs = [] }: PolicyRule) => nonResourceURLs.length > 0
  return {
    resourceRules: unique.filter((rule) => !onPaths(rule)),
    nonResourceRules: unique.filter(onPaths),
    incomplete: false,
  }
}

function tokenStatus(authenticator: Authenticator, { token = '', audiences = [] }: TokenReview['spec']): object {
  if (token === '') throw badRequest('token is required for TokenReview in authentication')
  const found = authenticator.review(token, audiences)
  if (!found) return { user: {}, error: 'the token is unknown, has expired, or is meant for somebody else' }
  return { authenticated: true, user: found.user, audiences: found.audiences }
}

function refuse({ definition, review }: Question, errors: readonly FieldError[]): never {
  throw invalid(definition, review.metadata.name, errors)
}
