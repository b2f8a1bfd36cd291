import { once } from 'node:events'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { StatusError } from '@stillpoint/api/meta/status-error'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'
import type { RawHandler, SubresourceCall, SubresourceHandler } from './extensions.ts'

const freeze = '/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/vm/freeze'
const subresources = new Map<string, SubresourceHandler>()
const routes = new Map<string, RawHandler>()

let api: TestServer
beforeAll(async () => {
  api = await startTestServer({ subresources, routes })
})
afterAll(() => api.close())

describe('a subresource', () => {
  test('that nobody has offered leads nowhere', async () => {
    expect((await api.client.put(freeze, {})).code).toBe(404)
  })

  test('is called with what the request says, also when offered late', async () => {
    const calls: Omit<SubresourceCall, 'signal'>[] = []
    subresources.set(
      'subresources.kubevirt.io/virtualmachineinstances/freeze',
      async ({ signal: _signal, ...call }) => {
        calls.push(call)
        return { code: 202 }
      },
    )
    const { code, text } = await api.client.put(`${freeze}?dryRun=All`, { unfreezeTimeout: '5s' })
    expect([code, text]).toEqual([202, ''])
    expect(calls).toEqual([
      {
        version: 'v1',
        namespace: 'default',
        resource: 'virtualmachineinstances',
        name: 'vm',
        subresource: 'freeze',
        method: 'PUT',
        query: new URLSearchParams('dryRun=All'),
        body: { unfreezeTimeout: '5s' },
        user: { username: 'system:controller', groups: ['system:masters', 'system:authenticated'] },
      },
    ])
    expect((await api.client.put(freeze, undefined)).code).toBe(202)
    expect((await api.client.delete(freeze)).code).toBe(405)
  })

  test('refuses with its own Status', async () => {
    subresources.set('subresources.kubevirt.io/virtualmachineinstances/portforward', async ({ subresource }) => {
      throw new StatusError({
        apiVersion: 'v1',
        kind: 'Status',
        metadata: {},
        status: 'Failure',
        code: 409,
        message: subresource,
      })
    })
    const { code, body } = await api.client.get(freeze.replace('freeze', 'portforward/80/tcp'))
    expect([code, body.message]).toEqual([409, 'portforward/80/tcp'])
  })

  test('that breaks is an internal error, and the server lives on', async () => {
    subresources.set('subresources.kubevirt.io/virtualmachineinstances/broken', () => Promise.reject(new Error('oops')))
    const { code, body } = await api.client.get(freeze.replace('freeze', 'broken'))
    expect([code, body.reason, body.message]).toEqual([500, 'InternalError', 'Internal error occurred: oops'])
  })
})

describe('a raw route', () => {
  test('serves its prefix, to those who may', async () => {
    routes.set('/upload', {
      handle: async ({ response, path, user }) => {
        response.statusCode = 200
        response.end(`${path} ${user?.username}`)
      },
    })
    expect((await api.client.get('/upload/x?y=z')).text).toBe('/upload/x system:controller')
    expect((await api.client.get('/upload/x', { token: '' })).code).toBe(403)
    expect((await api.client.get('/uploads')).code).toBe(404)
  })

  test('may be open to everybody', async () => {
    routes.set('/open', { anonymous: true, handle: async ({ response }) => void response.end('hello') })
    expect((await api.client.get('/open', { token: '' })).text).toBe('hello')
  })

  test('may take over connections, and leave plain requests to the API', async () => {
    routes.set('/api/v1/namespaces/default/configmaps', {
      upgrade: async ({ socket, user }) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
        socket.end(`hello ${user?.username}`)
      },
    })
    const path = '/api/v1/namespaces/default/configmaps/x'
    expect((await api.client.get(path)).code).toBe(404)
    const open = (token: string) => {
      const { hostname, port } = new URL(api.server.url)
      const headers = { Connection: 'Upgrade', Upgrade: 'websocket', Authorization: `Bearer ${token}` }
      return httpsRequest({ hostname, port, path, ca: api.server.ca, headers }).end()
    }
    const [, socket] = (await once(open(api.server.controllerToken), 'upgrade')) as [unknown, Duplex, Buffer]
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).toString()).toBe('hello system:controller')
    const [refused] = (await once(open('wrong-token-0123456789'), 'response')) as [{ statusCode: number }]
    expect(refused.statusCode).toBe(401)
  })
})

test('an OpenAPI document is found by its hash, and by a wrong one too', async () => {
  const { body } = await api.client.get('/openapi/v3')
  const url = body.paths['api/v1'].serverRelativeURL as string
  const { code, headers } = await api.client.get(url)
  expect([code, headers['cache-control'], headers.expires]).toEqual([200, 'public, immutable', expect.any(String)])
  const wrong = await api.client.get('/openapi/v3/api/v1?hash=WRONG')
  expect([wrong.code, wrong.headers.location]).toEqual([301, url])
  expect((await api.client.get('/openapi/v3/api/v1', { headers: { 'If-None-Match': headers.etag ?? '' } })).code).toBe(
    304,
  )
})

test('what stands before the API sees every request first, and hands on what is not its own', async () => {
  const before = await startTestServer({
    front: (behind) => ({
      handle: async (request, response) => {
        if (request.url !== '/mine') return behind.handle(request, response)
        response.end('mine')
      },
      upgrade: async (request, socket, head) => {
        if (request.url !== '/mine') return behind.upgrade(request, socket, head)
        socket.end('HTTP/1.1 418 Mine\r\nConnection: close\r\n\r\n')
        return 418
      },
    }),
  })
  try {
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket' }
    const answers = [
      await before.client.get('/mine', { token: '' }),
      await before.client.get('/version'),
      await before.client.get('/mine', { headers: upgrade }),
      await before.client.get('/version', { headers: upgrade }),
    ]
    expect(answers.map(({ code }) => code)).toEqual([200, 200, 418, 404])
    expect(answers[0]?.text).toBe('mine')
  } finally {
    await before.close()
  }
})
