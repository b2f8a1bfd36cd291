import { randomUUID } from 'node:crypto'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import type { Entry } from '../audit/audit-event.ts'
import { newTrail, noteFailure, type Stage, type Trail } from '../audit/trail.ts'
import type { Attributes } from '../auth/attributes.ts'
import type { Authenticator, Credentials, Identity } from '../auth/authenticator.ts'
import type { Authorizer } from '../auth/authorizer.ts'
import { impersonation } from '../auth/impersonation.ts'
import { refusal } from '../auth/refusal.ts'
import { reviewAnswers } from '../auth/reviews.ts'
import { isJsonObject } from '../json.ts'
import type { UserInfo } from '../registry/admission.ts'
import { decodeObject } from '../registry/decode-object.ts'
import {
  type FieldError,
  invalid,
  methodNotAllowed,
  timeout,
  tooManyRequests,
  unauthorized,
} from '../registry/errors.ts'
import { validate } from '../registry/validate.ts'
import { listOfNone } from './absent-kinds.ts'
import { type Answer, addWarnings, failureAnswer, type HttpResponse, json, pageNotFound, send } from './answer.ts'
import { attributesOf, attributesOfPath, subresourceRight, verbOf, verbOfPath } from './authorize.ts'
import { decodeBody, type HttpRequest, mediaTypeOf, readBody } from './body.ts'
import type { Caller } from './caller.ts'
import { inVersion } from './encode.ts'
import type { RawHandler, StreamHandler, SubresourceCall, SubresourceHandler } from './extensions.ts'
import { healthAnswer, version } from './health.ts'
import { parseTimeoutMs } from './list-options.ts'
import { peerCertificateOf } from './peer-certificate.ts'
import { parseResourcePath, type ResourcePath } from './request-path.ts'
import type { Outcome, ResourceRequest, ResourceRoutes } from './resource-routes.ts'
import { type Right, rightOf } from './watch-right.ts'
import { responseSink, streamWatch } from './watch-stream.ts'
import { needsWebSocket } from './web-socket.ts'

const requestTimeoutMs = 60_000
export const urlLimit = 16 * 1024
const auditIdLimit = 64
const yearMs = 365 * 24 * 3_600_000
const inFlightLimits = { read: 400, write: 200, stream: 400 }
const subresourceVersions = new Set(['v1', 'v1alpha3'])
const verbs = new Set(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'])
const anonymous: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] }
const actionMethods: readonly string[] = ['GET', 'PUT', 'POST'] satisfies SubresourceCall['method'][]

export type Discovery = (
  path: string,
  accept: string | undefined,
) => { contentType: string; body: string | Uint8Array; etag?: string } | undefined

/** What is known of an answered request; words come from closed sets, empty where they do not apply. */
export interface RequestFacts {
  verb: string
  group: string
  resource: string
  subresource: string
  code: number
  seconds: number
}

export interface HandlerOptions {
  resources: readonly ResourceDefinition[]
  routes: ResourceRoutes
  subresources: ReadonlyMap<string, SubresourceHandler>
  streams: ReadonlyMap<string, StreamHandler>
  raw: ReadonlyMap<string, RawHandler>
  discovery: Discovery
  authenticator: Authenticator
  authorizer: Authorizer
  log: Logger
  /** Aborted when the server closes. */
  closing: AbortSignal
  now: () => Date
  /** Where it is written down who asked for what; nobody waits for it. */
  audit?: { record(entry: Entry): void } | undefined
  /** Told of every request that was answered; quick, and never throws. */
  answered?: ((facts: RequestFacts) => void) | undefined
}

export type Sender = Pick<HttpRequest, 'headers' | 'rawHeaders' | 'socket'>

interface Incoming {
  request: HttpRequest
  response: HttpResponse
  path: string
  query: URLSearchParams
  trail: Trail | undefined
  /** Filled in as it becomes known. */
  facts: Pick<RequestFacts, 'verb' | 'group' | 'resource' | 'subresource'>
}

/** The pipeline every request runs through: who, may they, what, answer. */
export class Handler {
  readonly #options: HandlerOptions
  readonly #served = new Map<string, ResourceDefinition>()
  readonly #reviews: ReturnType<typeof reviewAnswers>
  readonly #inFlight = { read: 0, write: 0, stream: 0 }

  constructor(options: HandlerOptions) {
    this.#options = options
    this.#reviews = reviewAnswers(options.authorizer, options.authenticator)
    for (const definition of options.resources)
      for (const { name } of definition.versions)
        this.#served.set(`${definition.group}/${name}/${definition.plural}`, definition)
  }

