import type { KubeObject, ListMeta } from '@stillpoint/api/meta/object-meta'
import { apiVersionOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { partialMetadata, toTable } from '../table/table.ts'
import { type Answer, json } from './answer.ts'
import type { Representation } from './negotiate.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** What an answer about objects of one kind depends on. */
export interface View {
  definition: ResourceDefinition
  version: string
  representation: Representation
  includeObject: IncludeObject
  now: () => Date
}

const encoded = new WeakMap<KubeObject, Map<string, string>>()

/** The JSON of an object in a version; made once per object and kept as long as the cache keeps the object. */
export function encodeObject(object: KubeObject, definition: ResourceDefinition, version: string): string {
  const versions = encoded.get(object) ?? new Map<string, string>()
  if (versions.size === 0) encoded.set(object, versions)
  const text = versions.get(version) ?? JSON.stringify(inVersion(object, definition, version))
  versions.set(version, text)
  return text
}

/** The object as another served version shows it: all versions have one schema. */
export function inVersion(object: KubeObject, definition: ResourceDefinition, version: string): KubeObject {
  if (version === definition.version) return object
  return { ...object, apiVersion: apiVersionOf({ group: definition.group, version }) }
}

/** The answer with one object. */
export async function answerObject(code: number, object: KubeObject, view: View): Promise<Answer> {
  const { definition, version, representation } = view
  const shown = () => inVersion(object, definition, version)
  switch (representation.as) {
    case 'object':
      return { ...json(code, undefined), body: encodeObject(object, definition, version) }
    case 'yaml':
      return yaml(code, shown())
    case 'Table':
      return json(code, tableOf([shown()], { resourceVersion: object.metadata.resourceVersion ?? '' }, view, true))
    default:
      return json(code, partialOf(shown(), representation.version))
  }
}

/** The answer with a list. Items of built-in kinds do not repeat kind and apiVersion, as in a real server. */
export async function answerList(objects: readonly KubeObject[], metadata: ListMeta, view: View): Promise<Answer> {
  const { definition, version, representation } = view
  const head = {
    kind: `${definition.kind}List`,
    apiVersion: apiVersionOf({ group: definition.group, version }),
    metadata,
  }
  const shown = () => objects.map((object) => inVersion(object, definition, version))
  switch (representation.as) {
    case 'object': {
      const items = objects.map((object) => encodeItem(object, definition, version)).join(',')
      return { ...json(200, undefined), body: `${JSON.stringify(head).slice(0, -1)},"items":[${items}]}` }
    }
    case 'yaml':
      return yaml(200, { ...head, items: shown() })
    case 'Table':
      return json(200, tableOf(shown(), metadata, view, true))
    default:
      return json(200, {
        kind: 'PartialObjectMetadataList',
        apiVersion: `meta.k8s.io/${representation.version}`,
        metadata,
        items: shown().map((object) => partialOf(object, representation.version)),
      })
  }
}

/** The JSON of the object in one watch event; a table names its columns in the first event only. */
export function encodeWatched(object: KubeObject, view: View, first: boolean): string {
  const { definition, version, representation } = view
  if (representation.as === 'Table') {
    const metadata = { resourceVersion: object.metadata.resourceVersion ?? '' }
    return JSON.stringify(tableOf([inVersion(object, definition, version)], metadata, view, first))
  }
  if (representation.as === 'PartialObjectMetadata' || representation.as === 'PartialObjectMetadataList')
    return JSON.stringify(partialOf(inVersion(object, definition, version), representation.version))
  return encodeObject(object, definition, version)
}

function encodeItem(object: KubeObject, definition: ResourceDefinition, version: string): string {
  if (definition.origin === 'custom') return encodeObject(object, definition, version)
  return encodeObject(object, definition, version).replace(/^\{"apiVersion":"[^"]*","kind":"[^"]*",/, '{')
}

function tableOf(objects: KubeObject[], metadata: ListMeta, view: View, columnDefinitions: boolean): object {
  const { definition, includeObject, now, representation } = view
  const table = toTable(definition, objects, metadata, { includeObject, columnDefinitions }, now())
  const version = representation.as === 'Table' ? representation.version : 'v1'
  return { ...table, apiVersion: `meta.k8s.io/${version}` }
}

function partialOf(object: KubeObject, version: string): object {
  return { ...partialMetadata(object), apiVersion: `meta.k8s.io/${version}` }
}

async function yaml(code: number, value: unknown): Promise<Answer> {
  const { stringify } = await import('yaml')
  return { code, body: stringify(value, { aliasDuplicateObjects: false }), contentType: 'application/yaml' }
}
