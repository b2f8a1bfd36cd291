import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { failure } from '@stillpoint/api/meta/status-error'
import { flushHead, type HttpResponse } from '../apiserver/http/answer.ts'
import type { HttpRequest } from '../apiserver/http/body.ts'
import { type Connection, idleConnectionMs, tlsOf } from '../kube/transport.ts'
import type { Backend, Forward, ForwardUpgrade } from './backend.ts'
import { headersBefore, headersBehind, locationBefore } from './forwarded-headers.ts'
import type { Identity } from './identity.ts'
import { relayRefusal, relayUpgrade } from './relay-upgrade.ts'
import { apiPrefix } from './route.ts'
import { connectionAs, whoIs } from './who-is.ts'

const connectMs = 10_000

type Options = Pick<Forward, 'url' | 'identity'> & { request: HttpRequest }

/** Any Kubernetes API, over HTTP/1.1, which all of them speak; each request has a connection for itself. */
export class RemoteBackend implements Backend {
  readonly mode = 'proxy'
  readonly #connection: Connection
  readonly #server: URL
  /** Apart, since connections of the second may have shown a client certificate. */
  readonly #agents: { token: HttpAgent; kubeconfig: HttpAgent }

  constructor(connection: Connection) {
    this.#connection = connection
    this.#server = new URL(connection.server)
    const agent = (as: Connection) => {
      const options = { keepAlive: true, timeout: idleConnectionMs }
      return this.#server.protocol === 'https:' ? new HttpsAgent({ ...options, ...tlsOf(as) }) : new HttpAgent(options)
    }
    this.#agents = {
      token: agent(connectionAs(connection, { kind: 'token', token: '' })),
      kubeconfig: agent(connection),
    }
  }

  whoIs = (identity: Identity) => whoIs(this.#connection, identity)

  async forward({ response, ...options }: Forward): Promise<number> {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const answer = await this.#ask(options, gone.signal)
    writeHeadOf(answer, response, this.#connection.server)
    answer.on('error', () => response.destroy())
    answer.pipe(response as NodeJS.WritableStream)
    return response.statusCode
  }

  async upgrade({ socket, head, ...options }: ForwardUpgrade): Promise<number> {
    const { request } = options
    const upgrading = {
      ...(await this.#headers(options)),
      connection: 'Upgrade',
      upgrade: request.headers.upgrade ?? 'websocket',
    }
    const behind = this.#open(options, upgrading, false)
    socket.on('close', () => behind.destroy())
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    behind.once('upgrade', (answer, socketBehind, headBehind) => {
      relayUpgrade({ socket, head, answer, socketBehind, headBehind })
      resolve(101)
    })
    behind.once('response', (answer) => {
      relayRefusal(socket, answer)
      resolve(answer.statusCode ?? 502)
    })
    behind.on('error', (cause) => reject(this.#unreachable(cause)))
    behind.end()
    return promise
  }

  close(): void {
    this.#agents.token.destroy()
    this.#agents.kubeconfig.destroy()
  }

  async #ask(options: Options, gone: AbortSignal): Promise<IncomingMessage> {
    const { request } = options
    const behind = this.#open(options, { ...(await this.#headers(options)), ...lengthOf(request) }, true)
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const end = () => behind.destroy()
    gone.addEventListener('abort', end)
    behind.once('close', () => gone.removeEventListener('abort', end))
    behind.once('response', resolve)
    let answered = false
    behind.once('response', () => {
      answered = true
    })
    behind.on('error', (cause) => {
      request.unpipe(behind)
      // It was closed while it lay unused. What has a body may have been done, and is not there any more to be sent again.
      if (!answered && behind.reusedSocket && !gone.aborted && !hasBody(request)) resolve(this.#ask(options, gone))
      else reject(this.#unreachable(cause))
    })
    if (hasBody(request)) {
      // The head goes at once: the API may answer before the body comes.
      behind.flushHeaders()
      request.pipe(behind)
    } else behind.end()
    return promise
  }

  #open(
    { url, identity, request }: Options,
    headers: Record<string, string | string[]>,
    pooled: boolean,
  ): ClientRequest {
    const { protocol, hostname, port, pathname } = this.#server
    const kind = identity?.kind ?? 'token'
    const behind = (protocol === 'https:' ? httpsRequest : httpRequest)({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      path: pathname.replace(/\/$/, '') + url,
      method: request.method ?? 'GET',
      headers,
      // An upgraded connection is never given back.
      ...(pooled ? { agent: this.#agents[kind] } : { ...tlsOf(this.#as(identity)), agent: false }),
    })
    behind.once('socket', (socket) => {
      if (!socket.connecting) return
      const timer = setTimeout(() => behind.destroy(new Error(`no connection within ${connectMs} ms`)), connectMs)
      socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => clearTimeout(timer))
      socket.once('close', () => clearTimeout(timer))
    })
    return behind
  }

  async #headers({ request, identity }: Options): Promise<Record<string, string | string[]>> {
    const { authorization } = request.headers
    const own = authorization === undefined ? {} : { authorization }
    return { ...headersBehind(request.headers), ...(identity ? await this.#as(identity).authorize() : own) }
  }

  #as(identity: Identity | undefined): Connection {
    return connectionAs(this.#connection, identity ?? { kind: 'token', token: '' })
  }

  #unreachable(cause: Error): Error {
    const { server } = this.#connection
    const error = failure(
      503,
      'ServiceUnavailable',
      `the Kubernetes API at ${server} cannot be reached: ${cause.message}`,
    )
    error.cause = cause
    return error
  }
}

function hasBody(request: HttpRequest): boolean {
  if ('stream' in request) return !request.stream.endAfterHeaders
  const { headers } = request
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** How much comes. Node says nothing for a DELETE with a body, which would have no end then. */
function lengthOf(request: HttpRequest): Record<string, string> {
  const length = request.headers['content-length']
  if (length !== undefined) return { 'content-length': length }
  return hasBody(request) ? { 'transfer-encoding': 'chunked' } : {}
}

function writeHeadOf(answer: IncomingMessage, response: HttpResponse, server: string): void {
  response.statusCode = answer.statusCode ?? 502
  for (const [name, value] of Object.entries(headersBefore(answer.headersDistinct))) response.setHeader(name, value)
  const { location } = answer.headers
  if (location !== undefined)
    response.setHeader('location', locationBefore(location, server.replace(/\/$/, ''), apiPrefix))
  flushHead(response)
}
