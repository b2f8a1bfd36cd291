import * as z from 'zod'
import { labelSelector, strings } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { atomicList } from './lists.ts'

export const rbacGroup = 'rbac.authorization.k8s.io'

const group = { group: rbacGroup, version: 'v1', origin: 'builtin' } as const
const list = strings.meta({ 'x-kubernetes-list-type': 'atomic' })

const policyRule = z.object({
  verbs: list.optional().describe('What may be done; "*" is everything.'),
  apiGroups: list.optional().describe('Groups of the resources; "" is the core group, "*" all.'),
  resources: list
    .optional()
    .describe('Resources by plural, subresources as "resource/sub"; "*" is all, "*/sub" one subresource of all.'),
  resourceNames: list.optional().describe('Only objects of these names. Default: all.'),
  nonResourceURLs: list
    .optional()
    .describe('Paths outside of resources, for cluster-wide rules only; "*" at the end stands for anything.'),
})
export type PolicyRule = z.output<typeof policyRule>

const rules = atomicList(policyRule).nullable().optional().describe('What the role allows.')

const subject = z
  .object({
    kind: z.string().describe('User, Group or ServiceAccount.'),
    apiGroup: z.string().optional().describe('Group of the kind; filled in by kind.'),
    name: z.string().describe('Name of the subject.'),
    namespace: z.string().optional().describe('Namespace of a ServiceAccount.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' })
export type Subject = z.output<typeof subject>

const roleRef = z
  .object({
    apiGroup: z.string().optional().describe('Group of the role.'),
    kind: z.string().describe('Role or ClusterRole.'),
    name: z.string().describe('Name of the role.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' })
export type RoleRef = z.output<typeof roleRef>

const bindingFields = {
  subjects: atomicList(subject).optional().describe('Who gets the role.'),
  roleRef: roleRef.describe('The role that is given. Cannot be updated.'),
}

export const Role = resource({
  ...group,
  kind: 'Role',
  plural: 'roles',
  description: 'Role is a list of things that may be done in its namespace.',
  fields: { rules },
})
export type Role = ObjectOf<typeof Role>

export const ClusterRole = resource({
  ...group,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  scope: 'Cluster',
  description: 'ClusterRole is a list of things that may be done, in the cluster or in any namespace.',
  fields: {
    rules,
    aggregationRule: z
      .object({
        clusterRoleSelectors: atomicList(labelSelector)
          .optional()
          .describe('Roles with the labels of any of these are the source of the rules.'),
      })
      .optional()
      .describe('Makes the rules from those of other ClusterRoles; what is written into rules is overwritten.'),
  },
})
export type ClusterRole = ObjectOf<typeof ClusterRole>

export const RoleBinding = resource({
  ...group,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  description: 'RoleBinding gives a role to subjects, in its namespace.',
  fields: bindingFields,
})
export type RoleBinding = ObjectOf<typeof RoleBinding>

export const ClusterRoleBinding = resource({
  ...group,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  scope: 'Cluster',
  description: 'ClusterRoleBinding gives a ClusterRole to subjects, everywhere.',
  fields: bindingFields,
})
export type ClusterRoleBinding = ObjectOf<typeof ClusterRoleBinding>

export const rbacKinds = [Role, ClusterRole, RoleBinding, ClusterRoleBinding] as const
