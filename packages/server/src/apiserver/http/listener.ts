import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ServingCertificate } from '../pki/certificates.ts'
import type { Served } from './extensions.ts'
import type { Handler } from './handler.ts'
import { upgrade } from './upgrade.ts'

const closeLimitMs = 2_000
const headerLimitBytes = 1024 * 1024
/**
 * Much longer than clients keep a connection they do not use. Closed by us just when it is used again, the request is
 * lost, and its author cannot know whether it was done.
 */
const idleConnectionMs = 90_000

// An upload may take long; what else has a body is given its time by the handler.
const http1 = { maxHeaderSize: headerLimitBytes, requestTimeout: 0, keepAliveTimeout: idleConnectionMs }

/**
 * The socket of a server. With a certificate it is TLS: HTTP/2 where the client takes it, HTTP/1.1 otherwise, on one
 * port. Without, it is plain HTTP/1.1, which is for loopback addresses.
 */
export class Listener {
  readonly #server: Http2SecureServer | Server
  readonly #sockets = new Set<Socket>()
  /** They say goodbye themselves. */
  readonly #upgraded = new WeakSet<Duplex>()
  readonly #sessions = new Set<ServerHttp2Session>()

  /** With an authority, clients are asked for a certificate of it; whether theirs is good is for the served to say. */
  constructor(
    served: Served,
    certificate: (Pick<ServingCertificate, 'cert' | 'key'> & Partial<ServingCertificate>) | undefined,
  ) {
    this.#server = certificate
      ? createSecureServer({
          cert: certificate.cert,
          key: certificate.key,
          ...(certificate.ca === undefined ? {} : { ca: certificate.ca, requestCert: true, rejectUnauthorized: false }),
          allowHTTP1: true,
          minVersion: 'TLSv1.2',
          settings: { maxConcurrentStreams: 1_000, maxHeaderListSize: headerLimitBytes },
          ...http1,
        })
      : createServer(http1)
    this.#server.on('request', (...call: Parameters<Served['handle']>) => void served.handle(...call))
    this.#server.on('upgrade', (...call: Parameters<Served['upgrade']>) => {
      this.#upgraded.add(call[1])
      void served.upgrade(...call)
    })
    this.#server.on(certificate ? 'secureConnection' : 'connection', (socket: Socket) => {
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
      if (http1.alpnProtocol !== 'h2' && !http1._httpMessage && !this.#upgraded.has(socket)) socket.destroy()
    }
  }

  #destroyAll(): void {
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** The Kubernetes API as it is served. */
export function servedBy(handler: Handler): Served {
  return {
    handle: (request, response) => handler.handle(request, response),
    upgrade: (request, socket, head) => upgrade(handler, { request, socket, head }),
  }
}
