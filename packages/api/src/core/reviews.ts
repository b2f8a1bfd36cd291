import * as z from 'zod'
import { looseObject, strings, time } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'

// Kinds that are questions: they are created, answered and forgotten.

const list = strings.meta({ 'x-kubernetes-list-type': 'atomic' })
const extra = z.record(z.string(), list).optional().describe('What else is known of the user.')

const base = { version: 'v1', origin: 'builtin', createOnly: true, statusSubresource: false } as const
const authorization = { ...base, group: 'authorization.k8s.io' } as const
const authentication = { ...base, group: 'authentication.k8s.io' } as const

const resourceAttributes = z
  .object({
    namespace: z.string().optional().describe('Namespace; empty is all of them, or none.'),
    verb: z.string().optional().describe('What shall be done; "*" is everything.'),
    group: z.string().optional().describe('Group of the resource; "*" is all.'),
    version: z.string().optional().describe('Version of the resource; plays no part.'),
    resource: z.string().optional().describe('Resource by plural; "*" is all.'),
    subresource: z.string().optional().describe('Subresource.'),
    name: z.string().optional().describe('Name of the object; empty is all.'),
    fieldSelector: looseObject.optional().describe('Field selector of the request; plays no part.'),
    labelSelector: looseObject.optional().describe('Label selector of the request; plays no part.'),
  })
  .optional()
  .describe('A request on a resource.')
const nonResourceAttributes = z
  .object({
    path: z.string().optional().describe('Path of the request.'),
    verb: z.string().optional().describe('HTTP method in lower case.'),
  })
  .optional()
  .describe('A request on a path outside of resources.')

const accessStatus = z
  .object({
    allowed: z.boolean().describe('Whether it is allowed.'),
    denied: z.boolean().optional().describe('Not used: what nobody allows is not allowed.'),
    reason: z.string().optional().describe('Why.'),
    evaluationError: z.string().optional().describe('What went wrong in finding out.'),
  })
  .optional()
  .describe('The answer.')

const subjectSpec = z
  .object({
    resourceAttributes,
    nonResourceAttributes,
    user: z.string().optional().describe('The user who is asked about.'),
    groups: list.optional().describe('The groups of that user.'),
    extra,
    uid: z.string().optional().describe('UID of that user.'),
  })
  .describe('The question.')

const userInfo = z
  .object({
    username: z.string().optional().describe('Name of the user.'),
    uid: z.string().optional().describe('UID of the user.'),
    groups: list.optional().describe('Groups of the user.'),
    extra,
  })
  .optional()
  .describe('The user.')

export const SelfSubjectAccessReview = resource({
  ...authorization,
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  scope: 'Cluster',
  description: 'SelfSubjectAccessReview asks whether the caller may do something.',
  fields: {
    spec: z.object({ resourceAttributes, nonResourceAttributes }).describe('The question.'),
    status: accessStatus,
  },
})
export type SelfSubjectAccessReview = ObjectOf<typeof SelfSubjectAccessReview>

export const SubjectAccessReview = resource({
  ...authorization,
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  scope: 'Cluster',
  description: 'SubjectAccessReview asks whether a user may do something.',
  fields: { spec: subjectSpec, status: accessStatus },
})
export type SubjectAccessReview = ObjectOf<typeof SubjectAccessReview>

export const LocalSubjectAccessReview = resource({
  ...authorization,
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  description: 'LocalSubjectAccessReview asks whether a user may do something in its namespace.',
  fields: { spec: subjectSpec, status: accessStatus },
})

export const SelfSubjectRulesReview = resource({
  ...authorization,
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  scope: 'Cluster',
  description: 'SelfSubjectRulesReview asks for all the caller may do in a namespace.',
  fields: {
    spec: z.object({ namespace: z.string().optional().describe('The namespace.') }).describe('The question.'),
    status: z
      .object({
        resourceRules: z
          .array(
            z.object({
              verbs: list.describe('What may be done.'),
              apiGroups: list.optional().describe('Groups of the resources.'),
              resources: list.optional().describe('The resources.'),
              resourceNames: list.optional().describe('The names; default is all.'),
            }),
          )
          .describe('Rules about resources.'),
        nonResourceRules: z
          .array(
            z.object({
              verbs: list.describe('What may be done.'),
              nonResourceURLs: list.optional().describe('The paths.'),
            }),
          )
          .describe('Rules about paths.'),
        incomplete: z.boolean().describe('Whether there may be more.'),
        evaluationError: z.string().optional().describe('What went wrong in finding out.'),
      })
      .optional()
      .describe('The answer.'),
  },
})
export type SelfSubjectRulesReview = ObjectOf<typeof SelfSubjectRulesReview>

export const TokenReview = resource({
  ...authentication,
  kind: 'TokenReview',
  plural: 'tokenreviews',
  scope: 'Cluster',
  description: 'TokenReview asks whose token a token is.',
  fields: {
    spec: z
      .object({
        token: z.string().optional().describe('The token.'),
        audiences: list.optional().describe('For whom it must be. Default: this server.'),
      })
      .describe('The question.'),
    status: z
      .object({
        authenticated: z.boolean().optional().describe('Whether the token is valid.'),
        user: userInfo,
        audiences: list.optional().describe('Those asked about for whom the token is.'),
        error: z.string().optional().describe('Why it is not valid.'),
      })
      .optional()
      .describe('The answer.'),
  },
})
export type TokenReview = ObjectOf<typeof TokenReview>

export const SelfSubjectReview = resource({
  ...authentication,
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  versions: [{ name: 'v1' }, { name: 'v1beta1' }],
  scope: 'Cluster',
  description: 'SelfSubjectReview asks who the caller is.',
  fields: { status: z.object({ userInfo }).optional().describe('The answer.') },
})

/** The body of `serviceaccounts/NAME/token`. */
export const TokenRequest = resource({
  ...authentication,
  kind: 'TokenRequest',
  plural: 'tokenrequests',
  description: 'TokenRequest asks for a token of a ServiceAccount.',
  fields: {
    spec: z
      .object({
        audiences: list.optional().describe('For whom the token is. Default: this server.'),
        expirationSeconds: z.int().optional().meta({ format: 'int64' }).describe('Lifetime wanted. Default: an hour.'),
        boundObjectRef: z
          .object({
            kind: z.string().optional().describe('Secret.'),
            apiVersion: z.string().optional().describe('v1.'),
            name: z.string().optional().describe('Name of the object.'),
            uid: z.string().optional().describe('UID of the object.'),
          })
          .nullable()
          .optional()
          .describe('An object with which the token ends.'),
      })
      .optional()
      .describe('What is wanted.'),
    status: z
      .object({
        token: z.string().describe('The token.'),
        expirationTimestamp: time.nullable().describe('When it ends.'),
      })
      .optional()
      .describe('What is given.'),
  },
})
export type TokenRequest = ObjectOf<typeof TokenRequest>

/** Answered by every server that has roles. */
export const reviewKinds = [
  SelfSubjectAccessReview,
  SubjectAccessReview,
  LocalSubjectAccessReview,
  SelfSubjectRulesReview,
  TokenReview,
  SelfSubjectReview,
] as const
