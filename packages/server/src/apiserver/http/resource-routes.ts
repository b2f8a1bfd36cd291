import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { isJsonObject } from '../json.ts'
import { controllerUser } from '../pki/tokens.ts'
import type { UserInfo } from '../registry/admission.ts'
import { type Call, fieldValidations } from '../registry/call.ts'
import {
  badRequest,
  fieldError,
  invalidOptions,
  methodNotAllowed,
  notSupported,
  unsupportedMediaType,
} from '../registry/errors.ts'
import { jsonPatchOf } from '../registry/json-patch.ts'
import { factsOf } from '../registry/kind-facts.ts'
import { mergePatch } from '../registry/merge-patch.ts'
import type { Incoming, Registry, UpdateTarget } from '../registry/registry.ts'
import { listPage, requireReached } from '../watch/listing.ts'
import { resourceKey, type WatchCache } from '../watch/watch-cache.ts'
import { type Answer, json, pageNotFound } from './answer.ts'
import { decodeBody, decodeJson, type HttpRequest, mediaTypeOf, readBody } from './body.ts'
import { parseDeleteOptions, parseDryRun } from './delete-options.ts'
import { answerList, answerObject, type IncludeObject, inVersion, type View } from './encode.ts'
import { parseBoolean, parseListOptions, parseResourceVersion } from './list-options.ts'
import { negotiate } from './negotiate.ts'
import { removal } from './removal.ts'
import type { ResourcePath } from './request-path.ts'
import type { WatchRequest } from './watch-stream.ts'

export interface ResourceRequest {
  request: HttpRequest
  path: ResourcePath
  query: URLSearchParams
  definition: ResourceDefinition
  user: UserInfo
  warn(text: string): void
  /** Told of what was created. */
  created?(object: KubeObject): void
}

export type Outcome = { answer: Answer } | { watch: Omit<WatchRequest, 'signal'> }

const jsonPatch = 'application/json-patch+json'
const mergePatchType = 'application/merge-patch+json'
const applyPatch = 'application/apply-patch+'
const strategicPatch = 'application/strategic-merge-patch+json'
const includes: readonly IncludeObject[] = ['None', 'Metadata', 'Object']

/** The verbs on stored kinds: reads from the cache, writes through the registry. */
export class ResourceRoutes {
  readonly #registry: Registry
  readonly #cache: WatchCache
  readonly #now: () => Date

  constructor(options: { registry: Registry; cache: WatchCache; now: () => Date }) {
    this.#registry = options.registry
    this.#cache = options.cache
    this.#now = options.now
  }

  /** The revision reads are answered at. */
  get revision(): number {
    return this.#cache.revision
  }

