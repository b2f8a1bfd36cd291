const burst = 10
const refillEveryMs = 3_000
const addressLimit = 1_000

/** Slows down who fails to sign in: ten failures at once from one address, then one every three seconds. */
export class Attempts {
  readonly #now: () => Date
  /** When all ten are there again; by address, the longest unused first. */
  readonly #fullAtMs = new Map<string, number>()

  constructor(now: () => Date) {
    this.#now = now
  }

  /** Takes one attempt, or tells how long to wait for it. Give it back when it succeeds. */
  take(address: string): { waitMs: number } | undefined {
    const nowMs = this.#now().getTime()
    const fullAtMs = Math.max(this.#fullAtMs.get(address) ?? 0, nowMs) + refillEveryMs
    const waitMs = fullAtMs - nowMs - burst * refillEveryMs
    if (waitMs > 0) return { waitMs }
    this.#set(address, fullAtMs)
    return undefined
  }

  giveBack(address: string): void {
    this.#set(address, (this.#fullAtMs.get(address) ?? 0) - refillEveryMs)
  }

  #set(address: string, fullAtMs: number): void {
    this.#fullAtMs.delete(address)
    if (fullAtMs <= this.#now().getTime()) return
    const [oldest] = this.#fullAtMs.keys()
    if (oldest !== undefined && this.#fullAtMs.size >= addressLimit) this.#fullAtMs.delete(oldest)
    this.#fullAtMs.set(address, fullAtMs)
  }
}
