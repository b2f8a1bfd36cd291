/** The last bytes of a stream, up to a fixed number. */
export class RecentBytes {
  readonly #ring: Buffer
  #total = 0

  constructor(limitBytes: number) {
    this.#ring = Buffer.alloc(limitBytes)
  }

  push(chunk: Uint8Array): void {
    const size = this.#ring.length
    const kept = chunk.subarray(Math.max(0, chunk.length - size))
    const start = (this.#total + chunk.length - kept.length) % size
    const first = kept.subarray(0, size - start)
    this.#ring.set(first, start)
    this.#ring.set(kept.subarray(first.length), 0)
    this.#total += chunk.length
  }

  /** The last bytes, as many as are asked for and there are. */
  last(count: number): Buffer {
    const size = this.#ring.length
    const length = Math.min(count, size, this.#total)
    const start = (this.#total - length) % size
    const first = this.#ring.subarray(start, Math.min(size, start + length))
    return Buffer.concat([first, this.#ring.subarray(0, length - first.length)])
  }
}
