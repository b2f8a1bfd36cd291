import { once } from 'node:events'
import { request as httpsRequest } from 'node:https'
import { createInterface } from 'node:readline'
import { failure } from '@stillpoint/api/meta/status-error'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { flushHead } from '../apiserver/http/answer.ts'
import type { RawHandler } from '../apiserver/http/extensions.ts'
import { Browser, protocols } from './testing/browser.ts'
import { type Delivery, deliver } from './testing/delivery.ts'

// What is behind the console must look the same through it, whichever API it is.

const configMaps = '/api/v1/namespaces/default/configmaps'
const through = (path: string) => `/api/kubernetes${path}`
const ways = (['embedded', 'proxy'] as const).flatMap((mode) => protocols.map((protocol) => ({ mode, protocol })))

describe.each(ways)('the API through the console ($mode, $protocol)', ({ mode, protocol }) => {
  let delivery: Delivery
  let browser: Browser
  const routes = new Map<string, RawHandler>()
  beforeAll(async () => {
    delivery = await deliver(mode, { routes })
    browser = new Browser(delivery, protocol)
    await browser.signIn({ token: delivery.token })
  })
  afterAll(() => delivery.close())
  beforeEach(() => routes.clear())

  const make = async (name: string, data: Record<string, string> = {}) =>
    browser.write('POST', through(configMaps), { metadata: { name }, data })

  test('an object is made, read, replaced, patched and deleted', async () => {
    const made = await make('a')
    expect([made.code, made.json.metadata.name]).toEqual([201, 'a'])
    const read = await browser.send('GET', through(`${configMaps}/a`))
    const direct = await delivery.api.client.get(`${configMaps}/a`)
    expect([read.code, read.json]).toEqual([200, direct.body])
    const replaced = await browser.write('PUT', through(`${configMaps}/a`), { ...read.json, data: { x: '1' } })
    expect([replaced.code, replaced.json.data]).toEqual([200, { x: '1' }])
    const type = { 'content-type': 'application/merge-patch+json' }
    const patch = { metadata: { labels: { tier: 'gold' } } }
    const patched = await browser.write('PATCH', through(`${configMaps}/a`), patch, type)
    expect([patched.code, patched.json.metadata.labels]).toEqual([200, { tier: 'gold' }])
    const list = await browser.send('GET', through(`${configMaps}?labelSelector=tier%3Dgold&limit=250`))
    expect(list.json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual(['a'])
    const another = { preconditions: { uid: 'another' } }
    expect((await browser.write('DELETE', through(`${configMaps}/a`), another)).code).toBe(409)
    const own = { preconditions: { uid: read.json.metadata.uid } }
    expect((await browser.write('DELETE', through(`${configMaps}/a`), own)).code).toBe(200)
    expect((await browser.send('GET', through(`${configMaps}/a`))).code).toBe(404)
  })

  const refused: Record<string, [method: string, path: string, body?: unknown]> = {
    'an object that is not there': ['GET', `${configMaps}/missing`],
    'an object that is not right': ['POST', configMaps, { metadata: { name: 'Not A Name' } }],
    'a body that is no JSON': ['POST', configMaps, '{'],
    'a path that leads nowhere': ['GET', '/nowhere'],
    'a selector that cannot be read': ['GET', `${configMaps}?labelSelector=%3D%3D`],
    'the wrong method': ['PUT', configMaps, {}],
  }
  test.each(Object.entries(refused))('%s is refused in the words of the API', async (_, [method, path, body]) => {
    const direct = await delivery.api.client.send(method, path, { body })
    const answer = await browser.write(method, through(path), body)
    expect([answer.code, answer.text, answer.headers['content-type']]).toEqual([
      direct.code,
      direct.text,
      direct.headers['content-type'],
    ])
    expect(answer.code).toBeGreaterThanOrEqual(400)
  })

  test('a large answer arrives whole, and compressed as asked', async () => {
    await make('large', { x: 'x'.repeat(500_000) })
    const plain = await browser.send('GET', through(`${configMaps}/large`))
    expect(plain.json.data.x).toHaveLength(500_000)
    const packed = await browser.send('GET', through(`${configMaps}/large`), { headers: { 'accept-encoding': 'gzip' } })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(packed.bytes.length).toBeLessThan(50_000)
  })

  test('a watch begins before there is anything to tell, and tells at once', async () => {
    const { json } = await browser.send('GET', through(configMaps))
    const query = `watch=1&resourceVersion=${json.metadata.resourceVersion}`
    const { head, stream, end } = await browser.open('GET', through(`${configMaps}?${query}`))
    expect([head.code, head.headers['content-type']]).toEqual([200, 'application/json'])
    stream.on('error', () => {})
    const lines = createInterface({ input: stream })[Symbol.asyncIterator]()
    for (const name of ['watched-1', 'watched-2']) {
      await make(name)
      const event = JSON.parse((await lines.next()).value ?? '{}')
      expect([event.type, event.object.metadata.name]).toEqual(['ADDED', name])
    }
    end()
  })

  test('a client that goes ends its request', async () => {
    const aborted = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    routes.set('/slow', {
      handle: async ({ signal, response }) => {
        signal.addEventListener('abort', () => aborted.resolve())
        flushHead(response)
        ;(response as NodeJS.WritableStream).write('begun')
        begun.resolve()
        await aborted.promise
      },
    })
    const { stream, end } = await browser.open('GET', through('/slow'))
    stream.on('error', () => {})
    await begun.promise
    end()
    await aborted.promise
  })

  test('what a client does not read is not fetched', async () => {
    const piece = Buffer.alloc(256 * 1024)
    let writtenBytes = 0
    const full = Promise.withResolvers<void>()
    routes.set('/endless', {
      handle: async ({ response, signal }) => {
        const out = response as NodeJS.WritableStream
        while (!signal.aborted) {
          writtenBytes += piece.length
          if (out.write(piece)) continue
          const drained = once(response, 'drain', { signal }).catch(() => {})
          // Nothing goes any more: all buffers on the way are full.
          const stuck = setTimeout(() => full.resolve(), 500)
          await drained
          clearTimeout(stuck)
        }
      },
    })
    const { stream, end } = await browser.open('GET', through('/endless'))
    stream.on('error', () => {}).pause()
    await full.promise
    expect(writtenBytes).toBeLessThan(64 * 1024 * 1024)
    end()
  })

  test('the API sees the token of the session and nothing of the browser', async () => {
    routes.set('/echo', {
      handle: async ({ request, response, user }) => {
        response.setHeader('set-cookie', 'csrf-token=stolen')
        response.end(JSON.stringify({ headers: request.headers, url: request.url, user: user?.username }))
      },
    })
    const { text } = await browser.send('GET', through('/echo?a=%2F&b'), { headers: { 'x-custom': 'kept' } })
    const { headers, url, user } = JSON.parse(text)
    expect([url, user, headers.authorization]).toEqual(['/echo?a=%2F&b', 'admin', `Bearer ${delivery.token}`])
    expect(headers).not.toHaveProperty('cookie')
    expect(headers['x-custom']).toBe('kept')
  })

  test('acting as another needs the right to, as everywhere', async () => {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    const as = (user: string) => ({ 'impersonate-user': user })
    const answer = await browser.write('POST', through(path), review, as('vera'))
    expect(answer.json.status.userInfo.username).toBe('vera')
    const { token } = (
      await delivery.api.client.post('/api/v1/namespaces/default/serviceaccounts/default/token', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
      })
    ).body.status
    const weak = new Browser(delivery, protocol)
    await weak.signIn({ token })
    expect((await weak.write('POST', through(path), review, as('vera'))).code).toBe(403)
  })

  test('what the API answers has no scripts when it is opened as a page', async () => {
    routes.set('/page', {
      handle: async ({ response }) => {
        response.setHeader('content-type', 'text/html')
        response.end('<script>alert(document.cookie)</script>')
      },
    })
    for (const path of ['/page', `${configMaps}/missing`]) {
      const { headers } = await browser.send('GET', through(path))
      expect(headers).toMatchObject({
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
      })
    }
  })

  test('a session ends with its token', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    const name = `short-lived-${protocol.length}`
    await delivery.api.client.post(accounts, { metadata: { name } })
    const question = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' }
    const { token } = (await delivery.api.client.post(`${accounts}/${name}/token`, question)).body.status
    const short = new Browser(delivery, protocol)
    expect((await short.signIn({ token })).json.user.username).toBe(`system:serviceaccount:default:${name}`)
    const { stream } = await short.open('GET', through('/api?x'))
    stream.resume()
    expect((await short.send('GET', '/auth/session')).code).toBe(200)
    await delivery.api.client.delete(`${accounts}/${name}`)
    const refusal = await short.send('GET', through('/api'))
    expect([refusal.code, refusal.json.kind]).toEqual([401, 'Status'])
    expect((await short.send('GET', '/auth/session')).code).toBe(401)
  })

  test('a body is handed on as it comes', async () => {
    routes.set('/mirror', {
      handle: async ({ request, response }) => {
        flushHead(response)
        request.pipe(response as NodeJS.WritableStream)
        await once(response, 'close')
      },
    })
    const { stream, send, end } = await browser.stream('POST', through('/mirror'), {
      origin: delivery.url,
      'x-csrftoken': browser.csrfToken,
    })
    for (const word of ['one', 'two']) {
      send(word)
      const [chunk] = await once(stream, 'data')
      expect(String(chunk)).toBe(word)
    }
    end()
    await once(stream, 'end')
  })
})

