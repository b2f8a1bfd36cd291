import { expect, test } from 'vitest'
import { clusterKinds, kinds } from '../kinds.ts'
import { type CustomResourceDefinition, customResourceDefinition } from './crd.ts'
import type { JsonSchema } from './resource.ts'
import { crdProblems, structuralProblems } from './testing/structural.ts'

test.each(clusterKinds.map((definition) => [definition.kind, definition] as const))(
  'a real API server accepts the definition of %s',
  (_, definition) => expect(crdProblems(customResourceDefinition(definition))).toEqual([]),
)

const custom = kinds.filter(({ origin }) => origin === 'custom')
test.each(custom.map((definition) => [definition.kind, definition] as const))(
  'the schema of %s, which the embedded server works with, is structural',
  (_, definition) => expect(structuralProblems(definition.schema())).toEqual([]),
)

test.each(clusterKinds.map((definition) => [definition.kind, definition] as const))(
  'every field of %s is documented',
  (_, definition) => expect(undocumented(definition.schema())).toEqual([]),
)

function undocumented(schema: JsonSchema, path = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => [
    ...(child.description ? [] : [`${path}.${name}`]),
    ...undocumented(child, `${path}.${name}`),
    ...undocumented(child.items ?? {}, `${path}.${name}[]`),
  ])
}

// The checks above must be able to fail: each of these is refused for the reason named.
const refused: Record<string, [JsonSchema, string]> = {
  'a node without a type': [{ type: 'object', properties: { a: {} } }, '$.a: no type'],
  propertyNames: [{ type: 'object', propertyNames: {} } as JsonSchema, '$: propertyNames is forbidden or unknown'],
  'a type beside int-or-string': [
    { type: 'string', 'x-kubernetes-int-or-string': true },
    '$: a type beside int-or-string',
  ],
  'both kinds of members': [
    { type: 'object', properties: {}, additionalProperties: { type: 'string' } },
    '$: properties and additionalProperties exclude each other',
  ],
  'a closed object': [{ type: 'object', additionalProperties: false }, '$: additionalProperties cannot be false'],
  'an array without items': [{ type: 'array' }, '$: an array has items, and nothing else has'],
  'a default of another type': [{ type: 'string', default: 1 }, '$: the default does not fit'],
  'a default outside its enum': [{ type: 'string', enum: ['a'], default: 'b' }, '$: the default does not fit'],
  'a default that would be pruned': [{ type: 'object', default: { a: 1 } }, '$: the default does not fit'],
  'a set of objects': [
    { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object' } },
    '$: items of a set are scalar or atomic',
  ],
  'a map without keys': [
    { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } },
    '$: keys of a map are scalar, and required or defaulted',
  ],
  'an atomic map that is a string': [
    { type: 'string', 'x-kubernetes-map-type': 'atomic' },
    '$: map-type on what is no object',
  ],
}
test.each(Object.entries(refused))('not structural: %s', (_, [schema, problem]) =>
  expect(structuralProblems(schema)).toContain(problem),
)

test('what a definition says of its names, versions and fields is checked as well', () => {
  const [definition] = clusterKinds
  if (definition === undefined) throw new Error('no kind')
  const wrong: CustomResourceDefinition = structuredClone(customResourceDefinition(definition))
  wrong.metadata.name = 'other'
  for (const version of wrong.spec.versions) {
    version.storage = true
    version.selectableFields = [{ jsonPath: '.spec.source' }]
    Object.assign(version.schema.openAPIV3Schema.properties?.metadata ?? {}, { description: 'Its metadata.' })
  }
  expect(new Set(crdProblems(wrong))).toEqual(
    new Set([
      'metadata.name is not plural.group',
      'not exactly one storage version',
      'metadata: only its type may be said, not even a description',
      'selectableFields: .spec.source is no single value',
    ]),
  )
})
