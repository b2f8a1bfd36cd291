import type { KubeObject, ListMeta } from '@stillpoint/api/meta/object-meta'
import type { ListOptions } from '../http/list-options.ts'
import { badRequest, expired, tooLargeResourceVersion } from '../registry/errors.ts'
import { Compacted } from '../store/store.ts'
import { objectKey, type WatchCache } from './watch-cache.ts'

export interface Listing {
  items: KubeObject[]
  metadata: ListMeta
}

interface Token {
  v: 'meta.k8s.io/v1'
  /** The revision of all pages; -1 to go on at the newest after the old one was compacted. */
  rv: number
  /** The key after which the next page starts, with a NUL. */
  start: string
}

const startsAfter = '\u0000'

/** True when an object is selected by the options. */
export function isSelected(object: KubeObject, { labels, fields }: Pick<ListOptions, 'labels' | 'fields'>): boolean {
  return (labels?.(object.metadata.labels ?? {}) ?? true) && (fields?.matches(object) ?? true)
}

/** One page of a resource at one revision, with the meanings of resourceVersion that Kubernetes documents. */
export function listPage(
  cache: WatchCache,
  resource: string,
  namespace: string | undefined,
  options: ListOptions,
): Listing {
  const token = options.continue === '' ? undefined : decodeToken(options.continue)
  const { revision, exact } = revisionOf(cache, options, token)
  // A list "at any version" is served from the cache, whole: real servers ignore the limit there.
  const limit = options.resourceVersion === 0 && !options.match ? 0 : options.limit
  // One more than asked for tells that there is more. What is selected from is needed whole.
  const page =
    limit > 0 && !options.labels && !options.fields ? { from: token?.start ?? '', count: limit + 1 } : undefined
  let objects: KubeObject[]
  try {
    objects = exact ? cache.listAt(resource, namespace, revision, page) : cache.list(resource, namespace)
  } catch (error) {
    if (!(error instanceof Compacted)) throw error
    throw expiredList(token)
  }
  const after = token?.start.slice(0, -startsAfter.length) ?? ''
  const rest = token ? objects.filter((object) => keyOf(object) > after) : objects
  const selected = options.labels || options.fields ? rest.filter((object) => isSelected(object, options)) : rest
  const metadata: ListMeta = { resourceVersion: String(revision) }
  if (limit <= 0 || selected.length <= limit) return { items: selected, metadata }
  const items = selected.slice(0, limit)
  const last = items.at(-1)
  metadata.continue = encodeToken({ v: 'meta.k8s.io/v1', rv: revision, start: (last ? keyOf(last) : '') + startsAfter })
  // Of a past revision nobody has counted the rest; clients must not rely on it.
  const counted = !exact || revision === cache.revision
  if (counted && !options.labels && !options.fields) metadata.remainingItemCount = selected.length - limit
  return { items, metadata }
}

/** Refuses a revision that does not exist yet; everything is committed before it is known, so waiting is no use. */
export function requireReached(cache: WatchCache, resourceVersion: number | undefined): void {
  if (resourceVersion !== undefined && resourceVersion > cache.revision)
    throw tooLargeResourceVersion(resourceVersion, cache.revision)
}

function revisionOf(
  cache: WatchCache,
  { resourceVersion, match, limit }: ListOptions,
  token: Token | undefined,
): { revision: number; exact: boolean } {
  requireReached(cache, token?.rv)
  if (token) return token.rv > 0 ? { revision: token.rv, exact: true } : { revision: cache.revision, exact: false }
  requireReached(cache, resourceVersion)
  // Without a match, a limit makes a given version exact: an old rule that pagers rely on.
  if (resourceVersion && (match === 'Exact' || (match === undefined && limit > 0)))
    return { revision: resourceVersion, exact: true }
  return { revision: cache.revision, exact: false }
}

function expiredList(token: Token | undefined): Error {
  if (!token) return expired('The resourceVersion for the provided list is too old.')
  const error = expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  )
  Object.assign(error.status.metadata, { continue: encodeToken({ ...token, rv: -1 }) })
  return error
}

function encodeToken(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

function decodeToken(text: string): Token {
  let token: Partial<Token> | null
  try {
    token = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Partial<Token> | null
  } catch (error) {
    throw badRequest(`continue key is not valid: ${error instanceof Error ? error.message : String(error)}`)
  }
  const { v, rv, start } = token ?? {}
  if (v !== 'meta.k8s.io/v1')
    throw badRequest(`continue key is not valid: server does not recognize this encoded version ${JSON.stringify(v)}`)
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0)
    throw badRequest('continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (typeof start !== 'string' || start === '')
    throw badRequest('continue key is not valid: encoded start key empty (version meta.k8s.io/v1)')
  return { v, rv, start }
}

function keyOf({ metadata }: KubeObject): string {
  return objectKey(metadata.namespace, metadata.name)
}
