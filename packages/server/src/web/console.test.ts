import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Browser, protocols } from './testing/browser.ts'
import { type Delivery, deliver } from './testing/delivery.ts'
import { indexHtml } from './testing/dist.ts'

const configMaps = '/api/kubernetes/api/v1/namespaces/default/configmaps'
const html = { accept: 'text/html' }
const hour = 3_600_000

const ways = (['embedded', 'proxy'] as const).flatMap((mode) => protocols.map((protocol) => ({ mode, protocol })))

describe.each(ways)('the console ($mode, $protocol)', ({ mode, protocol }) => {
  let delivery: Delivery
  let browser: Browser
  beforeAll(async () => {
    delivery = await deliver(mode)
  })
  afterAll(() => delivery.close())
  beforeEach(() => {
    browser = new Browser(delivery, protocol)
    // What one test has used up shall not be missing in the next.
    delivery.clock.now = new Date(delivery.clock.now.getTime() + 60_000)
  })

  const status = ({ code, json }: { code: number; json?: { kind?: string; reason?: string } }) => [
    code,
    json?.kind,
    json?.reason,
  ]
  const unauthorized = [401, 'Status', 'Unauthorized']
  const forbidden = [403, 'Status', 'Forbidden']
  const newLink = async () => {
    const headers = { authorization: `Bearer ${delivery.token}` }
    const { json } = await new Browser(delivery, protocol).send('POST', '/auth/links', { headers })
    return json as { code: string; url: string; expires: string }
  }

  describe('pages', () => {
    test.each(['/', '/k8s/ns/default/kubevirt.io~v1~VirtualMachine/a', '/sign-in', '/settings?x=/api'])(
      '%s is the application for a browser',
      async (path) => {
        const page = await browser.visit(path)
        expect([page.code, page.text, page.headers['content-type']]).toEqual([
          200,
          indexHtml,
          'text/html; charset=utf-8',
        ])
        expect(page.headers['cache-control']).toBe('no-cache')
      },
    )

    test('may do only what the console needs', async () => {
      const { headers } = await browser.visit()
      expect(headers['content-security-policy']).toBe(
        `default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' wss://${new URL(delivery.url).host}; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'`,
      )
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'x-frame-options': 'DENY',
      })
      expect(headers).not.toHaveProperty('strict-transport-security')
    })

    test('are for TLS only once they are known by a name', async () => {
      const { headers } = await browser.send('GET', '/', { headers: { ...html, host: 'console.example.com' } })
      expect(headers['strict-transport-security']).toBe('max-age=31536000')
    })

    test('set a CSRF token that scripts can read and no other site sends, and keep it', async () => {
      await browser.visit()
      expect(browser.setCookies).toEqual([
        expect.stringMatching(/^csrf-token=[\w-]{43}; Path=\/; SameSite=Strict; Secure$/),
      ])
      const { csrfToken } = browser
      await browser.visit('/sign-in')
      expect(browser.setCookies).toEqual([])
      browser.cookies.set('csrf-token', 'x')
      await browser.visit()
      expect(browser.csrfToken).toMatch(/^[\w-]{43}$/)
      expect(browser.csrfToken).not.toBe(csrfToken)
    })

    test('the CSRF token is also there for who is no browser', async () => {
      const page = await browser.send('GET', '/', { headers: { accept: '*/*' } })
      expect(browser.csrfToken).toMatch(/^[\w-]{43}$/)
      expect(page.text === indexHtml).toBe(mode === 'proxy')
    })

    test('are not shown under a name that is not ours', async () => {
      const page = await browser.send('GET', '/', { headers: { ...html, host: 'rebound.example.org' } })
      expect([page.code, browser.cookies.size]).toEqual([403, 0])
      expect(page.text).toContain('--console-host')
    })

    test('HEAD tells of a page what GET would', async () => {
      const [got, asked] = [await browser.visit(), await browser.send('HEAD', '/', { headers: html })]
      expect([asked.code, asked.text, asked.headers['content-length']]).toEqual([
        200,
        '',
        got.headers['content-length'],
      ])
    })
  })

  describe('files', () => {
    test('are kept by browsers for ever', async () => {
      const { code, headers, text } = await browser.send('GET', '/assets/main-1a2b.js')
      expect([code, headers['content-type'], headers['cache-control'], headers['content-encoding']]).toEqual([
        200,
        'text/javascript; charset=utf-8',
        'public, max-age=31536000, immutable',
        undefined,
      ])
      expect(text).toContain('a script')
    })

    test.each([
      '/assets/../../secret.js',
      '/assets/..%2f..%2fsecret.js',
      '/assets/%2e%2e/%2e%2e/secret.js',
      '/assets/..\\..\\secret.js',
      '/assets//etc/passwd',
      '/assets/.stamp',
      '/.stamp',
      '/assets/',
      '/assets',
      '/assets/main-1a2b.js/x',
      '/assets/missing.js',
      '/missing.svg',
    ])('%s leads nowhere', async (path) => {
      const { code, text } = await browser.send('GET', path)
      expect(code).toBeGreaterThanOrEqual(400)
      expect(text).not.toContain('not to be seen')
    })

    test('can only be read', async () => {
      const answer = await browser.write('PUT', '/assets/main-1a2b.js', {})
      expect([status(answer), answer.headers.allow]).toEqual([[405, 'Status', 'MethodNotAllowed'], 'GET, HEAD'])
    })
  })

  describe('signing in', () => {
    test('by token begins a session in a cookie that no script can read and no other site sends', async () => {
      const answer = await browser.signIn({ token: delivery.token })
      expect([answer.code, answer.json]).toEqual([
        201,
        {
          user: { username: 'admin', groups: ['system:masters', 'system:authenticated'] },
          expires: new Date(delivery.clock.now.getTime() + 12 * hour).toISOString(),
          mode,
        },
      ])
      const { port } = new URL(delivery.url)
      expect(browser.setCookies).toEqual([
        expect.stringMatching(
          new RegExp(
            `^__Host-stillpoint-session-${port}=[\\w-]{43}; Path=/; SameSite=Strict; HttpOnly; Secure; Max-Age=43200$`,
          ),
        ),
      ])
      expect(JSON.stringify([answer.headers, answer.text, browser.cookie])).not.toContain(delivery.token)
      expect((await browser.send('GET', '/auth/session')).json).toEqual(answer.json)
      expect((await browser.send('GET', configMaps)).json.kind).toBe('ConfigMapList')
    })

    test('by a link works once', async () => {
      const link = await newLink()
      expect(link.url).toBe(`${delivery.url}/sign-in#code=${link.code}`)
      expect((await browser.signIn({ code: link.code })).code).toBe(201)
      expect((await browser.send('GET', configMaps)).code).toBe(200)
      expect(status(await new Browser(delivery, protocol).signIn({ code: link.code }))).toEqual(unauthorized)
    })

    test('by a link works for ten minutes', async () => {
      const [late, inTime] = [await newLink(), await newLink()]
      delivery.clock.now = new Date(delivery.clock.now.getTime() + 10 * 60_000 - 1)
      expect((await browser.signIn({ code: inTime.code })).code).toBe(201)
      delivery.clock.now = new Date(delivery.clock.now.getTime() + 1)
      expect(new Date(late.expires)).toEqual(delivery.clock.now)
      expect(status(await new Browser(delivery, protocol).signIn({ code: late.code }))).toEqual(unauthorized)
    })

    test('a link is made for a good bearer token only', async () => {
      await browser.signIn({ token: delivery.token })
      expect(status(await browser.write('POST', '/auth/links'))).toEqual(unauthorized)
      const headers = { authorization: 'Bearer wrong-token-0123456789' }
      expect(status(await browser.send('POST', '/auth/links', { headers }))).toEqual(unauthorized)
    })

    test('with a wrong token is refused, and at last slowed down', async () => {
      await browser.visit()
      const attempt = () => browser.write('POST', '/auth/session', { token: 'wrong-token-0123456789' })
      for (let at = 0; at < 10; at++) expect(status(await attempt())).toEqual(unauthorized)
      const slowed = await attempt()
      expect([...status(slowed), slowed.headers['retry-after']]).toEqual([429, 'Status', 'TooManyRequests', '3'])
      expect(status(await browser.signIn({ token: delivery.token }))[0]).toBe(429)
      delivery.clock.now = new Date(delivery.clock.now.getTime() + 3_000)
      expect((await browser.signIn({ token: delivery.token })).code).toBe(201)
      expect((await browser.signIn({ token: delivery.token })).code).toBe(201)
    })

    const bodies: Record<string, [body: unknown, code: number]> = {
      'a body that is too large': [{ token: 'x'.repeat(8 * 1024) }, 413],
      'no JSON': ['{', 400],
      'neither token nor code': [{}, 400],
      'both token and code': [{ token: 'x', code: 'y' }, 400],
      'a token that no header can carry': [{ token: 'a\r\nb' }, 400],
    }
    test.each(Object.entries(bodies))('%s is refused', async (_, [body, code]) => {
      await browser.visit()
      const answer = await browser.write('POST', '/auth/session', body)
      expect([answer.code, answer.json.kind]).toEqual([code, 'Status'])
    })

    test('a form is no sign-in', async () => {
      await browser.visit()
      const type = { 'content-type': 'text/plain' }
      const answer = await browser.write('POST', '/auth/session', { token: delivery.token }, type)
      expect(status(answer)).toEqual([415, 'Status', 'UnsupportedMediaType'])
    })

    test('by another site is refused', async () => {
      await browser.visit()
      const origin = { origin: 'https://evil.example' }
      expect(status(await browser.write('POST', '/auth/session', { token: delivery.token }, origin))).toEqual(forbidden)
    })

    test('again ends the session before', async () => {
      await browser.signIn({ token: delivery.token })
      const { cookie } = browser
      await browser.signIn({ token: delivery.token })
      expect(status(await browser.send('GET', configMaps, { headers: { cookie } }))).toEqual(unauthorized)
    })
  })

  describe('without a session', () => {
    test.each([
      ['GET', configMaps],
      ['GET', '/api/kubernetes/version'],
      ['POST', configMaps],
      ['DELETE', `${configMaps}/x`],
    ])('%s %s is refused', async (method, path) => {
      await browser.visit()
      expect(status(await browser.write(method, path))).toEqual(unauthorized)
    })

    test('the server tells how one can sign in, and nothing else', async () => {
      const { code, json } = await browser.send('GET', '/auth/session')
      expect([code, json]).toEqual([401, expect.objectContaining({ kind: 'Status', reason: 'Unauthorized', mode })])
    })

    test('a made-up session is none', async () => {
      const cookie = `__Host-stillpoint-session-${new URL(delivery.url).port}=${'A'.repeat(43)}`
      expect(status(await browser.send('GET', configMaps, { headers: { cookie } }))).toEqual(unauthorized)
    })

    test('a bearer token is enough, and needs neither Origin nor CSRF token', async () => {
      const headers = { authorization: `Bearer ${delivery.token}` }
      const body = { metadata: { generateName: 'bearer-' } }
      expect((await browser.send('POST', configMaps, { headers, body })).code).toBe(201)
      const wrong = { authorization: 'Bearer wrong-token-0123456789' }
      expect(status(await browser.send('GET', configMaps, { headers: wrong }))).toEqual(unauthorized)
    })
  })

  describe('a session', () => {
    beforeEach(async () => {
      await browser.signIn({ token: delivery.token })
    })
    const write = (headers: Record<string, string>) =>
      browser.send('POST', configMaps, { headers, body: { metadata: { generateName: 'session-' } } })

    test('writes with Origin and CSRF token', async () => {
      expect((await write({ origin: delivery.url, 'x-csrftoken': browser.csrfToken })).code).toBe(201)
      expect((await write({ referer: `${delivery.url}/k8s/x`, 'x-csrftoken': browser.csrfToken })).code).toBe(201)
    })

    const forged: Record<string, (own: { origin: string; token: string; port: string }) => Record<string, string>> = {
      'no CSRF token': ({ origin }) => ({ origin }),
      'an empty CSRF token': ({ origin }) => ({ origin, 'x-csrftoken': '' }),
      'another CSRF token': ({ origin, token }) => ({ origin, 'x-csrftoken': token.toUpperCase() }),
      'a CSRF cookie of two values': ({ origin, token }) => ({
        origin,
        'x-csrftoken': 'x',
        cookie: `${browser.cookie}; csrf-token=x; csrf-token=${token}`,
      }),
      'no Origin': ({ token }) => ({ 'x-csrftoken': token }),
      'the Origin of another site': ({ token }) => ({ origin: 'https://evil.example', 'x-csrftoken': token }),
      'the Origin of another port': ({ token }) => ({ origin: 'https://127.0.0.1:1', 'x-csrftoken': token }),
      'an Origin without TLS': ({ token, port }) => ({ origin: `http://127.0.0.1:${port}`, 'x-csrftoken': token }),
      'an Origin that hides itself': ({ token }) => ({ origin: 'null', 'x-csrftoken': token }),
      'the Referer of another site': ({ token }) => ({ referer: 'https://evil.example/', 'x-csrftoken': token }),
      'a page of the same site': ({ origin, token }) => ({
        origin,
        'x-csrftoken': token,
        'sec-fetch-site': 'same-site',
      }),
    }
    test.each(Object.entries(forged))('does not write with %s', async (_, headersOf) => {
      const own = { origin: delivery.url, token: browser.csrfToken, port: new URL(delivery.url).port }
      expect(status(await write(headersOf(own)))).toEqual(forbidden)
    })

    test('is not read by other sites', async () => {
      for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }])
        for (const path of [configMaps, '/auth/session'])
          expect(status(await browser.send('GET', path, { headers }))).toEqual(forbidden)
    })

    test('is not taken under a name that is not ours, even with all else right', async () => {
      const host = 'rebound.example.org'
      const answer = await write({ host, origin: `https://${host}`, 'x-csrftoken': browser.csrfToken })
      expect(status(answer)).toEqual(forbidden)
      expect(answer.json.message).toContain('--console-host')
      const read = await browser.send('GET', configMaps, { headers: { host } })
      expect(status(read)).toEqual(forbidden)
    })

    test('ends by signing out', async () => {
      const { cookie } = browser
      expect(status(await browser.send('DELETE', '/auth/session'))).toEqual(forbidden)
      expect((await browser.write('DELETE', '/auth/session')).json).toMatchObject({ kind: 'Status', status: 'Success' })
      expect(browser.setCookies[0]).toMatch(/^__Host-stillpoint-session-\d+=; .*Max-Age=0$/)
      expect(status(await browser.send('GET', configMaps, { headers: { cookie } }))).toEqual(unauthorized)
      expect((await browser.write('DELETE', '/auth/session')).code).toBe(200)
    })

    test('takes its watches with it', async () => {
      const { stream } = await browser.open('GET', `${configMaps}?watch=1`)
      const { promise: ended, resolve } = Promise.withResolvers<void>()
      stream
        .on('error', () => resolve())
        .on('end', resolve)
        .on('close', resolve)
        .resume()
      await browser.write('DELETE', '/auth/session')
      await ended
    })

    test('ends after an hour unused', async () => {
      delivery.clock.now = new Date(delivery.clock.now.getTime() + hour - 1)
      expect((await browser.send('GET', configMaps)).code).toBe(200)
      delivery.clock.now = new Date(delivery.clock.now.getTime() + hour)
      expect(status(await browser.send('GET', configMaps))).toEqual(unauthorized)
    })

    test('ends after twelve hours, however much it is used', async () => {
      for (let at = 0; at < 13; at++) {
        delivery.clock.now = new Date(delivery.clock.now.getTime() + hour - 10 * 60_000)
        expect((await browser.send('GET', configMaps)).code).toBe(200)
      }
      delivery.clock.now = new Date(delivery.clock.now.getTime() + 75 * 60_000 - 5 * 60_000)
      expect(status(await browser.send('GET', configMaps))).toEqual(unauthorized)
    })

    test.each(['/api/kubernetes/%2e%2e/x', '/api/kubernetes/api/../x', '/api/kubernetes/a%00', '/api/kubernetes/%ff'])(
      '%s is not handed on',
      async (path) => {
        expect(status(await browser.send('GET', path))).toEqual([400, 'Status', 'BadRequest'])
      },
    )
  })

  test.each([
    ['GET', '/auth/nowhere', 404],
    ['PUT', '/auth/session', 405],
    ['GET', '/auth/links', 405],
  ])('%s %s is %i, in the words of Kubernetes', async (method, path, code) => {
    const answer = await browser.send(method, path)
    expect([answer.code, answer.json.kind]).toEqual([code, 'Status'])
  })
})
