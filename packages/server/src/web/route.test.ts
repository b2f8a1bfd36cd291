import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Route, routeOf } from './route.ts'

const html = 'text/html,application/xhtml+xml,*/*;q=0.8'
const any = '*/*'

const cases: [method: string, url: string, accept: string | undefined, Route][] = [
  ['GET', '/', html, { to: 'page' }],
  ['HEAD', '/k8s/ns/a/b~v1~C/d?tab=x', html, { to: 'page' }],
  ['GET', '/', any, { to: 'elsewhere' }],
  ['GET', '/', undefined, { to: 'elsewhere' }],
  ['GET', '/', 'application/json, text/html;q=0', { to: 'elsewhere' }],
  ['POST', '/', html, { to: 'elsewhere' }],
  ...[
    '/api',
    '/api/v1',
    '/apis/x',
    '/openapi/v3',
    '/version',
    '/healthz',
    '/livez/ping',
    '/metrics',
    '/v1beta1/upload',
  ].map((url): [string, string, string, Route] => ['GET', url, html, { to: 'elsewhere' }]),
  ['GET', '/apiary', html, { to: 'page' }],
  ['GET', '/api/kubernetesque', html, { to: 'elsewhere' }],
  ['GET', '/api/kubernetes', html, { to: 'kubernetes', url: '/' }],
  ['GET', '/api/kubernetes/', html, { to: 'kubernetes', url: '/' }],
  ['PUT', '/api/kubernetes?a=b', html, { to: 'kubernetes', url: '/?a=b' }],
  ['DELETE', '/api/kubernetes/api/v1?x=/../&y=%2e', any, { to: 'kubernetes', url: '/api/v1?x=/../&y=%2e' }],
  ['GET', '/api/kubernetes/a//b', any, { to: 'kubernetes', url: '/a//b' }],
  ['GET', '/api/kubernetes//evil.example/', any, { to: 'kubernetes', url: '//evil.example/' }],
  ['GET', '/assets/a-1.js', any, { to: 'file', name: 'assets/a-1.js' }],
  ['GET', '/assets/../x', html, { to: 'elsewhere' }],
  ['GET', '/icon.svg', html, { to: 'file', name: 'icon.svg' }],
  ['GET', '/index.html', html, { to: 'page' }],
  ['GET', '/.env', html, { to: 'page' }],
  ['GET', '/auth/session', html, { to: 'auth', path: '/auth/session' }],
  ['GET', 'http://evil.example/', html, { to: 'elsewhere' }],
  ['OPTIONS', '*', html, { to: 'elsewhere' }],
]
test.each(cases)('%s %s (%s)', (method, url, accept, route) => {
  expect(routeOf(method, url, accept)).toEqual(route)
})

describe('paths that another server could shorten are not handed on', () => {
  test.each([
    '..',
    '.',
    '%2e%2e',
    '.%2E',
    '%2f..%2f',
    '..%2fx',
    '%5c..%5c',
    '\\',
    '%00',
    '%0d%0a',
    '%',
    '%ff',
    ' ',
    '#',
    'é',
  ])('%s', (part) => {
    expect(routeOf('GET', `/api/kubernetes/api/${part}/x`, any)).toMatchObject({ to: 'nowhere' })
  })
})

const parts = fc.constantFrom(
  '/',
  '.',
  '..',
  '%2e',
  '%2f',
  '%5c',
  '\\',
  'api',
  'kubernetes',
  'assets',
  'auth',
  'a',
  '~',
  '%00',
  '?',
  '#',
  ';',
)
const paths = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(parts, { maxLength: 12 }).map((found) => `/${found.join('')}`),
)

test('no path leads out of the bundle', () => {
  fc.assert(
    fc.property(paths, fc.constantFrom('', '/assets/', '/'), (path, prefix) => {
      const route = routeOf('GET', prefix + path, html)
      if (route.to === 'file') expect(route.name).toMatch(/^(?:assets\/)?[A-Za-z0-9_-][A-Za-z0-9._-]*$/)
    }),
    { numRuns: 2_000 },
  )
})

test('no path is handed on that means another one after all is decoded', () => {
  fc.assert(
    fc.property(paths, (path) => {
      const route = routeOf('GET', `/api/kubernetes/${path}`, any)
      if (route.to !== 'kubernetes') return
      const [behind = ''] = route.url.split('?')
      const decoded = decodeURIComponent(behind)
      expect(new URL(`http://x/${decoded}`).pathname.split('/').some((part) => part === '..')).toBe(false)
      expect(decoded.split(/[/\\]/)).not.toContain('..')
      expect(decoded.split(/[/\\]/)).not.toContain('.')
      expect(behind).toMatch(/^\/[\x21-\x7e]*$/)
    }),
    { numRuns: 2_000 },
  )
})
