import type { KubeList, KubeObject } from '@stillpoint/api/meta/object-meta'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import { apiVersionOf, type ObjectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Transport } from './transport.ts'

export interface Ref {
  namespace?: string | undefined
  name: string
}

export interface JsonPatchOperation {
  op: 'add' | 'remove' | 'replace' | 'test' | 'move' | 'copy'
  path: string
  value?: unknown
  from?: string
}

export interface CallOptions {
  /** How long to wait for the answer; half a minute when absent. */
  timeoutMs?: number
}

export interface ListOptions {
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
}

/** At most `limit` objects, from where the token `continue` of the page before says. */
export interface Page {
  limit?: number
  continue?: string
}

export interface SubresourceRef extends Ref {
  group: string
  version: string
  resource: string
  subresource: string
}

/** A typed client of the Kubernetes API. Every failure is a StatusError, or a TransportError when nobody answered. */
export class KubeClient {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async get<R extends ResourceDefinition>(definition: R, ref: Ref, options?: CallOptions): Promise<ObjectOf<R>> {
    const path = pathOf(definition, ref)
    return (await this.#transport.request({ method: 'GET', path, ...options })) as ObjectOf<R>
  }

  /** As `get`, but undefined when there is no such object. */
  async find<R extends ResourceDefinition>(
    definition: R,
    ref: Ref,
    options?: CallOptions,
  ): Promise<ObjectOf<R> | undefined> {
    try {
      return await this.get(definition, ref, options)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async list<R extends ResourceDefinition>(
    definition: R,
    options: ListOptions & Page = {},
  ): Promise<KubeList<ObjectOf<R>>> {
    const { namespace, limit, ...rest } = options
    const path = collectionOf(definition, namespace)
    const query = { ...rest, ...(limit === undefined ? {} : { limit: `${limit}` }) }
    const list = (await this.#transport.request({ method: 'GET', path, query })) as KubeList<ObjectOf<R>>
    // Items of a list travel without the two fields that every object has.
    for (const item of list.items) {
      item.apiVersion ??= apiVersionOf(definition)
      item.kind ??= definition.kind
    }
    return list
  }

  async create<R extends ResourceDefinition>(
    definition: R,
    object: ObjectOf<R>,
    options?: CallOptions,
  ): Promise<ObjectOf<R>> {
    const path = collectionOf(definition, object.metadata.namespace)
    return (await this.#transport.request({ method: 'POST', path, body: object, ...options })) as ObjectOf<R>
  }

  /** Replaces the object; a Conflict when it has changed since it was read. */
  async update<R extends ResourceDefinition>(
    definition: R,
    object: ObjectOf<R>,
    options?: CallOptions,
  ): Promise<ObjectOf<R>> {
    const path = pathOf(definition, object.metadata)
    return (await this.#transport.request({ method: 'PUT', path, body: object, ...options })) as ObjectOf<R>
  }

  async updateStatus<R extends ResourceDefinition>(definition: R, object: ObjectOf<R>): Promise<ObjectOf<R>> {
    const path = `${pathOf(definition, object.metadata)}/status`
    return (await this.#transport.request({ method: 'PUT', path, body: object })) as ObjectOf<R>
  }

  /** An array is sent as a JSON patch (RFC 6902), an object as a merge patch (RFC 7386). */
  async patch<R extends ResourceDefinition>(
    definition: R,
    ref: Ref,
    patch: object | readonly JsonPatchOperation[],
    options: { subresource?: 'status' } = {},
  ): Promise<ObjectOf<R>> {
    const suffix = options.subresource ? `/${options.subresource}` : ''
    return (await this.#transport.request({
      method: 'PATCH',
      path: pathOf(definition, ref) + suffix,
      body: patch,
      contentType: Array.isArray(patch) ? 'application/json-patch+json' : 'application/merge-patch+json',
    })) as ObjectOf<R>
  }

  /** Asks for deletion. An object that is gone already is no error; one of another uid or version is a Conflict. */
  async delete(
    definition: ResourceDefinition,
    ref: Ref,
    options: {
      uid?: string
      resourceVersion?: string | undefined
      propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
    } = {},
  ): Promise<void> {
    const { uid, resourceVersion, ...rest } = options
    const preconditions = {
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    }
    try {
      await this.#transport.request({
        method: 'DELETE',
        path: pathOf(definition, ref),
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          ...rest,
          ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
        },
      })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  /** Calls an action such as `virtualmachineinstances/freeze`; the decoded answer, undefined when empty. */
  async call(
    ref: SubresourceRef,
    options: { method: 'GET' | 'PUT' | 'POST'; body?: unknown; signal?: AbortSignal; timeoutMs?: number },
  ): Promise<unknown> {
    const namespace = ref.namespace === undefined ? '' : `/namespaces/${segment(ref.namespace)}`
    const path = `/apis/${ref.group}/${ref.version}${namespace}/${ref.resource}/${segment(ref.name)}/${ref.subresource}`
    return this.#transport.request({ path, ...options })
  }

  /** Events of a watch, one JSON text each; see `Informer` for the way to use it. */
  watchLines(
    definition: ResourceDefinition,
    options: ListOptions & { resourceVersion: string; timeoutSeconds: number; signal: AbortSignal },
  ): AsyncGenerator<string> {
    const { namespace, signal, timeoutSeconds, ...query } = options
    return this.#transport.lines({
      method: 'GET',
      path: collectionOf(definition, namespace),
      query: { ...query, watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: `${timeoutSeconds}` },
      signal,
    })
  }
}

/** `/api/v1/namespaces/x/configmaps` and the like. */
export function collectionOf(definition: ResourceDefinition, namespace?: string): string {
  const root = definition.group === '' ? '/api' : `/apis/${definition.group}`
  const scope = namespace === undefined || definition.scope === 'Cluster' ? '' : `/namespaces/${segment(namespace)}`
  return `${root}/${definition.version}${scope}/${definition.plural}`
}

function pathOf(definition: ResourceDefinition, ref: Ref): string {
  return `${collectionOf(definition, ref.namespace)}/${segment(ref.name)}`
}

function segment(name: string): string {
  if (name === '' || name === '.' || name === '..') throw new Error(`'${name}' is not an object name`)
  return encodeURIComponent(name)
}

export function refOf(object: KubeObject): Ref {
  return { namespace: object.metadata.namespace, name: object.metadata.name }
}
