import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeClient } from '../apiserver/pki/issue.ts'
import { startTestServer } from '../apiserver/testing/server.ts'
import type { Connection } from '../kube/transport.ts'
import { Browser } from './testing/browser.ts'
import { makeDist } from './testing/dist.ts'
import { startFront } from './testing/front.ts'

const dist = await makeDist()
const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
const reviewPath = '/apis/authentication.k8s.io/v1/selfsubjectreviews'

/** A browser and a console over plain HTTP before an API. */
async function before(connection: Partial<Connection> & { server: string }) {
  const front = await startFront({ authorize: () => ({}), ...connection }, { dist })
  return { ...front, browser: new Browser(front) }
}

describe('before an API that is made up', () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void
  let behind: Server
  let server: string
  let front: Awaited<ReturnType<typeof before>>
  const bearer = { authorization: 'Bearer x' }
  const get = (path: string, headers: Record<string, string> = {}) =>
    front.browser.send('GET', `/api/kubernetes${path}`, { headers: { ...bearer, ...headers } })

  beforeEach(async () => {
    behind = createServer((request, response) => answer(request, response))
    behind.listen(0, '127.0.0.1')
    await once(behind, 'listening')
    server = `http://127.0.0.1:${(behind.address() as AddressInfo).port}`
    front = await before({ server: `${server}/clusters/a/` })
  })
  afterEach(async () => {
    await front.close()
    behind.closeAllConnections()
    behind.close()
  })

  test('what the browser and proxies say of it stays here, what is for the API goes there', async () => {
    let seen: IncomingMessage | undefined
    answer = (request, response) => {
      seen = request
      response.end('{}')
    }
    const sent = {
      accept: 'application/json;as=Table',
      connection: 'keep-alive, x-hop',
      cookie: 'csrf-token=a',
      forwarded: 'for=1.2.3.4',
      origin: 'http://127.0.0.1',
      referer: 'http://127.0.0.1/x',
      'impersonate-user': 'vera',
      'proxy-authorization': 'Basic x',
      'sec-fetch-site': 'same-origin',
      te: 'trailers',
      'x-csrftoken': 'a',
      'x-forwarded-for': '1.2.3.4',
      'x-hop': 'by hop',
      'x-remote-group': 'system:masters',
      'x-remote-user': 'admin',
    }
    await get('/api/v1/pods?x=a%20b', sent)
    expect([seen?.method, seen?.url]).toEqual(['GET', '/clusters/a/api/v1/pods?x=a%20b'])
    const { host, connection, ...headers } = seen?.headers ?? {}
    expect([host, connection]).toEqual([new URL(server).host, 'keep-alive'])
    expect(headers).toEqual({ accept: sent.accept, authorization: 'Bearer x', 'impersonate-user': 'vera' })
  })

  test('what the API answers cannot pass for an answer of the console', async () => {
    answer = (_, response) =>
      response
        .writeHead(200, {
          'access-control-allow-origin': '*',
          'content-security-policy': "default-src 'unsafe-inline'",
          'content-type': 'text/html',
          'set-cookie': ['csrf-token=stolen', 'stillpoint-session-80=stolen'],
          'strict-transport-security': 'max-age=1',
          'x-many': ['a', 'b'],
        })
        .end('<script></script>')
    const { headers } = await get('/page')
    expect(headers['content-security-policy']).toContain('sandbox')
    expect(headers['x-many']).toBe('a, b')
    for (const name of ['access-control-allow-origin', 'set-cookie', 'strict-transport-security'])
      expect(headers).not.toHaveProperty(name)
  })

  test.each([
    ['/openapi/v3/api/v1?hash=1', '/api/kubernetes/openapi/v3/api/v1?hash=1'],
    ['SERVER/clusters/a/version', '/api/kubernetes/version'],
    ['//elsewhere.example/', '//elsewhere.example/'],
    ['https://elsewhere.example/', 'https://elsewhere.example/'],
  ])('a redirection to %s leads to %s', async (location, expected) => {
    answer = (_, response) => response.writeHead(301, { location: location.replace('SERVER', server) }).end()
    const { code, headers } = await get('/x')
    expect([code, headers.location]).toEqual([301, expected])
  })

  test('a read on a connection that is gone is repeated on another, a write is not', async () => {
    const used = new Set<unknown>()
    const seen: (string | undefined)[] = []
    answer = (request, response) => {
      seen.push(request.method)
      if (used.has(request.socket)) request.socket.destroy()
      else request.resume().on('end', () => response.end('{}'))
      used.add(request.socket)
    }
    expect([(await get('/a')).code, (await get('/b')).code]).toEqual([200, 200])
    expect(seen).toEqual(['GET', 'GET', 'GET'])
    const write = { headers: bearer, body: {} }
    const refusal = await front.browser.send('POST', '/api/kubernetes/c', write)
    expect([refusal.code, refusal.json.reason]).toEqual([503, 'ServiceUnavailable'])
    expect(seen.slice(3)).toEqual(['POST'])
  })

  test('an answer that breaks off breaks off here, too', async () => {
    answer = ({ socket }, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('half', () => socket.destroy())
    }
    await expect(get('/x')).rejects.toThrow()
  })

  test('an API that is away is told so, in its own words', async () => {
    behind.closeAllConnections()
    behind.close()
    await once(behind, 'close')
    const { code, json } = await get('/version')
    expect([code, json.kind, json.reason]).toEqual([503, 'Status', 'ServiceUnavailable'])
    expect(json.message).toContain(server)
    expect((await front.browser.signIn({ token: 'x' })).code).toBe(503)
  })

  test('an API that cannot tell whose a token is, is said to be too old', async () => {
    answer = (_, response) => response.writeHead(404).end('404 page not found')
    const { code, json } = await front.browser.signIn({ token: 'x' })
    expect([code, json.message]).toEqual([501, expect.stringContaining('1.28')])
  })

  test('there is nothing but the console', async () => {
    for (const path of ['/api/v1/namespaces', '/version', '/metrics', '/nowhere']) {
      const { code, json } = await front.browser.send('GET', path)
      expect([path, code, json.kind]).toEqual([path, 404, 'Status'])
    }
  })

  test('without TLS, cookies can be set without it', async () => {
    await front.browser.visit()
    expect(front.browser.setCookies).toEqual([
      expect.stringMatching(/^csrf-token=[\w-]{43}; Path=\/; SameSite=Strict$/),
    ])
  })
})

