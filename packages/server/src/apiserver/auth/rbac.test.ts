import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RawHandler, SubresourceHandler } from '../http/extensions.ts'
import { startTestServer, type TestServer } from '../testing/server.ts'
import { addUsers, tokenOf } from '../testing/users.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const actions = '/apis/subresources.kubevirt.io/v1/namespaces/team/virtualmachines'
const accepted = { code: 202 }
const updates: [resource: string, names: string[]][] = [
  ['virtualmachines', ['start', 'stop', 'restart']],
  ['virtualmachineinstances', ['pause', 'unpause', 'freeze', 'unfreeze', 'softreboot', 'reset']],
]
const reads: [resource: string, names: string[]][] = [
  ['virtualmachineinstances', ['guestosinfo', 'userlist', 'filesystemlist']],
]
const served = [...updates, ...reads, ['virtualmachines', ['portforward']] as const].flatMap(([resource, names]) =>
  names.map((name) => `${resource}/${name}`),
)
const subresources = new Map<string, SubresourceHandler>(
  served.map((name) => [`subresources.kubevirt.io/${name}`, async () => accepted]),
)
const answer: RawHandler = { handle: async ({ response }) => void response.end('here') }
const routes = new Map([
  ['/metrics', answer],
  ['/apis/upload.cdi.kubevirt.io', answer],
])

let api: TestServer
beforeAll(async () => {
  api = await startTestServer({ subresources, routes })
  await addUsers(api, { vera: ['viewers'], eddy: [], adam: [], lena: [] })
  for (const name of ['team', 'other']) await api.client.post('/api/v1/namespaces', { metadata: { name } })
  await bind('viewers', 'ClusterRole', 'view', { kind: 'Group', name: 'viewers' })
  await bind('editors', 'ClusterRole', 'edit', { kind: 'User', name: 'eddy' })
  await bind('admins', 'ClusterRole', 'admin', { kind: 'User', name: 'adam' })
  await api.client.post('/api/v1/namespaces/team/configmaps', { metadata: { name: 'c' } })
  await api.client.post('/api/v1/namespaces/team/secrets', { metadata: { name: 's' } })
})
afterAll(() => api.close())

async function bind(name: string, kind: string, role: string, subject: object, token?: string) {
  const body = { metadata: { name }, roleRef: { kind, name: role }, subjects: [subject] }
  return api.client.post(`${rbac}/namespaces/team/rolebindings`, body, { token })
}

const as = async (user: string, method: string, path: string, body?: unknown) => {
  const type = method === 'PATCH' ? { contentType: 'application/merge-patch+json' } : {}
  return api.client.send(method, path, { token: tokenOf(user), ...(body === undefined ? {} : { body }), ...type })
}

const team = '/api/v1/namespaces/team'
const configMap = { metadata: { name: 'made' } }

