import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpResponse } from '../apiserver/http/answer.ts'
import type { HttpRequest } from '../apiserver/http/body.ts'
import type { Identity, User } from './identity.ts'

export interface Forward {
  request: HttpRequest
  response: HttpResponse
  /** Path and query as the API knows them. */
  url: string
  /** As whom; undefined: as the request itself says in its header `Authorization`. */
  identity: Identity | undefined
}

export interface ForwardUpgrade extends Pick<Forward, 'url' | 'identity'> {
  request: IncomingMessage
  socket: Duplex
  head: Buffer
}

/**
 * The Kubernetes API behind the console. The cookies of the browser, and all else that is between it and us, do not
 * reach it. A client that goes ends its request, and what it does not read is not fetched.
 */
export interface Backend {
  /** `embedded`: the API server in this process; `proxy`: any other. */
  readonly mode: 'embedded' | 'proxy'
  /** Who an identity is; undefined when the API does not know it. Throws when the API cannot be asked. */
  whoIs(identity: Identity): Promise<User | undefined>
  /**
   * Hands a request on. Resolves once it is being answered, with the status code. Throws StatusError when the API
   * cannot be reached, and nothing has been answered then.
   */
  forward(call: Forward): Promise<number>
  /** The same for a WebSocket. */
  upgrade(call: ForwardUpgrade): Promise<number>
  close(): void
}
