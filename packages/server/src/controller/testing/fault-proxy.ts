import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCertificates } from '../../apiserver/pki/certificates.ts'

//   controllers ─TLS─► proxy ─TLS─► API server      a plan says of each request what goes wrong on the way

/** What can happen to a request; `lost`, `truncated`: it is done, and its author is told nothing, or half of it. */
export const requestFaults = ['conflict', 'error', 'unavailable', 'throttled', 'dropped', 'lost', 'truncated'] as const
/** What can happen to a watch. `expired`: refused with 410; `expires`: 410 in the middle of it. */
export const watchFaults = ['delayed', 'closed', 'cut', 'expired', 'expires'] as const
export const faults = [...requestFaults, ...watchFaults] as const
export type Fault = (typeof faults)[number]

export interface Passed {
  method: string
  /** Without the query. */
  path: string
  watch: boolean
  fault: Fault | undefined
  atMs: number
  /** Came to the API server. */
  arrived: boolean
  /** What the client was told: undefined while it waits, and when it was told nothing. */
  answered: number | undefined
}

/** Says what goes wrong with a request; undefined: nothing. */
export type FaultPlan = (request: Pick<Passed, 'method' | 'path' | 'watch'>) => Fault | undefined

const answers: Partial<Record<Fault, { code: number; reason: string; headers?: Record<string, string> }>> = {
  conflict: { code: 409, reason: 'Conflict' },
  error: { code: 500, reason: 'InternalError' },
  unavailable: { code: 503, reason: 'ServiceUnavailable' },
  throttled: { code: 429, reason: 'TooManyRequests', headers: { 'retry-after': '1' } },
  expired: { code: 410, reason: 'Expired' },
}
/** How late the events of a delayed watch are, and after how long others end. */
const watchDelayMs = 150
const watchLifeMs = 100

/** An API server behind a bad network. */
export class FaultProxy {
  readonly passed: Passed[] = []
  readonly ca: string
  readonly #upstream: { url: URL; ca: string }
  readonly #agent: Agent
  readonly #watches = new Set<ServerResponse>()
  readonly #sockets = new Set<Socket>()
  readonly #server: ReturnType<typeof createServer>
  #plan: FaultPlan = () => undefined

  private constructor(upstream: { url: URL; ca: string }, { ca, ...key }: { ca: string; cert: string; key: string }) {
    this.#upstream = upstream
    this.ca = ca
    this.#server = createServer(key, (request, response) => void this.#pass(request, response))
    this.#server.on('secureConnection', (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#agent = new Agent({ ca: upstream.ca, keepAlive: true })
  }

