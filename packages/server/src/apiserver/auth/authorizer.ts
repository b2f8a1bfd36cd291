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
import type { UserInfo } from '../registry/admission.ts'
import type { CacheEvent } from '../watch/watch-cache.ts'
import type { Attributes, Decision } from './attributes.ts'
import { isPath } from './attributes.ts'
import { ruleAllows } from './rule-match.ts'
import { isTokenSecret } from './token-secret.ts'

type Binding = RoleBinding | ClusterRoleBinding

/** One subject's share in one binding. */
interface Grant {
  /** Undefined: everywhere. */
  namespace: string | undefined
  roleRef: RoleRef
  /** `ClusterRoleBinding "a" of ClusterRole "b" to User "c"`. */
  text: string
}

/** The grants of one subject by binding. */
interface Grants {
  cluster: Map<string, Grant>
  byNamespace: Map<string, Map<string, Grant>>
}

/** The part of the watch cache that is used here. */
interface Source {
  get(resource: string, namespace: string | undefined, name: string): unknown
  list(resource: string): readonly unknown[]
  subscribe(resource: string, listener: (event: CacheEvent) => void): () => void
}

const resources = {
  roles: `${rbacGroup}/roles`,
  clusterRoles: `${rbacGroup}/clusterroles`,
  roleBindings: `${rbacGroup}/rolebindings`,
  clusterRoleBindings: `${rbacGroup}/clusterrolebindings`,
}

export const mastersGroup = 'system:masters'

/**
 * Decides by RBAC who may do what. Grants are indexed by subject as bindings are committed; roles are read from the
 * cache when a request is judged. So a decision is never older than the last write that was answered.
 */
export class Authorizer {
  readonly #source: Source
  readonly #grants = new Map<string, Grants>()
  readonly #changed = new Set<() => void>()

  constructor(source: Source) {
    this.#source = source
    for (const resource of [resources.roleBindings, resources.clusterRoleBindings]) {
      for (const binding of source.list(resource)) this.#add(binding as Binding)
      source.subscribe(resource, (event) => {
        if (event.previous) this.#remove(event.previous as Binding)
        if (event.type !== 'DELETED') this.#add(event.object as Binding)
        this.#tell()
      })
    }
    for (const resource of [resources.roles, resources.clusterRoles]) source.subscribe(resource, () => this.#tell())
    // Tokens end with their account or Secret, and what was begun with one must end as well.
    source.subscribe('/serviceaccounts', ({ type }) => type === 'DELETED' && this.#tell())
    source.subscribe(
      '/secrets',
      ({ type, previous }) => (type === 'DELETED' || isTokenSecret(previous)) && this.#tell(),
    )
  }

  readonly check = (user: UserInfo, asked: Attributes): Decision => {
    if (user.groups.includes(mastersGroup)) return { allowed: true, reason: '' }
    const missing = new Set<string>()
    for (const grant of this.#grantsOf(user, isPath(asked) ? undefined : asked.namespace)) {
      const rules = this.rulesOf(grant.roleRef, grant.namespace)
      if (!rules) missing.add(missingText(grant.roleRef))
      else if (rules.some((rule) => ruleAllows(rule, asked)))
        return { allowed: true, reason: `RBAC: allowed by ${grant.text}` }
    }
    const problems = [...missing]
    if (problems.length === 0) return { allowed: false, reason: '' }
    return { allowed: false, reason: `RBAC: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}` }
  }

  /** All rules that hold for a user in a namespace, or everywhere. */
  rulesFor(user: UserInfo, namespace: string | undefined): PolicyRule[] {
    const everything = [
      { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
      { nonResourceURLs: ['*'], verbs: ['*'] },
    ]
    const held = [...this.#grantsOf(user, namespace)].flatMap(({ roleRef, namespace: own }) => {
      const rules = this.rulesOf(roleRef, own) ?? []
      // A path is in no namespace: only what holds everywhere is about paths.
      return own === undefined ? rules : rules.filter(({ nonResourceURLs = [] }) => nonResourceURLs.length === 0)
    })
    return user.groups.includes(mastersGroup) ? [...everything, ...held] : held
  }

  /** The rules of a role; undefined if there is no such role. */
  rulesOf({ kind, name }: RoleRef, namespace: string | undefined): readonly PolicyRule[] | undefined {
    const found =
      kind === 'ClusterRole'
        ? this.#source.get(resources.clusterRoles, undefined, name)
        : this.#source.get(resources.roles, namespace, name)
    return found === undefined ? undefined : ((found as Role | ClusterRole).rules ?? [])
  }

  /**
   * Calls back after each change of rights, in the turn of its commit; returns how to stop it. The callback is quick and
   * does not throw.
   */
  onChange(listener: () => void): () => void {
    this.#changed.add(listener)
    return () => this.#changed.delete(listener)
  }

  #tell(): void {
    for (const listener of this.#changed) listener()
  }

  *#grantsOf(user: UserInfo, namespace: string | undefined): Generator<Grant> {
    const subjects = [`User ${user.username}`, ...user.groups.map((group) => `Group ${group}`)]
    for (const subject of subjects) yield* this.#grants.get(subject)?.cluster.values() ?? []
    if (namespace === undefined) return
    for (const subject of subjects) yield* this.#grants.get(subject)?.byNamespace.get(namespace)?.values() ?? []
  }

  #add(binding: Binding): void {
    const { name, namespace } = binding.metadata
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace)
      if (key === undefined) continue
      const grants = this.#grants.get(key) ?? { cluster: new Map(), byNamespace: new Map() }
      this.#grants.set(key, grants)
      const grant = { namespace, roleRef: binding.roleRef, text: grantText(binding, subject) }
      if (namespace === undefined) grants.cluster.set(name, grant)
      else {
        const inNamespace = grants.byNamespace.get(namespace) ?? new Map<string, Grant>()
        grants.byNamespace.set(namespace, inNamespace.set(name, grant))
      }
    }
  }

  #remove({ metadata: { name, namespace }, subjects = [] }: Binding): void {
    for (const subject of subjects) {
      const key = subjectKey(subject, namespace)
      const grants = key === undefined ? undefined : this.#grants.get(key)
      if (key === undefined || !grants) continue
      if (namespace === undefined) grants.cluster.delete(name)
      else {
        const inNamespace = grants.byNamespace.get(namespace)
        inNamespace?.delete(name)
        if (inNamespace?.size === 0) grants.byNamespace.delete(namespace)
      }
      if (grants.cluster.size === 0 && grants.byNamespace.size === 0) this.#grants.delete(key)
    }
  }
}

export function serviceAccountUser(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`
}

function subjectKey({ kind, name, namespace }: Subject, bindingNamespace: string | undefined): string | undefined {
  if (kind !== 'ServiceAccount') return kind === 'User' || kind === 'Group' ? `${kind} ${name}` : undefined
  const of = namespace || bindingNamespace
  return of === undefined ? undefined : `User ${serviceAccountUser(of, name)}`
}

function grantText({ kind, metadata, roleRef }: Binding, subject: Subject): string {
  const binding = metadata.namespace === undefined ? metadata.name : `${metadata.name}/${metadata.namespace}`
  const who = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace ?? ''}` : subject.name
  return `${kind} "${binding}" of ${roleRef.kind} "${roleRef.name}" to ${subject.kind} "${who}"`
}

function missingText({ kind, name }: RoleRef): string {
  return `${kind === 'ClusterRole' ? 'clusterrole' : 'role'}.${rbacGroup} "${name}" not found`
}
