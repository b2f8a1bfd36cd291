/**
 * Cuts a byte stream into lines without ever holding more than one line's limit. Chunks are kept apart until a
 * line is complete: joining on every chunk would cost quadratic time on long lines.
 */
export class LineSplitter {
  readonly #limitBytes: number
  #parts: Buffer[] = []
  #length = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** The lines completed by this chunk, without their ends. Throws when a line exceeds the limit. */
  push(chunk: Buffer): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end))
      const text = Buffer.concat(this.#parts).toString('utf8').trim()
      this.#parts = []
      this.#length = 0
      if (text !== '') lines.push(text)
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
    return lines
  }

  #keep(part: Buffer): void {
    this.#length += part.length
    if (this.#length > this.#limitBytes) throw new Error(`a line exceeds the limit of ${this.#limitBytes} bytes`)
    this.#parts.push(part)
  }
}
