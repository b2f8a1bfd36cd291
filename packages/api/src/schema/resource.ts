import * as z from 'zod'
import type { KubeObject, ObjectMeta } from '../meta/object-meta.ts'

/** OpenAPI v3.0 schema as CustomResourceDefinitions publish it, with the x-kubernetes-* extensions. */
export interface JsonSchema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  format?: string
  description?: string
  properties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | boolean
  items?: JsonSchema
  required?: string[]
  enum?: unknown[]
  default?: unknown
  nullable?: boolean
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  minItems?: number
  maxItems?: number
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-map-type'?: 'atomic' | 'granular'
  /** Strategic merge patch, built-in kinds only. */
  'x-kubernetes-patch-strategy'?: string
  'x-kubernetes-patch-merge-key'?: string
}

export interface Column {
  name: string
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  jsonPath: string
  /** 0 (default): always shown. 1: `kubectl get -o wide` only. */
  priority?: number
}

export interface ServedVersion {
  name: string
  deprecationWarning?: string
}

/** A kind the embedded server serves, as data. `Fields` are the members beside apiVersion, kind and metadata. */
export interface ResourceDefinition<Fields extends z.ZodRawShape = z.ZodRawShape> {
  group: string
  /** Storage version, the one controllers use. */
  version: string
  /** All served versions, storage version included; same schema, only apiVersion differs. */
  versions: ServedVersion[]
  kind: string
  plural: string
  singular: string
  shortNames: string[]
  categories: string[]
  scope: 'Namespaced' | 'Cluster'
  /** `builtin`: compiled into a real API server (strategic merge patch, own strategies). `custom`: a CRD there. */
  origin: 'builtin' | 'custom'
  statusSubresource: boolean
  /** A question: it is created, answered and not stored. */
  createOnly: boolean
  /** metadata.generation counts changes outside metadata and status. Always on for custom kinds. */
  generation: boolean
  columns: Column[]
  /** Paths of single values that objects can be listed by, as `--field-selector spec.source.name=x`. */
  selectableFields: string[]
  description: string
  /** The zod schema of `Fields`, for parsing what our own code reads. */
  fields: z.ZodObject<Fields>
  /** The published schema of the whole object; computed once, on first use. */
  schema(): JsonSchema
}

type Input<Fields extends z.ZodRawShape> = Pick<
  ResourceDefinition,
  'group' | 'version' | 'kind' | 'plural' | 'description'
> &
  Partial<
    Pick<
      ResourceDefinition,
      | 'versions'
      | 'singular'
      | 'shortNames'
      | 'categories'
      | 'scope'
      | 'origin'
      | 'statusSubresource'
      | 'createOnly'
      | 'generation'
      | 'columns'
      | 'selectableFields'
    >
  > & { fields: Fields }

/** The wire type of a kind. */
export type ObjectOf<R extends ResourceDefinition> = KubeObject & z.output<R['fields']>

const ageColumn: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

/** Describes a kind once: its type, its CRD, its defaults, its columns. */
export function resource<const Fields extends z.ZodRawShape>(input: Input<Fields>): ResourceDefinition<Fields> {
  const fields = z.object(input.fields)
  const origin = input.origin ?? 'custom'
  let schema: JsonSchema | undefined
  return {
    group: input.group,
    version: input.version,
    versions: input.versions ?? [{ name: input.version }],
    kind: input.kind,
    plural: input.plural,
    singular: input.singular ?? input.kind.toLowerCase(),
    shortNames: input.shortNames ?? [],
    categories: input.categories ?? [],
    scope: input.scope ?? 'Namespaced',
    origin,
    statusSubresource: input.statusSubresource ?? 'status' in input.fields,
    createOnly: input.createOnly ?? false,
    generation: input.generation ?? origin === 'custom',
    columns: input.columns ?? [ageColumn],
    selectableFields: input.selectableFields ?? [],
    description: input.description,
    fields,
    schema: () => (schema ??= publishedSchema(fields, input.description)),
  }
}

/** `group/version`, or the bare version of the core group. */
export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return group === '' ? version : `${group}/${version}`
}

/** A new object of a kind, typed; the server fills the rest. */
export function objectOf<R extends ResourceDefinition>(
  definition: R,
  metadata: ObjectMeta,
  fields: z.output<R['fields']>,
): ObjectOf<R> {
  return { apiVersion: apiVersionOf(definition), kind: definition.kind, metadata, ...fields } as ObjectOf<R>
}

function publishedSchema(fields: z.ZodObject, description: string): JsonSchema {
  const body = toJsonSchema(fields)
  return {
    type: 'object',
    description,
    properties: {
      apiVersion: { type: 'string', description: 'Version of the schema this object follows.' },
      kind: { type: 'string', description: 'The kind of this object.' },
      metadata: { type: 'object', description: "Standard object's metadata." },
      ...body.properties,
    },
    ...(body.required && body.required.length > 0 ? { required: body.required } : {}),
  }
}

/** JSON schema of a zod schema in the dialect CRDs accept ("structural"). */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  return structural(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' }))
}

// What zod writes and a structural schema may not have: propertyNames, safe-integer bounds, `{}` for "anything".
function structural(input: unknown): JsonSchema {
  const { $schema, propertyNames, additionalProperties, properties, items, anyOf, allOf, ...rest } = input as Record<
    string,
    unknown
  >
  const out = { ...rest } as JsonSchema
  if (out.minimum === Number.MIN_SAFE_INTEGER) delete out.minimum
  if (out.maximum === Number.MAX_SAFE_INTEGER) delete out.maximum
  if (properties !== undefined)
    out.properties = Object.fromEntries(
      Object.entries(properties as Record<string, unknown>).map(([name, value]) => [name, structural(value)]),
    )
  if (items !== undefined) out.items = structural(items)
  if (isAnything(additionalProperties)) out['x-kubernetes-preserve-unknown-fields'] = true
  else if (additionalProperties !== undefined && additionalProperties !== false)
    out.additionalProperties = structural(additionalProperties)
  if (out['x-kubernetes-int-or-string']) delete out.type
  else if (out.type === undefined) out['x-kubernetes-preserve-unknown-fields'] = true
  return out
}

function isAnything(schema: unknown): boolean {
  return schema === true || (typeof schema === 'object' && schema !== null && Object.keys(schema).length === 0)
}
