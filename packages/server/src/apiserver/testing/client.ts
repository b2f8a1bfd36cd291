import type { IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

export interface Reply {
  code: number
  headers: IncomingHttpHeaders
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every kind
  body: any
}

export interface Sent {
  body?: unknown
  contentType?: string | undefined
  headers?: Record<string, string>
  token?: string | undefined
}

/** One event of a watch. */
export interface WatchEvent {
  type: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind
  object: any
}

const eventLimitMs = 5_000

/** A plain HTTPS client for tests: what it sends is what the test wrote. */
export class TestClient {
  readonly #base: RequestOptions
  readonly #token: string

  constructor({ url, token = '', ...tls }: { url: string; ca: string; token?: string; cert?: string; key?: string }) {
    const { hostname, port } = new URL(url)
    this.#base = { hostname, port, ...tls, agent: false }
    this.#token = token
  }

  get = (path: string, sent?: Sent) => this.send('GET', path, sent)
  post = (path: string, body: unknown, sent?: Sent) => this.send('POST', path, { body, ...sent })
  put = (path: string, body: unknown, sent?: Sent) => this.send('PUT', path, { body, ...sent })
  delete = (path: string, body?: unknown, sent?: Sent) => this.send('DELETE', path, { body, ...sent })
  merge = (path: string, body: unknown, sent?: Sent) =>
    this.send('PATCH', path, { body, contentType: 'application/merge-patch+json', ...sent })

  send(method: string, path: string, sent: Sent = {}): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const request = httpsRequest({ ...this.#base, method, path, headers: this.#headers(sent) }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const isJson =
          response.headers['content-type']?.startsWith('application/json') && !response.headers['content-encoding']
        const body: unknown = isJson && text !== '' ? JSON.parse(text) : undefined
        resolve({ code: response.statusCode ?? 0, headers: response.headers, text, body })
      })
    })
    request.on('error', reject)
    request.end(rawBody(sent.body))
    return promise
  }

  /** Opens a watch; resolves when the server has sent the head. */
  watch(path: string, sent: Sent = {}): Promise<TestWatch> {
    const { promise, resolve, reject } = Promise.withResolvers<TestWatch>()
    const request = httpsRequest({ ...this.#base, method: 'GET', path, headers: this.#headers(sent) }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`the watch was refused with ${response.statusCode}`))
      const watch = new TestWatch(() => request.destroy(), response)
      createInterface({ input: response })
        .on('line', (line) => watch.add(JSON.parse(line) as WatchEvent))
        .on('error', () => watch.end())
      response.on('end', () => watch.end())
      response.on('error', () => watch.end())
      resolve(watch)
    })
    request.on('error', reject)
    request.end()
    return promise
  }

  #headers({ contentType, headers, token = this.#token, body }: Sent): Record<string, string> {
    const type = contentType ?? (body === undefined ? undefined : 'application/json')
    return {
      ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
      ...(type === undefined || type === '' ? {} : { 'Content-Type': type }),
      // Node sends the body of a DELETE without a length otherwise, and such a body has no end.
      ...(body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(rawBody(body) ?? '')) }),
      ...headers,
    }
  }
}

/** The events of one watch, to be awaited one by one. */
export class TestWatch {
  readonly #events: WatchEvent[] = []
  readonly #waiting: (() => void)[] = []
  readonly close: () => void
  ended = false

  readonly #stream: Readable

  constructor(close: () => void, stream: Readable) {
    this.close = close
    this.#stream = stream
  }

  /** Stops reading from the connection. */
  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  add(event: WatchEvent): void {
    this.#events.push(event)
    this.#wake()
  }

  end(): void {
    this.ended = true
    this.#wake()
  }

  /** The next event; undefined when the server has ended the stream. */
  async next(): Promise<WatchEvent | undefined> {
    const deadline = AbortSignal.timeout(eventLimitMs)
    while (this.#events.length === 0 && !this.ended) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      deadline.addEventListener('abort', () => reject(new Error('no watch event arrived in time')))
      await promise
    }
    return this.#events.shift()
  }

  /** The next events as `TYPE name`. */
  async take(count: number): Promise<string[]> {
    const taken: string[] = []
    while (taken.length < count) {
      const event = await this.next()
      taken.push(event ? `${event.type} ${event.object.metadata.name}` : 'end')
      if (!event) break
    }
    return taken
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function rawBody(body: unknown): string | Buffer | undefined {
  return body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
}
