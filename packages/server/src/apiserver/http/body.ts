import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { isDeeperThan } from '../json.ts'
import { badRequest, tooLarge, unsupportedMediaType } from '../registry/errors.ts'
import type { Incoming } from '../registry/registry.ts'
import { duplicateKeys } from './duplicate-keys.ts'

export type HttpRequest = IncomingMessage | Http2ServerRequest

export const bodyLimitBytes = 3 * 1024 * 1024
const depthLimit = 1_000
const aliasLimit = 100
const objectTypes = ['application/json', 'application/yaml']
const protobufType = 'application/vnd.kubernetes.protobuf'

/** The bytes of a request, at most 3 MiB or as many as given; 413 beyond. */
export async function readBody(request: HttpRequest, limitBytes = bodyLimitBytes): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes)
  const chunks: Buffer[] = []
  let size = 0
  try {
    // Not destroyed on leaving the loop: the client shall still get its answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limitBytes) break
      chunks.push(chunk)
    }
  } catch (error) {
    // Not our failure, and there is nobody left to answer.
    throw badRequest(`the request ended before its body did: ${messageOf(error)}`)
  }
  if (size > limitBytes) throw tooLarge(limitBytes)
  return Buffer.concat(chunks)
}

/** The media type of a body without its parameters; JSON when the client says nothing. */
export function mediaTypeOf(contentType: string | undefined): string {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? ''
  return type === '' ? 'application/json' : type
}

/**
 * Parses a body. Protobuf is for kinds compiled into a real server only, since clients have no messages for others.
 * 415 for other types, 400 for what does not parse.
 */
export async function decodeBody(bytes: Buffer, mediaType: string, protobuf = false): Promise<Required<Incoming>> {
  if (mediaType === 'application/json') return decodeJson(utf8(bytes))
  if (mediaType === 'application/yaml') return decodeYaml(utf8(bytes))
  if (mediaType === protobufType && protobuf) return decodeProtobuf(bytes)
  throw unsupportedMediaType(protobuf ? [...objectTypes, protobufType] : objectTypes)
}

async function decodeProtobuf(bytes: Buffer): Promise<Required<Incoming>> {
  const { decodeEnvelope, WireError } = await import('../protobuf/decode.ts')
  try {
    return { body: decodeEnvelope(bytes), duplicates: [] }
  } catch (error) {
    if (error instanceof WireError) throw badRequest(`the protobuf body cannot be decoded: ${error.message}`)
    throw error
  }
}

export function decodeJson(text: string): Required<Incoming> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${messageOf(error)}`)
  }
  requireShallow(body)
  return { body, duplicates: duplicateKeys(text) }
}

async function decodeYaml(text: string): Promise<Required<Incoming>> {
  const { LineCounter, parseDocument } = await import('yaml')
  // The parser recurses; indentation and brackets bound how deep a document can be.
  if (nestingOfYaml(text) > depthLimit) throw tooDeep()
  try {
    const document = parseDocument(text, { uniqueKeys: false, lineCounter: new LineCounter(), logLevel: 'silent' })
    const [problem] = document.errors
    if (problem) throw problem
    const body: unknown = document.toJS({ maxAliasCount: aliasLimit })
    requireShallow(body)
    // Through JSON once, so that what only YAML can say (dates, infinities, undefined) becomes what JSON can.
    return { body: JSON.parse(JSON.stringify(body ?? null)), duplicates: [] }
  } catch (error) {
    if (error instanceof Error && error.name === 'StatusError') throw error
    throw badRequest(`error converting YAML to JSON: ${messageOf(error)}`)
  }
}

function nestingOfYaml(text: string): number {
  let brackets = 0
  let deepest = 0
  for (const character of text) {
    if (character === '[' || character === '{') deepest = Math.max(deepest, ++brackets)
    else if (character === ']' || character === '}') brackets = Math.max(0, brackets - 1)
  }
  let indentation = 0
  for (const [spaces] of text.matchAll(/^[ \-?:]+/gm)) indentation = Math.max(indentation, spaces.length)
  return Math.max(deepest, indentation)
}

function requireShallow(body: unknown): void {
  if (isDeeperThan(body, depthLimit)) throw tooDeep()
}

function tooDeep(): Error {
  return badRequest(`the body is nested deeper than ${depthLimit} levels`)
}

function utf8(bytes: Buffer): string {
  return bytes.toString('utf8')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
}
