/** Keeps an event from being repeated by every pass that finds the same: said again only after a while. */
export class News {
  readonly #quietMs: number
  readonly #now: () => Date
  readonly #said = new Map<string, { text: string; at: number }>()

  constructor(quietMs: number, now: () => Date) {
    this.#quietMs = quietMs
    this.#now = now
  }

  isNews(key: string, text: string): boolean {
    const at = this.#now().getTime()
    const last = this.#said.get(key)
    if (last?.text === text && at - last.at < this.#quietMs) return false
    this.#said.set(key, { text, at })
    return true
  }

  forget(key: string): void {
    this.#said.delete(key)
  }
}