  /** Listens on a port of its own, with a certificate of its own. */
  static async start(upstream: { url: string; ca: string }): Promise<FaultProxy> {
    const dir = await mkdtemp(join(tmpdir(), 'stillpoint-proxy-'))
    try {
      const certificates = await loadCertificates(dir, '127.0.0.1', new Date())
      const proxy = new FaultProxy({ url: new URL(upstream.url), ca: upstream.ca }, certificates)
      proxy.#server.listen(0, '127.0.0.1')
      await once(proxy.#server, 'listening')
      return proxy
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From here on this plan holds. */
  follow(plan: FaultPlan): void {
    this.#plan = plan
  }

  /** From here on nothing goes wrong. */
  calm(): void {
    this.#plan = () => undefined
  }

  /** Cuts all watches that are open now. */
  cutWatches(): void {
    for (const response of this.#watches) response.destroy()
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#agent.destroy()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    await promise
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://proxy')
    const { method = 'GET' } = request
    const watch = url.searchParams.get('watch') === 'true'
    const facts = { method, path: url.pathname, watch }
    const fault = this.#plan(facts)
    const entry: Passed = { ...facts, fault, atMs: performance.now(), arrived: false, answered: undefined }
    this.passed.push(entry)
    try {
      const body = await bodyOf(request)
      const answer = fault === undefined ? undefined : answers[fault]
      if (fault === 'dropped') request.socket.destroy()
      else if (answer !== undefined) {
        entry.answered = answer.code
        refuse(response, answer)
      } else if (watch) await this.#watch(request, response, entry)
      else await this.#forward(request, body, response, entry)
    } catch {
      // Whichever side is gone, the other one sees its connection end.
      request.socket.destroy()
    }
  }

  async #forward(request: IncomingMessage, body: Buffer, response: ServerResponse, entry: Passed): Promise<void> {
    const answer = await this.#send(request, body)
    entry.arrived = true
    const answered = await bodyOf(answer)
    if (entry.fault === 'lost') {
      request.socket.destroy()
      return
    }
    if (entry.fault === 'truncated') {
      response.writeHead(answer.statusCode ?? 502, { 'content-length': `${answered.length + 1}` })
      response.write(answered.subarray(0, answered.length / 2), () => request.socket.destroy())
      return
    }
    entry.answered = answer.statusCode
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers)).end(answered)
  }

  async #watch(request: IncomingMessage, response: ServerResponse, entry: Passed): Promise<void> {
    const answer = await this.#send(request, Buffer.alloc(0))
    entry.arrived = true
    entry.answered = answer.statusCode
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers))
    response.flushHeaders()
    this.#watches.add(response)
    const timers = new Set<NodeJS.Timeout>()
    const later = (ms: number, act: () => void): void => {
      const timer = setTimeout(() => {
        timers.delete(timer)
        act()
      }, ms)
      timers.add(timer)
    }
    const delayMs = entry.fault === 'delayed' ? watchDelayMs : 0
    const write = (chunk: Buffer): void => {
      if (!response.writableEnded) response.write(chunk)
    }
    answer.on('data', (chunk: Buffer) => (delayMs === 0 ? write(chunk) : later(delayMs, () => write(chunk))))
    answer.on('end', () => later(delayMs, () => response.end()))
    answer.on('error', () => response.destroy())
    response.on('close', () => {
      this.#watches.delete(response)
      for (const timer of timers) clearTimeout(timer)
      answer.destroy()
    })
    if (entry.fault === 'closed') later(watchLifeMs, () => response.end())
    if (entry.fault === 'cut') later(watchLifeMs, () => response.destroy())
    if (entry.fault === 'expires')
      later(watchLifeMs, () => response.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(410, 'Expired') })}\n`))
  }

  #send({ method, url, headers }: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    const { hostname, port } = this.#upstream.url
    return new Promise((resolve, reject) => {
      const { host: _, connection: __, ...passed } = headers
      const sent = httpsRequest({ hostname, port, path: url, method, headers: passed, agent: this.#agent })
      sent.once('response', resolve)
      sent.once('error', reject)
      sent.end(body)
    })
  }
}

export interface RandomFaults {
  among: readonly Fault[]
  likelihood: number
  most: number
  each: number
}

/**
 * A plan of the given faults by chance, the same for the same seed and the same requests. At most `most` of them, and
 * at most `each` for requests of one method and path, because pauses between attempts double. Conflicts happen to
 * writes only.
 */
export function randomPlan(
  seed: number,
  { among = faults, likelihood = 0.3, most = 30, each = 3 }: Partial<RandomFaults> = {},
): FaultPlan {
  const random = mulberry32(seed)
  const had = new Map<string, number>()
  let left = most
  return ({ method, path, watch }) => {
    const possible = among.filter((fault) =>
      watch ? isWatchFault(fault) : !isWatchFault(fault) && (method !== 'GET' || fault !== 'conflict'),
    )
    const [dice, which] = [random(), random()]
    const request = `${method} ${path} ${watch}`
    const before = had.get(request) ?? 0
    if (left === 0 || before === each || possible.length === 0 || dice >= likelihood) return undefined
    left -= 1
    had.set(request, before + 1)
    return possible[Math.floor(which * possible.length)]
  }
}

function isWatchFault(fault: Fault): boolean {
  return (watchFaults as readonly Fault[]).includes(fault)
}

/** A small well-known generator of numbers from 0 to 1. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function statusOf(code: number, reason: string): object {
  const message = `${reason}, says the proxy`
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message }
}

function refuse(
  response: ServerResponse,
  { code, reason, headers }: { code: number; reason: string; headers?: Record<string, string> },
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(statusOf(code, reason)))
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Without what belongs to one connection. */
function endToEnd({
  connection: _,
  'transfer-encoding': __,
  'keep-alive': ___,
  ...headers
}: IncomingMessage['headers']) {
  return headers
}
