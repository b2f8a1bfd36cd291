/** One field of a protobuf message as it is on the wire. */
export interface WireField {
  number: number
  /** Varints and fixed numbers as bigint, everything with a length as bytes. */
  value: bigint | Uint8Array
}

/** What is wrong with the bytes. */
export class WireError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'WireError'
  }
}

const varint = 0
const fixed64 = 1
const delimited = 2
const fixed32 = 5

/** The fields of a message, in order. Throws WireError where the bytes are no message. */
export function* readFields(bytes: Uint8Array): Iterable<WireField> {
  let at = 0
  const readVarint = (): bigint => {
    let result = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new WireError('unexpected EOF')
      result |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, result)
    }
    throw new WireError('a number is longer than ten bytes')
  }
  const take = (length: number): Uint8Array => {
    if (length < 0 || at + length > bytes.length) throw new WireError('unexpected EOF')
    const taken = bytes.subarray(at, at + length)
    at += length
    return taken
  }
  while (at < bytes.length) {
    const tag = Number(readVarint())
    const number = Math.floor(tag / 8)
    if (number <= 0) throw new WireError(`field number ${number} is not allowed`)
    switch (tag % 8) {
      case varint:
        yield { number, value: readVarint() }
        break
      case fixed64:
        yield { number, value: littleEndian(take(8)) }
        break
      case delimited:
        yield { number, value: take(Number(readVarint())) }
        break
      case fixed32:
        yield { number, value: littleEndian(take(4)) }
        break
      default:
        throw new WireError(`wire type ${tag % 8} is not allowed`)
    }
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n)
}