  /** Answers one request. Never throws: what goes wrong becomes an answer, and a line in the log if it is our fault. */
  async handle(request: HttpRequest, response: HttpResponse): Promise<void> {
    const url = request.url ?? '/'
    const end = url.indexOf('?')
    const path = end < 0 ? url : url.slice(0, end)
    const query = new URLSearchParams(end < 0 ? '' : url.slice(end + 1))
    const auditId = String(request.headers['audit-id'] ?? randomUUID()).slice(0, auditIdLimit)
    response.setHeader('Audit-Id', auditId)
    response.setHeader('Cache-Control', 'no-cache, private')
    // A client may go at any moment; that is the end of its request and of nothing else.
    request.on('error', () => response.destroy())
    response.on('error', () => response.destroy())
    const began = performance.now()
    const facts = { verb: '', group: '', resource: '', subresource: '' }
    const trail = this.beginTrail(request, auditId)
    try {
      const answer =
        url.length > urlLimit ? uriTooLong() : await this.#answer({ request, response, path, query, trail, facts })
      if (answer) await send(request, response, answer)
    } catch (error) {
      const answer = failureAnswer(error)
      noteFailure(trail, error)
      if (answer.code === 500)
        this.#options.log.error({ err: error, auditId, method: request.method, path }, 'request failed')
      if (response.headersSent) response.destroy()
      else await send(request, response, answer)
    } finally {
      const seconds = (performance.now() - began) / 1_000
      this.#options.answered?.({ ...facts, code: response.statusCode, seconds })
      this.endTrail(trail, response.statusCode, response)
      // What a refused client still sends is not wanted; on HTTP/1.1 the connection must not wait for it.
      request.resume()
    }
  }

  /** The user of a request; `system:anonymous` without credentials, 401 for bad ones. */
  authenticate(request: Sender): UserInfo {
    return this.callerOf(request).user
  }

  /** Throws 403 unless the user is allowed what is asked for. */
  authorize(user: UserInfo, asked: Attributes, trail?: Trail): void {
    const decision = this.#options.authorizer.check(user, asked)
    if (trail) trail.decision = decision
    if (!decision.allowed) throw refusal(user, asked, decision)
  }

  /** Who calls a raw route, once allowed to; undefined for strangers where they are served, too. */
  userOfRoute(
    { anonymous: open }: RawHandler,
    request: Sender,
    asked: Attributes,
    trail: Trail | undefined,
  ): UserInfo | undefined {
    if (!open) {
      const { user } = this.callerOf(request, trail)
      this.authorize(user, asked, trail)
      return user
    }
    // A route that serves anybody may have tokens of its own, which are nothing to us.
    const identity = this.#options.authenticator.identityOf(credentialsOf(request))
    if (trail) trail.caller = callerFrom(identity)
    return identity?.user
  }

  /** Who a request is from; bad credentials are 401. */
  callerOf(request: Sender, trail?: Trail): Caller {
    const shown = credentialsOf(request)
    const identity = this.#options.authenticator.identityOf(shown)
    // Bad credentials are never taken for none: their owner must learn of it.
    if (!identity && (shown.certificate || request.headers.authorization)) throw unauthorized()
    const self = callerFrom(identity)
    if (trail) trail.caller = self
    const wanted = impersonation(request.rawHeaders)
    if (!wanted) return self
    for (const right of wanted.rights) this.authorize(self.real, right, trail)
    const caller = { ...self, user: wanted.user }
    if (trail) trail.caller = caller
    return caller
  }

  /** What is found out about a request is kept together for the audit log; undefined where there is none. */
  beginTrail(request: Parameters<typeof newTrail>[1], id: string): Trail | undefined {
    const { audit, now } = this.#options
    return audit && newTrail(id, request, now())
  }

  /** Writes down what came of a request; of one that goes on, its end as well, when its stream closes. */
  endTrail(trail: Trail | undefined, code: number, stream: Pick<NodeJS.EventEmitter, 'once'>): void {
    const { audit, now } = this.#options
    if (!trail || !audit) return
    const record = (stage: Stage) => audit.record({ trail, stage, code, atMs: now().getTime() })
    record(trail.stage)
    if (trail.stage === 'ResponseStarted') stream.once('close', () => record('ResponseComplete'))
  }

  get closing(): AbortSignal {
    return this.#options.closing
  }

  get log(): Logger {
    return this.#options.log
  }

  answered(facts: RequestFacts): void {
    this.#options.answered?.(facts)
  }

  /** The right to go on with what was begun, where it can end. */
  rightOf(request: Sender, caller: Caller, asked: Attributes): Right | undefined {
    const { authorizer, now } = this.#options
    const check = () => this.authorize(this.authenticate(request), asked)
    return rightOf({ caller, check, authorizer, now })
  }

