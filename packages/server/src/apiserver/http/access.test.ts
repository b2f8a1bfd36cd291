import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startApiServer } from '../api-server.ts'
import { loadCertificates } from '../pki/certificates.ts'
import { startTestServer, type TestServer } from '../testing/server.ts'

const viewerToken = 'viewer-token-0123456789'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
  const path = join(api.dataDir, 'pki', 'tokens.json')
  const entries = JSON.parse(await readFile(path, 'utf8')) as object[]
  await writeFile(path, JSON.stringify([...entries, { token: viewerToken, username: 'vera', groups: ['viewers'] }]))
  await api.restart()
})
afterAll(() => api.close())

describe('without a good token', () => {
  test('an unknown token is 401', async () => {
    const { code, body, headers } = await api.client.get('/api/v1/namespaces', { token: 'wrong-token-0123456789' })
    expect([code, body, headers['x-content-type-options']]).toEqual([
      401,
      {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'Unauthorized',
        reason: 'Unauthorized',
        code: 401,
      },
      'nosniff',
    ])
  })

  test('without one, a stranger is somebody without rights', async () => {
    const { code, body } = await api.client.get('/api/v1/namespaces', { token: '' })
    expect([code, body.message]).toEqual([
      403,
      'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope',
    ])
    const { body: unread } = await api.client.send('POST', '/api/v1/namespaces', { token: '', body: 'not JSON' })
    expect(unread.message).toContain('User "system:anonymous" cannot create resource "namespaces"')
    for (const path of ['/api', '/apis', '/openapi/v3', '/metrics', '/readyz/ping'])
      expect((await api.client.get(path, { token: '' })).body.message).toBe(
        `forbidden: User "system:anonymous" cannot get path "${path}"`,
      )
  })

  test.each(['/healthz', '/livez', '/readyz', '/version', '/readyz?verbose'])('%s is open', async (path) => {
    expect((await api.client.get(path, { token: '' })).code).toBe(200)
  })

  test('strangers are given what a role gives to them, and it can be taken back', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    const path = '/api/v1/namespaces/default/configmaps?watch=1'
    const binding = {
      metadata: { name: 'strangers' },
      roleRef: { kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'Group', name: 'system:unauthenticated' }],
    }
    await api.client.post(`${rbac}/namespaces/default/rolebindings`, binding)
    const watch = await api.client.watch(path, { token: '' })
    await api.client.delete(`${rbac}/namespaces/default/rolebindings/strangers`)
    expect((await watch.next())?.object).toMatchObject({ code: 403 })
    expect((await api.client.get(path, { token: '' })).code).toBe(403)
  })

  test('a bad token is 401 even there', async () => {
    expect((await api.client.get('/healthz', { token: 'wrong-token-0123456789' })).code).toBe(401)
  })
})

const refused: Record<string, [method: string, path: string, message: string]> = {
  'to list a namespace': [
    'GET',
    '/api/v1/namespaces/default/configmaps',
    'configmaps is forbidden: User "vera" cannot list resource "configmaps" in API group "" in the namespace "default"',
  ],
  'to get an object': [
    'GET',
    '/api/v1/namespaces/default/secrets/s',
    'secrets "s" is forbidden: User "vera" cannot get resource "secrets" in API group "" in the namespace "default"',
  ],
  'to write a status': [
    'PUT',
    '/apis/diff.example.com/v1/namespaces/default/widgets/w/status',
    'widgets.diff.example.com "w" is forbidden: User "vera" cannot update resource "widgets/status" in API group "diff.example.com" in the namespace "default"',
  ],
  'to watch everything': [
    'GET',
    '/api/v1/configmaps?watch=1',
    'configmaps is forbidden: User "vera" cannot watch resource "configmaps" in API group "" at the cluster scope',
  ],
  'e.2 to freeze a guest': [
    'PUT',
    '/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/vm/freeze',
    'virtualmachineinstances.subresources.kubevirt.io "vm" is forbidden: User "vera" cannot update resource "virtualmachineinstances/freeze" in API group "subresources.kubevirt.io" in the namespace "default"',
  ],
  'an unknown resource': [
    'GET',
    '/apis/a.b/v1/things',
    'things.a.b is forbidden: User "vera" cannot list resource "things" in API group "a.b" at the cluster scope',
  ],
  'an unknown path': ['GET', '/nope', 'forbidden: User "vera" cannot get path "/nope"'],
}

test.each(Object.entries(refused))('a user without rights is refused %s', async (_, [method, path, message]) => {
  const { code, body } = await api.client.send(method, path, { token: viewerToken })
  expect([code, body.reason, body.message]).toEqual([403, 'Forbidden', message])
})

