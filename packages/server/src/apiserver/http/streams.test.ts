import { once } from 'node:events'
import { request as httpsRequest } from 'node:https'
import { type Duplex, duplexPair } from 'node:stream'
import { ClusterRole, ClusterRoleBinding } from '@stillpoint/api/core/rbac'
import { failure, type StatusError } from '@stillpoint/api/meta/status-error'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'
import { addUsers, tokenOf } from '../testing/users.ts'
import { refusal, type SocketOptions, TestSocket } from '../testing/web-socket.ts'
import type { StreamCall, StreamHandler } from './extensions.ts'
import { offeredProtocols } from './websocket-protocols.ts'

const group = 'subresources.kubevirt.io'
const pathOf = (subresource: string, name = 'vm') =>
  `/apis/${group}/v1/namespaces/default/virtualmachineinstances/${name}/${subresource}`

const streams = new Map<string, StreamHandler>()
let calls: StreamCall[] = []
/** The other end of what was opened last. */
let near: Duplex
let far: Duplex
let ending: { code: 1000 | 1001; reason: string }
const offer = (name: string, handler: StreamHandler) => streams.set(`${group}/virtualmachineinstances/${name}`, handler)

let api: TestServer
beforeAll(async () => {
  offer('console', async (call) => {
    calls.push(call)
    ;[near, far] = duplexPair()
    return { bytes: near, ending: () => ending }
  })
  offer('vnc', async () => {
    throw failure(400, 'BadRequest', 'VMI is not running')
  })
  api = await startTestServer({ streams })
  await addUsers(api, { vera: [], ida: [] })
  const rules = [{ apiGroups: [group], resources: ['virtualmachineinstances/console'], verbs: ['get'] }]
  await api.client.post('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    ...typeOf(ClusterRole.kind),
    metadata: { name: 'looks' },
    rules,
  })
  await grant('vera')
})
afterEach(() => {
  calls = []
  ending = { code: 1000, reason: 'the guest has ended' }
})
afterAll(() => api.close())

const typeOf = (kind: string) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind })
const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
const grant = (user: string) =>
  api.client.post(bindings, {
    ...typeOf(ClusterRoleBinding.kind),
    metadata: { name: user },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'looks' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
  })
const open = (path = pathOf('console'), options: Partial<SocketOptions> = {}) =>
  TestSocket.open(path, { url: api.server.url, ca: api.server.ca, token: api.server.controllerToken, ...options })
const encoded = (token: string) => `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`

