import { kinds } from '@stillpoint/api/kinds'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gnosticDocument } from './gnostic.ts'
import { openApiV2 } from './openapi-v2.ts'
import { ProtoWriter } from './proto-writer.ts'
import { servedGroups } from './served.ts'

type Fields = Map<number, (Uint8Array | number)[]>

function decode(bytes: Uint8Array): Fields {
  const fields: Fields = new Map()
  let at = 0
  const varint = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] ?? Number.NaN
      value += (byte & 127) * factor
      if (Number.isNaN(byte)) throw new Error('truncated')
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const [field, wire] = [Math.floor(tag / 8), tag % 8]
    const values = fields.get(field) ?? []
    fields.set(field, values)
    if (wire === 0) values.push(varint())
    else {
      const length = wire === 2 ? varint() : 8
      if (at + length > bytes.length) throw new Error('truncated')
      values.push(bytes.subarray(at, at + length))
      at += length
    }
  }
  return fields
}

const bytesAt = (fields: Fields, field: number, index = 0): Uint8Array => {
  const value = fields.get(field)?.[index]
  if (!(value instanceof Uint8Array)) throw new Error(`no message in field ${field}`)
  return value
}
const textAt = (fields: Fields, field: number) => Buffer.from(bytesAt(fields, field)).toString()
const all = (fields: Fields, field: number) =>
  (fields.get(field) ?? []).map((_, index) => decode(bytesAt(fields, field, index)))

/** `Named…` pairs as an object of their values. */
const pairs = (fields: Fields, field: number) =>
  Object.fromEntries(all(fields, field).map((pair) => [textAt(pair, 1), decode(bytesAt(pair, 2))]))
const extensions = (fields: Fields, field: number) =>
  Object.fromEntries(Object.entries(pairs(fields, field)).map(([name, any]) => [name, JSON.parse(textAt(any, 2))]))
const at = (values: Record<string, Fields>, name: string): Fields => values[name] ?? expect.fail(`no ${name}`)

describe('the document as old clients read it', () => {
  const swagger = openApiV2(servedGroups(kinds, []))
  const document = decode(gnosticDocument(swagger))
  const definitions = pairs(decode(bytesAt(document, 9)), 1)
  const paths = pairs(decode(bytesAt(document, 8)), 2)

  test('has all paths and definitions', () => {
    expect(textAt(document, 1)).toBe('2.0')
    expect(Object.keys(definitions).sort()).toEqual(Object.keys(swagger.definitions).sort())
    expect(Object.keys(paths).sort()).toEqual(Object.keys(swagger.paths).sort())
  })

  test('has types, references, required fields and merge keys', () => {
    const meta = at(definitions, 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')
    const owners = at(pairs(decode(bytesAt(meta, 25)), 1), 'ownerReferences')
    expect(textAt(decode(bytesAt(owners, 22)), 1)).toBe('array')
    expect(extensions(owners, 31)).toMatchObject({
      'x-kubernetes-patch-strategy': 'merge',
      'x-kubernetes-patch-merge-key': 'uid',
      'x-kubernetes-list-map-keys': ['uid'],
    })
    const map = at(definitions, 'io.k8s.api.core.v1.ConfigMap')
    expect(extensions(map, 31)['x-kubernetes-group-version-kind']).toEqual([
      { group: '', version: 'v1', kind: 'ConfigMap' },
    ])
    const fields = pairs(decode(bytesAt(map, 25)), 1)
    expect(textAt(at(fields, 'metadata'), 1)).toBe('#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')
    const values = decode(bytesAt(decode(bytesAt(at(fields, 'data'), 21)), 1))
    expect(textAt(decode(bytesAt(values, 22)), 1)).toBe('string')
  })

  test('has what clients look for in patches', () => {
    const item = at(paths, '/api/v1/namespaces/{namespace}/configmaps/{name}')
    const patch = decode(bytesAt(item, 8))
    expect(extensions(patch, 13)['x-kubernetes-group-version-kind']).toEqual({
      group: '',
      version: 'v1',
      kind: 'ConfigMap',
    })
    const names = all(patch, 8).flatMap((parameter) => {
      const choice = decode(bytesAt(parameter, 1))
      return choice.has(2) ? [textAt(decode(bytesAt(decode(bytesAt(choice, 2)), 3)), 4)] : []
    })
    expect(names).toEqual(['pretty', 'dryRun', 'fieldManager', 'fieldValidation'])
    const inPath = all(item, 9).map((parameter) =>
      textAt(decode(bytesAt(decode(bytesAt(decode(bytesAt(parameter, 1)), 2)), 4)), 4),
    )
    expect(inPath).toEqual(['namespace', 'name'])
  })
})

test('counts and texts of any size come back', () => {
  void fc.assert(
    fc.property(fc.nat(), fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 500 }), (count, text, field) => {
      const fields = decode(
        new ProtoWriter()
          .integer(field, count)
          .text(field + 1, text)
          .finish(),
      )
      expect(fields.get(field)?.[0] ?? 0).toBe(count)
      if (text !== '') expect(textAt(fields, field + 1)).toBe(Buffer.from(text).toString())
    }),
  )
})
