const burst = 10
const refillEveryMs = 3_000
const addressLimit = 1_000

/** Slows down who fails to sign in: ten failures at once from one address, then one every three seconds. */
export class Attempts {
  readonly #now: () => Date
  /** What is left, as of a time; by address, the longest unused first. */
  readonly #left = new Map<string, { tokens: number; atMs: number }>()

  constructor(now: () => Date) {
    this.#now = now
  }

  /** Takes one attempt, or tells how long to wait for it. Give it back when it succeeds. */
  take(address: string): { waitMs: number } | undefined {
    const atMs = this.#now().getTime()
    const tokens = this.#tokens(address, atMs)
    if (tokens < 1) return { waitMs: Math.ceil((1 - tokens) * refillEveryMs) }
    this.#set(address, tokens - 1, atMs)
    return undefined
  }

  giveBack(address: string): void {
    const atMs = this.#now().getTime()
    this.#set(address, this.#tokens(address, atMs) + 1, atMs)
  }

  #tokens(address: string, atMs: number): number {
    const left = this.#left.get(address)
    return left ? Math.min(burst, left.tokens + (atMs - left.atMs) / refillEveryMs) : burst
  }

  #set(address: string, tokens: number, atMs: number): void {
    this.#left.delete(address)
    if (tokens >= burst) return
    const [oldest] = this.#left.keys()
    if (oldest !== undefined && this.#left.size >= addressLimit) this.#left.delete(oldest)
    this.#left.set(address, { tokens, atMs })
  }
}