const rows: Record<string, [user: string, method: string, path: string, code: number, body?: unknown]> = {
  'a viewer gets': ['vera', 'GET', `${team}/configmaps/c`, 200],
  'a viewer lists': ['vera', 'GET', `${team}/configmaps`, 200],
  'a viewer reads the namespace': ['vera', 'GET', team, 200],
  'a viewer does not list namespaces': ['vera', 'GET', '/api/v1/namespaces', 403],
  'a viewer does not read another namespace': ['vera', 'GET', '/api/v1/namespaces/other', 403],
  'a viewer does not list all namespaces': ['vera', 'GET', '/api/v1/configmaps', 403],
  'a viewer does not watch all namespaces': ['vera', 'GET', '/api/v1/configmaps?watch=1', 403],
  'a viewer does not list elsewhere': ['vera', 'GET', '/api/v1/namespaces/other/configmaps', 403],
  'a viewer does not learn what is missing elsewhere': ['vera', 'GET', '/api/v1/namespaces/nope/configmaps/x', 403],
  'a viewer learns what is missing here': ['vera', 'GET', `${team}/configmaps/x`, 404],
  'a viewer reads no secrets': ['vera', 'GET', `${team}/secrets/s`, 403],
  'a viewer lists no secrets': ['vera', 'GET', `${team}/secrets`, 403],
  'a viewer does not create': ['vera', 'POST', `${team}/configmaps`, 403, configMap],
  'a viewer does not update': ['vera', 'PUT', `${team}/configmaps/c`, 403, {}],
  'a viewer does not patch': ['vera', 'PATCH', `${team}/configmaps/c`, 403, {}],
  'a viewer does not delete': ['vera', 'DELETE', `${team}/configmaps/c`, 403],
  'a viewer does not delete collections': ['vera', 'DELETE', `${team}/configmaps`, 403],
  'a viewer does not start': ['vera', 'PUT', `${actions}/vm/start`, 403],
  'a viewer chooses a class': ['vera', 'GET', '/apis/storage.k8s.io/v1/storageclasses', 404],
  'a viewer reads no metrics': ['vera', 'GET', '/metrics', 403],
  'a viewer gets no upload token': ['vera', 'POST', uploads('team'), 403, {}],
  'everybody discovers': ['lena', 'GET', '/apis', 200],
  'everybody discovers a group': ['lena', 'GET', '/apis/rbac.authorization.k8s.io/v1', 200],
  'everybody reads the schema': ['lena', 'GET', '/openapi/v3', 200],
  'nobody else reads the root': ['lena', 'GET', '/', 403],
  'an editor reads secrets': ['eddy', 'GET', `${team}/secrets/s`, 200],
  'an editor creates': ['eddy', 'POST', `${team}/configmaps`, 201, configMap],
  'an editor patches': ['eddy', 'PATCH', `${team}/configmaps/made`, 200, { data: { a: 'b' } }],
  'an editor updates': ['eddy', 'PUT', `${team}/configmaps/made`, 200, configMap],
  'an editor deletes': ['eddy', 'DELETE', `${team}/configmaps/made`, 200],
  'an editor deletes collections': ['eddy', 'DELETE', `${team}/configmaps?labelSelector=none`, 200],
  'an editor starts': ['eddy', 'PUT', `${actions}/vm/start`, 202],
  'an editor stops': ['eddy', 'PUT', `${actions}/vm/stop`, 202],
  'an editor reaches any port': ['eddy', 'GET', `${actions}/vm/portforward/8080/tcp`, 202],
  'a viewer reaches none': ['vera', 'GET', `${actions}/vm/portforward/8080/tcp`, 403],
  'an editor gets an upload token': ['eddy', 'POST', uploads('team'), 200, {}],
  'an editor gets none elsewhere': ['eddy', 'POST', uploads('other'), 403, {}],
  'an editor reads no roles': ['eddy', 'GET', `${rbac}/namespaces/team/roles`, 403],
  'an admin reads roles': ['adam', 'GET', `${rbac}/namespaces/team/roles`, 200],
  'an admin reads no cluster roles': ['adam', 'GET', `${rbac}/clusterroles`, 403],
  'an admin does not delete the namespace': ['adam', 'DELETE', team, 403],
}
function uploads(namespace: string): string {
  return `/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/${namespace}/uploadtokenrequests`
}

describe('with the default roles', () => {
  test.each(Object.entries(rows))('%s', async (_, [user, method, path, code, body]) => {
    expect((await as(user, method, path, body)).code).toBe(code)
  })
})

const pathOf = (namespace: string, resource: string, name: string) =>
  `/apis/subresources.kubevirt.io/v1/namespaces/${namespace}/${resource}/vm/${name}`
const flat = (list: typeof updates) =>
  list.flatMap(([resource, names]) => names.map((name) => [resource, name] as const))

test.each(flat(updates))('%s/%s is for editors of the namespace, not for viewers', async (resource, name) => {
  const code = async (user: string, namespace: string, method = 'PUT') =>
    (await as(user, method, pathOf(namespace, resource, name), method === 'PUT' ? {} : undefined)).code
  expect(await code('eddy', 'team')).toBe(202)
  expect(await code('adam', 'team')).toBe(202)
  expect(await code('eddy', 'other')).toBe(403)
  expect(await code('vera', 'team')).toBe(403)
  // The right is to update: reading the same path is another.
  expect(await code('eddy', 'team', 'GET')).toBe(403)
})

test.each(flat(reads))('%s/%s is for viewers of the namespace', async (resource, name) => {
  const code = async (user: string, namespace: string) =>
    (await as(user, 'GET', pathOf(namespace, resource, name))).code
  expect([await code('vera', 'team'), await code('vera', 'other'), await code('lena', 'team')]).toEqual([202, 403, 403])
})

test('a refusal says who cannot do what, where', async () => {
  const { body } = await as('vera', 'DELETE', `${team}/configmaps/c`)
  expect(body).toMatchObject({
    reason: 'Forbidden',
    message:
      'configmaps "c" is forbidden: User "vera" cannot delete resource "configmaps" in API group "" in the namespace "team"',
    details: { name: 'c', kind: 'configmaps' },
  })
  const path = await as('vera', 'GET', '/metrics')
  expect(path.body.message).toBe('forbidden: User "vera" cannot get path "/metrics"')
})

