import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'

/** A plain HTTP route as the API server takes it. It answers for itself. */
export interface RawRoute {
  /** Serves callers whom the API server does not know; the route looks at its own tokens. */
  anonymous?: boolean
  handle(call: {
    request: IncomingMessage | Http2ServerRequest
    response: ServerResponse | Http2ServerResponse
    /** Without the query. */
    path: string
    signal: AbortSignal
  }): Promise<void>
}

type Response = Parameters<RawRoute['handle']>[0]['response']

export function answerJson(response: Response, code: number, body: unknown): void {
  response.statusCode = code
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}

export function answerText(response: Response, code: number, text = ''): void {
  response.statusCode = code
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(text)
}
