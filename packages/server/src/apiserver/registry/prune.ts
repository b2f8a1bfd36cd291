import type { JsonSchema } from '@stillpoint/api/schema/resource'
import { isJsonObject, type JsonObject } from '../json.ts'

const preserve = 'x-kubernetes-preserve-unknown-fields'
const embeddedFields = new Set(['apiVersion', 'kind', 'metadata'])

/**
 * Drops fields the schema does not know and nulls where none is allowed, and fills in defaults: what the server does
 * with an object before anybody looks at it. The input stays as it is. Paths of unknown fields are added to `unknown`.
 */
export function pruneAndDefault(value: unknown, schema: JsonSchema, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const { items } = schema
    return items ? value.map((item, index) => pruneAndDefault(item, items, `${path}[${index}]`, unknown)) : value
  }
  if (!isJsonObject(value)) return value
  const entries: [string, unknown][] = []
  for (const [key, item] of Object.entries(value)) {
    const child = childSchema(schema, key)
    const childPath = path === '' ? key : `${path}.${key}`
    if (child === undefined) {
      if (schema[preserve] || (schema['x-kubernetes-embedded-resource'] && embeddedFields.has(key)))
        entries.push([key, item])
      else unknown.push(childPath)
    } else if (item !== null || child.nullable || child[preserve])
      entries.push([key, pruneAndDefault(item, child, childPath, unknown)])
  }
  // Object.fromEntries defines own properties, so a key `__proto__` stays a key.
  return addDefaults(Object.fromEntries(entries), schema, path)
}

function addDefaults(object: JsonObject, schema: JsonSchema, path: string): JsonObject {
  for (const [key, child] of Object.entries(schema.properties ?? {}))
    if (child.default !== undefined && !Object.hasOwn(object, key))
      object[key] = pruneAndDefault(structuredClone(child.default), child, `${path}.${key}`, [])
  return object
}

function childSchema(schema: JsonSchema, key: string): JsonSchema | undefined {
  if (schema.properties && Object.hasOwn(schema.properties, key)) return schema.properties[key]
  if (typeof schema.additionalProperties === 'object') return schema.additionalProperties
  return schema.additionalProperties === true ? { [preserve]: true } : undefined
}
