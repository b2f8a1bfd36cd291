/** Lets what is done under one name happen one after the other, in the order it was asked for. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last.set(name, promise)
    try {
      await before
      return await work()
    } finally {
      resolve()
      if (this.#last.get(name) === promise) this.#last.delete(name)
    }
  }
}
