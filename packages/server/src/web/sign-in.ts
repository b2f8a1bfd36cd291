import { failure } from '@stillpoint/api/meta/status-error'
import * as z from 'zod'
import { type HttpRequest, mediaTypeOf, readBody } from '../apiserver/http/body.ts'
import type { Attempts } from './attempts.ts'
import type { Backend } from './backend.ts'
import type { Identity } from './identity.ts'
import { type Links, linkUrl } from './links.ts'
import type { Session, Sessions } from './sessions.ts'

/** Larger than any token that a header could carry to an API server with ordinary settings. */
const bodyLimitBytes = 8 * 1024
const bodyMs = 10_000

const credentials = z.union([
  z.strictObject({ token: z.string().regex(/^[\x21-\x7e]+$/) }),
  z.strictObject({ code: z.string().min(1) }),
])

export interface SignInOptions {
  backend: Backend
  sessions: Sessions
  links: Links
  attempts: Attempts
}

/** What the browser is told of its session. */
export function described({ user, expires }: Session, mode: Backend['mode']): object {
  return { user, expires: expires.toISOString(), mode }
}

/** `POST /auth/session`: a session for whoever brings a token that the API knows, or a code of ours. */
export async function signIn(
  request: HttpRequest,
  { backend, sessions, links, attempts }: SignInOptions,
): Promise<{ secret: string; session: Session }> {
  const succeeded = attempt(request, attempts)
  const given = await credentialsOf(request)
  const identity: Identity | undefined =
    'code' in given ? links.redeem(given.code) : { kind: 'token', token: given.token }
  const user = identity && (await backend.whoIs(identity))
  if (!identity || !user)
    throw unauthorized(
      'code' in given
        ? "the link is not good any more: it works once and for ten minutes; 'stillpoint console' makes another"
        : 'the Kubernetes API does not know this token, or it has expired',
    )
  succeeded()
  return sessions.begin(user, identity)
}

/** `POST /auth/links`: a code for a session of whoever asks, by the token of the request itself. */
export async function newLink(
  request: HttpRequest,
  origin: string,
  { backend, links, attempts }: SignInOptions,
): Promise<{ code: string; url: string; expires: string }> {
  const token = /^Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token === undefined) throw unauthorized('a link is made for a bearer token; send it in the header Authorization')
  const succeeded = attempt(request, attempts)
  const identity = { kind: 'token', token } as const
  if (!(await backend.whoIs(identity))) throw unauthorized('Unauthorized')
  succeeded()
  const { code, expires } = links.issue(identity)
  return { code, url: linkUrl(origin, code), expires: expires.toISOString() }
}

export function unauthorized(message: string): Error {
  return failure(401, 'Unauthorized', message)
}

/** Counts as failed until the function it returns is called. */
function attempt({ socket }: HttpRequest, attempts: Attempts): () => void {
  const address = socket.remoteAddress ?? ''
  const refused = attempts.take(address)
  if (!refused) return () => attempts.giveBack(address)
  const retryAfterSeconds = Math.ceil(refused.waitMs / 1_000)
  throw failure(429, 'TooManyRequests', `too many failed sign-ins; try again in ${retryAfterSeconds} s`, {
    retryAfterSeconds,
  })
}

async function credentialsOf(request: HttpRequest): Promise<z.output<typeof credentials>> {
  if (mediaTypeOf(request.headers['content-type']) !== 'application/json')
    throw failure(415, 'UnsupportedMediaType', 'sign in with a body of type application/json')
  const late = setTimeout(() => request.destroy(new Error(`no body within ${bodyMs} ms`)), bodyMs)
  const text = await readBody(request, bodyLimitBytes).finally(() => clearTimeout(late))
  try {
    return credentials.parse(JSON.parse(text.toString('utf8')))
  } catch {
    // What the parser says repeats what it was given, which is secret.
    throw failure(400, 'BadRequest', 'the body must be {"token": "…"} or {"code": "…"}')
  }
}
