import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestWatch } from '../testing/client.ts'
import { startTestServer, type TestServer } from '../testing/server.ts'

const core = '/api/v1/namespaces/default'
const reviews = '/apis/authentication.k8s.io/v1'
const type = 'kubernetes.io/service-account-token'
const nameKey = 'kubernetes.io/service-account.name'
const uidKey = 'kubernetes.io/service-account.uid'

let api: TestServer
let watch: TestWatch
beforeAll(async () => {
  api = await startTestServer()
  watch = await api.client.watch(`${core}/secrets?watch=1`)
})
afterAll(async () => {
  watch.close()
  await api.close()
})

const account = async (name: string) =>
  (await api.client.post(`${core}/serviceaccounts`, { metadata: { name } })).body.metadata.uid as string
const secretFor = (name: string, of: string, more: Record<string, string> = {}) =>
  api.client.post(`${core}/secrets`, { metadata: { name, annotations: { [nameKey]: of, ...more } }, type })
const text = (data: string) => Buffer.from(data, 'base64').toString()
const codeWith = async (token: string) => (await api.client.get(`${core}/secrets`, { token })).code

/** The Secret once it is filled. */
async function filled(name: string, of: string) {
  await secretFor(name, of)
  expect(await watch.take(1)).toEqual([`ADDED ${name}`])
  return (await watch.next())?.object
}

test('a Secret made for an account is filled, and its token is the account without an end', async () => {
  const uid = await account('robot')
  const { metadata, data } = await filled('kept', 'robot')
  expect(metadata.annotations).toEqual({ [nameKey]: 'robot', [uidKey]: uid })
  expect([Object.keys(data).sort(), text(data['ca.crt']), text(data.namespace)]).toEqual([
    ['ca.crt', 'namespace', 'token'],
    api.server.ca,
    'default',
  ])
  const token = text(data.token)
  const { body } = await api.client.post(`${reviews}/selfsubjectreviews`, {}, { token })
  expect(body.status.userInfo).toEqual({
    username: 'system:serviceaccount:default:robot',
    uid,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  })
  const review = await api.client.post(`${reviews}/tokenreviews`, { spec: { token } })
  expect(review.body.status).toMatchObject({ authenticated: true, audiences: ['https://kubernetes.default.svc'] })
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  expect(claims).toMatchObject({ iss: 'kubernetes/serviceaccount', sub: 'system:serviceaccount:default:robot' })
  expect(claims).not.toHaveProperty('exp')
  await api.restart()
  watch = await api.client.watch(`${core}/secrets?watch=1&resourceVersion=${metadata.resourceVersion}`)
  expect(await codeWith(token)).toBe(403)
})

test('the token ends when it is taken out of the Secret, with a watch; then there is another', async () => {
  await account('shifting')
  const role = { kind: 'ClusterRole', name: 'edit' }
  const subjects = [{ kind: 'ServiceAccount', name: 'shifting', namespace: 'default' }]
  const binding = { metadata: { name: 'shifting' }, roleRef: role, subjects }
  await api.client.post(`/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings`, binding)
  const token = text((await filled('shift', 'shifting')).data.token)
  const begun = await api.client.watch(`${core}/configmaps?watch=1`, { token })
  expect(await codeWith(token)).toBe(200)
  await api.client.merge(`${core}/secrets/shift`, { data: { token: null } })
  expect((await begun.next())?.object).toMatchObject({ code: 401 })
  expect(await codeWith(token)).toBe(401)
  expect(await watch.take(1)).toEqual(['MODIFIED shift'])
  const next = text((await watch.next())?.object.data.token)
  expect([next === token, await codeWith(next)]).toEqual([false, 200])
  await api.client.delete(`${core}/secrets/shift`)
  expect(await watch.take(1)).toEqual(['DELETED shift'])
  expect(await codeWith(next)).toBe(401)
})

test('it goes with its account, and a new account of that name does not get it', async () => {
  const uid = await account('leaving')
  const token = text((await filled('left', 'leaving')).data.token)
  expect(await codeWith(token)).toBe(403)
  await api.client.delete(`${core}/serviceaccounts/leaving`)
  expect(await codeWith(token)).toBe(401)
  expect(await watch.take(1)).toEqual(['DELETED left'])
  await account('leaving')
  await secretFor('left', 'leaving', { [uidKey]: uid })
  expect(await watch.take(2)).toEqual(['ADDED left', 'DELETED left'])
  await secretFor('orphan', 'nobody')
  expect(await watch.take(2)).toEqual(['ADDED orphan', 'DELETED orphan'])
})

test('what somebody else has written into it proves nothing', async () => {
  await account('victim')
  const stolen = text((await filled('theirs', 'victim')).data.token)
  await account('thief')
  await secretFor('mine', 'thief')
  await watch.take(2)
  await api.client.merge(`${core}/secrets/theirs`, { data: { token: Buffer.from('x.y.z').toString('base64') } })
  await api.client.merge(`${core}/secrets/mine`, { data: { token: Buffer.from(stolen).toString('base64') } })
  for (const token of [stolen, 'x.y.z']) expect(await codeWith(token)).toBe(401)
})

test('it must say whose it is', async () => {
  const { code, body } = await api.client.post(`${core}/secrets`, { metadata: { name: 'whose' }, type })
  expect([code, body.message]).toEqual([
    422,
    'Secret "whose" is invalid: metadata.annotations[kubernetes.io/service-account.name]: Required value',
  ])
})
