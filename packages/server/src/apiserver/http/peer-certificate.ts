import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { HttpRequest } from './body.ts'

/** By connection, since it is made anew each time it is asked for. */
const known = new WeakMap<object, { certificate: X509Certificate | undefined }>()

/**
 * The certificate a request is made with; undefined without one. Nothing of it has been verified but that its holder has
 * the key. A browser sends it unasked, with what pages of other sites make it do as well: there it proves nothing, and
 * is left out.
 */
export function peerCertificateOf(request: Pick<HttpRequest, 'headers' | 'socket'>): X509Certificate | undefined {
  const { socket } = request
  if (!(socket instanceof TLSSocket) || isByBrowser(request)) return undefined
  // With HTTP/2, each request has a socket object of its own, but all of them one session.
  const connection = 'stream' in request ? (request as { stream: { session?: object } }).stream.session : socket
  const found = connection && known.get(connection)
  if (found) return found.certificate
  const certificate = socket.getPeerX509Certificate()
  if (connection) known.set(connection, { certificate })
  return certificate
}

function isByBrowser({ headers }: Pick<HttpRequest, 'headers'>): boolean {
  if (headers['sec-fetch-site'] !== undefined) return true
  const { origin } = headers
  if (origin === undefined) return false
  // Programs name an Origin when they open a WebSocket, the server's own; browsers do, too, and have a token besides.
  return headers.authorization !== undefined || origin !== `https://${headers.host ?? headers[':authority'] ?? ''}`
}
