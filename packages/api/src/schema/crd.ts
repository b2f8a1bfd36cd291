import type { Column, JsonSchema, ResourceDefinition } from './resource.ts'

/** What a cluster is given so that it serves a kind: apiextensions.k8s.io/v1. */
export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1'
  kind: 'CustomResourceDefinition'
  metadata: { name: string }
  spec: {
    group: string
    names: {
      plural: string
      singular: string
      kind: string
      listKind: string
      shortNames?: string[]
      categories?: string[]
    }
    scope: 'Namespaced' | 'Cluster'
    conversion: { strategy: 'None' }
    versions: CrdVersion[]
  }
}

export interface CrdVersion {
  name: string
  served: boolean
  storage: boolean
  deprecated?: true
  deprecationWarning?: string
  schema: { openAPIV3Schema: JsonSchema }
  subresources?: { status: Record<string, never> }
  additionalPrinterColumns?: Column[]
  selectableFields?: { jsonPath: string }[]
}

/** The definition of a kind as a cluster wants it. All versions have one schema, so nothing is converted. */
export function customResourceDefinition(definition: ResourceDefinition): CustomResourceDefinition {
  const { group, plural, singular, kind, shortNames, categories, scope } = definition
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        plural,
        singular,
        kind,
        listKind: `${kind}List`,
        ...(shortNames.length > 0 ? { shortNames } : {}),
        ...(categories.length > 0 ? { categories } : {}),
      },
      scope,
      conversion: { strategy: 'None' },
      versions: definition.versions.map((version) => crdVersion(definition, version)),
    },
  }
}

function crdVersion(
  { version, statusSubresource, columns, selectableFields, schema }: ResourceDefinition,
  { name, deprecationWarning }: ResourceDefinition['versions'][number],
): CrdVersion {
  return {
    name,
    served: true,
    storage: name === version,
    ...(deprecationWarning === undefined ? {} : { deprecated: true, deprecationWarning }),
    schema: { openAPIV3Schema: withoutMetadata(schema()) },
    ...(statusSubresource ? { subresources: { status: {} } } : {}),
    ...(columns.length > 0 ? { additionalPrinterColumns: columns } : {}),
    ...(selectableFields.length > 0 ? { selectableFields: selectableFields.map((jsonPath) => ({ jsonPath })) } : {}),
  }
}

/** A real API server knows what metadata is, and refuses a definition that says anything of it, even a description. */
function withoutMetadata(schema: JsonSchema): JsonSchema {
  return { ...schema, properties: { ...schema.properties, metadata: { type: 'object' } } }
}

/** The name of its file under `crds/`. */
export function crdFileName({ group, plural }: ResourceDefinition): string {
  return `${group}_${plural}.yaml`
}
