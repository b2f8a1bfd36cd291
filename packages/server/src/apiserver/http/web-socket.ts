import type { IncomingMessage } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { badRequest, methodNotAllowed } from '../registry/errors.ts'
import type { Upgrade } from './upgrade.ts'
import { plainProtocol } from './websocket-protocols.ts'

const defaultPingEveryMs = 30_000

/**
 * Pings the client. Calls back each time it has given no sign of life for so long, and once more; returns how to tell of
 * signs besides answers to pings.
 */
export function watchLife(ws: WebSocket, onSilence: () => void, pingEveryMs = defaultPingEveryMs): () => void {
  let alive = true
  const lives = (): void => {
    alive = true
  }
  const timer = setInterval(() => {
    if (!alive) onSilence()
    alive = false
    if (ws.readyState === ws.OPEN) ws.ping()
  }, pingEveryMs)
  ws.on('pong', lives)
  ws.on('close', () => clearInterval(timer))
  return lives
}

/** Says why, before anything is opened for a client that could not use it. */
export function mustBeWebSocket({ method, headers }: IncomingMessage): void {
  if (method !== 'GET') throw methodNotAllowed()
  if (headers.upgrade?.toLowerCase() !== 'websocket') throw needsWebSocket()
}

export function needsWebSocket() {
  return badRequest(
    `this is a stream of bytes: connect with a WebSocket (HTTP/1.1, Upgrade: websocket, subprotocol ${plainProtocol})`,
  )
}

/**
 * Makes a connection a WebSocket of this subprotocol, if any. What is done with it is done at once, or its first messages
 * would find nobody. Throws where the client's handshake is none.
 */
export function acceptWebSocket<T>(
  { request, socket, head }: Upgrade,
  { protocol, messageLimitBytes }: { protocol: string | undefined; messageLimitBytes: number },
  use: (ws: WebSocket) => T,
): T {
  let used: { by: T } | undefined
  let refused: Error | undefined
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: messageLimitBytes,
    handleProtocols: () => protocol ?? false,
  })
  server.on('wsClientError', (error) => {
    refused = error
  })
  // Called back at once or not at all.
  server.handleUpgrade(request, socket, head, (ws) => {
    used = { by: use(ws) }
  })
  if (used) return used.by
  throw badRequest(refused?.message ?? 'the connection has gone')
}
