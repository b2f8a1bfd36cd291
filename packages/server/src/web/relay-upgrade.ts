import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { headersBefore } from './forwarded-headers.ts'

interface Upgraded {
  socket: Duplex
  head: Buffer
  answer: IncomingMessage
  socketBehind: Duplex
  headBehind: Buffer
}

/** Connects two sockets after the one behind has agreed to the upgrade; when either ends, so does the other. */
export function relayUpgrade({ socket, head, answer, socketBehind, headBehind }: Upgraded): void {
  const { connection, upgrade } = answer.headers
  socket.write(headOf(answer, { connection: connection ?? 'Upgrade', upgrade: upgrade ?? 'websocket' }))
  if (headBehind.length > 0) socket.write(headBehind)
  if (head.length > 0) socketBehind.write(head)
  for (const [from, to] of [
    [socket, socketBehind],
    [socketBehind, socket],
  ] as const) {
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
    from.pipe(to)
  }
}

/** Hands on that the API did not agree, and why. */
export function relayRefusal(socket: Duplex, answer: IncomingMessage): void {
  answer.on('error', () => socket.destroy())
  socket.write(headOf(answer, { connection: 'close' }))
  answer.pipe(socket)
}

function headOf({ statusCode, statusMessage, headersDistinct }: IncomingMessage, more: Record<string, string>): string {
  const lines = Object.entries({ ...headersBefore(headersDistinct), ...more }).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}`),
  )
  return `${[`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines].join('\r\n')}\r\n\r\n`
}