describe('a role for one name', () => {
  beforeAll(async () => {
    const verbs = ['get', 'list', 'watch', 'delete']
    const rules = [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['c'], verbs }]
    await api.client.post(`${rbac}/namespaces/team/roles`, { metadata: { name: 'one' }, rules })
    await bind('one', 'Role', 'one', { kind: 'User', name: 'lena' })
  })

  const named: Record<string, [method: string, path: string, code: number]> = {
    'gets that one': ['GET', `${team}/configmaps/c`, 200],
    'gets no other': ['GET', `${team}/configmaps/d`, 403],
    'lists by that name': ['GET', `${team}/configmaps?fieldSelector=metadata.name%3Dc`, 200],
    'does not list by another': ['GET', `${team}/configmaps?fieldSelector=metadata.name%3Dd`, 403],
    'does not list by what is not that name': ['GET', `${team}/configmaps?fieldSelector=metadata.name!%3Dc`, 403],
    'does not list all': ['GET', `${team}/configmaps`, 403],
    'is not fooled by nonsense': ['GET', `${team}/configmaps?fieldSelector=metadata.name`, 403],
  }
  test.each(Object.entries(named))('%s', async (_, [method, path, code]) => {
    expect((await as('lena', method, path)).code).toBe(code)
  })
})

test('a PUT that would create needs the right to create', async () => {
  const rules = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['update'] }]
  await api.client.post(`${rbac}/namespaces/team/roles`, { metadata: { name: 'renewer' }, rules })
  await bind('renewer', 'Role', 'renewer', { kind: 'User', name: 'lena' })
  const path = '/apis/coordination.k8s.io/v1/namespaces/team/leases'
  const refused = await as('lena', 'PUT', `${path}/new`, { metadata: { name: 'new' } })
  expect([refused.code, refused.body.message]).toEqual([
    403,
    'leases.coordination.k8s.io "new" is forbidden: User "lena" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "team"',
  ])
  const { body: lease } = await api.client.post(path, { metadata: { name: 'there' } })
  expect((await as('lena', 'PUT', `${path}/there`, lease)).code).toBe(200)
})

describe('a watch', () => {
  test('goes on while it is allowed, and ends with the reason when that is withdrawn', async () => {
    await bind('watchers', 'ClusterRole', 'view', { kind: 'User', name: 'lena' })
    const watch = await api.client.watch(`${team}/configmaps?watch=1&resourceVersion=0`, { token: tokenOf('lena') })
    expect(await watch.take(1)).toEqual(['ADDED c'])
    await bind('unrelated', 'ClusterRole', 'view', { kind: 'User', name: 'somebody' })
    await api.client.post(`${team}/configmaps`, { metadata: { name: 'seen' } })
    expect(await watch.take(1)).toEqual(['ADDED seen'])
    await api.client.delete(`${rbac}/namespaces/team/rolebindings/watchers`)
    await api.client.post(`${team}/configmaps`, { metadata: { name: 'unseen' } })
    const last = await watch.next()
    expect([last?.type, last?.object.code, last?.object.message]).toEqual([
      'ERROR',
      403,
      'configmaps is forbidden: User "lena" cannot watch resource "configmaps" in API group "" in the namespace "team"',
    ])
    expect(await watch.next()).toBeUndefined()
  })

  test('ends as well when the role loses the rule', async () => {
    const role = {
      metadata: { name: 'looker' },
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['watch'] }],
    }
    await api.client.post(`${rbac}/namespaces/team/roles`, role)
    await bind('looker', 'Role', 'looker', { kind: 'User', name: 'lena' })
    const watch = await api.client.watch(`${team}/secrets?watch=1`, { token: tokenOf('lena') })
    expect(await watch.take(1)).toEqual(['ADDED s'])
    await api.client.put(`${rbac}/namespaces/team/roles/looker`, { ...role, rules: [] })
    expect((await watch.next())?.type).toBe('ERROR')
    expect(await watch.next()).toBeUndefined()
  })
})

const everySecret = { apiGroups: [''], resources: ['secrets'], verbs: ['*'] }
const eddysRole = (rules: object[]) => ({ metadata: { name: 'wider' }, rules })

