import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { UserInfo } from '../registry/admission.ts'
import type { HttpResponse } from './answer.ts'
import type { HttpRequest } from './body.ts'

/** One call of a subresource that is an action, such as `freeze`. */
export interface SubresourceCall {
  version: string
  namespace: string
  resource: string
  name: string
  /** Everything after the name: `freeze`, `portforward/8080/tcp`. */
  subresource: string
  method: 'GET' | 'PUT' | 'POST'
  query: URLSearchParams
  /** Parsed JSON or YAML; undefined without a body. */
  body: unknown
  user: UserInfo
  /** Aborted when the client goes or the server closes. */
  signal: AbortSignal
}

/** A body is sent as JSON, bytes as they are. */
export type SubresourceAnswer =
  | { code: number; body?: unknown }
  | { code: number; bytes: Uint8Array; contentType: string }

/** Throws StatusError to refuse. */
export type SubresourceHandler = (call: SubresourceCall) => Promise<SubresourceAnswer>

/** One request for a subresource that is a stream of bytes, such as `console`. */
export type StreamCall = Omit<SubresourceCall, 'method' | 'body'>

/** What a client's WebSocket is connected with. */
export interface ByteStream {
  /** Its end ends the WebSocket, and is told by `ending`; it is destroyed when the client goes. */
  bytes: Duplex
  /** 1000: what was connected to has ended. 1001: we go away, and the client may come again. */
  ending(): { code: 1000 | 1001; reason: string }
}

/** Reaches the other end before the client is answered. Throws StatusError to refuse. */
export type StreamHandler = (call: StreamCall) => Promise<ByteStream>

/** A route under a path prefix, for plain requests, WebSockets or both; it answers for itself. */
export interface RawHandler {
  /** Serve callers without a token too. */
  anonymous?: boolean
  /** Throws StatusError to refuse. Without it, plain requests go on to the Kubernetes API. */
  handle?(call: {
    request: HttpRequest
    response: HttpResponse
    /** The path without the query. */
    path: string
    query: URLSearchParams
    user: UserInfo | undefined
    signal: AbortSignal
  }): Promise<void>
  /** Takes over an HTTP/1.1 connection that asks for a WebSocket. */
  upgrade?(call: {
    request: IncomingMessage
    socket: Duplex
    head: Buffer
    path: string
    query: URLSearchParams
    user: UserInfo | undefined
  }): Promise<void>
}

/** Whoever answers what comes in on a connection. Neither function throws: what goes wrong becomes an answer. */
export interface Served {
  handle(request: HttpRequest, response: HttpResponse): Promise<void>
  /** Resolves with the code of the answer: 101 when the protocol is changed. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<number>
}
