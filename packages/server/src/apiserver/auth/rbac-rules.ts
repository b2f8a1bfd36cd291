import {
  type ClusterRole,
  type ClusterRoleBinding,
  type PolicyRule,
  type Role,
  type RoleBinding,
  type RoleRef,
  rbacGroup,
  type Subject,
} from '@stillpoint/api/core/rbac'
import { jsonEqual } from '../json.ts'
import type { FieldError } from '../registry/errors.ts'
import { fieldError, notSupported } from '../registry/errors.ts'
import { whyNotLabelValue, whyNotPathSegment, whyNotQualifiedName, whyNotSubdomain } from '../registry/names.ts'

// What a real server's own code says of these kinds, in its words.

export function roleErrors(role: Role | ClusterRole, namespaced: boolean): FieldError[] {
  return [
    ...(role.rules ?? []).flatMap((rule, index) => ruleErrors(rule, `rules[${index}]`, namespaced)),
    ...('aggregationRule' in role && role.aggregationRule ? aggregationErrors(role.aggregationRule) : []),
  ]
}

function ruleErrors(rule: PolicyRule, path: string, namespaced: boolean): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  const urls = `${path}.nonResourceURLs`
  const noVerbs =
    verbs.length === 0 ? [fieldError('required', `${path}.verbs`, 'verbs must contain at least one value')] : []
  if (nonResourceURLs.length > 0)
    return [
      ...noVerbs,
      ...(namespaced
        ? [fieldError('invalid', urls, 'namespaced rules cannot apply to non-resource URLs', nonResourceURLs)]
        : []),
      ...(apiGroups.length > 0 || resources.length > 0 || resourceNames.length > 0
        ? [
            fieldError(
              'invalid',
              urls,
              'rules cannot apply to both regular resources and non-resource URLs',
              nonResourceURLs,
            ),
          ]
        : []),
    ]
  return [
    ...noVerbs,
    ...(apiGroups.length === 0
      ? [fieldError('required', `${path}.apiGroups`, 'resource rules must supply at least one api group')]
      : []),
    ...(resources.length === 0
      ? [fieldError('required', `${path}.resources`, 'resource rules must supply at least one resource')]
      : []),
  ]
}

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist']

function aggregationErrors({ clusterRoleSelectors = [] }: NonNullable<ClusterRole['aggregationRule']>): FieldError[] {
  const path = 'aggregationRule.clusterRoleSelectors'
  if (clusterRoleSelectors.length === 0)
    return [fieldError('required', path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')]
  return clusterRoleSelectors.flatMap(({ matchLabels = {}, matchExpressions = [] }, index) => {
    const at = `${path}[${index}]`
    return [
      ...Object.entries(matchLabels).flatMap(([key, value]) => [
        ...because(`${at}.matchLabels`, key, whyNotQualifiedName(key)),
        ...because(`${at}.matchLabels`, value, whyNotLabelValue(value)),
      ]),
      ...matchExpressions.flatMap(({ key, operator, values = [] }, number) => {
        const expression = `${at}.matchExpressions[${number}]`
        const needsValues = operator === 'In' || operator === 'NotIn'
        return [
          ...because(`${expression}.key`, key, whyNotQualifiedName(key)),
          ...(operators.includes(operator)
            ? []
            : [fieldError('invalid', `${expression}.operator`, 'not a valid selector operator', operator)]),
          ...(needsValues && values.length === 0
            ? [fieldError('required', `${expression}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
            : []),
          ...(operators.includes(operator) && !needsValues && values.length > 0
            ? [
                fieldError(
                  'forbidden',
                  `${expression}.values`,
                  "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                ),
              ]
            : []),
        ]
      }),
    ]
  })
}

export function bindingErrors(
  { roleRef, subjects = [] }: RoleBinding | ClusterRoleBinding,
  namespaced: boolean,
  before?: RoleRef,
): FieldError[] {
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  const badName = roleRef.name === '' ? undefined : whyNotPathSegment(roleRef.name)
  return [
    ...(roleRef.apiGroup === rbacGroup ? [] : [notSupported('roleRef.apiGroup', roleRef.apiGroup ?? '', [rbacGroup])]),
    ...(kinds.includes(roleRef.kind) ? [] : [notSupported('roleRef.kind', roleRef.kind, kinds)]),
    ...(roleRef.name === '' ? [fieldError('required', 'roleRef.name', '')] : []),
    ...because('roleRef.name', roleRef.name, badName),
    ...subjects.flatMap((subject, index) => subjectErrors(subject, `subjects[${index}]`)),
    ...(before === undefined || jsonEqual(before, roleRef)
      ? []
      : [fieldError('invalid', 'roleRef', 'cannot change roleRef', roleRef)]),
  ]
}

function subjectErrors({ kind, apiGroup = '', name, namespace = '' }: Subject, path: string): FieldError[] {
  const unnamed = name === '' ? [fieldError('required', `${path}.name`, '')] : []
  switch (kind) {
    case 'ServiceAccount':
      return [
        ...unnamed,
        ...because(`${path}.name`, name, name === '' ? undefined : whyNotSubdomain(name)),
        ...(apiGroup === '' ? [] : [notSupported(`${path}.apiGroup`, apiGroup, [''])]),
        ...(namespace === '' ? [fieldError('required', `${path}.namespace`, '')] : []),
      ]
    case 'User':
    case 'Group':
      return [...unnamed, ...(apiGroup === rbacGroup ? [] : [notSupported(`${path}.apiGroup`, apiGroup, [rbacGroup])])]
    default:
      return [...unnamed, notSupported(`${path}.kind`, kind, ['Group', 'ServiceAccount', 'User'])]
  }
}

function because(field: string, value: unknown, why: string | undefined): FieldError[] {
  return why === undefined ? [] : [fieldError('invalid', field, why, value)]
}

/** Groups filled in where they follow from the kind. */
export function bindingWithDefaults<T extends RoleBinding | ClusterRoleBinding>(binding: T): T {
  const { roleRef, subjects } = binding
  return {
    ...binding,
    roleRef: { ...roleRef, apiGroup: roleRef.apiGroup || rbacGroup },
    ...(subjects ? { subjects: subjects.map(subjectWithDefaults) } : {}),
  }
}

function subjectWithDefaults(subject: Subject): Subject {
  const { apiGroup, ...rest } = subject
  if (subject.kind === 'User' || subject.kind === 'Group') return { ...rest, apiGroup: apiGroup || rbacGroup }
  return apiGroup ? subject : rest
}
