import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { failure, type Status, StatusError } from '@stillpoint/api/meta/status-error'

/** How to reach a Kubernetes API and as whom. */
export interface Connection {
  /** `https://host:port`, optionally with a path prefix. */
  server: string
  /** PEM of the authority that signed the server's certificate; the system's when absent. */
  ca?: string | undefined
  /** Client certificate and key, PEM. */
  cert?: string | undefined
  key?: string | undefined
  insecureSkipTlsVerify?: boolean | undefined
  /** Headers that prove who we are, asked for before each request so that tokens may be renewed. */
  authorize(): Promise<Record<string, string>> | Record<string, string>
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  query?: Record<string, string | undefined>
  body?: unknown
  contentType?: string
  accept?: string
  signal?: AbortSignal | undefined
  timeoutMs?: number
}

/** An answer larger than this is refused: nothing we read comes near it. */
const maxBodyBytes = 64 * 1024 * 1024
const defaultTimeoutMs = 30_000
/** Shorter than servers and balancers keep a connection nobody uses: it must not be gone just when we use it again. */
export const idleConnectionMs = 15_000

/** Told of every request when its answer begins, with the status code; undefined: nobody answered. */
export type AnswerObserver = (method: string, code: number | undefined) => void

/** Sends requests to one API server over kept-alive connections; every request has a deadline. */
export class Transport {
  readonly #connection: Connection
  readonly #answered: AnswerObserver | undefined
  readonly #agent: Agent | undefined
  readonly #watchAgent: Agent | undefined

  constructor(connection: Connection, answered?: AnswerObserver) {
    this.#connection = connection
    this.#answered = answered
    if (connection.server.startsWith('https:')) {
      const tls = { ...tlsOf(connection), keepAlive: true, timeout: idleConnectionMs }
      this.#agent = new Agent({ ...tls, maxSockets: 32 })
      this.#watchAgent = new Agent(tls)
    }
  }

  /** The decoded JSON answer; throws StatusError for every answer that is not 2xx. */
  async request(options: HttpRequest): Promise<unknown> {
    const text = await this.requestText(options)
    return text === '' ? undefined : JSON.parse(text)
  }

  /** As `request`, for answers that are not JSON. */
  async requestText(options: HttpRequest): Promise<string> {
    const deadline = AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs)
    const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline
    const response = await this.#send(options, this.#agent, signal)
    const text = await readText(response).catch((cause: unknown) => {
      throw new TransportError(options, { cause: signal.reason ?? cause })
    })
    if (isSuccess(response)) return text
    throw statusError(options, response, text)
  }

  /** The lines of a streamed answer (a watch), until it ends or `signal` aborts. */
  async *lines(options: HttpRequest): AsyncGenerator<string> {
    const response = await this.#send(options, this.#watchAgent, options.signal)
    if (!isSuccess(response)) throw statusError(options, response, await readText(response))
    response.setEncoding('utf8')
    let rest = ''
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > maxBodyBytes) throw new Error(`watch ${options.path}: a line exceeds ${maxBodyBytes} bytes`)
      yield* lines.filter((line) => line !== '')
    }
  }

  close(): void {
    this.#agent?.destroy()
    this.#watchAgent?.destroy()
  }

  async #send(options: HttpRequest, agent: Agent | undefined, signal?: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(this.#connection.server.replace(/\/$/, '') + options.path)
    for (const [name, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, value)
    const body = options.body === undefined ? undefined : JSON.stringify(options.body)
    const headers: Record<string, string> = {
      accept: options.accept ?? 'application/json',
      'user-agent': 'stillpoint',
      ...(await this.#connection.authorize()),
    }
    if (body !== undefined) {
      headers['content-type'] = options.contentType ?? 'application/json'
      headers['content-length'] = `${Buffer.byteLength(body)}`
    }
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest
      const request = send(url, {
        method: options.method,
        headers,
        ...(agent ? { agent } : {}),
        ...(signal ? { signal } : {}),
      })
      let answered = false
      request.once('response', (response) => {
        answered = true
        this.#answered?.(options.method, response.statusCode)
        resolve(response)
      })
      request.once('error', (cause) => {
        // Gone while it lay unused. Reading may be repeated; of a write nobody knows whether it was done.
        if (!answered && request.reusedSocket && options.method === 'GET' && signal?.aborted !== true) {
          resolve(this.#send(options, agent, signal))
          return
        }
        if (!answered) this.#answered?.(options.method, undefined)
        reject(new TransportError(options, { cause: signal?.reason ?? cause }))
      })
      request.end(body)
    })
  }
}

/** How a server is told apart from others, and what it is shown. */
export function tlsOf({ ca, cert, key, insecureSkipTlsVerify }: Connection): TlsOptions {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: insecureSkipTlsVerify !== true,
  }
}

/** The API could not be reached or did not answer in time. Always worth another try. */
export class TransportError extends Error {
  constructor(request: HttpRequest, options: ErrorOptions) {
    super(`${request.method} ${request.path}`, options)
    this.name = 'TransportError'
  }
}

function isSuccess(response: IncomingMessage): boolean {
  const code = response.statusCode ?? 0
  return code >= 200 && code < 300
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) throw new Error(`answer exceeds ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function statusError(request: HttpRequest, response: IncomingMessage, text: string): StatusError {
  const code = response.statusCode ?? 500
  let status: Status | undefined
  if (response.headers['content-type']?.includes('json'))
    try {
      status = JSON.parse(text) as Status
    } catch {
      // Not a Status after all; the text is reported below.
    }
  const asked = Number(response.headers['retry-after'])
  const patience = Number.isFinite(asked) && asked > 0 ? { retryAfterSeconds: asked } : {}
  if (status?.kind === 'Status')
    return new StatusError({ ...status, code: status.code ?? code, details: { ...patience, ...status.details } })
  const message = `${request.method} ${request.path}: ${code} ${text.slice(0, 200).trim()}`
  return failure(code, reasons[code] ?? 'InternalError', message, patience)
}

/** For answers of what stands in front of an API server, which are no Status. */
const reasons: Record<number, string> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}
