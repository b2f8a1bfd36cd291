import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { StatusError } from '@stillpoint/api/meta/status-error'
import { internalError } from '../registry/errors.ts'
import type { HttpRequest } from './body.ts'

export type HttpResponse = ServerResponse | Http2ServerResponse

/** A whole answer; streams write for themselves. */
export interface Answer {
  code: number
  body: string | Uint8Array
  contentType: string
  headers?: Readonly<Record<string, string>>
}

const gzipped = promisify(gzip)
const gzipFromBytes = 128 * 1024
const warningLimit = 4_096
const warningItemLimit = 256
const prettyAgents = /^(curl|Wget|Mozilla\/5\.0)/

export function json(code: number, value: unknown): Answer {
  return { code, body: JSON.stringify(value), contentType: 'application/json' }
}

export function text(code: number, body: string): Answer {
  return { code, body, contentType: 'text/plain; charset=utf-8' }
}

/** The answer to a path that leads nowhere: not a Status, and clients tell the two apart by that. */
export function pageNotFound(): Answer {
  return { ...text(404, '404 page not found\n'), headers: { 'X-Content-Type-Options': 'nosniff' } }
}

/** What a failed call answers. Everything that is not a StatusError is a bug or a broken disk: 500. */
export function failureAnswer(error: unknown): Answer {
  const { status, code } = error instanceof StatusError ? error : internalError(messageOf(error))
  const retry = status.details?.retryAfterSeconds
  return {
    ...json(code, status),
    headers: {
      ...(retry === undefined ? {} : { 'Retry-After': String(retry) }),
      ...(code === 401 || code === 403 ? { 'X-Content-Type-Options': 'nosniff' } : {}),
    },
  }
}

/** Sends a whole answer: indented for people, compressed when it is worth it. */
export async function send(request: HttpRequest, response: HttpResponse, answer: Answer): Promise<void> {
  if (response.headersSent || response.destroyed) return
  let { body } = answer
  const isJson = answer.contentType === 'application/json'
  if (isJson && typeof body === 'string' && body !== '') body = wantsIndented(request) ? indented(body) : `${body}\n`
  const headers: Record<string, string> = { 'Content-Type': answer.contentType, ...answer.headers }
  let bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (bytes.length > gzipFromBytes) {
    headers.Vary ??= 'Accept-Encoding'
    if (/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
      bytes = await gzipped(bytes, { level: 1 })
      headers['Content-Encoding'] = 'gzip'
    }
  }
  headers['Content-Length'] = String(bytes.length)
  if (response.headersSent || response.destroyed) return
  writeHead(response, answer.code, headers)
  endWith(response, request.method === 'HEAD' ? undefined : bytes)
}

// The two kinds of response have the same methods with signatures TypeScript cannot unite.
export function writeHead(response: HttpResponse, code: number, headers: Record<string, string>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.statusCode = code
}

/** Sends the head now; the body follows when there is something to say. */
export function flushHead(response: HttpResponse): void {
  if ('flushHeaders' in response) response.flushHeaders()
  else response.writeHead(response.statusCode)
}

export function endWith(response: HttpResponse, bytes?: Uint8Array | string): void {
  if (bytes === undefined) response.end()
  else (response as ServerResponse).end(bytes)
}

/** Adds `Warning` headers, each text once, cut when they get long. */
export function addWarnings(response: HttpResponse, warnings: readonly string[]): void {
  const unique = [...new Set(warnings)].filter((warning) => warning !== '')
  if (unique.length === 0 || response.headersSent) return
  const long = unique.reduce((sum, warning) => sum + warning.length, 0) > warningLimit
  let left = warningLimit
  const headers: string[] = []
  for (const warning of unique) {
    const cut = long ? [...warning].slice(0, warningItemLimit).join('') : warning
    left -= cut.length
    if (left < 0) break
    headers.push(`299 - "${printable(cut).replace(/[\\"]/g, '\\$&')}"`)
  }
  response.setHeader('Warning', headers)
}

// Header values are Latin-1 without control characters.
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (character) => (/\s/.test(character) ? ' ' : '?'))
}

function wantsIndented(request: HttpRequest): boolean {
  const pretty = new URLSearchParams(request.url?.split('?')[1] ?? '').get('pretty')
  if (pretty !== null) return pretty === 'true' || pretty === '1'
  return prettyAgents.test(request.headers['user-agent'] ?? '')
}

function indented(body: string): string {
  return `${JSON.stringify(JSON.parse(body), undefined, 2)}\n`
}

// With what caused it: "the store could not write" helps nobody without "disk is full".
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`
}
