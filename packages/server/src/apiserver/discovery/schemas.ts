import { objectMetaSchema } from '@stillpoint/api/core/object-meta'
import type { JsonSchema, ResourceDefinition } from '@stillpoint/api/schema/resource'
import { deleteOptions, listMeta, meta, otherMetaSchemas } from './meta-schemas.ts'
import type { ServedVersion } from './served.ts'
import type { GroupVersionKind } from './verbs.ts'

/** A schema of an OpenAPI document. While it is being built, `$ref` is the bare name of a component. */
export interface OpenApiSchema extends Omit<JsonSchema, 'properties' | 'items' | 'additionalProperties'> {
  $ref?: string
  allOf?: OpenApiSchema[]
  oneOf?: OpenApiSchema[]
  properties?: Record<string, OpenApiSchema>
  items?: OpenApiSchema
  additionalProperties?: OpenApiSchema | boolean
  'x-kubernetes-group-version-kind'?: GroupVersionKind[]
}

export type Dialect = 'v2' | 'v3'

const coreNames: Record<string, string> = {
  '': 'io.k8s.api.core',
  'apiextensions.k8s.io': 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
}

/** `io.k8s.api.core.v1.ConfigMap`, `io.kubevirt.snapshot.v1beta1.VirtualMachineSnapshot`. */
export function componentName({ group, origin, kind }: ResourceDefinition, version: string): string {
  const prefix =
    origin === 'custom'
      ? group.split('.').reverse().join('.')
      : (coreNames[group] ?? `io.k8s.api.${group.split('.')[0]}`)
  return `${prefix}.${version}.${kind}`
}

/** The components of one group version, rendered: its kinds, their lists and the shared ones. */
export function componentsOf(served: readonly ServedVersion[], dialect: Dialect): Record<string, OpenApiSchema> {
  const components: [string, OpenApiSchema][] = [
    [meta('ObjectMeta'), objectMetaSchema()],
    ...Object.entries(otherMetaSchemas()),
    [deleteOptions.name, deleteOptions.schema],
    [quantityComponent, quantitySchema(dialect)],
  ]
  for (const { group, version, resources } of served)
    for (const def of resources) {
      const name = componentName(def, version)
      components.push([name, kindSchema(def, { group, version, kind: def.kind })])
      components.push([`${name}List`, listSchema(name, { group, version, kind: `${def.kind}List` })])
    }
  components.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(components.map(([name, schema]) => [name, render(schema, dialect)]))
}

function kindSchema(def: ResourceDefinition, gvk: GroupVersionKind): OpenApiSchema {
  const published: OpenApiSchema = def.schema()
  const schema = def.origin === 'builtin' ? withQuantities(published) : published
  return {
    ...schema,
    properties: {
      ...schema.properties,
      apiVersion: { type: 'string', description: 'Version of the schema this object follows.' },
      kind: { type: 'string', description: 'The kind of this object.' },
      metadata: { $ref: meta('ObjectMeta'), description: 'Name, labels and what else every object has.' },
    },
    'x-kubernetes-group-version-kind': [gvk],
  }
}

const quantityComponent = 'io.k8s.apimachinery.pkg.api.resource.Quantity'

/** Built-in kinds name the type of their numbers with units, where custom kinds can only say "number or string". */
function withQuantities(schema: OpenApiSchema): OpenApiSchema {
  if (schema['x-kubernetes-int-or-string'])
    return {
      $ref: quantityComponent,
      ...(schema.description === undefined ? {} : { description: schema.description }),
    }
  const { properties, items, additionalProperties } = schema
  const out = { ...schema }
  if (properties !== undefined)
    out.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, withQuantities(property)]),
    )
  if (items !== undefined) out.items = withQuantities(items)
  if (typeof additionalProperties === 'object') out.additionalProperties = withQuantities(additionalProperties)
  return out
}

function quantitySchema(dialect: Dialect): OpenApiSchema {
  const description = 'A number with a unit, such as 10Gi or 500m.'
  return dialect === 'v2'
    ? { type: 'string', description }
    : { oneOf: [{ type: 'string' }, { type: 'number' }], description }
}

function listSchema(item: string, gvk: GroupVersionKind): OpenApiSchema {
  return {
    type: 'object',
    description: `${gvk.kind} is a list of objects.`,
    required: ['items'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the schema this list follows.' },
      kind: { type: 'string', description: 'The kind of this list.' },
      metadata: { $ref: listMeta, description: 'Version and continuation of the list.' },
      items: { type: 'array', items: { $ref: item }, description: 'The objects.' },
    },
    'x-kubernetes-group-version-kind': [gvk],
  }
}

/** How the dialect writes a reference to a component. */
export function refTo(name: string, dialect: Dialect): { $ref: string } {
  return { $ref: dialect === 'v3' ? `#/components/schemas/${name}` : `#/definitions/${name}` }
}

/** A schema in the words of the dialect. Swagger 2 gets less, so that old clients do not refuse what is valid. */
export function render(schema: OpenApiSchema, dialect: Dialect): OpenApiSchema {
  const { $ref, properties, items, additionalProperties, ...rest } = schema
  if ($ref !== undefined) {
    if (rest.description === undefined) return refTo($ref, dialect)
    // OpenAPI 3.0 ignores what stands beside a reference.
    return dialect === 'v3'
      ? { allOf: [refTo($ref, dialect)], ...rest, default: {} }
      : { ...refTo($ref, dialect), description: rest.description }
  }
  const out: OpenApiSchema = { ...rest }
  if (dialect === 'v2') {
    delete out.nullable
    delete out.default
    if (out['x-kubernetes-int-or-string'] || out['x-kubernetes-preserve-unknown-fields']) {
      // A kind keeps its fields: clients find it by its properties.
      if (out['x-kubernetes-group-version-kind'] === undefined) {
        delete out.type
        delete out.required
        return out
      }
    }
  }
  if (properties !== undefined)
    out.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, render(property, dialect)]),
    )
  if (items !== undefined) out.items = render(items, dialect)
  if (additionalProperties !== undefined)
    out.additionalProperties =
      typeof additionalProperties === 'boolean' ? additionalProperties : render(additionalProperties, dialect)
  return out
}