test('the kubeconfig of the administrator loads and names the authority', async () => {
  const config = parse(api.server.adminKubeconfig)
  const [{ cluster }] = config.clusters
  expect(cluster.server).toBe(api.server.url)
  expect(Buffer.from(cluster['certificate-authority-data'], 'base64').toString()).toBe(api.server.ca)
  const { code } = await api.client.get('/api/v1/namespaces', { token: config.users[0].user.token })
  expect(code).toBe(200)
})

test('nobody else can read keys, tokens and objects', async () => {
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
  expect(await mode(join(api.dataDir, 'pki'))).toBe('700')
  for (const name of await readdir(join(api.dataDir, 'pki')))
    expect(await mode(join(api.dataDir, 'pki', name))).toBe('600')
  expect(await mode(join(api.dataDir, 'store.sqlite'))).toBe('600')
})

test('the serving certificate is kept, and made anew for another host or when it is about to expire', async () => {
  const directory = join(api.dataDir, 'pki')
  const now = new Date()
  const first = await loadCertificates(directory, '127.0.0.1', now)
  expect(await loadCertificates(directory, '127.0.0.1', now)).toEqual(first)
  const other = await loadCertificates(directory, 'vm-host.example.com', now)
  expect(other.cert).not.toBe(first.cert)
  expect(other.ca).toBe(first.ca)
  expect(new X509Certificate(other.cert).checkHost('vm-host.example.com')).toBeDefined()
  const later = await loadCertificates(directory, 'vm-host.example.com', new Date(now.getTime() + 340 * 86_400_000))
  expect(later.cert).not.toBe(other.cert)
  expect(new X509Certificate(later.cert).verify(new X509Certificate(later.ca).publicKey)).toBe(true)
})

test('speaks HTTP/2 on the same port', async () => {
  const session = connect(api.server.url, { ca: api.server.ca })
  const request = session.request({
    ':path': '/api/v1/namespaces/default',
    authorization: `Bearer ${api.server.controllerToken}`,
  })
  const chunks: Buffer[] = []
  const status = new Promise((resolve) => request.on('response', (headers) => resolve(headers[':status'])))
  for await (const chunk of request) chunks.push(chunk as Buffer)
  expect(await status).toBe(200)
  expect(JSON.parse(Buffer.concat(chunks).toString()).metadata.name).toBe('default')
  const watch = session.request({
    ':path': '/api/v1/namespaces?watch=1',
    authorization: `Bearer ${api.server.controllerToken}`,
  })
  const first = await new Promise<Buffer>((resolve) => watch.once('data', resolve))
  expect(first.toString()).toMatch(/^\{"type":"ADDED"/)
  session.destroy()
})

test('indents for people and compresses what is large', async () => {
  const plain = await api.client.get('/api/v1/namespaces/default')
  const pretty = await api.client.get('/api/v1/namespaces/default?pretty=true')
  const curl = await api.client.get('/api/v1/namespaces/default', { headers: { 'User-Agent': 'curl/8.0' } })
  expect(plain.text).toMatch(/^\{"/)
  expect([pretty.text, curl.text]).toEqual([curl.text, pretty.text])
  expect(pretty.text).toMatch(/^\{\n {2}"/)
  await api.client.post('/api/v1/namespaces/default/configmaps', {
    metadata: { name: 'big' },
    data: { x: 'x'.repeat(200_000) },
  })
  const zipped = await api.client.get('/api/v1/namespaces/default/configmaps/big', {
    headers: { 'Accept-Encoding': 'gzip' },
  })
  expect([zipped.headers['content-encoding'], zipped.headers.vary]).toEqual(['gzip', 'Accept-Encoding'])
})

test('a chunked body that never ends is cut off with an answer', async () => {
  const { hostname, port } = new URL(api.server.url)
  const headers = { Authorization: `Bearer ${api.server.controllerToken}`, 'Content-Type': 'application/json' }
  const path = '/api/v1/namespaces/default/configmaps'
  const request = httpsRequest({ hostname, port, path, method: 'POST', ca: api.server.ca, headers })
  request.on('error', () => {})
  const answered = once(request, 'response')
  for (let sent = 0; sent < 5; sent++) request.write('x'.repeat(1024 * 1024))
  const [response] = (await answered) as [{ statusCode: number }]
  expect(response.statusCode).toBe(413)
  request.destroy()
})

test('a port that is taken is said so, and nothing stays open', async () => {
  const { port } = new URL(api.server.url)
  const dataDir = await mkdtemp(join(tmpdir(), 'stillpoint-taken-'))
  const options = { dataDir, resources: [], subresources: new Map(), log: pino({ level: 'silent' }) }
  const taken = startApiServer({ ...options, listen: { host: '127.0.0.1', port: Number(port) } })
  await expect(taken).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`)
  const second = await startApiServer({ ...options, listen: { host: '127.0.0.1', port: 0 } })
  await second.close()
  await rm(dataDir, { recursive: true })
})
