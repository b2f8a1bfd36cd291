import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { parseCookies } from '../cookies.ts'

export const protocols = ['http/1.1', 'h2'] as const
export type Protocol = (typeof protocols)[number]

export interface Page {
  code: number
  headers: IncomingHttpHeaders
  bytes: Buffer
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every kind
  json: any
}

export interface Sent {
  headers?: Record<string, string>
  /** Sent as JSON, unless it is text. */
  body?: unknown
}

/** What a browser sends of its own accord, as far as tests leave it alone: cookies, and Origin on writes. */
export class Browser {
  readonly cookies = new Map<string, string>()
  /** The `Set-Cookie` of the last answer. */
  setCookies: readonly string[] = []
  readonly #origin: string
  readonly #ca: string | undefined
  readonly #protocol: Protocol

  constructor(to: { url: string; ca?: string | undefined }, protocol: Protocol = 'http/1.1') {
    this.#origin = to.url
    this.#ca = to.ca
    this.#protocol = protocol
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  get csrfToken(): string {
    return this.cookies.get('csrf-token') ?? ''
  }

  visit = (path = '/') => this.send('GET', path, { headers: { accept: 'text/html,*/*;q=0.8' } })

  /** As a page of ours writes. */
  write = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    this.send(method, path, { headers: { origin: this.#origin, 'x-csrftoken': this.csrfToken, ...headers }, body })

  /** Loads the page and signs in on it. */
  async signIn(credentials: { token: string } | { code: string }): Promise<Page> {
    await this.visit('/sign-in')
    return this.write('POST', '/auth/session', credentials)
  }

  async send(method: string, path: string, sent: Sent = {}): Promise<Page> {
    const { stream, head } = await this.open(method, path, sent)
    const bytes = await buffer(stream)
    this.setCookies = [head.headers['set-cookie'] ?? []].flat()
    for (const text of this.setCookies) this.#keep(text)
    const text = bytes.toString()
    const isJson = head.headers['content-type']?.startsWith('application/json') && !head.headers['content-encoding']
    return { ...head, bytes, text, json: isJson && text !== '' ? JSON.parse(text) : undefined }
  }

  /** Sends a request; resolves with the head of the answer, and the body to be read. */
  async open(
    method: string,
    path: string,
    { headers = {}, body }: Sent = {},
  ): Promise<{ head: Pick<Page, 'code' | 'headers'>; stream: Readable; end: () => void }> {
    const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const all: Record<string, string> = {
      ...(this.cookies.size > 0 ? { cookie: this.cookie } : {}),
      ...(bytes ? { 'content-type': 'application/json', 'content-length': `${bytes.length}` } : {}),
      ...headers,
    }
    return this.#protocol === 'h2' ? this.#open2(method, path, all, bytes) : this.#open1(method, path, all, bytes)
  }

  /** Sends a request whose body is written piece by piece. */
  async stream(method: string, path: string, headers: Record<string, string>) {
    const all = { ...(this.cookies.size > 0 ? { cookie: this.cookie } : {}), ...headers }
    const { request, opened } =
      this.#protocol === 'h2' ? this.#begin2(method, path, all) : this.#begin1(method, path, all)
    if ('flushHeaders' in request) request.flushHeaders()
    const { head, stream } = await opened
    return { head, stream, send: (text: string) => request.write(text), end: () => request.end() }
  }

  async #open1(method: string, path: string, headers: Record<string, string>, bytes: Buffer | undefined) {
    const { request, opened } = this.#begin1(method, path, headers)
    request.end(bytes)
    return opened
  }

  #begin1(method: string, path: string, headers: Record<string, string>) {
    const { promise: opened, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Browser['open']>>>()
    const { hostname, port, protocol } = new URL(this.#origin)
    const send = protocol === 'https:' ? httpsRequest : httpRequest
    const options = {
      hostname: hostname.replace(/[[\]]/g, ''),
      port,
      method,
      path,
      headers,
      agent: false,
      ca: this.#ca,
      // Node looks for the name in `Host`, which tests make up.
      checkServerIdentity: () => undefined,
    }
    const request = send(options, (stream) => {
      resolve({ head: { code: stream.statusCode ?? 0, headers: stream.headers }, stream, end: () => request.destroy() })
    })
    request.on('error', reject)
    return { request, opened }
  }

  async #open2(method: string, path: string, headers: Record<string, string>, bytes: Buffer | undefined) {
    const { request, opened } = this.#begin2(method, path, headers, bytes === undefined)
    if (bytes) request.end(bytes)
    return opened
  }

  #begin2(method: string, path: string, headers: Record<string, string>, endStream = false) {
    const { promise: opened, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Browser['open']>>>()
    const session = connect(this.#origin, { ...(this.#ca === undefined ? {} : { ca: this.#ca }) })
    session.on('error', reject)
    const { host, ...others } = headers
    const authority = host === undefined ? {} : { ':authority': host }
    const request = session.request({ ':method': method, ':path': path, ...authority, ...others }, { endStream })
    request.on('error', reject)
    request.on('close', () => session.close())
    request.on('response', ({ ':status': code = 0, ...got }) => {
      const head = { code, headers: got as IncomingHttpHeaders }
      resolve({ head, stream: request, end: () => request.destroy() })
    })
    return { request, opened }
  }

  #keep(setCookie: string): void {
    const [pair = '', ...attributes] = setCookie.split(';').map((part) => part.trim())
    for (const [name, value] of parseCookies(pair))
      if (attributes.includes('Max-Age=0')) this.cookies.delete(name)
      else this.cookies.set(name, value)
  }
}
