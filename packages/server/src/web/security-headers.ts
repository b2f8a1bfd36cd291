import type { HttpResponse } from '../apiserver/http/answer.ts'
import { isLoopback, parseHost } from './own-hosts.ts'

const yearSeconds = 365 * 24 * 3_600

export interface Place {
  /** `Host`; undefined when it is not ours. */
  host: string | undefined
  secure: boolean
}

/** For pages and files of the console, and for its own answers. */
export function secureOwn(response: HttpResponse, place: Place): void {
  response.setHeader('Content-Security-Policy', pagePolicy(place))
  response.setHeader('Referrer-Policy', 'same-origin')
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
  response.setHeader('X-Frame-Options', 'DENY')
  secureAny(response, place)
}

/**
 * For what the Kubernetes API answers, in which somebody else may have written. Shown as a page of its own it has no
 * origin and no scripts, so that it cannot do anything with the session.
 */
export function secureForwarded(response: HttpResponse, place: Place): void {
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox")
  secureAny(response, place)
}

function secureAny(response: HttpResponse, { host, secure }: Place): void {
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin')
  const name = parseHost(host)?.name
  if (secure && name !== undefined && !isLoopback(name))
    response.setHeader('Strict-Transport-Security', `max-age=${yearSeconds}`)
}

function pagePolicy({ host, secure }: Place): string {
  // Older browsers do not take WebSockets for 'self'.
  const sockets = host === undefined ? '' : ` ${secure ? 'wss' : 'ws'}://${host}`
  return [
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    `connect-src 'self'${sockets}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "object-src 'none'",
  ].join('; ')
}
