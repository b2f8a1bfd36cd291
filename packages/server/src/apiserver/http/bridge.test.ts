import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, duplexPair, PassThrough, Readable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { type Bridge, bridge } from './bridge.ts'

const mib = 1024 * 1024
const ending = () => ({ code: 1000 as const, reason: 'over' })

let http: Server
let client: WebSocket
let bridged: Bridge | undefined
let errors: Error[]

beforeEach(async () => {
  errors = []
  http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
})
afterEach(async () => {
  client.terminate()
  await bridged?.ended
  http.close()
})

/** A client whose other end is the stream. */
async function connected(bytes: Duplex, pingEveryMs?: number): Promise<WebSocket> {
  const sockets = new WebSocketServer({ noServer: true })
  http.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (ws) => {
      bridged = bridge(ws, { bytes, ending }, { onError: (error) => errors.push(error), pingEveryMs })
    }),
  )
  client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    autoPong: pingEveryMs === undefined,
  })
  await once(client, 'open')
  return client
}

test('a client that does not read holds up the stream, and gets all of it when it does', async () => {
  let made = 0
  const source = Readable.from(
    (function* () {
      for (; made < 64; made++) yield Buffer.alloc(mib, made)
    })(),
    { objectMode: false },
  )
  const bytes = duplexOf(source)
  const ws = await connected(bytes)
  ws.pause()
  let before = -1
  // As long as more is taken, buffers are still being filled.
  while (made > before) {
    before = made
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  expect(made).toBeLessThan(32)
  let received = 0
  ws.on('message', (chunk: Buffer) => {
    received += chunk.length
  })
  ws.resume()
  expect((await once(ws, 'close')).map(String)).toEqual(['1000', 'over'])
  expect(received).toBe(64 * mib)
})

test('a stream that takes nothing holds up the client, and gets all of it when it does', async () => {
  const [near, far] = duplexPair()
  const ws = await connected(near)
  for (let index = 0; index < 64; index++) ws.send(Buffer.alloc(mib, index))
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(near.writableLength).toBeLessThan(4 * mib)
  expect(ws.bufferedAmount).toBeGreaterThan(16 * mib)
  let received = 0
  for await (const chunk of far as AsyncIterable<Buffer>) {
    received += chunk.length
    if (received === 64 * mib) break
  }
  expect(received).toBe(64 * mib)
})

test('a client that gives no sign of life is cut off', async () => {
  const [near] = duplexPair()
  await connected(near, 50)
  const end = await (bridged as Bridge).ended
  expect([end.code, near.destroyed]).toEqual([1006, true])
})

test('a client that only answers pings stays', async () => {
  const [near, far] = duplexPair()
  const ws = await connected(near, 50)
  let pings = 0
  ws.on('ping', (data) => {
    pings++
    ws.pong(data)
  })
  while (pings < 5) await once(ws, 'ping')
  far.write('hello')
  expect(String((await once(ws, 'message'))[0])).toBe('hello')
})

test('a client whose messages nobody takes is told so in the end', async () => {
  const [near] = duplexPair()
  const ws = await connected(near, 100)
  ws.on('ping', (data) => ws.pong(data))
  ws.send(Buffer.alloc(mib))
  expect((await once(ws, 'close')).map(String)).toEqual(['1008', 'what was sent has not been taken for too long'])
})

test('a stream whose other end has gone with something unread has ended, not failed', async () => {
  const [near] = duplexPair()
  const ws = await connected(near)
  near.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
  expect((await once(ws, 'close')).map(String)).toEqual(['1000', 'over'])
  expect(errors).toEqual([])
})

function duplexOf(source: Readable): Duplex {
  const bytes = new PassThrough()
  source.pipe(bytes)
  return bytes
}
