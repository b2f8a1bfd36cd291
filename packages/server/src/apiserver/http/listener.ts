import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { StatusError } from '@stillpoint/api/meta/status-error'
import type { ServingCertificate } from '../pki/certificates.ts'
import { attributesOfPath } from './authorize.ts'
import type { Handler } from './handler.ts'

const closeLimitMs = 2_000
const headerLimitBytes = 1024 * 1024
/**
 * Much longer than clients keep a connection they do not use. Closed by us just when it is used again, the request is
 * lost, and its author cannot know whether it was done.
 */
const idleConnectionMs = 90_000

/** The TLS socket of the server: HTTP/2 where the client takes it, HTTP/1.1 otherwise, on one port. */
export class Listener {
  readonly #server: Http2SecureServer
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(handler: Handler, { cert, key }: ServingCertificate) {
    this.#server = createSecureServer({
      cert,
      key,
      allowHTTP1: true,
      minVersion: 'TLSv1.2',
      settings: { maxConcurrentStreams: 1_000, maxHeaderListSize: headerLimitBytes },
      // An upload may take long; what else has a body is given its time by the handler.
      ...{ maxHeaderSize: headerLimitBytes, requestTimeout: 0, keepAliveTimeout: idleConnectionMs },
    })
    this.#server.on('request', (request, response) => void handler.handle(request, response))
    this.#server.on(
      'upgrade',
      (request: IncomingMessage, socket: Duplex, head: Buffer) => void upgrade(handler, request, socket, head),
    )
    this.#server.on('secureConnection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session)
      session.on('error', () => session.destroy())
      session.on('close', () => this.#sessions.delete(session))
    })
  }

  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** Stops accepting, lets running requests finish for a moment, then ends every connection. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const session of this.#sessions) session.close()
    const timer = setTimeout(() => this.#destroyAll(), closeLimitMs)
    // HTTP/1.1 connections that wait for their next request would hold the server for ever.
    const idle = setInterval(() => this.#server.listenerCount('request') > 0 && this.#closeIdle(), 20)
    await closed
    clearTimeout(timer)
    clearInterval(idle)
  }

  #closeIdle(): void {
    for (const socket of this.#sockets) {
      const http1 = socket as Socket & { _httpMessage?: unknown; alpnProtocol?: string | false }
      if (http1.alpnProtocol !== 'h2' && !http1._httpMessage) socket.destroy()
    }
  }

  #destroyAll(): void {
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
  }
}

async function upgrade(handler: Handler, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const [path = '/', search = ''] = (request.url ?? '/').split('?')
  const query = new URLSearchParams(search)
  try {
    const route = handler.rawRoute(path, 'upgrade')
    const user = handler.authenticate(request)
    if (!route?.upgrade) return refuse(socket, 404, 'Not Found')
    if (!route.anonymous) handler.authorize(user, attributesOfPath('GET', path, query))
    await route.upgrade({ request, socket, head, path, query, user })
  } catch (error) {
    refuse(
      socket,
      error instanceof StatusError ? error.code : 500,
      error instanceof StatusError ? error.reason : 'Internal Server Error',
    )
  }
}

function refuse(socket: Duplex, code: number, reason: string): void {
  socket.end(`HTTP/1.1 ${code} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
