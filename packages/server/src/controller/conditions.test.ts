import { expect, test } from 'vitest'
import { withCondition, withoutCondition } from './conditions.ts'
import { describeError } from './describe-error.ts'
import { finalizerPatch } from './finalizers.ts'

const early = new Date('2026-01-01T00:00:00Z')
const late = new Date('2026-01-02T00:00:00Z')

test('a condition keeps its transition time until status or reason changes', () => {
  const first = withCondition([], { type: 'Ready', status: 'False', reason: 'Not ready' }, early)
  const same = withCondition(first, { type: 'Ready', status: 'False', reason: 'Not ready' }, late)
  expect(same).toEqual(first)
  const other = withCondition(same, { type: 'Ready', status: 'False', reason: 'Still not' }, late)
  expect(other[0]?.lastTransitionTime).toBe('2026-01-02T00:00:00Z')
})

test('conditions keep the order of first appearance', () => {
  let list = withCondition([], { type: 'Progressing', status: 'True', reason: 'a' }, early)
  list = withCondition(list, { type: 'Ready', status: 'False', reason: 'b' }, early)
  list = withCondition(list, { type: 'Progressing', status: 'False', reason: 'c' }, late)
  expect(list.map(({ type }) => type)).toEqual(['Progressing', 'Ready'])
  expect(withoutCondition(list, 'Progressing')).toHaveLength(1)
})

test('a finalizer patch tests what it was computed from and is empty when nothing changes', () => {
  const object = { apiVersion: 'v1', kind: 'X', metadata: { name: 'x', uid: 'u', finalizers: ['a'] } }
  expect(finalizerPatch(object, 'a', 'add')).toEqual([])
  expect(finalizerPatch(object, 'a', 'remove')).toEqual([
    { op: 'test', path: '/metadata/uid', value: 'u' },
    { op: 'test', path: '/metadata/finalizers', value: ['a'] },
    { op: 'add', path: '/metadata/finalizers', value: [] },
  ])
})

test('an error reads as one line, with its causes and without repeating them', () => {
  const cause = new Error('timed out')
  expect(describeError(new Error('freeze guest', { cause: new Error('ping: timed out', { cause }) }))).toBe(
    'freeze guest: ping: timed out',
  )
})