test('a client certificate in the kubeconfig is shown for its owner alone', async () => {
  const api = await startTestServer()
  const [cert, key] = await Promise.all(
    ['ca.crt', 'ca.key'].map((name) => readFile(join(api.dataDir, 'pki', name), 'utf8')),
  )
  const now = new Date()
  const owner = await makeClient(
    { cert: cert ?? '', key: key ?? '' },
    { user: 'olga', groups: ['owners'] },
    now,
    new Date(now.getTime() + 60_000),
  )
  const { console: served, browser, close } = await before({ server: api.server.url, ca: api.server.ca, ...owner })
  try {
    const who = async () =>
      (await browser.write('POST', `/api/kubernetes${reviewPath}`, review)).json.status.userInfo.username
    const bearer = { authorization: `Bearer ${api.server.adminToken}` }
    expect((await browser.signIn({ code: served.link({ kind: 'kubeconfig' }).code })).json.user).toEqual({
      username: 'olga',
      groups: ['owners', 'system:authenticated'],
    })
    expect(await who()).toBe('olga')
    expect((await browser.signIn({ token: api.server.adminToken })).json.user.username).toBe('admin')
    expect(await who()).toBe('admin')
    const answer = await browser.send('POST', `/api/kubernetes${reviewPath}`, { headers: bearer, body: review })
    expect(answer.json.status.userInfo.username).toBe('admin')
    const strange = { authorization: 'Bearer wrong-token-0123456789' }
    expect((await browser.send('GET', '/api/kubernetes/api', { headers: strange })).code).toBe(401)
  } finally {
    await close()
    await api.close()
  }
})
