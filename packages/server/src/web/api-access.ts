import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpResponse } from '../apiserver/http/answer.ts'
import type { Backend } from './backend.ts'
import type { Evidence } from './forgery.ts'
import { secureForwarded } from './security-headers.ts'
import type { Session, Sessions } from './sessions.ts'
import { unauthorized } from './sign-in.ts'
import { mustBeOurs, ownHost, sessionSecret, type Visit } from './visit.ts'

/** The Kubernetes API for browsers with a session, and for whoever brings a header `Authorization`. */
export class ApiAccess {
  readonly #backend: Backend
  readonly #sessions: Sessions

  constructor(backend: Backend, sessions: Sessions) {
    this.#backend = backend
    this.#sessions = sessions
  }

  async request(visit: Visit, response: HttpResponse, url: string): Promise<void> {
    secureForwarded(response, visit)
    const { request } = visit
    const reading = request.method === 'GET' || request.method === 'HEAD'
    const session = this.#sessionOf(visit, reading ? 'read' : 'write')
    const forward = () => this.#backend.forward({ request, response, url, identity: session?.identity })
    if (session) await this.#during(session, response, forward)
    else await forward()
  }

  async socket(
    visit: Visit & { request: IncomingMessage },
    socket: Duplex,
    head: Buffer,
    url: string,
  ): Promise<number> {
    const { request } = visit
    const session = this.#sessionOf(visit, 'upgrade')
    const forward = () => this.#backend.upgrade({ request, socket, head, url, identity: session?.identity })
    return session ? this.#during(session, socket, forward) : forward()
  }

  /** Undefined for who has an `Authorization`: no browser sends one that our own pages have not given it. */
  #sessionOf(visit: Visit, kind: Evidence['kind']): Session | undefined {
    if (visit.request.headers.authorization) return undefined
    ownHost(visit)
    const session = this.#sessions.find(sessionSecret(visit))
    if (!session) throw unauthorized('there is no session, or it has ended: sign in')
    mustBeOurs(visit, kind)
    return session
  }

  /** What is open ends with its session, and the session when the API does not know its token any more. */
  async #during(session: Session, open: HttpResponse | Duplex, forward: () => Promise<number>): Promise<number> {
    const release = this.#sessions.use(session)
    const cut = () => void open.destroy()
    session.ended.addEventListener('abort', cut)
    open.once('close', () => {
      session.ended.removeEventListener('abort', cut)
      release()
    })
    const code = await forward()
    if (code === 401) {
      // The refusal itself shall still arrive.
      session.ended.removeEventListener('abort', cut)
      this.#sessions.end(session)
    }
    return code
  }
}
