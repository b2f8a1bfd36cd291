import { objectMetaSchema } from '@stillpoint/api/core/object-meta'
import { failure, type StatusError } from '@stillpoint/api/meta/status-error'
import type { JsonSchema } from '@stillpoint/api/schema/resource'
import { isDeeperThan, isJsonObject, type JsonObject } from '../json.ts'
import { badRequest } from '../registry/errors.ts'
import { identity, orderLike } from './list-order.ts'

const orderPrefix = '$setElementOrder/'
const deletePrefix = '$deleteFromPrimitiveList/'
const directiveKeys = ['$patch', '$retainKeys']
const maxDepth = 500

/**
 * Kubernetes' strategic merge patch: a merge patch whose lists may merge, as the schema's
 * x-kubernetes-patch-strategy and x-kubernetes-patch-merge-key say. Changes neither argument.
 * Throws 400 for a malformed directive, 422 for a list element that cannot be matched.
 */
export function strategicMerge(original: unknown, patch: unknown, schema: JsonSchema): unknown {
  if (!isJsonObject(patch)) throw badRequest('a strategic merge patch must be a JSON object')
  if (isDeeperThan(patch, maxDepth)) throw badRequest(`the patch is nested deeper than ${maxDepth} levels`)
  return mergeMap(isJsonObject(original) ? original : {}, patch, withMetadata(schema))
}

/** Published schemas leave `metadata` open: it is the same for every kind. */
function withMetadata(schema: JsonSchema): JsonSchema {
  return { ...schema, properties: { ...schema.properties, metadata: objectMetaSchema() } }
}

function mergeMap(original: JsonObject, patch: JsonObject, schema: JsonSchema | undefined): JsonObject {
  const directive = own(patch, '$patch')
  if (directive === 'delete') return {}
  if (directive === 'replace') return withoutKeys(patch, ['$patch'])
  if (directive !== undefined && directive !== 'merge')
    throw badRequest(`unknown patch type ${JSON.stringify(directive)} in map: use delete, replace or merge`)

  const result = new Map(Object.entries(retained(original, patch)))
  for (const key of Object.keys(patch)) {
    if (directiveKeys.includes(key) || key.startsWith(orderPrefix) || key.startsWith(deletePrefix)) continue
    const merged = mergeValue(result.get(key), patch[key], propertyOf(schema, key), key)
    if (merged === undefined) result.delete(key)
    else result.set(key, merged)
  }
  for (const key of Object.keys(patch)) if (key.startsWith(deletePrefix)) deleteFromList(result, key, patch[key])
  for (const key of Object.keys(patch))
    if (key.startsWith(orderPrefix))
      setOrder(result, original, patch, key, propertyOf(schema, key.slice(orderPrefix.length)))
  return Object.fromEntries(result)
}

/** Undefined means: no such key. */
function mergeValue(original: unknown, patch: unknown, schema: JsonSchema | undefined, key: string): unknown {
  if (patch === null) return undefined
  const strategies = schema?.['x-kubernetes-patch-strategy']?.split(',') ?? []
  if (isJsonObject(patch)) {
    if (original === undefined && own(patch, '$patch') === 'delete') return undefined
    const base = isJsonObject(original) && !strategies.includes('replace') ? original : {}
    return mergeMap(base, patch, schema)
  }
  if (Array.isArray(patch)) {
    if (!strategies.includes('merge')) return patch
    return mergeList(Array.isArray(original) ? original : [], patch, schema, key)
  }
  return patch
}

function mergeList(original: unknown[], patch: unknown[], schema: JsonSchema | undefined, key: string): unknown[] {
  if (patch.some(Array.isArray)) throw unprocessable(`lists of lists are not supported: ${key}`)
  const maps = patch.filter(isJsonObject)
  if (maps.length > 0 && maps.length < patch.length)
    throw badRequest(`list ${JSON.stringify(key)} mixes maps and plain values`)
  const mergeKey = schema?.['x-kubernetes-patch-merge-key']
  if (mergeKey === undefined) {
    if (maps.length > 0) throw unprocessable(`map: list ${JSON.stringify(key)} has no declared merge key`)
    return orderLike(unique([...original, ...patch]), patch, original)
  }
  if (maps.length < patch.length) throw badRequest(`elements of list ${JSON.stringify(key)} must be maps`)
  const values = maps.filter((element) => own(element, '$patch') !== 'replace' || hasMore(element))
  const kept = maps.length === values.length ? original : []
  return mergeElements(kept, values, mergeKey, schema?.items)
}

/** `{$patch: replace}` alone says that the list is replaced; with other keys it speaks of its element. */
function hasMore(element: JsonObject): boolean {
  return Object.keys(element).length > 1
}

