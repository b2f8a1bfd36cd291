const encoder = new TextEncoder()

/** Writes one protobuf message. Empty text, false and absent values are left out, as proto3 does. */
export class ProtoWriter {
  readonly #chunks: Uint8Array[] = []

  text(field: number, value: string | undefined): this {
    if (value !== undefined && value !== '') this.#bytes(field, encoder.encode(value))
    return this
  }

  texts(field: number, values: readonly string[] | undefined): this {
    for (const value of values ?? []) this.#bytes(field, encoder.encode(value))
    return this
  }

  flag(field: number, value: boolean | undefined): this {
    if (value === true) this.#chunks.push(varint(field << 3), varint(1))
    return this
  }

  integer(field: number, value: number | undefined): this {
    if (value !== undefined && value !== 0) this.#chunks.push(varint(field << 3), varint(value))
    return this
  }

  double(field: number, value: number | undefined): this {
    if (value === undefined || value === 0) return this
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, value, true)
    this.#chunks.push(varint((field << 3) | 1), bytes)
    return this
  }

  /** A nested message; written even when empty, so that its presence is seen. */
  message(field: number, value: ProtoWriter | undefined): this {
    if (value !== undefined) this.#bytes(field, value.finish())
    return this
  }

  messages(field: number, values: Iterable<ProtoWriter>): this {
    for (const value of values) this.message(field, value)
    return this
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }

  #bytes(field: number, bytes: Uint8Array): void {
    this.#chunks.push(varint((field << 3) | 2), varint(bytes.length), bytes)
  }
}

function varint(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a protobuf count: ${value}`)
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
