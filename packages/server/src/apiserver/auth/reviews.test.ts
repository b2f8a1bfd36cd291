import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'
import { addUsers, tokenOf } from '../testing/users.ts'

const authorization = '/apis/authorization.k8s.io/v1'
const authentication = '/apis/authentication.k8s.io/v1'
const rbac = '/apis/rbac.authorization.k8s.io/v1'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
  await addUsers(api, { vera: ['viewers'] })
  await api.client.post('/api/v1/namespaces', { metadata: { name: 'team' } })
  const binding = {
    metadata: { name: 'viewers' },
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'Group', name: 'viewers' }],
  }
  await api.client.post(`${rbac}/namespaces/team/rolebindings`, binding)
})
afterAll(() => api.close())

const vera = { token: tokenOf('vera') }
const self = (spec: object) => api.client.post(`${authorization}/selfsubjectaccessreviews`, { spec }, vera)
const secrets = { resource: 'secrets', verb: 'list', namespace: 'team' }

const asked: Record<string, [spec: object, allowed: boolean]> = {
  'what a role allows': [{ resourceAttributes: { ...secrets, resource: 'configmaps' } }, true],
  'what no role allows': [{ resourceAttributes: secrets }, false],
  'another namespace': [{ resourceAttributes: { ...secrets, resource: 'configmaps', namespace: 'other' } }, false],
  'all namespaces': [{ resourceAttributes: { resource: 'configmaps', verb: 'list' } }, false],
  'a subresource': [
    {
      resourceAttributes: {
        group: 'subresources.kubevirt.io',
        resource: 'virtualmachines',
        subresource: 'start',
        verb: 'update',
        namespace: 'team',
      },
    },
    false,
  ],
  everything: [{ resourceAttributes: { verb: '*', group: '*', resource: '*' } }, false],
  'a path': [{ nonResourceAttributes: { verb: 'get', path: '/apis' } }, true],
  'another path': [{ nonResourceAttributes: { verb: 'get', path: '/metrics' } }, false],
}

describe('asked beforehand for', () => {
  test.each(Object.entries(asked))('%s', async (_, [spec, allowed]) => {
    const { code, body } = await self(spec)
    expect([code, body.kind, body.spec, body.status.allowed]).toEqual([201, 'SelfSubjectAccessReview', spec, allowed])
  })

  test('what is allowed, the binding is named', async () => {
    const { body } = await self({ resourceAttributes: { ...secrets, resource: 'configmaps' } })
    expect(body.status.reason).toBe(
      'RBAC: allowed by RoleBinding "viewers/team" of ClusterRole "view" to Group "viewers"',
    )
  })
})

test('who may ask about others, may', async () => {
  const about = (spec: object, sent = {}) =>
    api.client.post(`${authorization}/subjectaccessreviews`, { spec: { resourceAttributes: secrets, ...spec } }, sent)
  expect((await about({ user: 'root', groups: ['system:masters'] })).body.status).toEqual({ allowed: true })
  expect((await about({ user: 'vera', groups: ['viewers'] })).body.status).toEqual({ allowed: false })
  expect((await about({ user: 'vera' }, vera)).code).toBe(403)
  const local = (namespace: string) =>
    api.client.post(`${authorization}/namespaces/team/localsubjectaccessreviews`, {
      spec: { user: 'vera', groups: ['viewers'], resourceAttributes: { resource: 'events', verb: 'get', namespace } },
    })
  expect((await local('team')).body).toMatchObject({ metadata: { namespace: 'team' }, status: { allowed: true } })
  expect((await local('other')).code).toBe(422)
})

const wrong: Record<string, [path: string, spec: object | undefined, code: number, message: string]> = {
  'neither resource nor path': [
    'selfsubjectaccessreviews',
    {},
    422,
    'exactly one of nonResourceAttributes or resourceAttributes must be specified',
  ],
  'both resource and path': [
    'selfsubjectaccessreviews',
    { resourceAttributes: {}, nonResourceAttributes: {} },
    422,
    'cannot be specified in combination with resourceAttributes',
  ],
  'no question': ['selfsubjectaccessreviews', undefined, 422, 'spec: Required value'],
  nobody: ['subjectaccessreviews', { resourceAttributes: {} }, 422, 'at least one of user or group must be specified'],
  'no namespace': ['selfsubjectrulesreviews', {}, 400, 'no namespace on request'],
}