function mergeElements(
  original: readonly unknown[],
  patch: readonly JsonObject[],
  mergeKey: string,
  schema: JsonSchema | undefined,
): unknown[] {
  // By identity; a server's list may hold elements without the key, or two with the same one: both stay.
  const result = original.map((item) => ({ id: identity(item, mergeKey), item, gone: false }))
  const firsts = new Map<string, (typeof result)[number]>()
  for (const entry of result) if (!firsts.has(entry.id)) firsts.set(entry.id, entry)
  const named: JsonObject[] = []
  for (const element of patch) {
    if ((own(element, mergeKey) ?? null) === null)
      throw unprocessable(`map: ${JSON.stringify(element)} does not contain declared merge key: ${mergeKey}`)
    const id = identity(element, mergeKey)
    if (own(element, '$patch') === 'delete') {
      for (const entry of firsts.has(id) ? result : []) if (entry.id === id) entry.gone = true
      firsts.delete(id)
      continue
    }
    named.push(element)
    const present = firsts.get(id)
    if (present !== undefined) present.item = mergeMap(isJsonObject(present.item) ? present.item : {}, element, schema)
    else {
      const entry = { id, item: mergeMap({}, element, schema), gone: false }
      result.push(entry)
      firsts.set(id, entry)
    }
  }
  const merged = result.filter(({ gone }) => !gone).map(({ item }) => item)
  return orderLike(merged, named, original, mergeKey)
}

function deleteFromList(result: Map<string, unknown>, directive: string, values: unknown): void {
  const key = directive.slice(deletePrefix.length)
  if (!Array.isArray(values)) throw badRequest(`${directive} must be a list of plain values`)
  if (values.some((value) => typeof value === 'object' && value !== null))
    throw badRequest(`${directive} must hold plain values only`)
  const present = result.get(key)
  const unwanted = new Set<unknown>(values)
  if (Array.isArray(present))
    result.set(
      key,
      present.filter((item) => !unwanted.has(item)),
    )
}

function setOrder(
  result: Map<string, unknown>,
  original: JsonObject,
  patch: JsonObject,
  directive: string,
  schema: JsonSchema | undefined,
): void {
  const key = directive.slice(orderPrefix.length)
  const order = own(patch, directive)
  const mergeKey = schema?.['x-kubernetes-patch-merge-key']
  if (!Array.isArray(order)) throw badRequest(`${directive} must be a list`)
  if (mergeKey !== undefined && !order.every((item) => isJsonObject(item) && own(item, mergeKey) !== undefined))
    throw badRequest(`every element of ${directive} must have ${JSON.stringify(mergeKey)}`)
  const present = result.get(key)
  if (!Array.isArray(present)) return
  checkListed(own(patch, key), order, mergeKey, directive)
  const before = own(original, key)
  result.set(key, orderLike(present, order, Array.isArray(before) ? before : [], mergeKey))
}

/** The patch's own elements must all stand in its order, or the client forgot some. */
function checkListed(
  patched: unknown,
  order: readonly unknown[],
  mergeKey: string | undefined,
  directive: string,
): void {
  if (!Array.isArray(patched)) return
  const listed = new Set(order.map((item) => identity(item, mergeKey)))
  for (const item of patched) {
    if (isJsonObject(item) && own(item, '$patch') !== undefined) continue
    const id = identity(item, mergeKey)
    if (!listed.has(id)) throw badRequest(`the patch has an element that ${directive} does not list: ${id}`)
  }
}

/** Under `$retainKeys` only the listed keys survive, and the patch may set no others. */
function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = own(patch, '$retainKeys')
  if (keys === undefined) return original
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string'))
    throw badRequest('$retainKeys must be a list of field names')
  const stray = Object.keys(patch).find((key) => !key.startsWith('$') && patch[key] !== null && !keys.includes(key))
  if (stray !== undefined) throw badRequest(`$retainKeys does not list the field ${JSON.stringify(stray)} of the patch`)
  return withoutKeys(
    original,
    Object.keys(original).filter((key) => !keys.includes(key)),
  )
}

function propertyOf(schema: JsonSchema | undefined, key: string): JsonSchema | undefined {
  if (schema?.properties && Object.hasOwn(schema.properties, key)) return schema.properties[key]
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined
}

function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

function withoutKeys(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)))
}

function unique(values: readonly unknown[]): unknown[] {
  return [...new Map(values.map((value) => [identity(value, undefined), value])).values()]
}

function unprocessable(why: string): StatusError {
  const message = `the server rejected our request due to an error in our request: ${why}`
  return failure(422, 'Invalid', message, { causes: [{ reason: 'UnexpectedServerResponse', message: why }] })
}
