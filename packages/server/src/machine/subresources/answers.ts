import type { Duplex } from 'node:stream'
import { failure, type StatusCause, type StatusError } from '@stillpoint/api/meta/status-error'
import { frozenByAnotherCause } from '@stillpoint/api/snapshot/keys'
import type { UserInfo } from '../admission-call.ts'
import { FreezeHeldError, type FreezeHold } from '../freeze-holder.ts'

/** What the API server hands to an action. */
export interface SubresourceCall {
  version: string
  namespace: string
  resource: string
  name: string
  subresource: string
  method: 'GET' | 'PUT' | 'POST'
  query: URLSearchParams
  body: unknown
  user: UserInfo
  signal: AbortSignal
}

export type SubresourceAnswer =
  | { code: number; body?: unknown }
  | { code: number; bytes: Uint8Array; contentType: string }

export type SubresourceHandler = (call: SubresourceCall) => Promise<SubresourceAnswer>

/** What the API server hands to a stream, and connects a WebSocket with. */
export type StreamCall = Omit<SubresourceCall, 'method' | 'body'>
export interface ByteStream {
  bytes: Duplex
  ending(): { code: 1000 | 1001; reason: string }
}
export type StreamHandler = (call: StreamCall) => Promise<ByteStream>

export function notFound(resource: string, name: string): StatusError {
  const group = 'kubevirt.io'
  return failure(404, 'NotFound', `${resource}.${group} "${name}" not found`, { name, group, kind: resource })
}

export function conflict(resource: string, name: string, why: string, causes?: StatusCause[]): StatusError {
  const group = 'kubevirt.io'
  const message = `Operation cannot be fulfilled on ${resource}.${group} "${name}": ${why}`
  return failure(409, 'Conflict', message, { name, group, kind: resource, ...(causes ? { causes } : {}) })
}

/** The guest is frozen on behalf of somebody, who must not be disturbed. */
export function frozenBy(resource: string, name: string, error: FreezeHeldError, remedy: string): StatusError {
  const cause = { reason: frozenByAnotherCause, message: error.message, field: 'holder' }
  return conflict(resource, name, `${error.message}; ${remedy}`, [cause])
}

/** Refuses what would end a guest, or begin it anew, in the middle of somebody's freeze. */
export function mustNotBeHeld(resource: string, name: string, hold: FreezeHold | undefined): void {
  if (hold) throw frozenBy(resource, name, new FreezeHeldError(hold.holder, hold.leftMs), 'try again then')
}

export function badRequest(message: string): StatusError {
  return failure(400, 'BadRequest', message)
}

export function internalError(message: string): StatusError {
  return failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
}

/** The members of a body that is an object; none when there is no body. */
export function members(body: unknown): Record<string, unknown> {
  if (body === undefined || body === null || body === '') return {}
  if (typeof body !== 'object' || Array.isArray(body)) throw badRequest('the body must be an object')
  return body as Record<string, unknown>
}

export function isDryRun(body: Record<string, unknown>): boolean {
  const { dryRun } = body
  if (dryRun === undefined || dryRun === null) return false
  if (Array.isArray(dryRun) && dryRun.every((value) => value === 'All')) return dryRun.length > 0
  throw badRequest('dryRun: only "All" is supported')
}
