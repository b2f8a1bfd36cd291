import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadCertificates } from '../apiserver/pki/certificates.ts'
import { Transport, TransportError } from './transport.ts'

let answer: (request: IncomingMessage, response: ServerResponse) => void
let transport: Transport
let close: () => Promise<void>

beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'stillpoint-transport-'))
  const { ca, ...key } = await loadCertificates(dir, '127.0.0.1', new Date())
  const server = createServer(key, (request, response) => answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  transport = new Transport({ server: `https://127.0.0.1:${port}`, ca, authorize: () => ({}) })
  close = async () => {
    transport.close()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    await rm(dir, { recursive: true })
  }
})
afterEach(() => close())

/** Answers the first request of each connection and ends the connection at the second. */
function onceForEachConnection(): string[] {
  const seen: string[] = []
  const used = new Set<unknown>()
  answer = ({ method, socket }, response) => {
    seen.push(method ?? '')
    if (used.has(socket)) socket.destroy()
    else response.end('{}')
    used.add(socket)
  }
  return seen
}

test('a read on a connection that is gone is repeated on another', async () => {
  const seen = onceForEachConnection()
  for (let i = 0; i < 3; i += 1) expect(await transport.request({ method: 'GET', path: '/' })).toEqual({})
  expect(seen.length).toBeGreaterThan(3)
})

test('a write on a connection that is gone may have been done, and is not repeated', async () => {
  const seen = onceForEachConnection()
  await transport.request({ method: 'POST', path: '/', body: {} })
  await expect(transport.request({ method: 'POST', path: '/', body: {} })).rejects.toBeInstanceOf(TransportError)
  expect(seen).toEqual(['POST', 'POST'])
})

test('a new connection that ends without an answer is a failure at once', async () => {
  const seen: string[] = []
  answer = ({ method, socket }) => {
    seen.push(method ?? '')
    socket.destroy()
  }
  await expect(transport.request({ method: 'GET', path: '/' })).rejects.toBeInstanceOf(TransportError)
  expect(seen).toEqual(['GET'])
})

test('an answer that breaks off is a failure of the connection', async () => {
  answer = ({ socket }, response) => {
    response.writeHead(200, { 'content-length': '10' })
    response.write('{"a"', () => socket.destroy())
  }
  await expect(transport.request({ method: 'GET', path: '/' })).rejects.toBeInstanceOf(TransportError)
})

test('what a refusal asks for is kept, also when it is no Status', async () => {
  answer = (_, response) => response.writeHead(429, { 'retry-after': '7' }).end('slow down')
  await expect(transport.request({ method: 'GET', path: '/' })).rejects.toMatchObject({
    reason: 'TooManyRequests',
    status: { details: { retryAfterSeconds: 7 } },
  })
})
