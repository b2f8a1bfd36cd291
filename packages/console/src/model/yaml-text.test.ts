import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lineOfField, objectIn, yamlOf } from './yaml-text.ts'

const head = 'apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  name: web-1\n'
const specOf = (yaml: string): unknown => {
  const read = objectIn(head + yaml)
  if ('problems' in read) throw new Error(read.problems.map(({ message }) => message).join())
  return (read.object as { spec?: unknown }).spec
}

const values: Record<string, [string, unknown]> = {
  'a MAC address is a text': ['spec: 52:54:00:12:34:56', '52:54:00:12:34:56'],
  'a time is a text': ['spec: 2026-08-02T14:00:00Z', '2026-08-02T14:00:00Z'],
  'yes is true, as for kubectl': ['spec: yes', true],
  'a mode with a leading zero is octal': ['spec: 0777', 511],
  'a quoted number is a text': ['spec: "1"', '1'],
  'a merged map': ['spec: {a: &x {b: 1}, c: {<<: *x, d: 2}}', { a: { b: 1 }, c: { b: 1, d: 2 } }],
}
test.each(Object.entries(values))('reads: %s', (_, [yaml, expected]) => expect(specOf(yaml)).toEqual(expected))

const faults: Record<string, [string, { message: RegExp; line?: number }]> = {
  nothing: ['', { message: /object is expected/, line: 1 }],
  'a list': ['- a', { message: /object is expected/, line: 1 }],
  'no kind': ['apiVersion: v1\nmetadata: {name: a}', { message: /kind is missing/ }],
  'no metadata': ['apiVersion: v1\nkind: Pod', { message: /metadata is missing/ }],
  'a wrong indentation': [`${head}spec:\n   a: 1\n  b: 2`, { message: /./, line: 7 }],
  'a name twice': [`${head}spec: {}\nspec: {}`, { message: /unique/i, line: 6 }],
  'two documents': [`${head}---\n${head}`, { message: /multiple documents/i }],
}
test.each(Object.entries(faults))('refuses: %s', (_, [text, { message, line }]) => {
  const read = objectIn(text)
  const [problem] = 'problems' in read ? read.problems : []
  expect(problem?.message).toMatch(message)
  if (line !== undefined) expect(problem?.line).toBe(line)
})

test('any object survives writing and reading', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (spec) => {
      // JSON has one zero; `__proto__` is no name of a field.
      const plain = JSON.parse(JSON.stringify(spec).replaceAll('__proto__', 'proto')) as object
      const object = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'yes' }, spec: plain }
      expect(objectIn(yamlOf(object))).toEqual({ object })
    }),
  )
})

test('a name that orders a merge is only a name', () => {
  const object = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a' }, spec: { '<<': 0, list: ['<<'] } }
  expect(objectIn(yamlOf(object))).toEqual({ object })
})

test('managed fields are left out unless asked for', () => {
  const object = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a', managedFields: [{ manager: 'kubectl' }] } }
  expect(yamlOf(object)).not.toContain('kubectl')
  expect(yamlOf(object, { managedFields: true })).toContain('manager: kubectl')
})

const text = `${head}  annotations:
    a.b/c: x
spec:
  volumes:
  - name: root
    dataVolume: {name: d}
  - name: other
`
const fields: Record<string, [string, number | undefined]> = {
  'a field': ['metadata.name', 4],
  'an annotation in brackets': ['metadata.annotations[a.b/c]', 6],
  'an annotation with dots': ['metadata.annotations.a.b/c', 6],
  'a member of a list': ['spec.volumes[1]', 11],
  'a field in a list, spelt as in Go': ['spec.volumes[1].Name', 11],
  'a field that is not there, at what it belongs to': ['spec.volumes[0].persistentVolumeClaim.claimName', 9],
  'a field of nothing': ['status.phase', undefined],
}
test.each(Object.entries(fields))('finds the line of %s', (_, [field, line]) =>
  expect(lineOfField(text, field)).toBe(line),
)
