import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RawHandler, SubresourceHandler } from '../http/extensions.ts'
import { startTestServer, type TestServer } from '../testing/server.ts'
import { addUsers, tokenOf } from '../testing/users.ts'

const core = '/api/v1/namespaces/default'
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const reviews = '/apis/authentication.k8s.io/v1'
const agent = { 'User-Agent': 'tester/1.0' }

const routes = new Map<string, RawHandler>()
const subresources = new Map<string, SubresourceHandler>()
let api: TestServer
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stillpoint-audit-'))
  api = await startTestServer({ auditDir: join(dir, 'audit'), routes, subresources })
  await addUsers(api, { vera: ['viewers'], root: ['system:masters'] })
  await api.client.post(`${rbac}/namespaces/default/rolebindings`, {
    metadata: { name: 'viewers' },
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'Group', name: 'viewers' }],
  })
})
afterAll(async () => {
  await api.close()
  await rm(dir, { recursive: true })
})

const [vera, root] = ['vera', 'root'].map((user) => ({ token: tokenOf(user), headers: agent }))

/** The events of one request, by the id it was given. */
async function eventsOf(id: string, count = 1) {
  const read = async () => {
    const text = await readFile(join(dir, 'audit/audit.log'), 'utf8').catch(() => '')
    return text
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
      .filter(({ auditID }) => auditID === id)
  }
  await expect.poll(async () => (await read()).length, { timeout: 5_000 }).toBe(count)
  return read()
}

test('a request is written down with who, what, from where, whether and by what right, and what came of it', async () => {
  const { headers } = await api.client.get(`${core}/configmaps/none?pretty=1`, vera)
  const [event] = await eventsOf(String(headers['audit-id']))
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  expect(event).toEqual({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: headers['audit-id'],
    stage: 'ResponseComplete',
    requestURI: `${core}/configmaps/none?pretty=1`,
    verb: 'get',
    user: { username: 'vera', groups: ['viewers', 'system:authenticated'] },
    sourceIPs: ['127.0.0.1'],
    userAgent: 'tester/1.0',
    objectRef: { resource: 'configmaps', namespace: 'default', name: 'none', apiVersion: 'v1' },
    responseStatus: { metadata: {}, status: 'Failure', reason: 'NotFound', code: 404 },
    requestReceivedTimestamp: time,
    stageTimestamp: time,
    annotations: {
      'authorization.k8s.io/decision': 'allow',
      'authorization.k8s.io/reason':
        'RBAC: allowed by RoleBinding "viewers/default" of ClusterRole "view" to Group "viewers"',
    },
  })
})

const rows: Record<string, [method: string, path: string, sent: object, event: object]> = {
  'what is forbidden': [
    'DELETE',
    `${core}/configmaps`,
    vera ?? {},
    {
      verb: 'deletecollection',
      responseStatus: { metadata: {}, status: 'Failure', reason: 'Forbidden', code: 403 },
      annotations: { 'authorization.k8s.io/decision': 'forbid', 'authorization.k8s.io/reason': '' },
    },
  ],
  'bad credentials': [
    'GET',
    `${core}/configmaps`,
    { token: 'wrong-token-0123456789' },
    { user: {}, responseStatus: { metadata: {}, status: 'Failure', reason: 'Unauthorized', code: 401 } },
  ],
  'no credentials': [
    'GET',
    '/apis',
    { token: '' },
    { verb: 'get', user: { username: 'system:anonymous', groups: ['system:unauthenticated'] } },
  ],
  'who acts as somebody else': [
    'GET',
    `${core}/configmaps`,
    { ...root, headers: { 'Impersonate-User': 'vera', 'Impersonate-Group': 'viewers' } },
    {
      user: { username: 'root', groups: ['system:masters', 'system:authenticated'] },
      impersonatedUser: { username: 'vera', groups: ['viewers', 'system:authenticated'] },
      responseStatus: { metadata: {}, code: 200 },
    },
  ],
  'who may not act as somebody else': [
    'GET',
    `${core}/configmaps`,
    { ...vera, headers: { 'Impersonate-User': 'root' } },
    {
      user: { username: 'vera', groups: ['viewers', 'system:authenticated'] },
      annotations: { 'authorization.k8s.io/decision': 'forbid', 'authorization.k8s.io/reason': '' },
    },
  ],
  'the name the server made': [
    'POST',
    `${rbac}/namespaces/default/roles`,
    { ...root, body: { metadata: { generateName: 'made-' } } },
    {
      verb: 'create',
      objectRef: {
        resource: 'roles',
        namespace: 'default',
        apiGroup: 'rbac.authorization.k8s.io',
        apiVersion: 'v1',
        name: expect.stringMatching(/^made-.{5}$/),
        uid: expect.any(String),
      },
    },
  ],
  'a write of a controller': [
    'DELETE',
    `${core}/configmaps/x`,
    {},
    { user: expect.objectContaining({ username: 'system:controller' }) },
  ],
}
test.each(Object.entries(rows))('%s is told', async (_, [method, path, sent, event]) => {
  const { headers } = await api.client.send(method, path, sent)
  expect((await eventsOf(String(headers['audit-id'])))[0]).toMatchObject(event)
})

