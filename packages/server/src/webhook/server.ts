import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { type Answer, mutate, type Read, validate } from './answer.ts'
import type { Webhook } from './paths.ts'
import { parseReview, type Review, ReviewError } from './review.ts'

/** A review holds the new object and the old one, of 3 MiB at most each. */
const bodyLimitBytes = 8 * 1024 * 1024
const headerTimeoutMs = 5_000
/** As long as an API server waits for us. */
const requestTimeoutMs = 10_000

export interface WebhookServerOptions {
  listen: { host: string; port: number }
  /** PEM. */
  cert: string
  key: string
  webhooks: readonly Webhook[]
  read: Read
  log: Logger
}

/** Answers AdmissionReviews over HTTPS. `GET /readyz` tells that it does. */
export class WebhookServer {
  readonly #options: WebhookServerOptions
  readonly #server: Server

  constructor(options: WebhookServerOptions) {
    this.#options = options
    const { cert, key } = options
    this.#server = createServer(
      { cert, key, minVersion: 'TLSv1.2', headersTimeout: headerTimeoutMs, requestTimeout: requestTimeoutMs },
      (request, response) => void this.#handle(request, response),
    )
    this.#server.on('tlsClientError', (error) => options.log.debug({ error: error.message }, 'handshake failed'))
  }

  /** The port it listens on. */
  async listen(): Promise<number> {
    const { host, port } = this.#options.listen
    this.#server.listen(port, host)
    await once(this.#server, 'listening').catch((cause: unknown) => {
      throw new Error(`the webhook cannot listen on ${host}:${port}; choose another --webhook-listen`, { cause })
    })
    return (this.#server.address() as AddressInfo).port
  }

  /** Lets running requests finish. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeIdleConnections()
    const timer = setTimeout(() => this.#server.closeAllConnections(), requestTimeoutMs)
    await closed
    clearTimeout(timer)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log } = this.#options
    const { url = '/', method } = request
    const [path = '/'] = url.split('?')
    try {
      if (path === '/readyz' || path === '/healthz') {
        send(response, 200, 'ok', 'text/plain')
        return
      }
      const webhook = this.#options.webhooks.find((candidate) => candidate.path === path)
      if (webhook === undefined) throw new ReviewError(`there is no webhook at ${path}`, 404)
      if (method !== 'POST') throw new ReviewError('a review is sent with POST', 405)
      if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
        throw new ReviewError('a review is sent as application/json', 415)
      const review = parseReview(await bodyOf(request))
      const answer = this.#answer(webhook, review)
      log.debug({ webhook: webhook.name, operation: review.operation, allowed: answer.allowed }, 'reviewed')
      const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }
      send(response, 200, JSON.stringify(body), 'application/json')
    } catch (error) {
      const code = error instanceof ReviewError ? error.code : 500
      const text = error instanceof Error ? error.message : String(error)
      if (code === 500) log.error({ path, error: text }, 'review failed')
      else log.warn({ path, code, error: text }, 'request refused')
      // What was not read of the body is not read any more.
      if (!request.complete) response.setHeader('connection', 'close')
      send(response, code, text, 'text/plain; charset=utf-8')
    }
  }

  #answer({ does, rule }: Webhook, review: Review): Answer {
    return does === 'mutate' ? mutate(review, rule) : validate(review, rule, this.#options.read)
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bodyLimitBytes) throw new ReviewError(`the body exceeds ${bodyLimitBytes} bytes`, 413)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, code: number, body: string, type: string): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