  /** Counts a request in, or refuses it when there are too many. The function returned counts it out. */
  enter(kind: keyof typeof inFlightLimits): () => void {
    if (this.#inFlight[kind] >= inFlightLimits[kind]) throw tooManyRequests('Too many requests: please try again later')
    this.#inFlight[kind]++
    return () => {
      this.#inFlight[kind]--
    }
  }

  /** What a watch is to show; an answer where nothing can be watched. Its caller has been authorized. */
  async watchOf(request: HttpRequest, path: ResourcePath, query: URLSearchParams, user: UserInfo): Promise<Outcome> {
    const definition = this.#servedAt(path)
    if (!definition || definition.createOnly || path.name !== undefined) return { answer: pageNotFound() }
    const nothing = () => {}
    return this.#route({ request, path, query, definition, user, warn: nothing, created: nothing })
  }

  #route(given: ResourceRequest): Promise<Outcome> {
    return within(parseTimeoutMs(given.query) ?? requestTimeoutMs, this.#options.routes.handle(given))
  }

  /** The stream a path names; undefined where there is none. */
  streamOf(path: ResourcePath): StreamHandler | undefined {
    return this.#offered(path, this.#options.streams)
  }

  /** The raw route a path belongs to. */
  rawRoute(path: string, kind: 'handle' | 'upgrade'): RawHandler | undefined {
    for (const [prefix, route] of this.#options.raw)
      if (route[kind] && (path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)))
        return route
    return undefined
  }

  async #answer(incoming: Incoming): Promise<Answer | undefined> {
    const { request, response, path, query, trail } = incoming
    const method = request.method ?? ''
    const raw = this.rawRoute(path, 'handle')
    if (raw) {
      const user = this.userOfRoute(raw, request, attributesOfPath(method, path, query), trail)
      await raw.handle?.({ request, response, path, query, user, signal: this.#signal(response) })
      return undefined
    }
    const caller = this.callerOf(request, trail)
    const reading = method === 'GET' || method === 'HEAD'
    const resourcePath = parseResourcePath(path)
    if (!resourcePath) {
      this.authorize(caller.user, { verb: verbOfPath(method), path }, trail)
      return this.#nonResource(incoming, reading)
    }
    const verb = verbOf(method, resourcePath, query)
    Object.assign(incoming.facts, this.factsOf(resourcePath, verb))
    this.authorize(caller.user, attributesOf(method, resourcePath, query), trail)
    if (verb === 'watch') return this.#resource(incoming, resourcePath, caller)
    const leave = this.enter(reading ? 'read' : 'write')
    try {
      return await this.#resource(incoming, resourcePath, caller)
    } finally {
      leave()
    }
  }

  #nonResource({ request, path, query }: Incoming, reading: boolean): Answer {
    const health = reading ? healthAnswer(path, query, !this.#options.closing.aborted) : undefined
    if (health) return health
    if (reading && (path === '/version' || path === '/version/')) return json(200, version)
    const found = reading ? this.#options.discovery(path, request.headers.accept) : undefined
    if (found) {
      const { contentType, body, etag } = found
      const hash = query.get('hash')
      const current = etag?.replaceAll('"', '') ?? ''
      if (hash !== null && hash !== current)
        return { code: 301, body: '', contentType, headers: { Location: `${path}?hash=${current}` } }
      const headers = {
        Vary: 'Accept',
        // A document asked for by its hash never changes; everything else is asked for again.
        'Cache-Control': hash === null ? 'public' : 'public, immutable',
        ...(hash === null ? {} : { Expires: new Date(Date.now() + yearMs).toUTCString() }),
        ...(etag === undefined ? {} : { ETag: etag }),
      }
      if (etag !== undefined && request.headers['if-none-match'] === etag)
        return { code: 304, body: '', contentType, headers }
      return { code: 200, body, contentType, headers }
    }
    return pageNotFound()
  }

  async #resource(
    { request, response, query, trail }: Incoming,
    path: ResourcePath,
    caller: Caller,
  ): Promise<Answer | undefined> {
    const { user } = caller
    const action = this.#action(path)
    if (action) return this.#act(action, { request, response, query }, path, user)
    if (this.streamOf(path)) throw request.method === 'GET' ? needsWebSocket() : methodNotAllowed()
    const definition = this.#servedAt(path)
    if (!definition) {
      const none = listOfNone(path, verbOf(request.method ?? '', path, query), this.#options.routes.revision)
      return none ? json(200, none) : pageNotFound()
    }
    if (definition.createOnly) return this.#review(definition, request, path, user)
    const warnings: string[] = []
    const deprecation = definition.versions.find(({ name }) => name === path.version)?.deprecationWarning
    if (deprecation !== undefined) warnings.push(deprecation)
    try {
      const outcome = await this.#route({
        request,
        path,
        query,
        definition,
        user,
        warn: (warning) => warnings.push(warning),
        created: ({ metadata: { name, uid } }) => {
          if (trail) trail.created = { name, uid }
        },
      })
      addWarnings(response, warnings)
      if ('answer' in outcome) return outcome.answer
      if (request.method === 'HEAD') throw methodNotAllowed()
      const right = this.rightOf(request, caller, attributesOf('GET', path, query))
      if (trail) trail.stage = 'ResponseStarted'
      streamWatch(responseSink(response), { ...outcome.watch, signal: this.closing, right })
      return undefined
    } catch (error) {
      addWarnings(response, warnings)
      throw error
    }
  }