  async handle(given: ResourceRequest): Promise<Outcome> {
    const { path, definition, request } = given
    const target = targetOf(definition, path)
    const scopeFits = definition.scope === 'Namespaced' || path.namespace === undefined
    const missingNamespace =
      definition.scope === 'Namespaced' && path.namespace === undefined && path.name !== undefined
    if (target === undefined || !scopeFits || missingNamespace) return { answer: pageNotFound() }
    if (path.name === undefined) return this.#onCollection(given)
    return { answer: await this.#onObject(given, path.name, target, request.method ?? '') }
  }

  async #onCollection(given: ResourceRequest): Promise<Outcome> {
    const { request, path, definition, query } = given
    const allNamespaces = definition.scope === 'Namespaced' && path.namespace === undefined
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return this.#list(given)
      case 'POST': {
        if (allNamespaces) throw methodNotAllowed()
        const view = this.#view(given, { list: false, watch: false })
        const call = this.#call(given, 'CreateOptions')
        const object = await this.#registry.create(call, await readObject(request, definition))
        given.created?.(object)
        return { answer: await answerObject(201, object, view) }
      }
      case 'DELETE': {
        if (allNamespaces) throw methodNotAllowed()
        const view = this.#view(given, { list: true, watch: false })
        const { dryRun, ...options } = parseDeleteOptions(query, await readOptions(request, definition))
        const call = { ...this.#call(given, 'DeleteOptions'), dryRun }
        const list = parseListOptions(query, definition, false)
        const { items, metadata } = listPage(this.#cache, resourceKey(definition), path.namespace, list)
        const deleted: KubeObject[] = []
        for (const item of items) {
          const object = await this.#deleteOne(call, item.metadata.name, options)
          if (object) deleted.push(object)
        }
        return { answer: await answerList(deleted, metadata, view) }
      }
      default:
        throw methodNotAllowed()
    }
  }

  async #onObject(given: ResourceRequest, name: string, target: UpdateTarget, method: string): Promise<Answer> {
    const { request, query, definition } = given
    const view = this.#view(given, { list: false, watch: false })
    switch (method) {
      case 'GET':
      case 'HEAD': {
        if (target === 'finalize') throw methodNotAllowed()
        requireReached(this.#cache, parseResourceVersion(query.get('resourceVersion')))
        return answerObject(200, this.#registry.get(callOf(given), name), view)
      }
      case 'PUT': {
        const call = this.#call(given, 'UpdateOptions')
        const incoming = await readObject(request, definition)
        const { object, created } = await this.#registry.replace(call, name, incoming, target)
        return answerObject(created ? 201 : 200, object, view)
      }
      case 'PATCH': {
        if (target === 'finalize') throw methodNotAllowed()
        const call = this.#call(given, 'PatchOptions')
        const apply = await readPatch(request, definition)
        if (query.has('force'))
          throw invalidOptions('PatchOptions', [
            fieldError('forbidden', 'force', 'may not be specified for non-apply patch'),
          ])
        const object = await this.#registry.update(
          call,
          name,
          (live) => ({ body: apply(inVersion(live, definition, call.version)) }),
          target,
        )
        return answerObject(200, object, view)
      }
      case 'DELETE': {
        if (target !== 'object') throw methodNotAllowed()
        const { dryRun, ...options } = parseDeleteOptions(query, await readOptions(request, definition))
        const call = { ...this.#call(given, 'DeleteOptions'), dryRun }
        const { object, removed } = await this.#registry.delete(call, name, options)
        const { awaitedRemovalMs } = factsOf(definition)
        if (!removed && !dryRun && awaitedRemovalMs > 0 && given.user.username !== controllerUser)
          await removal(this.#cache, resourceKey(definition), object, awaitedRemovalMs)
        if (!removed || factsOf(definition).returnsDeleted) return answerObject(200, object, view)
        return json(200, deletedStatus(definition, object))
      }
      default:
        throw methodNotAllowed()
    }
  }

  #list(given: ResourceRequest): Outcome | Promise<Outcome> {
    const { path, query, definition } = given
    const options = parseListOptions(query, definition, path.watch)
    const view = this.#view(given, { list: true, watch: options.watch })
    if (options.watch) return { watch: { cache: this.#cache, namespace: path.namespace, options, view } }
    const { items, metadata } = listPage(this.#cache, resourceKey(definition), path.namespace, options)
    return answerList(items, metadata, view).then((answer) => ({ answer }))
  }

  // Another deleter may be faster, and an object may be held; neither stops the rest of a collection.
  async #deleteOne(
    call: Call,
    name: string,
    options: Parameters<Registry['delete']>[2],
  ): Promise<KubeObject | undefined> {
    try {
      return (await this.#registry.delete(call, name, options)).object
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  #view({ request, path, query, definition }: ResourceRequest, allowed: { list: boolean; watch: boolean }): View {
    const includeObject = (query.get('includeObject') ?? 'Metadata') as IncludeObject
    if (!includes.includes(includeObject))
      throw badRequest(`unrecognized includeObject value: ${JSON.stringify(includeObject)}`)
    const accept = request.headers.accept
    return {
      definition,
      version: path.version,
      representation: negotiate(accept, allowed),
      includeObject,
      now: this.#now,
    }
  }

  #call(given: ResourceRequest, optionsKind: string): Call {
    const { query } = given
    const fieldValidation = (query.get('fieldValidation') || 'Warn') as Call['fieldValidation']
    if (!fieldValidations.includes(fieldValidation))
      throw invalidOptions(optionsKind, [notSupported('fieldValidation', fieldValidation, ['', ...fieldValidations])])
    const manager = query.get('fieldManager') ?? ''
    if (manager.length > 128)
      throw invalidOptions(optionsKind, [fieldError('tooLong', 'fieldManager', 'may not be more than 128 bytes')])
    parseBoolean(query, 'pretty')
    return { ...callOf(given), dryRun: parseDryRun(query.getAll('dryRun'), optionsKind), fieldValidation }
  }
}

function callOf({ path, definition, user, warn }: ResourceRequest): Call {
  return {
    definition,
    version: path.version,
    namespace: path.namespace,
    user,
    dryRun: false,
    fieldValidation: 'Warn',
    warn,
  }
}

/** Which part of an object a path names; undefined for a subresource the kind does not have. */
function targetOf(definition: ResourceDefinition, { subresource }: ResourcePath): UpdateTarget | undefined {
  if (subresource === undefined) return 'object'
  if (subresource === 'status' && definition.statusSubresource) return 'status'
  return subresource === 'finalize' && resourceKey(definition) === '/namespaces' ? 'finalize' : undefined
}

async function readObject(request: HttpRequest, { origin }: ResourceDefinition): Promise<Incoming> {
  const mediaType = mediaTypeOf(request.headers['content-type'])
  return decodeBody(await readBody(request), mediaType, origin === 'builtin')
}

async function readOptions(request: HttpRequest, { origin }: ResourceDefinition): Promise<unknown> {
  const bytes = await readBody(request)
  if (bytes.length === 0) return undefined
  return (await decodeBody(bytes, mediaTypeOf(request.headers['content-type']), origin === 'builtin')).body
}

type ApplyPatch = (live: KubeObject) => unknown

async function readPatch(request: HttpRequest, definition: ResourceDefinition): Promise<ApplyPatch> {
  const type = mediaTypeOf(request.headers['content-type'])
  const strategic = definition.origin === 'builtin' ? [strategicPatch] : []
  const accepted = [jsonPatch, mergePatchType, ...strategic]
  if (type.startsWith(applyPatch))
    throw unsupportedMediaType(accepted, 'server-side apply is not offered; apply without --server-side')
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted)
  const { body } = decodeJson((await readBody(request)).toString('utf8'))
  if (type === jsonPatch) return jsonPatchOf(body)
  if (!isJsonObject(body)) throw badRequest('the patch must be an object')
  if (type === mergePatchType) return (live) => mergePatch(live, body)
  const { strategicMerge } = await import('../patch/strategic-merge.ts')
  return (live) => strategicMerge(live, body, definition.schema())
}

function deletedStatus(definition: ResourceDefinition, { metadata: { name, uid } }: KubeObject): object {
  const { group, plural } = definition
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(group === '' ? {} : { group }), kind: plural, uid },
  }
}
