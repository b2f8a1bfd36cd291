import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { failure, StatusError } from '@stillpoint/api/meta/status-error'
import type { Logger } from 'pino'
import { failureAnswer, type HttpResponse, send } from '../apiserver/http/answer.ts'
import type { HttpRequest } from '../apiserver/http/body.ts'
import type { Served } from '../apiserver/http/extensions.ts'
import { refuseUpgrade } from '../apiserver/http/refuse-upgrade.ts'
import { ApiAccess } from './api-access.ts'
import { Attempts } from './attempts.ts'
import { AuthRoutes } from './auth-routes.ts'
import type { Backend } from './backend.ts'
import { Bundle } from './bundle.ts'
import type { Identity } from './identity.ts'
import { type Link, Links } from './links.ts'
import type { HostRule } from './own-hosts.ts'
import { notBuilt, unknownHost } from './pages.ts'
import { apiPrefix, pathOf, type Route, routeOf } from './route.ts'
import { secureOwn } from './security-headers.ts'
import { sendFile } from './send-file.ts'
import { Sessions } from './sessions.ts'
import { newCsrfCookie, type Visit, visitOf } from './visit.ts'

const keptForEver = 'public, max-age=31536000, immutable'

export interface ConsoleOptions {
  backend: Backend
  /** The folder of the built application. */
  dist: string
  hosts: HostRule
  /** Whether browsers come over TLS. */
  secure: boolean
  /** Answers what is not ours; without it there is nothing else, and `/` is always the application. */
  elsewhere?: Served | undefined
  now: () => Date
  log: Logger
}

/** The web console as it is served: its files, sign-in, and the Kubernetes API for who has signed in. */
export class Console implements Served {
  readonly #options: ConsoleOptions
  readonly #bundle: Bundle
  readonly #sessions: Sessions
  readonly #links: Links
  readonly #auth: AuthRoutes
  readonly #api: ApiAccess

  constructor(options: ConsoleOptions) {
    const { backend, dist, now, log } = options
    this.#options = options
    this.#bundle = new Bundle(dist)
    this.#sessions = new Sessions(now)
    this.#links = new Links(now)
    const [sessions, links, attempts] = [this.#sessions, this.#links, new Attempts(now)]
    this.#auth = new AuthRoutes({ backend, sessions, links, attempts }, log)
    this.#api = new ApiAccess(backend, sessions)
  }

  /** A one-time code for a session of this identity. */
  link(identity: Identity): Link {
    return this.#links.issue(identity)
  }

  async handle(request: HttpRequest, response: HttpResponse): Promise<void> {
    request.on('error', () => response.destroy())
    response.on('error', () => response.destroy())
    const { method = '', url = '/', headers } = request
    try {
      const visit = visitOf(request, this.#options)
      await this.#answer(routeOf(method, url, headers.accept), visit, response)
    } catch (error) {
      if (!(error instanceof StatusError))
        this.#options.log.error({ err: error, method, path: pathOf(url) }, 'request failed')
      if (response.headersSent) response.destroy()
      else await send(request, response, failureAnswer(error))
    } finally {
      // What a refused client still sends is not wanted, and must not keep its connection from the next request.
      if (response.writableEnded) request.resume()
    }
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<number> {
    const route = routeOf('GET', request.url ?? '/', undefined)
    const { elsewhere } = this.#options
    if (route.to !== 'kubernetes' && elsewhere) return elsewhere.upgrade(request, socket, head)
    socket.on('error', () => socket.destroy())
    try {
      if (route.to !== 'kubernetes') throw nothingAt(request)
      return await this.#api.socket({ ...visitOf(request, this.#options), request }, socket, head, route.url)
    } catch (error) {
      const refusal = failureAnswer(error)
      refuseUpgrade(socket, refusal)
      return refusal.code
    }
  }

  /** Ends all sessions and what is open in them. */
  close(): void {
    this.#sessions.close()
    this.#options.backend.close()
  }

  async #answer(route: Route, visit: Visit, response: HttpResponse): Promise<void> {
    const { request } = visit
    if (route.to === 'kubernetes') return this.#api.request(visit, response, route.url)
    if (route.to === 'elsewhere') return this.#elsewhere(visit, response)
    secureOwn(response, visit)
    switch (route.to) {
      case 'page':
        return this.#page(visit, response)
      case 'file':
        return this.#file(route.name, visit, response)
      case 'auth':
        return send(request, response, await this.#auth.answer(route.path, visit, response))
      case 'nowhere':
        throw failure(400, 'BadRequest', `the request is refused: ${route.why}`)
      default:
        route satisfies never
    }
  }

  async #page(visit: Visit, response: HttpResponse): Promise<void> {
    const { request } = visit
    if (visit.host === undefined) return send(request, response, unknownHost)
    this.#giveCsrfToken(visit, response)
    const index = await this.#bundle.file('index.html')
    if (index) await sendFile(request, response, index, 'no-cache')
    else await send(request, response, notBuilt)
  }

  async #file(name: string, visit: Visit, response: HttpResponse): Promise<void> {
    const { request } = visit
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD')
      throw failure(405, 'MethodNotAllowed', 'files of the console can only be read')
    }
    const file = await this.#bundle.file(name)
    if (!file) throw nothingAt(request)
    await sendFile(request, response, file, name.startsWith('assets/') ? keptForEver : 'no-cache')
  }

  /** `/` also greets who is no browser: test suites and scripts fetch it for the CSRF token. */
  async #elsewhere(visit: Visit, response: HttpResponse): Promise<void> {
    const { request } = visit
    const atRoot = pathOf(request.url ?? '/') === '/' && (request.method === 'GET' || request.method === 'HEAD')
    if (atRoot && visit.host !== undefined) this.#giveCsrfToken(visit, response)
    const { elsewhere } = this.#options
    if (elsewhere) {
      // Whatever is answered is of the origin that our pages have.
      response.setHeader('X-Content-Type-Options', 'nosniff')
      return elsewhere.handle(request, response)
    }
    secureOwn(response, visit)
    if (atRoot) return this.#page(visit, response)
    throw nothingAt(request)
  }

  #giveCsrfToken(visit: Visit, response: HttpResponse): void {
    const cookie = newCsrfCookie(visit)
    if (cookie !== undefined) response.setHeader('Set-Cookie', cookie)
  }
}

function nothingAt({ url = '/' }: HttpRequest): Error {
  return failure(404, 'NotFound', `there is nothing at ${pathOf(url)}; the Kubernetes API is at ${apiPrefix}`)
}
