import { type PolicyRule, type RoleRef, rbacGroup } from '@stillpoint/api/core/rbac'
import type { UserInfo } from '../registry/admission.ts'
import { forbidden, type Named, notFound } from '../registry/errors.ts'
import { type Authorizer, mastersGroup } from './authorizer.ts'
import { compacted, listText, missingRules, ruleText } from './rule-cover.ts'

/** Rules times groups times resources times names times verbs: more takes too long to compare. */
const comparableRights = 20_000

const fullAuthority: PolicyRule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
]

/** What is written, by whom, where. */
export interface Granting {
  authorizer: Authorizer
  user: UserInfo
  definition: Named
  name: string
  namespace: string | undefined
}

/** Refuses a role with rights its writer does not hold, unless the writer may `escalate`. */
export function mayGrant(granting: Granting, rules: readonly PolicyRule[], aggregates: boolean): void {
  const { authorizer, user, definition, name, namespace } = granting
  const asked = { verb: 'escalate', group: rbacGroup, resource: definition.plural, namespace, name }
  if (user.groups.includes(mastersGroup) || authorizer.check(user, asked).allowed) return
  if (aggregates && missingRules(authorizer.rulesFor(user, namespace), fullAuthority).length > 0)
    throw forbidden(definition, name, 'must have cluster-admin privileges to use an aggregationRule')
  mustHold(granting, rules)
}

/** Refuses a binding to a role with rights its writer does not hold, unless the writer may `bind` that role. */
export function mayBind(granting: Granting, roleRef: RoleRef): void {
  const { authorizer, user, namespace } = granting
  const plural = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles'
  const asked = { verb: 'bind', group: rbacGroup, resource: plural, namespace, name: roleRef.name }
  if (user.groups.includes(mastersGroup) || authorizer.check(user, asked).allowed) return
  const rules = authorizer.rulesOf(roleRef, namespace)
  if (!rules) throw notFound({ group: rbacGroup, plural, kind: roleRef.kind }, roleRef.name)
  mustHold(granting, rules)
}

function mustHold({ authorizer, user, definition, name, namespace }: Granting, rules: readonly PolicyRule[]): void {
  const rights = rules.reduce((sum, rule) => sum + rightsOf(rule), 0)
  if (rights > comparableRights)
    throw forbidden(
      definition,
      name,
      `its rules are ${rights} single rights, more than the ${comparableRights} that are compared with those you hold; split the role`,
    )
  const missing = missingRules(authorizer.rulesFor(user, namespace), rules)
  if (missing.length === 0) return
  const groups = listText(user.groups)
  throw forbidden(
    definition,
    name,
    `user ${JSON.stringify(user.username)} (groups=${groups}) is attempting to grant RBAC permissions not currently held:\n${compacted(missing).map(ruleText).sort().join('\n')}`,
  )
}

function rightsOf({
  verbs = [],
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule) {
  const things = apiGroups.length * resources.length * Math.max(1, resourceNames.length) + nonResourceURLs.length
  return things * verbs.length
}
