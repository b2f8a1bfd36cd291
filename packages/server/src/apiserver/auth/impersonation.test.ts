import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'
import { addUsers, tokenOf } from '../testing/users.ts'
import { impersonation } from './impersonation.ts'

const reviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
  await addUsers(api, { vera: [], proxy: [] })
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  const rules = [
    { apiGroups: [''], resources: ['users'], resourceNames: ['vera'], verbs: ['impersonate'] },
    { apiGroups: [''], resources: ['groups'], resourceNames: ['team'], verbs: ['impersonate'] },
    { apiGroups: ['authentication.k8s.io'], resources: ['userextras/scope'], verbs: ['impersonate'] },
  ]
  await api.client.post(`${rbac}/clusterroles`, { metadata: { name: 'proxy' }, rules })
  const subjects = [{ kind: 'User', name: 'proxy' }]
  await api.client.post(`${rbac}/clusterrolebindings`, {
    metadata: { name: 'proxy' },
    roleRef: { kind: 'ClusterRole', name: 'proxy' },
    subjects,
  })
})
afterAll(() => api.close())

const whoIs = (headers: Record<string, string>, token?: string) => api.client.post(reviews, {}, { headers, token })
const proxy = tokenOf('proxy')

test('an administrator may be anybody', async () => {
  const { body } = await whoIs({ 'Impersonate-User': 'system:serviceaccount:ns:robot' })
  expect(body.status.userInfo).toEqual({
    username: 'system:serviceaccount:ns:robot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
  })
  const { code } = await api.client.get('/api/v1/namespaces', { headers: { 'Impersonate-User': 'vera' } })
  expect(code).toBe(403)
})

test('others may be whom they may impersonate, and only them', async () => {
  const headers = { 'Impersonate-User': 'vera', 'Impersonate-Group': 'team', 'Impersonate-Extra-Scope': 'x' }
  const { body } = await whoIs(headers, proxy)
  expect(body.status.userInfo).toEqual({
    username: 'vera',
    groups: ['team', 'system:authenticated'],
    extra: { scope: ['x'] },
  })
  const refused = await whoIs({ 'Impersonate-User': 'admin' }, proxy)
  expect([refused.code, refused.body.message]).toEqual([
    403,
    'users "admin" is forbidden: User "proxy" cannot impersonate resource "users" in API group "" at the cluster scope',
  ])
  const masters = await whoIs({ 'Impersonate-User': 'vera', 'Impersonate-Group': 'system:masters' }, proxy)
  expect(masters.code).toBe(403)
  expect((await whoIs({ 'Impersonate-User': 'vera', 'Impersonate-Uid': 'u' }, proxy)).code).toBe(403)
})

test('who has not said who they are is nobody else either', async () => {
  expect((await whoIs({ 'Impersonate-User': 'vera' }, '')).code).toBe(403)
})

test('groups without a user are refused', async () => {
  const { code, body } = await whoIs({ 'Impersonate-Group': 'team' })
  expect([code, body.message]).toEqual([500, expect.stringContaining('without impersonating a user')])
})

describe('the headers', () => {
  test('may repeat, and names keep their commas', () => {
    const raw = ['Impersonate-User', 'a', 'Impersonate-Group', 'x, y', 'impersonate-group', 'z', 'Accept', '*/*']
    expect(impersonation(raw)?.user.groups).toEqual(['x, y', 'z', 'system:authenticated'])
  })

  test('may encode the keys of extras', () => {
    expect(impersonation(['Impersonate-User', 'a', 'Impersonate-Extra-Acme.com%2FProject', 'p'])?.user.extra).toEqual({
      'acme.com/project': ['p'],
    })
  })

  test('are absent mostly', () => {
    expect(impersonation(['Accept', '*/*'])).toBeUndefined()
  })
})
