import type { JsonSchema } from '@stillpoint/api/schema/resource'
import { isJsonObject, jsonEqual } from '../json.ts'
import { type FieldError, fieldError, notSupported } from './errors.ts'

const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const dateTimePattern = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/
const patterns = new Map<string, RegExp>()

/**
 * Checks a value against a published schema, with the texts a Kubernetes API server uses. Where `old` has the same
 * value nothing is reported: what was stored under an older schema must stay updatable.
 */
export function validate(value: unknown, schema: JsonSchema, path: string, errors: FieldError[], old?: unknown): void {
  if (old !== undefined && jsonEqual(value, old)) return
  if (value === null && schema.nullable) return
  const wanted = wantedType(schema)
  if (wanted !== undefined && !hasType(value, wanted, schema.format) && !isNanoseconds(value, schema)) {
    errors.push(typeError(path, value, wanted))
    return
  }
  if (schema.enum && !schema.enum.some((item) => jsonEqual(item, value)))
    errors.push(notSupported(path, value, schema.enum))
  if (typeof value === 'string') validateString(value, schema, path, errors)
  else if (typeof value === 'number') validateNumber(value, schema, path, errors)
  else if (Array.isArray(value)) validateArray(value, schema, path, errors, Array.isArray(old) ? old : undefined)
  else if (isJsonObject(value)) validateObject(value, schema, path, errors, isJsonObject(old) ? old : undefined)
}

function validateObject(
  value: Record<string, unknown>,
  schema: JsonSchema,
  path: string,
  errors: FieldError[],
  old: Record<string, unknown> | undefined,
): void {
  for (const key of schema.required ?? [])
    if (!Object.hasOwn(value, key)) errors.push(fieldError('required', join(path, key), ''))
  const { properties = {}, additionalProperties } = schema
  for (const [key, child] of Object.entries(properties))
    if (Object.hasOwn(value, key)) validate(value[key], child, join(path, key), errors, own(old, key))
  if (typeof additionalProperties !== 'object') return
  for (const [key, item] of Object.entries(value))
    if (!Object.hasOwn(properties, key)) validate(item, additionalProperties, join(path, key), errors, own(old, key))
}

function validateArray(
  value: unknown[],
  schema: JsonSchema,
  path: string,
  errors: FieldError[],
  old: unknown[] | undefined,
): void {
  const { items, minItems, maxItems } = schema
  if (maxItems !== undefined && value.length > maxItems)
    errors.push(fieldError('tooMany', path, `must have at most ${maxItems} items`, value.length))
  if (minItems !== undefined && value.length < minItems)
    errors.push(fieldError('invalid', path, `${path} in body should have at least ${minItems} items`, value.length))
  const keys = schema['x-kubernetes-list-map-keys']
  const listType = schema['x-kubernetes-list-type']
  if (listType === 'map' && keys) requireUnique(value, path, errors, (item) => pick(item, keys))
  else if (listType === 'set') requireUnique(value, path, errors, (item) => item)
  if (!items) return
  const before = listType === 'map' && keys ? byKeys(old, keys) : undefined
  for (const [index, item] of value.entries())
    validate(item, items, `${path}[${index}]`, errors, before?.get(JSON.stringify(pick(item, keys ?? []))))
}

function requireUnique(value: unknown[], path: string, errors: FieldError[], idOf: (item: unknown) => unknown): void {
  const seen = new Set<string>()
  for (const [index, item] of value.entries()) {
    const id = idOf(item)
    const text = JSON.stringify(id)
    if (seen.has(text)) errors.push(fieldError('duplicate', `${path}[${index}]`, '', id))
    seen.add(text)
  }
}

function validateString(value: string, schema: JsonSchema, path: string, errors: FieldError[]): void {
  const { minLength, maxLength, pattern, format } = schema
  const length = maxLength === undefined && minLength === undefined ? 0 : [...value].length
  if (maxLength !== undefined && length > maxLength)
    errors.push(fieldError('tooLong', path, `may not be more than ${maxLength} ${maxLength === 1 ? 'byte' : 'bytes'}`))
  if (minLength !== undefined && length < minLength)
    errors.push(fieldError('invalid', path, `${path} in body should be at least ${minLength} chars long`, value))
  if (pattern !== undefined && !compiled(pattern).test(value))
    errors.push(fieldError('invalid', path, `${path} in body should match '${pattern}'`, value))
  if (format !== undefined && !hasFormat(value, format))
    errors.push(fieldError('type', path, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`, value))
}

function validateNumber(value: number, { minimum, maximum }: JsonSchema, path: string, errors: FieldError[]): void {
  if (minimum !== undefined && value < minimum)
    errors.push(fieldError('invalid', path, `${path} in body should be greater than or equal to ${minimum}`, value))
  if (maximum !== undefined && value > maximum)
    errors.push(fieldError('invalid', path, `${path} in body should be less than or equal to ${maximum}`, value))
}

function wantedType(schema: JsonSchema): string | undefined {
  return schema['x-kubernetes-int-or-string'] ? 'integer or string' : schema.type
}

// Times in nanoseconds are beyond 2^53: what is lost of them is less than a microsecond.
function isNanoseconds(value: unknown, { type, format }: JsonSchema): boolean {
  return type === 'integer' && format === 'int64' && Number.isInteger(value) && Math.abs(value as number) < 2 ** 63
}

function hasType(value: unknown, type: string, format: string | undefined): boolean {
  switch (type) {
    case 'object':
      return isJsonObject(value)
    case 'array':
      return Array.isArray(value)
    // Beyond 2^53 JavaScript would change the number silently, so such an integer is refused; except where the kind
    // says that it is that large (nanoseconds since 1970) and its last digits do not matter.
    case 'integer':
      return format === 'int64' ? Number.isInteger(value) : Number.isSafeInteger(value)
    case 'integer or string':
      return Number.isSafeInteger(value) || typeof value === 'string'
    default:
      return typeof value === type
  }
}

function typeError(path: string, value: unknown, wanted: string): FieldError {
  const actual = typeName(value)
  return fieldError('type', path, `${path} in body must be of type ${wanted}: ${JSON.stringify(actual)}`, actual)
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function hasFormat(value: string, format: string): boolean {
  if (format === 'date-time') return dateTimePattern.test(value) && !Number.isNaN(Date.parse(value))
  if (format === 'byte') return base64Pattern.test(value)
  return true
}

// Patterns come from our own kinds, not from users, so the backtracking engine is safe here.
function compiled(pattern: string): RegExp {
  let expression = patterns.get(pattern)
  if (!expression) {
    expression = new RegExp(pattern, 'u')
    patterns.set(pattern, expression)
  }
  return expression
}

function byKeys(list: unknown[] | undefined, keys: readonly string[]): Map<string, unknown> {
  return new Map((list ?? []).map((item) => [JSON.stringify(pick(item, keys)), item]))
}

function pick(item: unknown, keys: readonly string[]): unknown {
  if (!isJsonObject(item)) return item
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key]]))
}

function own(object: Record<string, unknown> | undefined, key: string): unknown {
  return object && Object.hasOwn(object, key) ? object[key] : undefined
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}
