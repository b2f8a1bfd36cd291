import { StatusError } from '@stillpoint/api/meta/status-error'
import type { Decision } from '../auth/attributes.ts'
import type { HttpRequest } from '../http/body.ts'
import type { Caller } from '../http/caller.ts'

const userAgentLimit = 1_024
const urlLimit = 16 * 1024

/** `ResponseStarted`: it goes on, and will be `ResponseComplete`. `Panic`: the server itself is at fault. */
export type Stage = 'ResponseStarted' | 'ResponseComplete' | 'Panic'

/** What is found out about one request on its way. Nothing of any body, and no credential. */
export interface Trail {
  readonly id: string
  readonly method: string
  readonly url: string
  readonly userAgent: string | undefined
  readonly address: string | undefined
  readonly receivedMs: number
  /** Undefined until somebody is known, and for good where credentials are bad. */
  caller?: Caller
  decision?: Decision
  /** What was created, when the address does not name it. */
  created?: { name: string; uid?: string | undefined }
  /** Why it failed, in one word. */
  reason?: string
  stage: Stage
}

/** A request of which nothing is known yet. */
export function newTrail(
  id: string,
  { method = '', url = '', headers, socket }: Pick<HttpRequest, 'method' | 'url' | 'headers' | 'socket'>,
  now: Date,
): Trail {
  return {
    id,
    method,
    url: url.slice(0, urlLimit),
    userAgent: headers['user-agent']?.slice(0, userAgentLimit),
    address: socket.remoteAddress,
    receivedMs: now.getTime(),
    stage: 'ResponseComplete',
  }
}

/** Notes why a request failed. What is no refusal is the server's own fault. */
export function noteFailure(trail: Trail | undefined, error: unknown): void {
  if (!trail) return
  if (error instanceof StatusError) trail.reason = error.reason
  trail.stage = error instanceof StatusError ? 'ResponseComplete' : 'Panic'
}
