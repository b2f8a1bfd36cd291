import type { Identity } from './identity.ts'
import { digestOf, newSecret } from './secrets.ts'

const linkMs = 10 * 60_000
const linkLimit = 100

export interface Link {
  code: string
  expires: Date
}

/** One-time codes: each stands for a session of one identity, for ten minutes or until it is redeemed. */
export class Links {
  readonly #now: () => Date
  /** By digest of the code, the oldest first. */
  readonly #open = new Map<string, { identity: Identity; expiresMs: number }>()

  constructor(now: () => Date) {
    this.#now = now
  }

  /** Where there are too many, the oldest is worth nothing any more. */
  issue(identity: Identity): Link {
    const expiresMs = this.#now().getTime() + linkMs
    const [oldest] = this.#open.keys()
    if (oldest !== undefined && this.#open.size >= linkLimit) this.#open.delete(oldest)
    const code = newSecret()
    this.#open.set(digestOf(code), { identity, expiresMs })
    return { code, expires: new Date(expiresMs) }
  }

  /** Whom a code stands for; undefined when it is unknown, used or too old. It is used up by this. */
  redeem(code: string): Identity | undefined {
    const digest = digestOf(code)
    const found = this.#open.get(digest)
    this.#open.delete(digest)
    return found && this.#now().getTime() < found.expiresMs ? found.identity : undefined
  }
}

/** The address of the sign-in page. The code is in the fragment, which browsers do not send: it is in no server's log. */
export function linkUrl(origin: string, code: string): string {
  return `${origin}/sign-in#code=${code}`
}
