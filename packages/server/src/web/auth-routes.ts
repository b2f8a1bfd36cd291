import { failure } from '@stillpoint/api/meta/status-error'
import type { Logger } from 'pino'
import { type Answer, type HttpResponse, json } from '../apiserver/http/answer.ts'
import { sessionMs } from './sessions.ts'
import { described, newLink, type SignInOptions, signIn } from './sign-in.ts'
import { mustBeOurs, newSessionCookie, originOf, sessionSecret, type Visit } from './visit.ts'

type Routes = Readonly<
  Record<string, Readonly<Record<string, (visit: Visit, response: HttpResponse) => Answer | Promise<Answer>>>>
>

/** `/auth/…`: answers with JSON, and with a Status when it refuses. */
export class AuthRoutes {
  readonly #options: SignInOptions
  readonly #log: Logger

  constructor(options: SignInOptions, log: Logger) {
    this.#options = options
    this.#log = log
  }

  readonly #routes: Routes = {
    '/auth/session': {
      GET: (visit) => this.#whoIsIt(visit),
      POST: (visit, response) => this.#signIn(visit, response),
      DELETE: (visit, response) => this.#signOut(visit, response),
    },
    '/auth/links': { POST: (visit) => this.#newLink(visit) },
  }

  async answer(path: string, visit: Visit, response: HttpResponse): Promise<Answer> {
    const methods = this.#routes[path]
    if (!methods) throw failure(404, 'NotFound', `there is nothing at ${path}`)
    const method = visit.request.method ?? ''
    const allowed = Object.keys(methods)
    response.setHeader('Cache-Control', 'no-store')
    const act = methods[method === 'HEAD' && 'GET' in methods ? 'GET' : method]
    if (act) return act(visit, response)
    response.setHeader('Allow', allowed.join(', '))
    throw failure(405, 'MethodNotAllowed', `${path} takes ${allowed.join(', ')}`)
  }

  #whoIsIt(visit: Visit): Answer {
    mustBeOurs(visit, 'read')
    const { mode } = this.#options.backend
    const session = this.#options.sessions.find(sessionSecret(visit))
    if (session) return json(200, described(session, mode))
    // Who has not signed in is told in which way it can be done.
    const { status } = failure(401, 'Unauthorized', 'there is no session, or it has ended: sign in')
    return json(401, { ...status, mode })
  }

  async #signIn(visit: Visit, response: HttpResponse): Promise<Answer> {
    mustBeOurs(visit, 'write')
    const { backend, sessions } = this.#options
    const { secret, session } = await signIn(visit.request, this.#options)
    const before = sessions.find(sessionSecret(visit))
    if (before) sessions.end(before)
    response.setHeader('Set-Cookie', newSessionCookie(visit, secret, sessionMs))
    this.#log.info({ user: session.user.username }, 'signed in')
    return json(201, described(session, backend.mode))
  }

  #signOut(visit: Visit, response: HttpResponse): Answer {
    mustBeOurs(visit, 'write')
    const { sessions } = this.#options
    const session = sessions.find(sessionSecret(visit))
    if (session) {
      sessions.end(session)
      this.#log.info({ user: session.user.username }, 'signed out')
    }
    response.setHeader('Set-Cookie', newSessionCookie(visit, undefined, 0))
    return json(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 200 })
  }

  async #newLink(visit: Visit): Promise<Answer> {
    const link = await newLink(visit.request, originOf(visit), this.#options)
    this.#log.info('link made')
    return json(201, link)
  }
}
