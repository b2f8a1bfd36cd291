import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Evidence, whyForged } from './forgery.ts'

const own: Evidence = {
  kind: 'write',
  host: 'localhost:9000',
  secure: false,
  origin: 'http://localhost:9000',
  referer: undefined,
  fetchSite: undefined,
  cookie: 'token',
  header: 'token',
}

const passing: Record<string, Partial<Evidence>> = {
  'a write of our own page': {},
  'the same behind a proxy with TLS': { origin: 'https://localhost:9000' },
  'the same over TLS': { secure: true, origin: 'https://localhost:9000' },
  'the default port, left out as browsers do': { host: 'console.example', origin: 'http://console.example' },
  'the default port, said': { host: 'console.example:443', secure: true, origin: 'https://console.example' },
  'a host in capitals': { host: 'LOCALHOST:9000' },
  'an IPv6 address': { host: '[::1]:9000', origin: 'http://[::1]:9000' },
  'a Referer instead of an Origin': { origin: undefined, referer: 'http://localhost:9000/k8s?x' },
  'a browser that says where it is from': { fetchSite: 'same-origin' },
  'a read without anything': { kind: 'read', origin: undefined, cookie: undefined, header: undefined },
  'a read of an address typed in': { kind: 'read', origin: undefined, fetchSite: 'none' },
  'a WebSocket of our own page': { kind: 'upgrade', cookie: undefined, header: undefined },
}
test.each(Object.entries(passing))('%s passes', (_, given) => expect(whyForged({ ...own, ...given })).toBeUndefined())

const refused: Record<string, [Partial<Evidence>, RegExp]> = {
  'another port': [{ origin: 'http://localhost:3000' }, /Origin/],
  'another name': [{ origin: 'http://127.0.0.1:9000' }, /Origin/],
  'a name that ends alike': [{ origin: 'http://evil-localhost:9000' }, /Origin/],
  'our name as a user': [{ origin: 'http://localhost:9000@evil.example' }, /Origin/],
  'plain HTTP before TLS': [{ secure: true }, /Origin/],
  'an opaque Origin': [{ origin: 'null' }, /Origin/],
  'an empty Origin': [{ origin: '' }, /Origin/],
  'another scheme': [{ origin: 'ftp://localhost:9000' }, /Origin/],
  'a good Referer beside a bad Origin': [
    { origin: 'http://evil.example', referer: 'http://localhost:9000/' },
    /Origin/,
  ],
  'the Referer of another site': [
    { origin: undefined, referer: 'http://evil.example/?http://localhost:9000' },
    /Referer/,
  ],
  'neither Origin nor Referer': [{ origin: undefined }, /neither/],
  'no cookie': [{ cookie: undefined }, /cookie/],
  'no header': [{ header: undefined }, /X-CSRFToken/],
  'another header': [{ header: 'tokem' }, /X-CSRFToken/],
  'a header that is longer': [{ header: 'token0' }, /X-CSRFToken/],
  'a read from another site': [{ kind: 'read', origin: 'http://evil.example' }, /Origin/],
  'a read from another port': [{ kind: 'read', origin: undefined, fetchSite: 'same-site' }, /Sec-Fetch-Site/],
  'a write that says it is from elsewhere': [{ fetchSite: 'cross-site' }, /Sec-Fetch-Site/],
  'a WebSocket without an Origin': [{ kind: 'upgrade', origin: undefined }, /Origin/],
  'a WebSocket with a Referer only': [
    { kind: 'upgrade', origin: undefined, referer: 'http://localhost:9000/' },
    /Origin/,
  ],
  'a WebSocket of another site': [{ kind: 'upgrade', origin: 'http://evil.example' }, /Origin/],
}
test.each(Object.entries(refused))('%s is refused', (_, [given, why]) => {
  expect(whyForged({ ...own, ...given })).toMatch(why)
})

test('whatever another site sends, a write needs the token and our Origin', () => {
  const text = fc.option(fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom(own.origin, 'token')), { nil: undefined })
  fc.assert(
    fc.property(text, text, text, text, text, (origin, referer, fetchSite, cookie, header) => {
      if (whyForged({ ...own, origin, referer, fetchSite, cookie, header }) !== undefined) return
      expect(header).toBe(cookie)
      expect(URL.parse(origin ?? referer ?? '')?.host).toBe(own.host)
    }),
    { numRuns: 1_000 },
  )
})
