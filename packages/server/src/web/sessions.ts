import type { Identity, User } from './identity.ts'
import { digestOf, newSecret } from './secrets.ts'

const hourMs = 3_600_000
/** However much it is used. */
export const sessionMs = 12 * hourMs
const unusedMs = hourMs
const sweepEveryMs = 30_000
const sessionLimit = 1_000
const limitForUser = 50

export interface Session {
  readonly user: User
  readonly identity: Identity
  /** When it ends at the latest. */
  readonly expires: Date
  /** Aborted when it ends, for whatever reason. */
  readonly ended: AbortSignal
}

interface Kept {
  readonly session: Session
  readonly end: () => void
  /** Requests and streams that are open. */
  open: number
  usedMs: number
}

/** Who is signed in. In memory only: with the process, all sessions end. */
export class Sessions {
  readonly #now: () => Date
  /** By digest of the secret, the oldest first. */
  readonly #kept = new Map<string, Kept>()
  readonly #digests = new WeakMap<Session, string>()
  readonly #timer: NodeJS.Timeout

  constructor(now: () => Date) {
    this.#now = now
    this.#timer = setInterval(() => this.endExpired(), sweepEveryMs).unref()
  }

  /** Begins a session; its secret is for the browser and is not kept here. Where there are too many, the oldest ends. */
  begin(user: User, identity: Identity): { secret: string; session: Session } {
    const now = this.#now().getTime()
    const ending = new AbortController()
    const session = { user, identity, expires: new Date(now + sessionMs), ended: ending.signal }
    this.#makeRoom(user)
    const secret = newSecret()
    const digest = digestOf(secret)
    this.#digests.set(session, digest)
    this.#kept.set(digest, { session, end: () => ending.abort(), open: 0, usedMs: now })
    return { secret, session }
  }

  /** The session of a secret, if it has not ended. Looking is not using. */
  find(secret: string | undefined): Session | undefined {
    const kept = secret === undefined ? undefined : this.#kept.get(digestOf(secret))
    if (!kept) return undefined
    if (!this.#isOver(kept)) return kept.session
    this.end(kept.session)
    return undefined
  }

  /** Counts as used until the function it returns is called, once. */
  use(session: Session): () => void {
    const kept = this.#kept.get(this.#digests.get(session) ?? '')
    if (!kept) return () => {}
    kept.open++
    return () => {
      kept.open--
      kept.usedMs = this.#now().getTime()
    }
  }

  end(session: Session): void {
    const digest = this.#digests.get(session) ?? ''
    const kept = this.#kept.get(digest)
    this.#kept.delete(digest)
    kept?.end()
  }

  endExpired(): void {
    for (const kept of [...this.#kept.values()]) if (this.#isOver(kept)) this.end(kept.session)
  }

  close(): void {
    clearInterval(this.#timer)
    for (const { session } of [...this.#kept.values()]) this.end(session)
  }

  #isOver({ session, open, usedMs }: Kept): boolean {
    const now = this.#now().getTime()
    return now >= session.expires.getTime() || (open === 0 && now - usedMs >= unusedMs)
  }

  // One user who signs in again and again must not end the sessions of others.
  #makeRoom({ username }: User): void {
    const sessions = [...this.#kept.values()].map(({ session }) => session)
    const own = sessions.filter(({ user }) => user.username === username)
    const oldest = own.length >= limitForUser ? own[0] : sessions.length >= sessionLimit ? sessions[0] : undefined
    if (oldest) this.end(oldest)
  }
}
