/** Lets one holder at a time have a key. Several keys are taken in one order, so that two holders never wait for each other. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>()

  async hold<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const wanted = [...new Set(keys)].sort()
    const releases: (() => void)[] = []
    try {
      for (const key of wanted) releases.push(await this.#take(key))
      return await work()
    } finally {
      for (const release of releases) release()
    }
  }

  async #take(key: string): Promise<() => void> {
    const before = this.#tails.get(key)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#tails.set(key, promise)
    await before
    return () => {
      if (this.#tails.get(key) === promise) this.#tails.delete(key)
      resolve()
    }
  }
}
