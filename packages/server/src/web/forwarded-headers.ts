import type { IncomingHttpHeaders } from 'node:http'

type Headers = Record<string, string | string[]>

/** Meant for the next hop only (RFC 9110, 7.6.1). */
const hopByHop = [
  ...['connection', 'http2-settings', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
]
/** Between the browser and us, and nobody else's business. */
const oursOnly = ['cookie', 'expect', 'forwarded', 'host', 'origin', 'referer', 'via', 'x-csrftoken', 'x-real-ip']
/** A proxy that an API server trusts says with these who its client is. We are not the client's to speak through. */
const ofProxies = /^(?:x-forwarded-|x-remote-|sec-fetch-|:)/
/** What the browser would take for ours, or that we say ourselves. */
const notFromBehind = [
  ...['alt-svc', 'content-security-policy', 'content-security-policy-report-only', 'cross-origin-resource-policy'],
  ...['set-cookie', 'strict-transport-security', 'x-content-type-options'],
]
const ofOrigins = /^access-control-/

/** What the API is sent of a request's headers, without `authorization`. */
export function headersBehind(headers: IncomingHttpHeaders): Headers {
  const left = [...hopByHop, ...oursOnly, 'authorization', ...namedBy(headers.connection)]
  return pickHeaders(headers, (name) => !left.includes(name) && !ofProxies.test(name))
}

/** What the browser is sent of an answer's headers. */
export function headersBefore(headers: NodeJS.Dict<string[]>): Headers {
  const left = [...hopByHop, ...notFromBehind, ...namedBy(headers.connection?.join())]
  return pickHeaders(headers, (name) => !left.includes(name) && !ofOrigins.test(name))
}

/** An address of the API, as the browser must ask for it. */
export function locationBefore(location: string, server: string, prefix: string): string {
  const path = location.startsWith(`${server}/`) ? location.slice(server.length) : location
  return path.startsWith('/') && !path.startsWith('//') ? prefix + path : location
}

function pickHeaders(headers: NodeJS.Dict<string | string[]>, wanted: (name: string) => boolean): Headers {
  const picked: Headers = {}
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && wanted(name))
      picked[name] = Array.isArray(value) && value.length === 1 ? (value[0] ?? '') : value
  return picked
}

function namedBy(connection: string | undefined): string[] {
  return (connection ?? '').split(',').map((name) => name.trim().toLowerCase())
}
