import type { KubeList, KubeObject } from '@stillpoint/api/meta/object-meta'
import { failure, type Status, StatusError } from '@stillpoint/api/meta/status-error'
import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import { sessionEnded } from './session.ts'

// The Kubernetes API as the console reaches it: through the proxy path, with the session's cookie.

const base = '/api/kubernetes'
const requestLimitMs = 60_000

/** No answer came: the network, or the server, is not there. */
export class ConnectionError extends Error {
  constructor(cause: unknown) {
    super('the server cannot be reached', { cause })
    this.name = 'ConnectionError'
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface RequestOptions {
  method?: Method
  body?: unknown
  /** Default `application/json`; of a PATCH `application/merge-patch+json`. */
  contentType?: string
  query?: Record<string, string | undefined>
  signal?: AbortSignal
}

/** The path of a kind, of all its objects or of one. */
export function pathOf(
  { group, version, plural }: ResourceDefinition,
  where: { namespace?: string | undefined; name?: string; subresource?: string },
): string {
  const parts = [group === '' ? `/api/${version}` : `/apis/${group}/${version}`]
  if (where.namespace !== undefined) parts.push('namespaces', encodeURIComponent(where.namespace))
  parts.push(plural)
  if (where.name !== undefined) parts.push(encodeURIComponent(where.name))
  if (where.subresource !== undefined) parts.push(where.subresource)
  return parts.join('/')
}

/** The path of an action of a VM or its instance, such as `start` or `pause`. */
export function actionPath(
  resource: 'virtualmachines' | 'virtualmachineinstances',
  namespace: string,
  name: string,
  action: string,
): string {
  return `/apis/subresources.kubevirt.io/v1/namespaces/${encodeURIComponent(namespace)}/${resource}/${encodeURIComponent(name)}/${action}`
}

/** The address of a WebSocket under the API. */
export function socketUrl(path: string): string {
  return `${location.protocol === 'http:' ? 'ws' : 'wss'}://${location.host}${base}${path}`
}

/** The part of an address after the path; members that are undefined are left out. */
export function searchOf(query: Record<string, string | undefined>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`
}

/** Sends one request. Throws StatusError for a refusal, ConnectionError without an answer. */
export async function open(path: string, options: RequestOptions = {}): Promise<Response> {
  const { method = 'GET', body, query = {}, signal } = options
  const headers: Record<string, string> = { accept: 'application/json' }
  if (body !== undefined)
    headers['content-type'] =
      options.contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json')
  if (method !== 'GET') headers['X-CSRFToken'] = cookie('csrf-token') ?? ''
  let response: Response
  try {
    response = await fetch(`${base}${path}${searchOf(query)}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ConnectionError(error)
  }
  if (response.ok) return response
  const refusal = await statusOf(response)
  if (refusal.code === 401) sessionEnded()
  throw refusal
}

/** Sends one request and reads the answer. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const signal = options.signal ?? AbortSignal.timeout(requestLimitMs)
  const response = await open(path, { ...options, signal })
  try {
    const text = await response.text()
    return (text === '' ? undefined : JSON.parse(text)) as T
  } catch (error) {
    if (error instanceof SyntaxError)
      throw failure(502, 'BadGateway', 'the server’s answer is not JSON; is this path served by a Kubernetes API?')
    throw signal.aborted ? error : new ConnectionError(error)
  }
}

export function create<R extends ResourceDefinition>(
  definition: R,
  object: KubeObject,
  query: { dryRun?: 'All' } = {},
): Promise<ObjectOf<R>> {
  const { namespace } = object.metadata
  const path = pathOf(definition, { namespace: definition.scope === 'Namespaced' ? namespace : undefined })
  return request(path, { method: 'POST', body: object, query })
}

export function list<R extends ResourceDefinition>(
  definition: R,
  namespace: string | undefined,
  query: Record<string, string | undefined>,
  signal?: AbortSignal,
): Promise<KubeList<ObjectOf<R>>> {
  return request(pathOf(definition, { namespace }), { query, ...(signal ? { signal } : {}) })
}

export function get<R extends ResourceDefinition>(
  definition: R,
  namespace: string | undefined,
  name: string,
): Promise<ObjectOf<R>> {
  return request(pathOf(definition, { namespace, name }))
}

/** Merge patch; `null` removes a member. */
export function patch<R extends ResourceDefinition>(
  definition: R,
  { metadata }: Pick<KubeObject, 'metadata'>,
  changes: unknown,
): Promise<ObjectOf<R>> {
  const { namespace, name } = metadata
  return request(pathOf(definition, { namespace, name }), { method: 'PATCH', body: changes })
}

/** Replaces an object by what an editor holds; refused when it has changed meanwhile. */
export function replace<R extends ResourceDefinition>(definition: R, object: KubeObject): Promise<ObjectOf<R>> {
  const { namespace, name } = object.metadata
  return request(pathOf(definition, { namespace, name }), { method: 'PUT', body: object })
}

/** Deletes this very object: one of the same name made since is left alone. */
export function remove(definition: ResourceDefinition, { metadata }: Pick<KubeObject, 'metadata'>): Promise<unknown> {
  const { namespace, name, uid } = metadata
  return request(pathOf(definition, { namespace, name }), {
    method: 'DELETE',
    body: { apiVersion: 'v1', kind: 'DeleteOptions', ...(uid === undefined ? {} : { preconditions: { uid } }) },
  })
}

/** Calls an action, such as `stop` of a VM. */
export function act(
  resource: 'virtualmachines' | 'virtualmachineinstances',
  { metadata }: Pick<KubeObject, 'metadata'>,
  action: string,
  body: unknown = {},
): Promise<unknown> {
  return request(actionPath(resource, metadata.namespace ?? '', metadata.name, action), { method: 'PUT', body })
}

async function statusOf(response: Response): Promise<StatusError> {
  const text = await response.text().catch(() => '')
  try {
    const status = JSON.parse(text) as Status
    if (status.kind === 'Status') return new StatusError({ ...status, code: status.code ?? response.status })
  } catch {
    // Not from a Kubernetes API, such as the page of a proxy in between: the code says enough.
  }
  return failure(response.status, '', text.trim().slice(0, 300) || response.statusText || `HTTP ${response.status}`)
}

export function cookie(name: string): string | undefined {
  const prefix = `${name}=`
  const found = document.cookie.split('; ').find((part) => part.startsWith(prefix))
  return found === undefined ? undefined : decodeURIComponent(found.slice(prefix.length))
}