test('a fault of the server is told as such', async () => {
  subresources.set('subresources.kubevirt.io/virtualmachines/broken', () => Promise.reject(new Error('oops')))
  const path = '/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/vm/broken'
  const { headers } = await api.client.put(path, undefined, root)
  expect((await eventsOf(String(headers['audit-id'])))[0]).toMatchObject({
    stage: 'Panic',
    objectRef: { name: 'vm', subresource: 'broken' },
    responseStatus: { code: 500 },
  })
})

test('a watch is told of when it begins and when it ends', async () => {
  const headers = { 'Audit-Id': 'the-watch' }
  const watch = await api.client.watch(`${core}/configmaps?watch=1`, { ...vera, headers })
  expect((await eventsOf('the-watch'))[0]).toMatchObject({ stage: 'ResponseStarted', verb: 'watch' })
  watch.close()
  const [, end] = await eventsOf('the-watch', 2)
  expect(end).toMatchObject({ stage: 'ResponseComplete', responseStatus: { code: 200 } })
})

test('a connection that is taken over is told of when it begins and when it ends', async () => {
  routes.set('/taken', {
    upgrade: async ({ socket }) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
      socket.once('data', () => socket.end())
    },
  })
  const { hostname, port } = new URL(api.server.url)
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', Authorization: `Bearer ${tokenOf('root')}`, ...agent }
  const path = '/taken?by=test'
  const request = httpsRequest({ hostname, port, path, ca: api.server.ca, headers }).end()
  const [, socket] = (await once(request, 'upgrade')) as [unknown, Duplex]
  socket.end('bye')
  const events = async () =>
    (await readFile(join(dir, 'audit/audit.log'), 'utf8')).split('\n').filter((line) => line.includes('/taken?by=test'))
  await expect.poll(async () => (await events()).length, { timeout: 5_000 }).toBe(2)
  expect((await events()).map((line) => JSON.parse(line))).toMatchObject([
    { stage: 'ResponseStarted', user: { username: 'root' }, responseStatus: { code: 101 } },
    { stage: 'ResponseComplete' },
  ])
})

test('no secret is in it, and nothing of what everybody reads', async () => {
  const secret = 'c2VjcmV0LW1hcmtlcg'
  const inBody = { metadata: { name: 's' }, stringData: { x: secret }, type: 'bad type' }
  await api.client.post(`${core}/secrets`, inBody, root)
  await api.client.post(`${core}/secrets`, { metadata: { name: secret.repeat(20) }, data: { '!': secret } }, root)
  await api.client.merge(`${core}/secrets/s`, { data: { y: secret } }, root)
  await api.client.get(`${core}/secrets/s`, root)
  await api.client.post(`${reviews}/tokenreviews`, { spec: { token: secret } }, root)
  await api.client.get(`${core}/secrets`, { token: secret })
  for (const path of ['/healthz', '/version', '/apis', '/openapi/v3']) await api.client.get(path, root)
  await api.client.get(`${core}/configmaps`)
  const { headers } = await api.client.delete(`${core}/secrets/s`, undefined, root)
  await eventsOf(String(headers['audit-id']))
  const text = await readFile(join(dir, 'audit/audit.log'), 'utf8')
  expect(text).not.toContain(secret)
  expect(text).not.toContain(Buffer.from(secret).toString('base64'))
  expect(text).not.toContain(tokenOf('root'))
  const events = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.filter(({ objectRef }) => objectRef?.resource === 'secrets').length).toBeGreaterThan(4)
  expect(new Set(events.map(({ level }) => level))).toEqual(new Set(['Metadata']))
  expect(events.filter(({ requestURI }) => /healthz|version$|openapi/.test(requestURI))).toEqual([])
  expect(events.filter(({ user, verb }) => user.username === 'system:controller' && verb === 'list')).toEqual([])
})