describe('a stream', () => {
  test('carries bytes both ways, and its handler is told who asks for what', async () => {
    const socket = await open(`${pathOf('console')}?tail=0`, { token: tokenOf('vera') })
    expect(socket.ws.protocol).toBe('plain.kubevirt.io')
    const { signal: _signal, ...call } = calls[0] as StreamCall
    expect(call).toEqual({
      version: 'v1',
      namespace: 'default',
      resource: 'virtualmachineinstances',
      name: 'vm',
      subresource: 'console',
      query: new URLSearchParams('tail=0'),
      user: { username: 'vera', groups: ['system:authenticated'] },
    })
    far.write(Buffer.from([0, 255, 1]))
    far.write('login: ')
    await socket.until('login: ')
    expect(socket.received.subarray(0, 3)).toEqual(Buffer.from([0, 255, 1]))
    socket.send(Buffer.from([254, 0]))
    socket.send('text is bytes as well')
    const [first] = (await once(far, 'data')) as [Buffer]
    expect(first).toEqual(Buffer.from([254, 0]))
    const gone = once(far, 'end')
    far.resume()
    socket.close()
    await gone
  })

  test('needs no subprotocol, and agrees to none it does not know', async () => {
    expect((await open(pathOf('console'), { protocols: [] })).ws.protocol).toBe('')
    await expect(open(pathOf('console'), { protocols: ['v4.channel.k8s.io'] })).rejects.toThrow('no subprotocol')
  })

  test('ends with what is left to say, and the code and reason of its end', async () => {
    ending = { code: 1001, reason: `gone to bed, ünd ${'x'.repeat(200)}` }
    const socket = await open()
    far.end('last words')
    expect(await socket.closed).toEqual([1001, `gone to bed, ?nd ${'x'.repeat(106)}`])
    expect(socket.received.toString()).toBe('last words')
  })

  test('that breaks is no end, and tells the client no details', async () => {
    const socket = await open()
    near.destroy(new Error('secret'))
    expect(await socket.closed).toEqual([1011, 'internal error'])
  })

  test('ends when the right to it is withdrawn', async () => {
    await grant('ida')
    const socket = await open(pathOf('console'), { token: tokenOf('ida') })
    const other = await open()
    await api.client.delete(`${bindings}/ida`)
    const [code, reason] = await socket.closed
    expect([code, reason]).toEqual([1008, expect.stringContaining('"ida" cannot get resource')])
    far.write('still here')
    await other.until('still here')
  })

  test('refuses too long a message', async () => {
    const socket = await open()
    far.resume()
    socket.send(Buffer.alloc(1024 * 1024 + 1))
    expect((await socket.closed)[0]).toBe(1009)
  })

  test('is listed by discovery, with the verb get', async () => {
    const { body } = await api.client.get(`/apis/${group}/v1`)
    expect(body.resources).toContainEqual({
      name: 'virtualmachineinstances/console',
      singularName: '',
      namespaced: true,
      kind: '',
      verbs: ['get'],
    })
  })
})

describe('before it is a WebSocket', () => {
  test('a refusal of the handler is a Status', async () => {
    const refused = await refusal(open(pathOf('vnc')))
    expect([refused.code, refused.status]).toEqual([
      400,
      expect.objectContaining({ kind: 'Status', code: 400, message: 'VMI is not running' }),
    ])
  })

  test('a plain request is told what is needed', async () => {
    const { code, body } = await api.client.get(pathOf('console'))
    expect([code, body.kind, body.message]).toEqual([400, 'Status', expect.stringContaining('WebSocket')])
    expect((await api.client.put(pathOf('console'), {})).code).toBe(405)
    expect(calls).toEqual([])
  })

  test.each([
    ['another protocol', 'GET', { Upgrade: 'SPDY/3.1' }, 400],
    ['no key', 'GET', { Upgrade: 'websocket' }, 400],
    ['another method', 'POST', { Upgrade: 'websocket' }, 405],
  ])('%s is refused with a Status', async (_, method, headers, wanted) => {
    const { hostname, port } = new URL(api.server.url)
    const authorization = `Bearer ${api.server.controllerToken}`
    const sent = { Connection: 'Upgrade', authorization, ...headers }
    const request = httpsRequest({ hostname, port, method, path: pathOf('console'), ca: api.server.ca, headers: sent })
    const [response] = await once(request.end(), 'response')
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk)
    expect([response.statusCode, JSON.parse(Buffer.concat(chunks).toString()).kind]).toEqual([wanted, 'Status'])
  })

  test.each<[string, string, { token?: string } | undefined, number]>([
    ['nobody', pathOf('console'), {}, 403],
    ['a bad token', pathOf('console'), { token: 'wrong-token-0123456789' }, 401],
    ['who has no right', pathOf('console'), { token: tokenOf('ida') }, 403],
    ['who has the right to another stream', pathOf('vnc'), { token: tokenOf('vera') }, 403],
    ['who would watch it', `${pathOf('console')}?watch=1`, { token: tokenOf('ida') }, 403],
    ['an administrator, below a stream', pathOf('console/x'), undefined, 404],
    ['an administrator, of nothing known', pathOf('usbredir'), undefined, 404],
    ['an administrator, of another version', pathOf('console').replace('v1', 'v9'), undefined, 404],
    ['an administrator, of no resource', '/nowhere', undefined, 404],
  ])('%s is refused', async (_, path, who, code) => {
    const options = who === undefined ? {} : { token: '', ...who }
    expect((await refusal(open(path, options))).code).toBe(code)
    expect(calls).toEqual([])
  })
})