describe('a review is refused that names', () => {
  test.each(Object.entries(wrong))('%s', async (_, [path, spec, code, message]) => {
    const reply = await api.client.post(`${authorization}/${path}`, { spec })
    expect([reply.code, reply.body.message]).toEqual([code, expect.stringContaining(message)])
  })

  test('a method other than POST', async () => {
    expect((await api.client.get(`${authorization}/selfsubjectaccessreviews`)).code).toBe(405)
    expect((await api.client.get(`${authorization}/selfsubjectaccessreviews/x`)).code).toBe(404)
  })
})

test('all that is allowed in a namespace can be listed', async () => {
  const rules = async (namespace: string, sent = {}) =>
    (await api.client.post(`${authorization}/selfsubjectrulesreviews`, { spec: { namespace } }, sent)).body.status
  const inTeam = await rules('team', vera)
  expect(inTeam.incomplete).toBe(false)
  expect(JSON.stringify(inTeam.resourceRules)).toContain('virtualmachinesnapshots')
  expect(JSON.stringify((await rules('other', vera)).resourceRules)).not.toContain('virtualmachinesnapshots')
  expect(inTeam.nonResourceRules[0].nonResourceURLs).toContain('/apis')
  expect((await rules('team')).resourceRules).toContainEqual({ apiGroups: ['*'], resources: ['*'], verbs: ['*'] })
})

test('an empty answer in the question is no answer', async () => {
  const status = { resourceRules: null, nonResourceRules: null, incomplete: false }
  const asked = { spec: { namespace: 'team' }, status }
  const { code, body } = await api.client.post(`${authorization}/selfsubjectrulesreviews`, asked, vera)
  expect([code, body.status.incomplete]).toEqual([201, false])
  expect(body.status.resourceRules).not.toBeNull()
})

test('who one is can be asked', async () => {
  const { code, body } = await api.client.post(`${authentication}/selfsubjectreviews`, {}, vera)
  expect([code, body]).toEqual([
    201,
    {
      kind: 'SelfSubjectReview',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: {},
      status: { userInfo: { username: 'vera', groups: ['viewers', 'system:authenticated'] } },
    },
  ])
})

