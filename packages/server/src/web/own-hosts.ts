import { isIP } from 'node:net'

const loopback = new Set(['localhost', '127.0.0.1', '::1'])

export function isLoopback(name: string): boolean {
  return loopback.has(name)
}

/** The parts of a `Host` header, in lower case; undefined when it is none. */
export function parseHost(host: string | undefined): { name: string; port: number | undefined } | undefined {
  const [, v6, name = v6, port] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(host ?? '') ?? []
  if (name === undefined || (v6 !== undefined && isIP(v6) !== 6)) return undefined
  return { name: name.toLowerCase(), port: port === undefined ? undefined : Number(port) }
}

export interface HostRule {
  /** The address we listen on. */
  listen: string
  /** Further names we are reached by. */
  names: readonly string[]
}

/**
 * Whether a `Host` header is one of our names. A page of another site whose name was made to point to us (DNS
 * rebinding) comes with that name. By a bare address nobody can come who has not been sent to it, so where we listen on
 * all of them, the one the connection came in on is ours too.
 */
export function isOwnHost(rule: HostRule, host: string | undefined, localAddress: string | undefined): boolean {
  const name = parseHost(host)?.name
  if (name === undefined) return false
  if (isLoopback(name) || rule.names.includes(name)) return true
  const listensOnAll = rule.listen === '0.0.0.0' || rule.listen === '::'
  const address = listensOnAll ? localAddress?.replace(/^::ffff:/, '') : rule.listen
  return name === address
}