describe('who asks', () => {
  test('may be somebody an administrator acts as', async () => {
    await open(pathOf('console'), { headers: { 'Impersonate-User': 'vera' } })
    expect(calls[0]?.user.username).toBe('vera')
    const other = await refusal(open(pathOf('console'), { headers: { 'Impersonate-User': 'ida' } }))
    expect([other.code, other.status.message]).toEqual([403, expect.stringContaining('"ida" cannot get resource')])
  })

  test('may be said by a subprotocol, which is not agreed to', async () => {
    const protocols = [encoded(tokenOf('vera')), 'plain.kubevirt.io']
    const socket = await open(pathOf('console'), { token: '', protocols })
    expect([socket.ws.protocol, calls[0]?.user.username]).toEqual(['plain.kubevirt.io', 'vera'])
  })

  test.each([
    ['alone', [encoded('vera-token-0123456789')], 400],
    ['twice', [encoded('a'), encoded('b'), 'plain.kubevirt.io'], 400],
    ['that nobody has', [encoded('wrong-token-0123456789'), 'plain.kubevirt.io'], 401],
    ['that cannot be decoded', ['base64url.bearer.authorization.k8s.io.!', 'plain.kubevirt.io'], 401],
    ['without anything in it', ['base64url.bearer.authorization.k8s.io.', 'plain.kubevirt.io'], 401],
  ])('a token %s is refused', async (_, protocols, code) => {
    expect((await refusal(open(pathOf('console'), { token: '', protocols }))).code).toBe(code)
  })

  test('may be said by what stands before the API, whose path and credentials count instead', async () => {
    const proxied = await startTestServer({
      streams,
      front: (behind) => ({
        ...behind,
        upgrade: (request, socket, head) => {
          request.url = request.url?.replace('/proxied', '')
          request.headers.authorization = `Bearer ${proxied.server.controllerToken}`
          return behind.upgrade(request, socket, head)
        },
      }),
    })
    const { url, ca } = proxied.server
    const socket = await open(`/proxied${pathOf('console')}`, { url, ca, token: 'nobody-token-0123456789' })
    far.write('hello')
    await socket.until('hello')
    expect(calls[0]?.user.username).toBe('system:controller')
    expect((await refusal(open(`/proxied${pathOf('vnc')}`, { url, ca }))).status.message).toBe('VMI is not running')
    await proxied.close()
  })
})

test('whatever is offered as subprotocols, the server answers', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(',', ' ', 'plain.kubevirt.io', 'base64url.bearer.authorization.k8s.io.'),
  )
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const header = pieces.join('')
      try {
        const { protocols, token } = offeredProtocols(header)
        expect(protocols.every((name) => name !== '' && !name.includes(','))).toBe(true)
        if (token !== undefined) expect(token).toMatch(/^[\x21-\x7e]+$/)
      } catch (error) {
        expect((error as StatusError).code).toBeOneOf([400, 401])
      }
    }),
  )
})

test('whatever comes after the upgrade, the stream ends with the connection and the server lives on', async () => {
  const { hostname, port } = new URL(api.server.url)
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version': '13',
    authorization: `Bearer ${api.server.controllerToken}`,
  }
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      const request = httpsRequest({ hostname, port, path: pathOf('console'), ca: api.server.ca, headers }).end()
      const [, socket] = (await once(request, 'upgrade')) as [unknown, Duplex]
      socket.on('error', () => {})
      far.resume()
      const ended = once(far, 'end')
      socket.end(bytes)
      await ended
      socket.destroy()
    }),
  )
  expect((await api.client.get('/readyz')).code).toBe(200)
})

test('all streams end when the server closes, and say so', async () => {
  const socket = await open()
  await api.restart()
  expect(await socket.closed).toEqual([1001, 'the server is closing'])
})
