import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { Event } from '@stillpoint/api/core/event'
import { Namespace } from '@stillpoint/api/core/namespace'
import { kinds } from '@stillpoint/api/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { failure, type Status, StatusError } from '@stillpoint/api/meta/status-error'
import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import { pino } from 'pino'
import type { Admission, SubresourceHandler } from '../../apiserver/api-server.ts'
import { GarbageCollector } from '../../apiserver/gc/garbage-collector.ts'
import { listOfNone } from '../../apiserver/http/absent-kinds.ts'
import { verbOf } from '../../apiserver/http/authorize.ts'
import type { HttpRequest as IncomingRequest } from '../../apiserver/http/body.ts'
import { parseResourcePath } from '../../apiserver/http/request-path.ts'
import { ResourceRoutes } from '../../apiserver/http/resource-routes.ts'
import { controllerUser } from '../../apiserver/pki/tokens.ts'
import { coreAdmission } from '../../apiserver/registry/core-admission.ts'
import { Registry } from '../../apiserver/registry/registry.ts'
import { MemoryStore } from '../../apiserver/testing/memory-store.ts'
import { type CacheEvent, resourceKey, WatchCache } from '../../apiserver/watch/watch-cache.ts'
import { KubeClient } from '../../kube/client.ts'
import { type HttpRequest, Transport } from '../../kube/transport.ts'
import type { VirtualTime } from './virtual-time.ts'

const resources = [...new Set([...kinds, Namespace, Event, ControllerRevision])]
const log = pino({ level: 'silent' })
/** A deletion by anybody else is answered when the object is gone, and time does not pass before an answer. */
const user = { username: controllerUser, groups: ['system:masters'] }

/** Our API server from its resource routes down, without HTTP: requests are answered, not sent. */
export class SimulatedApi {
  readonly #time: VirtualTime
  readonly #store = new MemoryStore()
  readonly #cache: WatchCache
  readonly #routes: ResourceRoutes
  readonly #served = new Map<string, ResourceDefinition>()
  readonly subresources = new Map<string, SubresourceHandler>()
  /** For the world around the controllers: at once and without faults. */
  readonly client: KubeClient

  constructor(time: VirtualTime, admission: readonly Admission[]) {
    this.#time = time
    this.#cache = new WatchCache(this.#store, resources)
    const now = () => new Date()
    const registry = new Registry({
      store: this.#store,
      cache: this.#cache,
      admission: [...coreAdmission, ...admission],
      authorize: () => ({ allowed: true, reason: '' }),
      now,
    })
    this.#routes = new ResourceRoutes({ registry, cache: this.#cache, now })
    for (const definition of resources)
      this.#served.set(`${definition.group}/${definition.version}/${definition.plural}`, definition)
    time.as(undefined, () => new GarbageCollector({ cache: this.#cache, registry, resources, log }))
    this.client = new KubeClient(new DirectTransport(this))
  }

  get revision(): number {
    return this.#cache.revision
  }

  /** The object as it is now. Frozen. */
  find<R extends ResourceDefinition>(
    definition: R,
    { namespace, name }: { namespace?: string | undefined; name: string },
  ): ObjectOf<R> | undefined {
    return this.#cache.get(resourceKey(definition), namespace, name) as ObjectOf<R> | undefined
  }

  list<R extends ResourceDefinition>(definition: R): ObjectOf<R>[] {
    return this.#cache.list(resourceKey(definition)) as ObjectOf<R>[]
  }

  /** Calls back in the turn of each commit. */
  onCommit(listener: (event: CacheEvent, definition: ResourceDefinition) => void): void {
    this.#cache.subscribeAll(listener)
  }

  /** The changes after a revision, and all to come; returns how to stop it. Throws Compacted. */
  watch(path: string, revision: number, listener: (event: CacheEvent) => void): () => void {
    const { group, resource, namespace } = parsed(path)
    const key = `${group}/${resource}`
    for (const event of this.#cache.since(key, namespace, revision)) listener(event)
    return this.#cache.subscribe(key, (event) => {
      if (namespace === undefined || event.object.metadata.namespace === namespace) listener(event)
    })
  }

  /** Forgets what watches could resume from. */
  async compact(): Promise<void> {
    await this.#store.compact(this.#store.revision)
  }

  /** The body of a successful answer; throws the StatusError of any other. */
  answer(request: HttpRequest): Promise<string> {
    return this.#time.as(undefined, () => this.#answer(request))
  }

  async #answer(request: HttpRequest): Promise<string> {
    const path = parsed(request.path)
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) query.set(name, value)
    const { namespace = '', name = '', subresource = '' } = path
    const action = this.subresources.get(`${path.group}/${path.resource}/${subresource}`)
    if (action) {
      const { method } = request
      if (method === 'PATCH' || method === 'DELETE') throw failure(405, 'MethodNotAllowed', request.path)
      const call = { ...path, namespace, name, subresource, method, query, body: clone(request.body) }
      const answer = await action({ ...call, user, signal: new AbortController().signal })
      return 'body' in answer && answer.body !== undefined ? JSON.stringify(answer.body) : ''
    }
    const definition = this.#served.get(`${path.group}/${path.version}/${path.resource}`)
    if (!definition) {
      const none = listOfNone(path, verbOf(request.method, path, query), this.revision)
      if (none) return JSON.stringify(none)
      throw failure(404, 'NotFound', `${request.path} is not served`)
    }
    const given = { request: incoming(request), path, query, definition, user, warn: () => {} }
    const outcome = await this.#time.hold(this.#routes.handle(given))
    if (!('answer' in outcome)) throw new Error(`${request.path}: a watch is not a request`)
    const { code, body } = outcome.answer
    const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8')
    if (code < 200 || code > 299) throw failure(code, code === 404 ? 'NotFound' : 'InternalError', text)
    return text
  }
}

/** Straight to the server. */
class DirectTransport extends Transport {
  readonly #api: SimulatedApi

  constructor(api: SimulatedApi) {
    super({ server: 'http://simulated', authorize: () => ({}) })
    this.#api = api
  }

  override async request(options: HttpRequest): Promise<unknown> {
    return decoded(await this.#api.answer(options))
  }
}

export function decoded(text: string): unknown {
  return text === '' ? undefined : JSON.parse(text)
}

/** As it arrives at the other end of a connection: the same facts, another object. */
export function received(error: unknown): unknown {
  return error instanceof StatusError ? new StatusError(clone(error.status) as Status) : error
}

/** What a watch sends for a change. */
export function watchLine({ type, object }: { type: CacheEvent['type']; object: KubeObject }): string {
  return JSON.stringify({ type, object })
}

function clone(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

function parsed(path: string) {
  const found = parseResourcePath(path)
  if (found === undefined) throw failure(404, 'NotFound', `${path} is not served`)
  return found
}

/** The parts of Node's request that the routes read. */
function incoming({ method, body, contentType = 'application/json' }: HttpRequest): IncomingRequest {
  const bytes = body === undefined ? [] : [Buffer.from(JSON.stringify(body))]
  const request = {
    method,
    headers: { accept: 'application/json', 'content-type': contentType },
    iterator: async function* () {
      yield* bytes
    },
  }
  return request as unknown as IncomingRequest
}
