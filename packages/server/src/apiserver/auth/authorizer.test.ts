import type { PolicyRule } from '@stillpoint/api/core/rbac'
import { rbacKinds } from '@stillpoint/api/core/rbac'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../testing/memory-store.ts'
import { WatchCache } from '../watch/watch-cache.ts'
import { Authorizer } from './authorizer.ts'

// Roles and bindings come and go; after every step the index must say what a walk over all bindings says.

const group = 'rbac.authorization.k8s.io'
const namespaces = ['one', 'two'] as const
const names = ['a', 'b'] as const
const rule = (verb: string, resource: string): PolicyRule => ({ apiGroups: [''], resources: [resource], verbs: [verb] })

interface Subject {
  kind: string
  name: string
  namespace?: string
}
interface Item {
  kind?: string
  metadata: { name: string; namespace?: string }
  rules?: PolicyRule[]
  roleRef?: { apiGroup: string; kind: string; name: string }
  subjects?: Subject[]
}
type Plural = 'roles' | 'clusterroles' | 'rolebindings' | 'clusterrolebindings'
interface Step {
  plural: Plural
  item: Item
  remove: boolean
}

const anySubject = fc.constantFrom<Subject>(
  { kind: 'User', name: 'vera' },
  { kind: 'Group', name: 'team' },
  { kind: 'ServiceAccount', name: 'robot', namespace: 'one' },
  { kind: 'ServiceAccount', name: 'robot', namespace: 'two' },
)
const anyRules = fc.uniqueArray(fc.constantFrom(rule('get', 'pods'), rule('list', 'pods'), rule('*', 'secrets')))
const anyStep = fc
  .record({
    plural: fc.constantFrom<Plural>('roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'),
    name: fc.constantFrom(...names),
    namespace: fc.constantFrom(...namespaces),
    rules: anyRules,
    subjects: fc.array(anySubject, { maxLength: 3 }),
    roleKind: fc.constantFrom('Role', 'ClusterRole'),
    roleName: fc.constantFrom(...names),
    remove: fc.boolean(),
  })
  .map(({ plural, name, namespace, rules, subjects, roleKind, roleName, remove }): Step => {
    const cluster = plural.startsWith('cluster')
    const metadata = cluster ? { name } : { name, namespace }
    const roleRef = { apiGroup: group, kind: cluster ? 'ClusterRole' : roleKind, name: roleName }
    return { plural, remove, item: plural.endsWith('roles') ? { metadata, rules } : { metadata, roleRef, subjects } }
  })

const users = [
  { username: 'vera', groups: ['system:authenticated'] },
  { username: 'otto', groups: ['team', 'system:authenticated'] },
  { username: 'system:serviceaccount:one:robot', groups: ['system:serviceaccounts'] },
  { username: 'nobody', groups: [] },
]
const questions = [undefined, ...namespaces].flatMap((namespace) =>
  [
    ['get', 'pods'],
    ['list', 'pods'],
    ['delete', 'secrets'],
  ].map(([verb = '', resource = '']) => ({ verb, group: '', resource, namespace })),
)

class World {
  readonly #store = new MemoryStore()
  readonly #cache = new WatchCache(this.#store, rbacKinds)
  readonly #model = new Map<string, Item>()
  readonly #revisions = new Map<string, number>()
  readonly authorizer = new Authorizer(this.#cache)

  async take({ plural, item, remove }: Step): Promise<void> {
    const { name, namespace } = item.metadata
    const key = `${group}/${plural}/${namespace === undefined ? name : `${namespace}/${name}`}`
    const expectedRevision = this.#revisions.get(key) ?? 0
    if (remove && expectedRevision === 0) return
    const value = remove ? undefined : JSON.stringify(item)
    const revision = await this.#store.write({ key, expectedRevision, value })
    if (remove) {
      this.#revisions.delete(key)
      this.#model.delete(key)
    } else {
      this.#revisions.set(key, revision)
      this.#model.set(key, item)
    }
  }

  /** As RBAC is described, without any index. */
  naive(user: (typeof users)[number], asked: (typeof questions)[number]): boolean {
    return [...this.#model.values()].some(({ metadata, roleRef, subjects = [] }) => {
      if (!roleRef || (metadata.namespace !== undefined && metadata.namespace !== asked.namespace)) return false
      const isSubject = subjects.some(({ kind, name, namespace }) =>
        kind === 'Group'
          ? user.groups.includes(name)
          : user.username === (kind === 'User' ? name : `system:serviceaccount:${namespace}:${name}`),
      )
      const role = this.#model.get(
        roleRef.kind === 'ClusterRole'
          ? `${group}/clusterroles/${roleRef.name}`
          : `${group}/roles/${metadata.namespace}/${roleRef.name}`,
      )
      const allows = ({ resources = [], verbs = [] }: PolicyRule) =>
        resources.includes(asked.resource) && (verbs.includes(asked.verb) || verbs.includes('*'))
      return isSubject && (role?.rules ?? []).some(allows)
    })
  }
}

test('whatever comes and goes, decisions are those of a walk over all bindings', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), async (steps) => {
      const world = new World()
      for (const step of steps) {
        await world.take(step)
        for (const user of users)
          for (const asked of questions)
            expect([user, asked, world.authorizer.check(user, asked).allowed]).toEqual([
              user,
              asked,
              world.naive(user, asked),
            ])
      }
    }),
    { numRuns: 100 },
  )
})

const roleRef = { apiGroup: group, kind: 'ClusterRole', name: 'a' }
const binding: Step = {
  plural: 'rolebindings',
  remove: false,
  item: {
    kind: 'RoleBinding',
    metadata: { name: 'b', namespace: 'one' },
    roleRef,
    subjects: [{ kind: 'User', name: 'vera' }],
  },
}
const vera = { username: 'vera', groups: [] }
const listPods = { verb: 'list', group: '', resource: 'pods', namespace: 'one' }

test('a binding to a role that is missing allows nothing, and says so', async () => {
  const world = new World()
  await world.take(binding)
  expect(world.authorizer.check(vera, listPods)).toEqual({
    allowed: false,
    reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "a" not found',
  })
})

test('a decision names the binding, and changes are told when they are made', async () => {
  const world = new World()
  const told: boolean[] = []
  const stop = world.authorizer.onChange(() => told.push(world.authorizer.check(vera, listPods).allowed))
  await world.take({ ...binding, item: { ...binding.item, metadata: { name: 'b', namespace: 'one' } } })
  await world.take({
    plural: 'clusterroles',
    remove: false,
    item: { metadata: { name: 'a' }, rules: [rule('list', 'pods')] },
  })
  await world.take({ ...binding, remove: true })
  stop()
  await world.take(binding)
  expect(told).toEqual([false, true, false])
  const subject = 'RBAC: allowed by RoleBinding "b/one" of ClusterRole "a" to User "vera"'
  expect(world.authorizer.check(vera, listPods)).toEqual({ allowed: true, reason: subject })
})

test('administrators may do everything, also without any role', () => {
  const { authorizer } = new World()
  const admin = { username: 'admin', groups: ['system:masters'] }
  expect(authorizer.check(admin, { verb: 'get', path: '/metrics' }).allowed).toBe(true)
  expect(authorizer.check(admin, listPods).allowed).toBe(true)
})
