import { failure } from '@stillpoint/api/meta/status-error'
import type { HttpRequest } from '../apiserver/http/body.ts'
import { parseCookies, setCookie } from './cookies.ts'
import { type Evidence, whyForged } from './forgery.ts'
import { type HostRule, isOwnHost, parseHost } from './own-hosts.ts'
import { isSecret, newSecret } from './secrets.ts'
import type { Place } from './security-headers.ts'

const csrfCookie = 'csrf-token'

/** A request as a browser may have made it. */
export interface Visit extends Place {
  request: HttpRequest
  cookies: ReadonlyMap<string, string>
}

export function visitOf(request: HttpRequest, { hosts, secure }: { hosts: HostRule; secure: boolean }): Visit {
  const host = String(request.headers[':authority'] ?? request.headers.host ?? '').toLowerCase()
  return {
    request,
    cookies: parseCookies(request.headers.cookie),
    host: isOwnHost(hosts, host, request.socket.localAddress) ? host : undefined,
    secure,
  }
}

/** The host, which must be ours: 403 otherwise. */
export function ownHost({ host }: Visit): string {
  if (host !== undefined) return host
  throw failure(403, 'Forbidden', 'this server is not known by the name in Host; start it with --console-host NAME')
}

/** 403 for what another site may have made the browser send. */
export function mustBeOurs(visit: Visit, kind: Evidence['kind']): void {
  const { headers } = visit.request
  const single = (value: string | string[] | undefined) => (value === undefined ? undefined : String(value))
  const why = whyForged({
    kind,
    host: ownHost(visit),
    secure: visit.secure,
    origin: headers.origin,
    referer: headers.referer,
    fetchSite: single(headers['sec-fetch-site']),
    cookie: visit.cookies.get(csrfCookie),
    header: single(headers['x-csrftoken']),
  })
  if (why !== undefined) throw failure(403, 'Forbidden', `the request is refused: ${why}`)
}

export function originOf(visit: Visit): string {
  return `${visit.secure ? 'https' : 'http'}://${ownHost(visit)}`
}

/** The `Set-Cookie` that gives a browser its CSRF token; undefined when it has one. */
export function newCsrfCookie({ cookies, secure }: Visit): string | undefined {
  return isSecret(cookies.get(csrfCookie)) ? undefined : setCookie(csrfCookie, newSecret(), { secure, httpOnly: false })
}

/** The secret of the session a browser comes with. */
export function sessionSecret(visit: Visit): string | undefined {
  return visit.cookies.get(sessionCookie(visit))
}

/** Gives a browser the secret of its session, or takes it away. */
export function newSessionCookie(visit: Visit, secret: string | undefined, maxAgeMs: number): string {
  const maxAgeSeconds = secret === undefined ? 0 : maxAgeMs / 1_000
  return setCookie(sessionCookie(visit), secret ?? '', { secure: visit.secure, httpOnly: true, maxAgeSeconds })
}

// Browsers send a cookie to all ports of a host: two consoles on one must not take each other's. With the prefix
// no page but one of ours, over TLS, can set it.
function sessionCookie(visit: Visit): string {
  const port = parseHost(ownHost(visit))?.port ?? (visit.secure ? 443 : 80)
  return `${visit.secure ? '__Host-' : ''}stillpoint-session-${port}`
}
