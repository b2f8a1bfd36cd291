const cookieName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * The cookies of a request. A name that comes with two different values is left out: one of them was set by somebody
 * else, on another port or for a parent domain, and nobody can tell which.
 */
export function parseCookies(header: string | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const contested = new Set<string>()
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=')
    const name = part.slice(0, Math.max(at, 0)).trim()
    const value = part.slice(at + 1).trim()
    if (!cookieName.test(name)) continue
    if (found.has(name) && found.get(name) !== value) contested.add(name)
    found.set(name, value)
  }
  for (const name of contested) found.delete(name)
  return found
}

export interface CookieOptions {
  /** Sent over TLS only. */
  secure: boolean
  /** Kept from scripts. */
  httpOnly: boolean
  /** Until the browser is closed when absent; 0 removes it. */
  maxAgeSeconds?: number
}

/** The value of a `Set-Cookie` header, for the whole of our origin and never sent along by other sites. */
export function setCookie(name: string, value: string, { secure, httpOnly, maxAgeSeconds }: CookieOptions): string {
  return [
    `${name}=${value}`,
    'Path=/',
    'SameSite=Strict',
    ...(httpOnly ? ['HttpOnly'] : []),
    ...(secure ? ['Secure'] : []),
    ...(maxAgeSeconds === undefined ? [] : [`Max-Age=${maxAgeSeconds}`]),
  ].join('; ')
}
