import type { JsonObject } from '../json.ts'
import { type Field, messageFields } from './messages.ts'
import { readFields, WireError } from './wire.ts'

export { WireError } from './wire.ts'

const magic = Buffer.from('k8s\0')

/** True for the kinds whose messages we know. */
export function isDecodable(kind: string): boolean {
  return messageFields(kind) !== undefined
}

/** Turns Kubernetes' protobuf envelope into the JSON object it stands for. Throws WireError. */
export function decodeEnvelope(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, 4).equals(magic)) throw new WireError('the body does not begin with the protobuf prefix')
  const { typeMeta, raw } = decodeMessage(bytes.subarray(4), 'Unknown') as {
    typeMeta?: { apiVersion?: string; kind?: string }
    raw?: string
  }
  const kind = typeMeta?.kind ?? ''
  if (!isDecodable(kind)) throw new WireError(`no message is known for kind ${JSON.stringify(kind)}`)
  return { apiVersion: typeMeta?.apiVersion ?? '', kind, ...decodeMessage(Buffer.from(raw ?? '', 'base64'), kind) }
}

function decodeMessage(bytes: Uint8Array, message: string): JsonObject {
  const fields = messageFields(message)
  const values = new Map<string, unknown>()
  for (const { number, value } of readFields(bytes)) {
    const field = fields?.get(number)
    if (!field) continue
    const { name } = field
    if (field.map) values.set(name, { ...(values.get(name) as JsonObject | undefined), ...decodeEntry(value, field) })
    else if (field.repeated)
      values.set(name, [...((values.get(name) as unknown[] | undefined) ?? []), decodeValue(value, field)])
    else {
      const decoded = decodeValue(value, field)
      if (decoded !== undefined && (field.pointer || !isZero(decoded))) values.set(name, decoded)
    }
  }
  return Object.fromEntries(values)
}

// A map travels as messages of key and value; either is left out when it is empty.
function decodeEntry(value: bigint | Uint8Array, field: Field): JsonObject {
  let key = ''
  let item: unknown = field.type === 'string' || field.type === 'bytes' ? '' : decodeValue(new Uint8Array(), field)
  for (const part of readFields(bytesOf(value))) {
    if (part.number === 1) key = textOf(part.value)
    else if (part.number === 2) item = decodeValue(part.value, field)
  }
  return Object.fromEntries([[key, item]])
}

function decodeValue(value: bigint | Uint8Array, { type }: Field): unknown {
  switch (type) {
    case 'string':
      return textOf(value)
    case 'bytes':
      return Buffer.from(bytesOf(value)).toString('base64')
    case 'int':
      return Number(numberOf(value))
    case 'bool':
      return numberOf(value) !== 0n
    case 'Time':
      return decodeTime(bytesOf(value), false)
    case 'MicroTime':
      return decodeTime(bytesOf(value), true)
    case 'Quantity': {
      const [text] = readFields(bytesOf(value))
      return text ? textOf(text.value) : '0'
    }
    case 'RawExtension': {
      const [raw] = readFields(bytesOf(value))
      return raw ? parseJson(textOf(raw.value)) : undefined
    }
    default:
      return decodeMessage(bytesOf(value), type)
  }
}

function decodeTime(bytes: Uint8Array, micro: boolean): string | undefined {
  let seconds = 0
  let nanos = 0
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) seconds = Number(numberOf(value))
    else if (number === 2) nanos = Number(numberOf(value))
  }
  const date = new Date(seconds * 1_000)
  if (seconds === 0 && nanos === 0) return undefined
  if (Number.isNaN(date.getTime())) throw new WireError(`${seconds} s is no point in time`)
  const whole = date.toISOString().slice(0, 19)
  return micro ? `${whole}.${String(Math.floor(nanos / 1_000)).padStart(6, '0')}Z` : `${whole}Z`
}

function isZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === '' || value === 0 || value === false
}

function bytesOf(value: bigint | Uint8Array): Uint8Array {
  if (typeof value === 'bigint') throw new WireError('a number stands where a message belongs')
  return value
}

function numberOf(value: bigint | Uint8Array): bigint {
  if (typeof value !== 'bigint') throw new WireError('bytes stand where a number belongs')
  return value
}

function textOf(value: bigint | Uint8Array): string {
  return Buffer.from(bytesOf(value)).toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new WireError(`embedded JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}
