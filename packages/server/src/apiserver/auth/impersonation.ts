import type { UserInfo } from '../registry/admission.ts'
import { internalError } from '../registry/errors.ts'
import type { ResourceAttributes } from './attributes.ts'

const prefix = 'impersonate-'
const accountPattern = /^system:serviceaccount:([^:]+):([^:]+)$/

interface Wanted {
  user: UserInfo
  /** What the caller must be allowed for it. */
  rights: ResourceAttributes[]
}

/**
 * Whom a request wants to be done as, by its `Impersonate-` headers; undefined without any. Takes headers as they came,
 * since a name may have a comma in it.
 */
export function impersonation(rawHeaders: readonly string[]): Wanted | undefined {
  const given = headersOf(rawHeaders)
  if (given.length === 0) return undefined
  const values = (header: string) => given.filter(([name]) => name === header).map(([, value]) => value)
  const [username = ''] = values('user')
  if (username === '')
    throw internalError(`requested ${given.map(([name]) => prefix + name).join(', ')} without impersonating a user`)
  const [, namespace, account] = accountPattern.exec(username) ?? []
  const groups = values('group')
  const [uid] = values('uid')
  const extra = extrasOf(given)
  const impersonate = { verb: 'impersonate', group: '' }
  const inAuthentication = { ...impersonate, group: 'authentication.k8s.io' }
  return {
    user: {
      username,
      ...(uid === undefined ? {} : { uid }),
      groups: withImpliedGroups(username, namespace, groups),
      ...(extra.size === 0 ? {} : { extra: Object.fromEntries(extra) }),
    },
    rights: [
      account === undefined
        ? { ...impersonate, resource: 'users', name: username }
        : { ...impersonate, resource: 'serviceaccounts', namespace, name: account },
      ...groups.map((name) => ({ ...impersonate, resource: 'groups', name })),
      ...(uid === undefined ? [] : [{ ...inAuthentication, resource: 'uids', name: uid }]),
      ...[...extra].flatMap(([key, names]) =>
        names.map((name) => ({ ...inAuthentication, resource: 'userextras', subresource: key, name })),
      ),
    ],
  }
}

function headersOf(rawHeaders: readonly string[]): [name: string, value: string][] {
  const found: [string, string][] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    if (name.startsWith(prefix)) found.push([name.slice(prefix.length), rawHeaders[index + 1] ?? ''])
  }
  return found
}

function extrasOf(given: readonly [string, string][]): Map<string, string[]> {
  const extra = new Map<string, string[]>()
  for (const [header, value] of given) {
    if (!header.startsWith('extra-')) continue
    const key = decoded(header.slice('extra-'.length))
    extra.set(key, [...(extra.get(key) ?? []), value])
  }
  return extra
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key).toLowerCase()
  } catch {
    // Not encoded, then: it is taken as it is.
    return key
  }
}

function withImpliedGroups(username: string, namespace: string | undefined, groups: readonly string[]): string[] {
  const authenticated = 'system:authenticated'
  if (username === 'system:anonymous') return groups.length > 0 ? [...groups] : ['system:unauthenticated']
  const own =
    namespace !== undefined && groups.length === 0
      ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
      : groups
  return own.includes(authenticated) ? [...own] : [...own, authenticated]
}
