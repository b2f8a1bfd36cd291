import { failure } from '@stillpoint/api/meta/status-error'
import { expect, test } from 'vitest'
import { fieldProblems, sameButStatus, whyOtherObject } from './edited-object.ts'
import { vm } from './testing/objects.ts'

const base = vm({ metadata: { resourceVersion: '1', generation: 1 } })

const changes: Record<string, [ReturnType<typeof vm>, boolean]> = {
  'a status': [vm({ metadata: { resourceVersion: '2' }, status: { printableStatus: 'Stopped' } }), true],
  'the order of members': [vm({ spec: { template: base.spec.template, runStrategy: 'Always' } }), true],
  'the spec': [vm({ spec: { ...base.spec, runStrategy: 'Halted' } }), false],
  'a label': [vm({ metadata: { labels: { a: 'b' } } }), false],
  'a finalizer': [vm({ metadata: { finalizers: ['x'] } }), false],
}
test.each(Object.entries(changes))('compared with what has changed in %s', (_, [other, same]) =>
  expect(sameButStatus(base, other)).toBe(same),
)

test('an edited object stays the object it was', () => {
  expect(whyOtherObject(vm(), vm())).toBeUndefined()
  expect(whyOtherObject(vm({ metadata: { name: 'other' } }), vm())?.field).toBe('metadata.name')
  expect(whyOtherObject({ ...vm(), kind: 'Pod' }, vm())?.message).toBe('kind cannot be changed; it was VirtualMachine.')
  const { namespace: _, uid: _u, ...metadata } = vm().metadata
  expect(whyOtherObject({ ...vm(), metadata }, vm())).toBeUndefined()
})

test('problems name their fields', () => {
  const causes = [{ field: 'spec.running', message: 'not both', reason: 'FieldValueInvalid' }]
  expect(fieldProblems(failure(422, 'Invalid', 'no', { causes }))).toEqual([
    { field: 'spec.running', message: 'not both' },
  ])
  expect(
    fieldProblems(failure(400, 'BadRequest', 'strict decoding error: unknown field "spec.a", duplicate field "kind"')),
  ).toEqual([
    { field: 'spec.a', message: 'Unknown field "spec.a".' },
    { field: 'kind', message: 'Duplicate field "kind".' },
  ])
  expect(fieldProblems(failure(422, 'Invalid', 'no'))).toEqual([{ message: 'no' }])
  expect(fieldProblems(failure(409, 'Conflict', 'changed'))).toBeUndefined()
  expect(fieldProblems(new Error('lost'))).toBeUndefined()
})