  async #review(
    definition: ResourceDefinition,
    request: HttpRequest,
    path: ResourcePath,
    user: UserInfo,
  ): Promise<Answer> {
    const { namespace, version, name } = path
    const answer = this.#reviews[definition.kind]
    if (name !== undefined || !answer || (namespace === undefined) !== (definition.scope === 'Cluster'))
      return pageNotFound()
    if (request.method !== 'POST') throw methodNotAllowed()
    const { body } = await decodeBody(await readBody(request), mediaTypeOf(request.headers['content-type']), true)
    const call = { definition, version, namespace, user, dryRun: false, fieldValidation: 'Ignore' } as const
    // Some clients send an empty answer along with the question.
    const { status: _status, ...question } = isJsonObject(body) ? body : {}
    const review = decodeObject({ ...call, warn: () => {} }, isJsonObject(body) ? question : body)
    const errors: FieldError[] = []
    validate(review, definition.schema(), '', errors)
    if (errors.length > 0) throw invalid(definition, review.metadata.name, errors)
    const metadata = namespace === undefined ? {} : { namespace }
    const status = answer({ definition, review, user, namespace })
    return json(201, { ...inVersion(review, definition, version), metadata, status })
  }

  /** What a client may have made up is left out: it would be a series of its own. */
  factsOf(path: ResourcePath, verb: string): Incoming['facts'] {
    const { group, resource, subresource = '' } = path
    const known = this.#servedAt(path) !== undefined
    const offered = this.#action(path) !== undefined || this.streamOf(path) !== undefined
    if (!known && !offered) return { verb: verbs.has(verb) ? verb : '', group: '', resource: '', subresource: '' }
    const action = subresource.split('/')[0] ?? ''
    const named = subresource === '' || subresource === 'status' || offered
    return { verb: verbs.has(verb) ? verb : '', group, resource, subresource: named ? action : '' }
  }

  #servedAt({ group, version, resource }: ResourcePath): ResourceDefinition | undefined {
    return this.#served.get(`${group}/${version}/${resource}`)
  }

  #action(path: ResourcePath): SubresourceHandler | undefined {
    return this.#offered(path, this.#options.subresources)
  }

  /** By the very name the right was asked for: what is below another subresource is not that subresource. */
  #offered<T>(
    { group, version, resource, subresource, name, namespace }: ResourcePath,
    offers: ReadonlyMap<string, T>,
  ): T | undefined {
    if (subresource === undefined || name === undefined || namespace === undefined) return undefined
    const served = group.startsWith('subresources.')
      ? subresourceVersions.has(version)
      : this.#served.has(`${group}/${version}/${resource}`)
    return served ? offers.get(`${group}/${resource}/${subresourceRight(subresource)}`) : undefined
  }

  async #act(
    action: SubresourceHandler,
    { request, response, query }: Pick<Incoming, 'request' | 'response' | 'query'>,
    path: ResourcePath,
    user: UserInfo,
  ): Promise<Answer> {
    const method = request.method ?? ''
    const { version, namespace = '', resource, name = '', subresource = '' } = path
    if (!isActionMethod(method)) throw methodNotAllowed()
    const bytes = await readBody(request)
    const body =
      bytes.length === 0
        ? undefined
        : (await decodeBody(bytes, mediaTypeOf(request.headers['content-type']), path.group === '')).body
    const signal = this.#signal(response)
    const answer = await action({ version, namespace, resource, name, subresource, method, query, body, user, signal })
    if ('bytes' in answer) return { code: answer.code, body: answer.bytes, contentType: answer.contentType }
    return answer.body === undefined
      ? { code: answer.code, body: '', contentType: 'text/plain; charset=utf-8' }
      : json(answer.code, answer.body)
  }

  #signal(response: HttpResponse): AbortSignal {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    return AbortSignal.any([gone.signal, this.#options.closing])
  }
}

function callerFrom(identity: Identity | undefined): Caller {
  const { user, expires } = identity ?? { user: anonymous }
  return { user, real: user, expires }
}

function credentialsOf(request: Sender): Credentials {
  const token = /^Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1]
  return { certificate: peerCertificateOf(request), token }
}

function isActionMethod(method: string): method is SubresourceCall['method'] {
  return actionMethods.includes(method)
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timeout()), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

export function uriTooLong(): Answer {
  return { code: 414, body: 'URI too long\n', contentType: 'text/plain; charset=utf-8' }
}
