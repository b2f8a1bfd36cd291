import { timingSafeEqual } from 'node:crypto'
import { digestOf } from './secrets.ts'

/** What tells whether a request that a browser sends with our cookie was made by our own pages. */
export interface Evidence {
  kind: 'read' | 'write' | 'upgrade'
  /** `Host`, which is known to be ours. */
  host: string
  /** Whether the request came over TLS. */
  secure: boolean
  origin: string | undefined
  referer: string | undefined
  /** `Sec-Fetch-Site`, which browsers send and pages cannot change. */
  fetchSite: string | undefined
  /** `csrf-token` and `X-CSRFToken`. */
  cookie: string | undefined
  header: string | undefined
}

/** Why a request may have been made by another site; undefined when it was our own page for certain enough. */
export function whyForged(evidence: Evidence): string | undefined {
  const { kind, origin, referer, fetchSite, cookie, header } = evidence
  // Another port of this host counts as the same site, so that SameSite does not keep its pages out.
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none')
    return `it comes from another site (Sec-Fetch-Site: ${printable(fetchSite)})`
  if (origin !== undefined && !isOwn(origin, evidence)) return `its Origin ${printable(origin)} is not this server`
  if (kind === 'read') return undefined
  if (kind === 'upgrade') return origin === undefined ? 'it has no Origin' : undefined
  if (origin === undefined && !isOwn(referer, evidence))
    return referer === undefined ? 'it has neither Origin nor Referer' : 'its Referer is not this server'
  if (cookie === undefined) return 'the cookie csrf-token is missing; load the page again'
  if (header === undefined || !isSame(cookie, header))
    return 'its header X-CSRFToken is not the value of the cookie csrf-token'
  return undefined
}

/** Whether an address is on our own host and port. Before us there may be a proxy with TLS, but not the reverse. */
function isOwn(address: string | undefined, { host, secure }: Evidence): boolean {
  const url = URL.parse(address ?? '')
  if (url === null || (url.protocol !== 'https:' && (secure || url.protocol !== 'http:'))) return false
  return url.host === URL.parse(`${url.protocol}//${host}`)?.host
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(digestOf(one)), Buffer.from(digestOf(other)))
}

function printable(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}