describe('who grants', () => {
  test('may not grant more than they hold', async () => {
    const { code, body } = await as('adam', 'POST', `${rbac}/namespaces/team/roles`, eddysRole([everySecret]))
    expect([code, body.message]).toEqual([
      403,
      'roles.rbac.authorization.k8s.io "wider" is forbidden: user "adam" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["*"]}',
    ])
  })

  test('may grant what they hold, and cannot widen it later', async () => {
    const path = `${rbac}/namespaces/team/roles`
    const held = { ...everySecret, verbs: ['get', 'list'] }
    expect((await as('adam', 'POST', path, eddysRole([held]))).code).toBe(201)
    expect((await as('adam', 'PATCH', `${path}/wider`, { rules: [everySecret] })).code).toBe(403)
    expect((await as('adam', 'PATCH', `${path}/wider`, { metadata: { labels: { a: 'b' } } })).code).toBe(200)
  })

  test('may not bind a role with more than they hold', async () => {
    const lena = { kind: 'User', name: 'lena' }
    const refused = await bind('up', 'ClusterRole', 'cluster-admin', lena, tokenOf('adam'))
    expect([refused.code, refused.body.message]).toEqual([
      403,
      expect.stringContaining('{APIGroups:["*"], Resources:["*"], Verbs:["*"]}'),
    ])
    expect((await bind('same', 'ClusterRole', 'edit', lena, tokenOf('adam'))).code).toBe(201)
    await api.client.delete(`${rbac}/namespaces/team/rolebindings/same`)
    const missing = await bind('none', 'ClusterRole', 'nope', lena, tokenOf('adam'))
    expect([missing.code, missing.body.message]).toEqual([
      404,
      'clusterroles.rbac.authorization.k8s.io "nope" not found',
    ])
  })

  test('may bind what they may bind by name, and grant with the right to escalate', async () => {
    const may = (resource: string, verb: string, more = {}) => ({
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: [resource],
      verbs: [verb],
      ...more,
    })
    const rules = [may('clusterroles', 'bind', { resourceNames: ['cluster-admin'] }), may('roles', 'escalate')]
    await api.client.post(`${rbac}/clusterroles`, { metadata: { name: 'binder' }, rules })
    await bind('binder', 'ClusterRole', 'binder', { kind: 'User', name: 'adam' })
    const nobody = { kind: 'User', name: 'nobody' }
    expect((await bind('up', 'ClusterRole', 'cluster-admin', nobody, tokenOf('adam'))).code).toBe(201)
    const widened = await as('adam', 'PATCH', `${rbac}/namespaces/team/roles/wider`, { rules: [everySecret] })
    expect(widened.code).toBe(200)
    await api.client.delete(`${rbac}/namespaces/team/rolebindings/binder`)
  })

  test('cannot make a role too large to be compared', async () => {
    const many = (prefix: string) => Array.from({ length: 30 }, (_, index) => `${prefix}${index}`)
    const rule = { apiGroups: many('g'), resources: many('r'), verbs: many('v') }
    const { code, body } = await as('adam', 'POST', `${rbac}/namespaces/team/roles`, eddysRole([rule]))
    expect([code, body.message]).toEqual([403, expect.stringContaining('its rules are 27000 single rights')])
  })
})

