import type { Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { QmpConnection, QmpError } from './qmp.ts'
import { type UnixServer, unixServer } from './testing/unix-server.ts'

const greeting = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}\r\n'
type Request = { execute: string; arguments?: unknown; id: string }

let server: UnixServer | undefined
let connection: QmpConnection | undefined
afterEach(async () => {
  await connection?.close()
  await server?.close()
})

async function connected(onRequest: (request: Request, socket: Socket) => void): Promise<QmpConnection> {
  server = await unixServer((socket) => {
    socket.write(greeting)
    socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) {
        const request = JSON.parse(line) as Request
        if (request.execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": "${request.id}"}\r\n`)
        else onRequest(request, socket)
      }
    })
  })
  connection = await QmpConnection.connect(server.path, { timeoutMs: 2000 })
  return connection
}

test('replies find their commands in any order, events in between', async () => {
  const waiting: Request[] = []
  const qmp = await connected((request, socket) => {
    waiting.push(request)
    if (waiting.length < 3) return
    for (const { id, execute } of waiting.toReversed()) {
      socket.write('{"event": "STOP", "timestamp": {"seconds": 10, "microseconds": 500000}}\n')
      socket.write(`{"return": "${execute}", "id": "${id}"}\n`)
    }
  })
  const events: number[] = []
  qmp.onEvent(({ timestampMs }) => events.push(timestampMs))
  expect(await Promise.all(['a', 'b', 'c'].map((name) => qmp.execute(name)))).toEqual(['a', 'b', 'c'])
  expect(events).toEqual([10_500, 10_500, 10_500])
  expect(qmp.version).toEqual({ major: 7, minor: 2, micro: 22 })
})

test('a refusal carries command, class and description', async () => {
  const qmp = await connected(({ id }, socket) =>
    socket.write(`{"error": {"class": "DeviceNotFound", "desc": "no such device"}, "id": "${id}"}\n`),
  )
  const err: unknown = await qmp.execute('device_del', { id: 'x' }).catch((thrown: unknown) => thrown)
  expect(err).toBeInstanceOf(QmpError)
  expect(err).toMatchObject({ command: 'device_del', class: 'DeviceNotFound', desc: 'no such device' })
})

test('a reply split into bytes is put together again', async () => {
  const qmp = await connected(({ id }, socket) => {
    for (const byte of Buffer.from(`{"return": "ä", "id": "${id}"}\n`)) socket.write(Buffer.from([byte]))
  })
  expect(await qmp.execute('x')).toBe('ä')
})

test('a reply after the time limit is thrown away, and the next command gets its own', async () => {
  let first: string | undefined
  const qmp = await connected(({ id }, socket) => {
    if (first === undefined) {
      first = id
      return
    }
    socket.write(`{"return": "late", "id": "${first}"}\n{"return": "mine", "id": "${id}"}\n`)
  })
  await expect(qmp.execute('slow', {}, { timeoutMs: 20 })).rejects.toMatchObject({ class: 'Timeout' })
  expect(await qmp.execute('next')).toBe('mine')
})

test('the end of the connection rejects what is pending and is told once', async () => {
  const qmp = await connected((_, socket) => socket.destroy())
  const event = qmp.waitForEvent('SHUTDOWN', undefined, 5000)
  await expect(qmp.execute('quit')).rejects.toMatchObject({ class: 'ConnectionClosed' })
  await expect(event).rejects.toMatchObject({ class: 'ConnectionClosed' })
  expect(await qmp.closed).toBeInstanceOf(Error)
  await expect(qmp.execute('more')).rejects.toMatchObject({ class: 'ConnectionClosed' })
})

test('closing it ourselves is no failure', async () => {
  const qmp = await connected(() => {})
  await qmp.close()
  expect(await qmp.closed).toBeUndefined()
})

test.each([
  ['a line that is no JSON', 'hello\n'],
  ['JSON that is no object', '[1]\n'],
  ['a reply without id', '{"error": {"class": "GenericError", "desc": "bad"}}\n'],
])('%s ends the connection, before replies are mixed up', async (_, bytes) => {
  const qmp = await connected((_request, socket) => socket.write(bytes))
  await expect(qmp.execute('x')).rejects.toMatchObject({ class: 'ProtocolError' })
})

test('a monitor that another client holds is reported as such', async () => {
  server = await unixServer(() => {})
  await expect(QmpConnection.connect(server.path, { timeoutMs: 50 })).rejects.toThrow(/another holds it/)
})

test('waits for the event that fits, and only so long', async () => {
  const qmp = await connected(({ id }, socket) => {
    socket.write('{"event": "JOB", "data": {"id": "a"}}\n{"event": "JOB", "data": {"id": "b"}}\n')
    socket.write(`{"return": {}, "id": "${id}"}\n`)
  })
  const event = qmp.waitForEvent('JOB', (data) => (data as { id: string }).id === 'b')
  await qmp.execute('start')
  expect((await event).data).toEqual({ id: 'b' })
  await expect(qmp.waitForEvent('JOB', undefined, 10)).rejects.toMatchObject({ class: 'Timeout' })
})

test('an aborted connect fails at once', async () => {
  server = await unixServer(() => {})
  const abort = new AbortController()
  const attempt = QmpConnection.connect(server.path, { timeoutMs: 10_000, signal: abort.signal })
  setTimeout(() => abort.abort(), 10)
  await expect(attempt).rejects.toThrow(/aborted/)
})
