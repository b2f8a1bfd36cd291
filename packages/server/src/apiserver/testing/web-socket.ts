import { once } from 'node:events'
import WebSocket from 'ws'
import { plainProtocol } from '../http/websocket-protocols.ts'

export interface SocketOptions {
  url: string
  ca: string
  /** None when it is empty. */
  token: string
  protocols?: readonly string[]
  headers?: Record<string, string>
}

/** A client of streams that keeps what it was sent. */
export class TestSocket {
  readonly ws: WebSocket
  received = Buffer.alloc(0)
  /** Code and reason, once it is closed. */
  readonly closed: Promise<[code: number, reason: string]>
  readonly #waiting = new Set<() => void>()

  private constructor(ws: WebSocket) {
    this.ws = ws
    ws.on('message', (data: Buffer) => {
      this.received = Buffer.concat([this.received, data])
      for (const look of this.#waiting) look()
    })
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => resolve([code, reason.toString()]))
    })
    ws.on('error', () => {})
  }

  /** Resolves when the server has agreed; rejects with `code` and `body` of its refusal. */
  static async open(path: string, { url, ca, token, protocols = [plainProtocol], headers = {} }: SocketOptions) {
    const authorization = token === '' ? {} : { authorization: `Bearer ${token}` }
    const ws = new WebSocket(`${url.replace('https', 'wss')}${path}`, [...protocols], {
      ca,
      headers: { ...authorization, ...headers },
    })
    const socket = new TestSocket(ws)
    const refused = new Promise<never>((_, reject) => {
      ws.on('unexpected-response', (_request, response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => reject(new Refused(response.statusCode ?? 0, Buffer.concat(chunks).toString())))
      })
    })
    await Promise.race([once(ws, 'open'), refused])
    return socket
  }

  send(data: string | Buffer): void {
    this.ws.send(data)
  }

  /** Waits until this has been received. */
  async until(text: string, limitMs = 10_000): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = () => this.received.includes(text) && resolve()
    this.#waiting.add(look)
    const fail = (why: string) =>
      reject(
        new Error(`${why}: ${JSON.stringify(text)} has not come; received ${this.received.toString().slice(-500)}`),
      )
    const timer = setTimeout(() => fail(`${limitMs} ms are over`), limitMs)
    void this.closed.then(([code, reason]) => fail(`closed with ${code} ${reason}`))
    look()
    await promise.finally(() => {
      clearTimeout(timer)
      this.#waiting.delete(look)
    })
  }

  close(): void {
    this.ws.close()
  }
}

export class Refused extends Error {
  readonly code: number
  readonly text: string
  constructor(code: number, text: string) {
    super(`refused with ${code}: ${text}`)
    this.code = code
    this.text = text
  }

  get status(): { kind: string; message: string; reason: string; code: number } {
    return JSON.parse(this.text)
  }
}

/** The refusal that opening must end with. */
export async function refusal(opening: Promise<TestSocket>): Promise<Refused> {
  try {
    const socket = await opening
    socket.ws.terminate()
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
  throw new Error('the WebSocket was accepted')
}
