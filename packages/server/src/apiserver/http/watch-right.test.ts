import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'

const core = '/api/v1/namespaces/default'
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const watchPath = `${core}/configmaps?watch=1`
const lifetimeMs = 600_000

let laterMs = 0
let api: TestServer
beforeAll(async () => {
  api = await startTestServer({ now: () => new Date(Date.now() + laterMs) })
  const { post } = api.client
  await post(`${core}/serviceaccounts`, { metadata: { name: 'robot' } })
  const subjects = [{ kind: 'ServiceAccount', name: 'robot', namespace: 'default' }]
  const binding = { metadata: { name: 'robot' }, roleRef: { kind: 'ClusterRole', name: 'view' }, subjects }
  await post(`${core.replace('/api/v1', rbac)}/rolebindings`, binding)
  const rules = [{ apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] }]
  await post(`${rbac}/clusterroles`, { metadata: { name: 'masquerade' }, rules })
  const roleRef = { kind: 'ClusterRole', name: 'masquerade' }
  await post(`${rbac}/clusterrolebindings`, { metadata: { name: 'masquerade' }, roleRef, subjects })
})
afterAll(() => api.close())
beforeEach(() => {
  laterMs = 0
})

async function tokenFor(spec: object = {}): Promise<string> {
  const { body } = await api.client.post(`${core}/serviceaccounts/robot/token`, {
    spec: { expirationSeconds: lifetimeMs / 1_000, ...spec },
  })
  return body.status.token as string
}

const asMaster = { 'Impersonate-User': 'root', 'Impersonate-Group': 'system:masters' }
test.each([
  ['of the account', {}],
  ['of an administrator the account may be', asMaster],
])('a watch %s ends with the token it was begun with', async (_, headers) => {
  const token = await tokenFor()
  laterMs = lifetimeMs - 1_500
  const watch = await api.client.watch(watchPath, { token, headers })
  expect((await watch.next())?.object).toMatchObject({ kind: 'Status', code: 401, reason: 'Unauthorized' })
  expect(await watch.next()).toBeUndefined()
  expect((await api.client.get(`${core}/configmaps`, { token, headers })).code).toBe(401)
})

test('a watch goes on while the token does, and a longer token makes a longer watch', async () => {
  const token = await tokenFor({ expirationSeconds: 2 * (lifetimeMs / 1_000) })
  laterMs = lifetimeMs
  const watch = await api.client.watch(watchPath, { token })
  await api.client.post(`${core}/configmaps`, { metadata: { name: 'seen' } })
  expect((await watch.next())?.object.metadata.name).toBe('seen')
  watch.close()
})

test('a watch ends with the Secret its token is bound to', async () => {
  await api.client.post(`${core}/secrets`, { metadata: { name: 'tie' } })
  const token = await tokenFor({ boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'tie' } })
  const watch = await api.client.watch(`${core}/events?watch=1`, { token })
  await api.client.delete(`${core}/secrets/tie`)
  expect((await watch.next())?.object).toMatchObject({ code: 401 })
})

test('a watch as an administrator ends when one may not be that administrator any more', async () => {
  const token = await tokenFor()
  const watch = await api.client.watch(`${core}/events?watch=1`, { token, headers: asMaster })
  await api.client.delete(`${rbac}/clusterrolebindings/masquerade`)
  expect((await watch.next())?.object).toMatchObject({ code: 403, reason: 'Forbidden' })
})