describe('a token of a ServiceAccount', () => {
  const account = '/api/v1/namespaces/team/serviceaccounts/robot'
  const request = (spec: object = {}, sent = {}) => api.client.post(`${account}/token`, { spec }, sent)
  const review = async (token: string, audiences?: string[]) =>
    (await api.client.post(`${authentication}/tokenreviews`, { spec: { token, audiences } })).body.status
  let token: string
  beforeAll(async () => {
    await api.client.post('/api/v1/namespaces/team/serviceaccounts', { metadata: { name: 'robot' } })
    const binding = {
      metadata: { name: 'robots' },
      roleRef: { kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'team' }],
    }
    await api.client.post(`${rbac}/namespaces/team/rolebindings`, binding)
    const { body } = await request()
    token = body.status.token
  })

  test('is the account, with its rights and no others', async () => {
    expect((await api.client.get('/api/v1/namespaces/team/secrets', { token })).code).toBe(200)
    const { code, body } = await api.client.get('/api/v1/namespaces/default/secrets', { token })
    expect([code, body.message]).toEqual([
      403,
      expect.stringContaining('User "system:serviceaccount:team:robot" cannot list resource "secrets"'),
    ])
    const { body: me } = await api.client.post(`${authentication}/selfsubjectreviews`, {}, { token })
    expect(me.status.userInfo).toMatchObject({
      username: 'system:serviceaccount:team:robot',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:team', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [expect.stringMatching(/^JTI=/)] },
    })
  })

  test('lives as long as was asked for', async () => {
    const { code, body } = await request({ expirationSeconds: 7_200 })
    expect([code, body.kind, body.spec.expirationSeconds]).toEqual([201, 'TokenRequest', 7_200])
    const left = Date.parse(body.status.expirationTimestamp) - Date.now()
    expect(Math.abs(left - 7_200_000)).toBeLessThan(60_000)
    const short = await request({ expirationSeconds: 60 })
    expect([short.code, short.body.message]).toEqual([
      422,
      expect.stringContaining(
        'spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
      ),
    ])
  })

  test('is for whom it was asked for, and nobody else', async () => {
    const { body } = await request({ audiences: ['vault'] })
    const other = body.status.token as string
    expect((await api.client.get('/api/v1/namespaces/team/secrets', { token: other })).code).toBe(401)
    expect(await review(other, ['vault', 'x'])).toMatchObject({ authenticated: true, audiences: ['vault'] })
    expect((await review(other)).authenticated).toBeUndefined()
    expect(await review(token)).toMatchObject({
      authenticated: true,
      user: { username: 'system:serviceaccount:team:robot' },
    })
    expect((await review('nonsense')).error).toContain('unknown')
  })

  test('can be checked by whoever has the keys', async () => {
    const { body: about } = await api.client.get('/.well-known/openid-configuration', { token })
    expect(about).toEqual({
      issuer: 'https://kubernetes.default.svc',
      jwks_uri: `${api.server.url}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    })
    const keys = await api.client.get('/openid/v1/jwks', { token })
    expect([keys.code, keys.headers['content-type']]).toEqual([200, 'application/jwk-set+json'])
    const [head = '', claims = '', signature = ''] = token.split('.')
    const { kid, alg } = JSON.parse(Buffer.from(head, 'base64url').toString())
    const found = (JSON.parse(keys.text).keys as JsonWebKey[]).find((each) => 'kid' in each && each.kid === kid)
    expect(found).toMatchObject({ use: 'sig', kty: 'EC', crv: 'P-256', alg })
    expect(Object.keys(found ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    const key = createPublicKey({ key: found ?? {}, format: 'jwk' })
    const signed = Buffer.from(`${head}.${claims}`)
    const by = { key, dsaEncoding: 'ieee-p1363' } as const
    expect(verify('sha256', signed, by, Buffer.from(signature, 'base64url'))).toBe(true)
    for (const path of ['/openid/v1/jwks', '/.well-known/openid-configuration'])
      expect((await api.client.get(path, vera)).code).toBe(403)
  })

  test('is given to those only who may ask for it, for accounts there are', async () => {
    expect((await request({}, vera)).code).toBe(403)
    const missing = await api.client.post(`${account}x/token`, {})
    expect([missing.code, missing.body.message]).toEqual([404, 'serviceaccounts "robotx" not found'])
    expect((await api.client.get(`${account}/token`)).code).toBe(405)
    expect((await request({ boundObjectRef: { kind: 'Pod', name: 'p' } })).code).toBe(400)
  })

  test('is worth nothing once a letter of it is changed', async () => {
    const [head, body = '', signature] = token.split('.')
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { sub: string }
    const forged = Buffer.from(JSON.stringify({ ...claims, exp: 9e9 })).toString('base64url')
    const unsigned = Buffer.from('{"alg":"none"}').toString('base64url')
    for (const bad of [`${head}.${forged}.${signature}`, `${unsigned}.${body}.`, `${head}.${body}.${signature}.x`])
      expect((await api.client.get('/api/v1/namespaces/team/secrets', { token: bad })).code).toBe(401)
  })

  test('outlives the server, and ends with what it is bound to', async () => {
    await api.client.post('/api/v1/namespaces/team/secrets', { metadata: { name: 'tie' } })
    const { body } = await request({ boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'tie' } })
    const bound = body.status.token as string
    await api.restart()
    const code = async (of: string) => (await api.client.get('/api/v1/namespaces/team/secrets', { token: of })).code
    expect([await code(token), await code(bound)]).toEqual([200, 200])
    await api.client.delete('/api/v1/namespaces/team/secrets/tie')
    expect([await code(token), await code(bound)]).toEqual([200, 401])
    const watch = await api.client.watch('/api/v1/namespaces/team/secrets?watch=1', { token })
    await api.client.delete(account)
    expect(await code(token)).toBe(401)
    expect((await watch.next())?.object).toMatchObject({ code: 401, reason: 'Unauthorized' })
    expect(await watch.next()).toBeUndefined()
    await api.client.post('/api/v1/namespaces/team/serviceaccounts', { metadata: { name: 'robot' } })
    expect(await code(token)).toBe(401)
  })
})

test('questions are part of discovery, to be created only', async () => {
  const { body } = await api.client.get(authorization)
  const kinds = (body.resources as { kind: string; verbs: string[] }[]).map(({ kind, verbs }) => [kind, verbs])
  expect(kinds).toContainEqual(['SelfSubjectAccessReview', ['create']])
  const core = await api.client.get('/api/v1')
  expect(core.body.resources).toContainEqual(
    expect.objectContaining({ name: 'serviceaccounts/token', kind: 'TokenRequest', verbs: ['create'] }),
  )
})
