import { rbacKinds } from '@stillpoint/api/core/rbac'
import { reviewKinds } from '@stillpoint/api/core/reviews'
import { kinds } from '@stillpoint/api/kinds'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { describe, expect, test } from 'vitest'
import { resourceName } from '../registry/errors.ts'
import { type DefaultRole, defaultRoles } from './default-roles.ts'
import { ruleAllows } from './rule-match.ts'

// A kind that no role names can be used by administrators only, and nobody notices: tests are administrators.

type Access = 'nothing' | 'read' | 'write' | 'some'
interface Shares {
  /** Everybody who has said who they are. */
  all: Access
  view: Access
  edit: Access
  admin: Access
}

const usual: Shares = { all: 'nothing', view: 'read', edit: 'write', admin: 'write' }
const administrators: Shares = { all: 'nothing', view: 'nothing', edit: 'nothing', admin: 'nothing' }
const forAll: Shares = { ...administrators, all: 'read' }

/** Where it is not the usual: viewers read, editors write. A new kind comes in here only with a reason. */
const others: Record<string, Shares> = {
  // Of a namespace, its members see that it is there.
  namespaces: { ...usual, edit: 'read', admin: 'read' },
  // Who reads a Secret can be whoever it is of.
  secrets: { ...usual, view: 'nothing' },
  'leases.coordination.k8s.io': { ...usual, view: 'nothing' },
  // Controllers write them.
  'controllerrevisions.apps': { ...usual, edit: 'read', admin: 'read' },
  // To grant is more than to edit.
  'roles.rbac.authorization.k8s.io': { ...administrators, admin: 'write' },
  'rolebindings.rbac.authorization.k8s.io': { ...administrators, admin: 'write' },
  'clusterroles.rbac.authorization.k8s.io': administrators,
  'clusterrolebindings.rbac.authorization.k8s.io': administrators,
  // The machine, and what may be of any namespace.
  nodes: administrators,
  persistentvolumes: administrators,
  'volumesnapshotcontents.snapshot.storage.k8s.io': administrators,
  // Who makes claims must be able to choose.
  'storageclasses.storage.k8s.io': forAll,
  'volumesnapshotclasses.snapshot.storage.k8s.io': forAll,
  'storageprofiles.cdi.kubevirt.io': forAll,
  'cdiconfigs.cdi.kubevirt.io': forAll,
}

const verbs = { read: ['get', 'list', 'watch'], write: ['create', 'update', 'patch', 'delete'] }

describe.each(kinds.map((kind) => [resourceName(kind), kind] as const))('%s', (name, kind) => {
  const { all, ...shares } = others[name] ?? usual
  test.each(Object.entries(shares))('for %s: %s', (role, access) => {
    expect(accessOf(rulesOf(role), kind)).toBe(access)
  })
  test(`for everybody: ${all}`, () => {
    const bound = defaultRoles.filter(({ subjects = [] }) => subjects.some((of) => of.name === 'system:authenticated'))
    expect(
      accessOf(
        bound.flatMap(({ name }) => rulesOf(name)),
        kind,
      ),
    ).toBe(all)
  })
})

test('every exception is about a kind there is', () => {
  expect(kinds.map(resourceName)).toEqual(expect.arrayContaining(Object.keys(others)))
})

test('no role speaks of a kind there is not', () => {
  const served = [...kinds, ...rbacKinds, ...reviewKinds].map(resourceName)
  // Asked for by kubectl, or by way of other groups.
  const further = ['pods', 'uploadtokenrequests.upload.cdi.kubevirt.io']
  const named = defaultRoles.flatMap(({ rules = [] }) =>
    rules.flatMap(({ apiGroups = [], resources = [] }) =>
      apiGroups.flatMap((group) =>
        resources.map((resource) =>
          resourceName({ group: group.replace(/^subresources\./, ''), plural: resource.split('/')[0] ?? '' }),
        ),
      ),
    ),
  )
  const unknown = named.filter((name) => !name.startsWith('*') && ![...served, ...further].includes(name))
  expect([...new Set(unknown)]).toEqual([])
})

function rulesOf(name: string): NonNullable<DefaultRole['rules']> {
  const role = defaultRoles.find((each) => each.name === name)
  if (!role) throw new Error(`there is no default role ${name}`)
  const { rules = [], aggregates } = role
  if (aggregates === undefined) return rules
  return defaultRoles.filter(({ labels }) => labels?.[aggregates] === 'true').flatMap((part) => rulesOf(part.name))
}

function accessOf(rules: NonNullable<DefaultRole['rules']>, { group, plural }: ResourceDefinition): Access {
  const may = (verb: string) => rules.some((rule) => ruleAllows(rule, { verb, group, resource: plural }))
  const [read, write] = [verbs.read, verbs.write].map((each) => each.filter(may).length / each.length)
  if (read === 0 && write === 0) return 'nothing'
  if (read !== 1) return 'some'
  return write === 0 ? 'read' : write === 1 ? 'write' : 'some'
}
