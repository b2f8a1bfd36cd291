import {
  ClusterRole,
  ClusterRoleBinding,
  type ClusterRoleBinding as ClusterRoleBindingObject,
  type ClusterRole as ClusterRoleObject,
  type PolicyRule,
  rbacGroup,
} from '@stillpoint/api/core/rbac'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { internalCall } from '../bootstrap.ts'
import { jsonEqual } from '../json.ts'
import type { Registry } from '../registry/registry.ts'
import { resourceKey, type WatchCache } from '../watch/watch-cache.ts'
import { type DefaultRole, defaultRoles } from './default-roles.ts'
import { compacted, missingRules } from './rule-cover.ts'

const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate'
const bootstrapping = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }

interface Parts {
  cache: WatchCache
  registry: Registry
}

/**
 * Creates the default roles and bindings, and gives back what was taken from those there are; what was added to them
 * stays. One with the annotation autoupdate=false is left as it is.
 */
export async function keepDefaultRoles(parts: Parts): Promise<void> {
  await Promise.all(
    defaultRoles.flatMap((role) => [
      keep(parts, ClusterRole, role.name, wantedRole(role), repairedRole(role)),
      ...(role.subjects ? [keepBinding(parts, role)] : []),
    ]),
  )
}

function wantedRole({ name, labels, rules, aggregates }: DefaultRole): object {
  return {
    metadata: metadataOf(name, labels),
    rules: rules ?? [],
    ...(aggregates === undefined ? {} : { aggregationRule: aggregationRuleOf(aggregates) }),
  }
}

function repairedRole({ rules = [], labels, aggregates }: DefaultRole): (live: KubeObject) => object {
  return (live) => {
    const { rules: held, aggregationRule, ...rest } = live as ClusterRoleObject
    const withMetadata = repairedMetadata(rest as KubeObject, labels)
    if (aggregates !== undefined) {
      const [selector] = aggregationRuleOf(aggregates).clusterRoleSelectors
      const selectors = aggregationRule?.clusterRoleSelectors ?? []
      const complete = selectors.some((each) => jsonEqual(each, selector))
      const clusterRoleSelectors = complete ? selectors : [...selectors, selector]
      return { ...withMetadata, rules: held ?? [], aggregationRule: { ...aggregationRule, clusterRoleSelectors } }
    }
    const missing: PolicyRule[] = compacted(missingRules(held ?? [], rules))
    return { ...withMetadata, rules: [...(held ?? []), ...missing], ...(aggregationRule ? { aggregationRule } : {}) }
  }
}

async function keepBinding(parts: Parts, { name, subjects = [] }: DefaultRole): Promise<void> {
  const { cache, registry } = parts
  const roleRef = { apiGroup: rbacGroup, kind: 'ClusterRole', name }
  const live = cache.get(resourceKey(ClusterRoleBinding), undefined, name) as ClusterRoleBindingObject | undefined
  // A binding cannot be pointed at another role, so one that was made anew by somebody is replaced.
  if (live && live.metadata.annotations?.[autoupdate] !== 'false' && !jsonEqual(live.roleRef, roleRef))
    await registry.delete(internalCall(ClusterRoleBinding), name, {})
  const wanted = { metadata: metadataOf(name, undefined), subjects, roleRef }
  await keep(parts, ClusterRoleBinding, name, wanted, (object) => {
    const held = (object as ClusterRoleBindingObject).subjects ?? []
    const missing = subjects.filter((subject) => !held.some((each) => jsonEqual(each, subject)))
    return { ...repairedMetadata(object, undefined), subjects: [...held, ...missing] }
  })
}

async function keep(
  { cache, registry }: Parts,
  definition: ResourceDefinition,
  name: string,
  wanted: object,
  repaired: (live: KubeObject) => object,
): Promise<void> {
  const call = internalCall(definition)
  const live = cache.get(resourceKey(definition), undefined, name)
  if (!live) await registry.create(call, { body: wanted })
  else if (live.metadata.annotations?.[autoupdate] !== 'false' && live.metadata.deletionTimestamp === undefined)
    await registry.update(call, name, (object) => ({ body: repaired(object) }))
}

function aggregationRuleOf(label: string) {
  return { clusterRoleSelectors: [{ matchLabels: { [label]: 'true' } }] }
}

function metadataOf(name: string, labels: DefaultRole['labels']) {
  return { name, labels: { ...bootstrapping, ...labels }, annotations: { [autoupdate]: 'true' } }
}

function repairedMetadata(object: KubeObject, labels: DefaultRole['labels']): KubeObject {
  const { metadata } = object
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...bootstrapping, ...labels },
      annotations: { ...metadata.annotations, [autoupdate]: 'true' },
    },
  }
}
