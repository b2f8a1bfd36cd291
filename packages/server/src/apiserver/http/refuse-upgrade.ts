import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Answer } from './answer.ts'

/** Answers a request for an upgrade with something else, which ends the connection. */
export function refuseUpgrade(socket: Duplex, { code, body, contentType, headers }: Answer): void {
  if (socket.destroyed) return
  const all = {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-cache, private',
    Connection: 'close',
    ...headers,
  }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.once('finish', () => socket.destroy())
  socket.write(`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}\r\n${head.join('')}\r\n`)
  socket.end(body)
}
