import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { Agent, request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pair } from '../pki/certificates.ts'
import { makeAuthority, makeClient } from '../pki/issue.ts'
import { TestClient } from '../testing/client.ts'
import { startTestServer, type TestServer } from '../testing/server.ts'
import type { RawHandler } from './extensions.ts'

const whoAmI = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
const rolebindings = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings'
const secondMs = 1_000
const hourMs = 3_600_000
const routes = new Map<string, RawHandler>([
  [
    '/socket',
    {
      upgrade: async ({ socket, user }) => {
        socket.end(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n${user?.username}`,
        )
      },
    },
  ],
])

let api: TestServer
let authority: Pair
let vera: Pair
beforeAll(async () => {
  api = await startTestServer({ routes })
  authority = await pair('ca')
  vera = await client('vera', ['viewers', 'team, CN=admin'])
  await api.client.post(rolebindings, {
    metadata: { name: 'vera' },
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'User', name: 'vera' }],
  })
})
afterAll(() => api.close())

async function pair(name: string): Promise<Pair> {
  const read = (extension: string) => readFile(join(api.dataDir, 'pki', `${name}.${extension}`), 'utf8')
  return { cert: await read('crt'), key: await read('key') }
}

function client(user: string, groups: string[] = [], fromMs = 0, toMs = hourMs, by = authority): Promise<Pair> {
  const at = (ms: number) => new Date(Date.now() + ms)
  return makeClient(by, { user, groups }, at(fromMs), at(toMs))
}

const as = (certificate: Pair, token = '') =>
  new TestClient({ url: api.server.url, ca: api.server.ca, token, ...certificate })

describe('a client certificate', () => {
  test('names the user and the groups, and roles say what they may', async () => {
    const { body } = await as(vera).post(whoAmI, {})
    expect(body.status.userInfo).toEqual({
      username: 'vera',
      groups: ['viewers', 'team, CN=admin', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [
          `X509SHA256=${new X509Certificate(vera.cert).fingerprint256.replaceAll(':', '').toLowerCase()}`,
        ],
      },
    })
    expect((await as(vera).get('/api/v1/namespaces/default/configmaps')).code).toBe(200)
    expect((await as(vera).get('/api/v1/namespaces/kube-system/configmaps')).body.message).toContain(
      'User "vera" cannot',
    )
  })

  test('makes an administrator of who is in system:masters', async () => {
    expect((await as(await client('root', ['system:masters'])).get('/api/v1/secrets')).code).toBe(200)
  })

  test('counts before a token', async () => {
    const { body } = await as(vera, api.server.controllerToken).post(whoAmI, {})
    expect(body.status.userInfo.username).toBe('vera')
  })

  test('counts with HTTP/2, for each request of a connection', async () => {
    const session = connect(api.server.url, { ca: api.server.ca, ...vera })
    for (const namespace of ['default', 'kube-system']) {
      const request = session.request({ ':path': `/api/v1/namespaces/${namespace}/configmaps` })
      const [headers] = (await once(request, 'response')) as [Record<string, unknown>]
      expect([session.alpnProtocol, headers[':status']]).toEqual(['h2', namespace === 'default' ? 200 : 403])
      request.close()
    }
    session.destroy()
  })

  const upgrade = (headers: object, certificate: Pair) => {
    const { hostname, port } = new URL(api.server.url)
    const upgrading = { Connection: 'Upgrade', Upgrade: 'websocket', ...headers }
    return httpsRequest({
      hostname,
      port,
      path: '/socket',
      ca: api.server.ca,
      ...certificate,
      headers: upgrading,
    }).end()
  }

  test('counts where a WebSocket is opened', async () => {
    const root = await client('root', ['system:masters'])
    const opened = await once(upgrade({ Origin: api.server.url }, root), 'upgrade')
    const [, socket, head] = opened as [unknown, Duplex, Buffer]
    const chunks = [head]
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).toString()).toBe('root')
    const [foreign] = (await once(upgrade({ Origin: 'https://evil.example.com' }, root), 'response')) as [object]
    expect(foreign).toMatchObject({ statusCode: 403 })
  })

  test('counts in a resumed session', async () => {
    const { hostname, port } = new URL(api.server.url)
    const agent = new Agent({ ca: api.server.ca, ...vera, maxVersion: 'TLSv1.2' })
    const ask = async () => {
      const path = '/api/v1/namespaces/default/configmaps'
      const request = httpsRequest({ hostname, port, path, agent, headers: { Connection: 'close' } }).end()
      const [response] = await once(request, 'response')
      const reused = (response.socket as TLSSocket).isSessionReused()
      response.resume()
      await once(response, 'end')
      return [reused, response.statusCode]
    }
    expect([await ask(), await ask()]).toEqual([
      [false, 200],
      [true, 200],
    ])
  })

  test('is not believed in a browser, which sends it unasked', async () => {
    for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example.com' }] as Record<
      string,
      string
    >[]) {
      const { code, body } = await as(vera).get('/api/v1/namespaces/default/configmaps', { headers })
      expect([code, body.message]).toEqual([403, expect.stringContaining('User "system:anonymous" cannot list')])
    }
    const headers = { Origin: api.server.url }
    const { body } = await as(vera, api.server.controllerToken).post(whoAmI, {}, { headers })
    expect(body.status.userInfo.username).toBe('system:controller')
  })

  test('ends, and a watch with it', async () => {
    const shortly = await client('vera', [], 0, 2 * secondMs)
    const watch = await as(shortly).watch('/api/v1/namespaces/default/configmaps?watch=1')
    expect((await watch.next())?.object).toMatchObject({ code: 401, reason: 'Unauthorized' })
    expect((await as(shortly).get('/healthz')).code).toBe(401)
  })
})

const bad: Record<string, () => Promise<Pair>> = {
  'that has expired': () => client('root', ['system:masters'], -2 * hourMs, -secondMs),
  'that is not valid yet': () => client('root', ['system:masters'], hourMs, 2 * hourMs),
  'of another authority of the same name': async () => {
    const other = await makeAuthority(new Date(), new Date(Date.now() + hourMs))
    return client('root', ['system:masters'], 0, hourMs, other)
  },
  'that is for servers': () => pair('server'),
  'that is the authority itself': () => pair('ca'),
  'that names nobody': () => client('', ['system:masters']),
}
describe('a certificate', () => {
  test.each(Object.entries(bad))('%s is 401, and does not spoil a token', async (_, make) => {
    const certificate = await make()
    for (const path of ['/api/v1/namespaces', '/healthz'])
      expect((await as(certificate).get(path)).body).toMatchObject({ code: 401, message: 'Unauthorized' })
    expect((await as(certificate, api.server.controllerToken).get('/api/v1/namespaces')).code).toBe(200)
  })
})
