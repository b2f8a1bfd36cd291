import { expect, test } from 'vitest'
import type { JsonSchema, ResourceDefinition } from '../schema/resource.ts'
import { ConfigMap, Secret } from './config.ts'
import { ControllerRevision } from './controller-revision.ts'
import { Event } from './event.ts'
import { Lease } from './lease.ts'
import { Namespace } from './namespace.ts'
import { Node } from './node.ts'
import { objectMetaSchema } from './object-meta.ts'
import { ServiceAccount } from './service-account.ts'

const kinds: ResourceDefinition[] = [
  ConfigMap,
  Secret,
  ControllerRevision,
  Event,
  Lease,
  Namespace,
  Node,
  ServiceAccount,
]

function visit(schema: JsonSchema, path: string, see: (schema: JsonSchema, path: string) => void): void {
  see(schema, path)
  for (const [name, child] of Object.entries(schema.properties ?? {})) visit(child, `${path}.${name}`, see)
  if (schema.items) visit(schema.items, `${path}[]`, see)
  if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties, `${path}[*]`, see)
}

const schemas: [string, JsonSchema][] = [
  ...kinds.map((def): [string, JsonSchema] => [def.kind, def.schema()]),
  ['ObjectMeta', objectMetaSchema()],
]

test.each(schemas)('every field of %s is described', (_, schema) => {
  const missing: string[] = []
  visit(schema, '', (field, path) => {
    if (path !== '' && !/\[[^.]*$/.test(path) && !field.description) missing.push(path)
  })
  expect(missing).toEqual([])
})

test.each(schemas)('every merged list of %s has elements with its key', (_, schema) => {
  visit(schema, '', (field, path) => {
    const key = field['x-kubernetes-patch-merge-key']
    if (key !== undefined) expect(field.items?.properties, path).toHaveProperty(key)
    for (const mapKey of field['x-kubernetes-list-map-keys'] ?? [])
      expect(field.items?.properties, path).toHaveProperty(mapKey)
  })
})

test('built-in kinds are known as such, with status only where a real server has it', () => {
  expect(kinds.every(({ origin, generation }) => origin === 'builtin' && !generation)).toBe(true)
  expect(kinds.filter(({ statusSubresource }) => statusSubresource).map(({ kind }) => kind)).toEqual([
    'Namespace',
    'Node',
  ])
})
