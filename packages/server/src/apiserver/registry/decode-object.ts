import type { KubeObject, ObjectMeta } from '@stillpoint/api/meta/object-meta'
import { apiVersionOf, type JsonSchema } from '@stillpoint/api/schema/resource'
import { isJsonObject, type JsonObject } from '../json.ts'
import type { Call } from './call.ts'
import { badRequest, type FieldError } from './errors.ts'
import { readableMetadata } from './object-meta.ts'
import { pruneAndDefault } from './prune.ts'
import { validate } from './validate.ts'

/**
 * Turns a parsed body into an object of the storage version: kind and version checked, metadata typed, unknown fields
 * pruned and reported as the call wishes, defaults filled in. `duplicates` are the repeated keys its text had.
 */
export function decodeObject(call: Call, body: unknown, duplicates: readonly string[] = []): KubeObject {
  const { definition, version } = call
  if (!isJsonObject(body)) throw badRequest(`the body must be an object of kind ${definition.kind}`)
  checkType(call, body)
  const unknown: string[] = []
  const metadata = decodeMetadata(call, body.metadata, unknown)
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...fields } = body
  const rest = pruneAndDefault(fields, withoutTypeMeta(definition.schema()), '', unknown) as JsonObject
  const object = { apiVersion: apiVersionOf(definition), kind: definition.kind, metadata, ...rest }
  reportUnknown(call, unknown, duplicates)
  if (definition.origin === 'builtin') requireTypes(call, object, definition.schema())
  return object

  function checkType({ definition }: Call, { kind, apiVersion }: JsonObject): void {
    const expected = apiVersionOf({ group: definition.group, version })
    const mayBeEmpty = definition.origin === 'builtin'
    if (!mayBeEmpty && (kind === undefined || kind === ''))
      throw badRequest(`Object 'Kind' is missing in '${excerpt(body)}'`)
    if (!mayBeEmpty && (apiVersion === undefined || apiVersion === ''))
      throw badRequest(`Object 'apiVersion' is missing in '${excerpt(body)}'`)
    if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== expected)
      throw badRequest(
        `the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected})`,
      )
    if (kind !== undefined && kind !== '' && kind !== definition.kind)
      throw badRequest(
        `${String(kind)} in version ${JSON.stringify(version)} cannot be handled as a ${definition.kind}: the kind in the data does not match the kind in the URL`,
      )
  }
}

function decodeMetadata(call: Call, input: unknown, unknown: string[]): ObjectMeta {
  const schema = readableMetadata()
  const pruned = pruneAndDefault(input ?? {}, schema, 'metadata', unknown)
  const errors: FieldError[] = []
  validate(pruned, schema, 'metadata', errors)
  const [error] = errors
  if (error) throw cannotHandle(call, `${error.field}: ${error.text}`)
  // managedFields belong to server-side apply, which is not offered; selfLink is long gone.
  const { managedFields: _managed, selfLink: _link, ...metadata } = pruned as ObjectMeta & { selfLink?: string }
  return { ...metadata, name: metadata.name ?? '' }
}

function reportUnknown(call: Call, unknown: readonly string[], duplicates: readonly string[]): void {
  if (call.fieldValidation === 'Ignore') return
  const problems = [
    ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
  ]
  if (problems.length === 0) return
  if (call.fieldValidation === 'Strict') throw cannotHandle(call, `strict decoding error: ${problems.join(', ')}`)
  for (const problem of problems) call.warn(problem)
}

// Kinds compiled into a real server fail in its decoder, hence 400; a custom kind fails its schema, hence 422.
function requireTypes(call: Call, object: unknown, schema: JsonSchema): void {
  const errors: FieldError[] = []
  validate(object, schema, '', errors)
  const error = errors.find(({ reason }) => reason === 'FieldValueTypeInvalid')
  if (error) throw cannotHandle(call, `${error.field}: ${error.text}`)
}

function cannotHandle({ definition: { kind }, version }: Call, why: string): Error {
  return badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`)
}

function withoutTypeMeta(schema: JsonSchema): JsonSchema {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...properties } = schema.properties ?? {}
  return { ...schema, properties }
}

function excerpt(body: unknown): string {
  const text = JSON.stringify(body)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