describe.each(['embedded', 'proxy'] as const)('WebSockets through the console (%s)', (mode) => {
  let delivery: Delivery
  let browser: Browser
  const users: (string | undefined)[] = []
  const sockets = new WebSocketServer({ noServer: true })
  beforeAll(async () => {
    const routes = new Map<string, RawHandler>([
      [
        '/apis/sockets',
        {
          upgrade: async ({ request, socket, head, path, query, user }) => {
            if (path.endsWith('/busy')) throw failure(409, 'Conflict', 'somebody else is connected')
            users.push(user?.username)
            sockets.handleUpgrade(request, socket, head, (ws) => {
              ws.send(`hello ${query.get('name')}`)
              ws.on('message', (data) => ws.send(String(data).toUpperCase()))
            })
          },
        },
      ],
    ])
    delivery = await deliver(mode, { routes })
    browser = new Browser(delivery)
    await browser.signIn({ token: delivery.token })
  })
  afterAll(async () => {
    sockets.close()
    await delivery.close()
  })

  const open = (path: string, headers: Record<string, string>) =>
    new WebSocket(`${delivery.url.replace('https', 'wss')}${path}`, {
      ca: delivery.ca,
      headers,
      rejectUnauthorized: true,
    })
  const own = () => ({ origin: delivery.url, cookie: browser.cookie })
  const refusalOf = async (ws: WebSocket) => {
    ws.on('error', () => {})
    const [, response] = await once(ws, 'unexpected-response')
    const text: string = (await response.setEncoding('utf8').toArray()).join('')
    return [response.statusCode, JSON.parse(text).reason]
  }

  test('speak with the API as whoever has signed in', async () => {
    const ws = open('/api/kubernetes/apis/sockets/echo?name=web-1', own())
    const messages = once(ws, 'message')
    expect(String((await messages)[0])).toBe('hello web-1')
    ws.send('ping')
    expect(String((await once(ws, 'message'))[0])).toBe('PING')
    expect(users.at(-1)).toBe('admin')
    ws.close(1000, 'done')
    expect((await once(ws, 'close'))[0]).toBe(1000)
  })

  test('are told why not', async () => {
    expect(await refusalOf(open('/api/kubernetes/apis/sockets/busy', own()))).toEqual([409, 'Conflict'])
  })

  const refused: Record<string, [() => Record<string, string>, unknown[]]> = {
    'without a session': [() => ({ origin: delivery.url }), [401, 'Unauthorized']],
    'without an Origin': [() => ({ cookie: browser.cookie }), [403, 'Forbidden']],
    'of another site': [() => ({ ...own(), origin: 'https://evil.example' }), [403, 'Forbidden']],
    'under a name that is not ours': [() => ({ ...own(), host: 'rebound.example.org' }), [403, 'Forbidden']],
    'with a wrong token': [() => ({ authorization: 'Bearer wrong-token-0123456789' }), [401, 'Unauthorized']],
  }
  test.each(Object.entries(refused))('are refused %s', async (_, [headers, refusal]) => {
    const { hostname, port } = new URL(delivery.url)
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }
    const request = httpsRequest({
      hostname,
      port,
      path: '/api/kubernetes/apis/sockets/echo',
      ca: delivery.ca,
      checkServerIdentity: () => undefined,
      headers: { ...upgrade, ...headers() },
    }).end()
    const [response] = await once(request, 'response')
    const text: string = (await response.setEncoding('utf8').toArray()).join('')
    expect([response.statusCode, JSON.parse(text).reason]).toEqual(refusal)
  })

  test('need no Origin with a bearer token', async () => {
    const ws = open('/api/kubernetes/apis/sockets/echo', { authorization: `Bearer ${delivery.token}` })
    await once(ws, 'message')
    ws.terminate()
  })

  test('end the session when the API does not know its token any more', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    await delivery.api.client.post(accounts, { metadata: { name: 'gone' } })
    const question = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' }
    const { token } = (await delivery.api.client.post(`${accounts}/gone/token`, question)).body.status
    const other = new Browser(delivery)
    await other.signIn({ token })
    await delivery.api.client.delete(`${accounts}/gone`)
    const ws = open('/api/kubernetes/apis/sockets/echo', { origin: delivery.url, cookie: other.cookie })
    expect(await refusalOf(ws)).toEqual([401, 'Unauthorized'])
    expect((await other.send('GET', '/auth/session')).code).toBe(401)
  })

  test('end with the session', async () => {
    const other = new Browser(delivery)
    await other.signIn({ token: delivery.token })
    const ws = open('/api/kubernetes/apis/sockets/echo', { origin: delivery.url, cookie: other.cookie })
    ws.on('error', () => {})
    await once(ws, 'message')
    const closed = once(ws, 'close')
    await other.write('DELETE', '/auth/session')
    await closed
  })
})