const roleRef = { kind: 'ClusterRole', name: 'view' }
const invalid: Record<string, [path: string, body: object, message: string]> = {
  'a rule without verbs': [
    'namespaces/team/roles',
    { rules: [{ apiGroups: [''], resources: ['pods'] }] },
    'rules[0].verbs: Required value: verbs must contain at least one value',
  ],
  'a rule without groups': [
    'clusterroles',
    { rules: [{ resources: ['pods'], verbs: ['get'] }] },
    'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
  ],
  'a rule without resources': [
    'clusterroles',
    { rules: [{ apiGroups: [''], verbs: ['get'] }] },
    'rules[0].resources: Required value: resource rules must supply at least one resource',
  ],
  'a path in a namespace': [
    'namespaces/team/roles',
    { rules: [{ nonResourceURLs: ['/x'], verbs: ['get'] }] },
    'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
  ],
  'a path and a resource in one rule': [
    'clusterroles',
    { rules: [{ nonResourceURLs: ['/x'], apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
    'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
  ],
  'aggregation of nothing': [
    'clusterroles',
    { aggregationRule: { clusterRoleSelectors: [] } },
    'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
  ],
  'a cluster-wide binding of a Role': [
    'clusterrolebindings',
    { roleRef: { kind: 'Role', name: 'x' } },
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
  ],
  'a binding without a name of the role': [
    'clusterrolebindings',
    { roleRef: { kind: 'ClusterRole', name: '' } },
    'roleRef.name: Required value',
  ],
  'a subject of an unknown kind': [
    'clusterrolebindings',
    { roleRef, subjects: [{ kind: 'Robot', name: 'x' }] },
    'subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
  ],
  'a service account without a namespace': [
    'clusterrolebindings',
    { roleRef, subjects: [{ kind: 'ServiceAccount', name: 'x' }] },
    'subjects[0].namespace: Required value',
  ],
}

describe('refused as invalid is', () => {
  test.each(Object.entries(invalid))('%s', async (_, [path, body, message]) => {
    const reply = await api.client.post(`${rbac}/${path}`, { metadata: { name: 'bad' }, ...body })
    expect([reply.code, reply.body.message]).toEqual([422, expect.stringContaining(`"bad" is invalid: ${message}`)])
  })

  test('another role in a binding that exists', async () => {
    const path = `${rbac}/namespaces/team/rolebindings/viewers`
    const { code, body } = await api.client.merge(path, { roleRef: { name: 'edit' } })
    expect([code, body.message]).toEqual([
      422,
      expect.stringMatching(/roleRef: Invalid value: .*: cannot change roleRef$/),
    ])
  })
})

test('groups of subjects and roles follow from their kinds', async () => {
  const { body } = await api.client.get(`${rbac}/namespaces/team/rolebindings/viewers`)
  expect(body).toMatchObject({
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'viewers' }],
  })
})

describe('an aggregated role', () => {
  const until = async (path: string, done: (rules: unknown[]) => boolean) => {
    const watch = await api.client.watch(
      `${path.replace(/\/[^/]+$/, '')}?watch=1&fieldSelector=metadata.name%3D${path.split('/').at(-1)}`,
    )
    for (;;) {
      const event = await watch.next()
      if (!event) throw new Error('the watch has ended')
      if (!done(event.object.rules ?? [])) continue
      watch.close()
      return event.object
    }
  }

  test('has the rules of those it selects, and of those that come', async () => {
    const rules = [{ apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] }]
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' }
    await api.client.post(`${rbac}/clusterroles`, { metadata: { name: 'things', labels }, rules })
    const has = (held: unknown[]) => JSON.stringify(held).includes('things')
    for (const role of ['view', 'edit', 'admin']) await until(`${rbac}/clusterroles/${role}`, has)
    await api.client.delete(`${rbac}/clusterroles/things`)
    await until(`${rbac}/clusterroles/admin`, (held) => !has(held))
  })

  test('loses what is written into it', async () => {
    await api.client.merge(`${rbac}/clusterroles/view`, { rules: [] })
    await until(`${rbac}/clusterroles/view`, (rules) => rules.length > 3)
  })
})

describe('at a start', () => {
  test('default roles get back what they lost and keep what they were given, unless they are not to be touched', async () => {
    const rule = (resource: string) => ({ apiGroups: ['x'], resources: [resource], verbs: ['get'] })
    await api.client.merge(`${rbac}/clusterroles/system:basic-user`, { rules: [rule('added')] })
    const untouched = {
      metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
      rules: [],
    }
    await api.client.merge(`${rbac}/clusterroles/system:public-info-viewer`, untouched)
    await api.client.delete(`${rbac}/clusterrolebindings/system:discovery`)
    expect((await as('lena', 'GET', '/apis')).code).toBe(403)
    await api.restart()
    expect((await as('lena', 'GET', '/apis')).code).toBe(200)
    const basic = await api.client.get(`${rbac}/clusterroles/system:basic-user`)
    expect(basic.body.rules).toEqual([rule('added'), expect.anything(), expect.anything(), expect.anything()])
    expect((await api.client.get(`${rbac}/clusterroles/system:public-info-viewer`)).body.rules).toEqual([])
  })

  test('nothing is written when nothing is missing', async () => {
    await api.restart()
    const before = await api.client.get('/api/v1/configmaps')
    await api.restart()
    expect((await api.client.get('/api/v1/configmaps')).body.metadata).toEqual(before.body.metadata)
  })
})

test('tables show what kubectl shows', async () => {
  const headers = { Accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' }
  const table = async (path: string) => {
    const { body } = await api.client.get(`${rbac}/${path}`, { headers })
    const columns = body.columnDefinitions as { name: string }[]
    return [columns.map(({ name }) => name), body.rows[0].cells]
  }
  expect(await table('clusterroles/view')).toEqual([
    ['Name', 'Created At'],
    ['view', expect.any(String)],
  ])
  expect(await table('namespaces/team/rolebindings/viewers')).toEqual([
    ['Name', 'Role', 'Age', 'Users', 'Groups', 'ServiceAccounts'],
    ['viewers', 'ClusterRole/view', expect.any(String), '', 'viewers', ''],
  ])
})
