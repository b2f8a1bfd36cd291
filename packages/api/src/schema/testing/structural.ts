import type { CrdVersion, CustomResourceDefinition } from '../crd.ts'
import type { JsonSchema } from '../resource.ts'

// What a real API server demands of a definition, as its documentation has it ("Specifying a structural schema",
// "Defaulting", "Field selectors"). It refuses the whole definition for any of these.

const keywords = new Set([
  'description',
  'type',
  'format',
  'properties',
  'additionalProperties',
  'items',
  'required',
  'enum',
  'default',
  'nullable',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-int-or-string',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
])
const formats = new Set(['date-time', 'date', 'byte', 'int32', 'int64', 'float', 'double', 'duration', 'uuid'])
const columnTypes = new Set(['string', 'integer', 'number', 'boolean', 'date'])
const label = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
const maxSelectableFields = 8

/** Everything a real API server would refuse, one sentence each. */
export function crdProblems({ metadata, spec }: CustomResourceDefinition): string[] {
  const { names, group, versions } = spec
  const problems: string[] = []
  if (metadata.name !== `${names.plural}.${group}`) problems.push('metadata.name is not plural.group')
  for (const name of [names.plural, names.singular, ...(names.shortNames ?? []), ...(names.categories ?? [])])
    if (!label.test(name)) problems.push(`spec.names: ${name} is not a DNS label`)
  if (versions.filter(({ storage }) => storage).length !== 1) problems.push('not exactly one storage version')
  if (new Set(versions.map(({ name }) => name)).size !== versions.length) problems.push('a version twice')
  return [...problems, ...versions.flatMap(versionProblems)]
}

function versionProblems(version: CrdVersion): string[] {
  const root = version.schema.openAPIV3Schema
  const problems = structuralProblems(root)
  if (root.type !== 'object') problems.push('the root is not an object')
  if (root.nullable) problems.push('the root is nullable')
  const metadata = root.properties?.metadata ?? {}
  if (metadata.type !== 'object' || Object.keys(metadata).length > 1)
    problems.push('metadata: only its type may be said, not even a description')
  for (const { name, type, jsonPath } of version.additionalPrinterColumns ?? [])
    if (name === '' || !columnTypes.has(type) || !/^\.[A-Za-z]/.test(jsonPath)) problems.push(`column ${name}`)
  const paths = (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath)
  if (paths.length > maxSelectableFields || new Set(paths).size !== paths.length) problems.push('selectableFields')
  for (const path of paths) if (!isSelectable(root, path)) problems.push(`selectableFields: ${path} is no single value`)
  return problems
}

function isSelectable(root: JsonSchema, path: string): boolean {
  if (!/^(\.[A-Za-z][A-Za-z0-9]*)+$/.test(path) || path.startsWith('.metadata.')) return false
  let schema: JsonSchema | undefined = root
  for (const step of path.slice(1).split('.')) schema = schema?.properties?.[step]
  return schema?.type === 'string' || schema?.type === 'boolean' || schema?.type === 'integer'
}

/** What is not structural in a schema, by path. */
export function structuralProblems(schema: JsonSchema, path = '$'): string[] {
  const problems: string[] = []
  const complain = (text: string): void => void problems.push(`${path}: ${text}`)
  for (const keyword of Object.keys(schema)) if (!keywords.has(keyword)) complain(`${keyword} is forbidden or unknown`)
  const { type, properties, additionalProperties, items, required = [] } = schema
  const preserve = schema['x-kubernetes-preserve-unknown-fields']
  const intOrString = schema['x-kubernetes-int-or-string']
  if (type === undefined && !preserve && !intOrString) complain('no type')
  if (type !== undefined && intOrString) complain('a type beside int-or-string')
  if (preserve === false) complain('preserve-unknown-fields can only be true')
  if (preserve && type !== undefined && type !== 'object') complain('preserve-unknown-fields on what is no object')
  if (properties && additionalProperties) complain('properties and additionalProperties exclude each other')
  if (additionalProperties === false) complain('additionalProperties cannot be false')
  if ((properties || additionalProperties) && type !== 'object') complain('members of what is no object')
  if ((type === 'array') !== (items !== undefined)) complain('an array has items, and nothing else has')
  if (schema.format !== undefined && !formats.has(schema.format)) complain(`format ${schema.format} is unknown`)
  for (const name of required) if (!properties?.[name]) complain(`${name} is required and not described`)
  if (schema['x-kubernetes-map-type'] && type !== 'object') complain('map-type on what is no object')
  if (schema['x-kubernetes-embedded-resource'] && !(type === 'object' && (properties || preserve)))
    complain('an embedded resource has properties or preserves unknown fields')
  problems.push(...listProblems(schema, path))
  if (schema.default !== undefined && !fits(schema.default, schema)) complain('the default does not fit')
  for (const value of schema.enum ?? [])
    if (!fits(value, { ...schema, enum: [value] })) complain('enum of another type')
  for (const [name, child] of Object.entries(properties ?? {}))
    problems.push(...structuralProblems(child, `${path}.${name}`))
  if (items) problems.push(...structuralProblems(items, `${path}[]`))
  if (typeof additionalProperties === 'object') problems.push(...structuralProblems(additionalProperties, `${path}{}`))
  return problems
}

function listProblems(schema: JsonSchema, path: string): string[] {
  const listType = schema['x-kubernetes-list-type']
  if (listType === undefined) return []
  const { items = {}, type } = schema
  if (type !== 'array') return [`${path}: list-type on what is no list`]
  if (listType === 'set') {
    const atomic =
      items['x-kubernetes-list-type'] === 'atomic' || items['x-kubernetes-map-type'] === 'atomic' || isScalar(items)
    return [
      ...(atomic ? [] : [`${path}: items of a set are scalar or atomic`]),
      ...(items.nullable ? [`${path}: items of a set are not nullable`] : []),
    ]
  }
  if (listType !== 'map') return []
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const known = (key: string) =>
    isScalar(items.properties?.[key] ?? {}) &&
    (items.required?.includes(key) || items.properties?.[key]?.default !== undefined)
  return keys.length > 0 && keys.every(known) ? [] : [`${path}: keys of a map are scalar, and required or defaulted`]
}

function isScalar({ type }: JsonSchema): boolean {
  return type === 'string' || type === 'integer' || type === 'number' || type === 'boolean'
}

/** Whether a value fits a schema and would not be pruned. */
function fits(value: unknown, schema: JsonSchema): boolean {
  if (value === null) return schema.nullable === true
  if (schema.enum && !schema.enum.includes(value)) return false
  if (Array.isArray(value)) return schema.type === 'array' && value.every((item) => fits(item, schema.items ?? {}))
  if (typeof value === 'object')
    return (
      schema.type === 'object' &&
      (schema.required ?? []).every((name) => Object.hasOwn(value, name)) &&
      Object.entries(value).every(([name, member]) => {
        const child = schema.properties?.[name] ?? schema.additionalProperties
        return typeof child === 'object' ? fits(member, child) : schema['x-kubernetes-preserve-unknown-fields'] === true
      })
    )
  if (schema['x-kubernetes-int-or-string']) return typeof value === 'string' || Number.isInteger(value)
  return schema.type === 'integer' ? Number.isInteger(value) : schema.type === undefined || typeof value === schema.type
}
