import { expect, test } from 'vitest'
import { finalizerPatch, hasFinalizer } from './finalizers.ts'

const mine = 'snapshot.kubevirt.io/snapshot-source-protection'
const object = (finalizers?: string[]) => ({
  apiVersion: 'v1',
  kind: 'X',
  metadata: { name: 'x', uid: 'uid-1', ...(finalizers === undefined ? {} : { finalizers }) },
})
const sameObject = { op: 'test', path: '/metadata/uid', value: 'uid-1' }
const sameList = (value: string[]) => ({ op: 'test', path: '/metadata/finalizers', value })
const write = (value: string[]) => ({ op: 'add', path: '/metadata/finalizers', value })

const cases: Record<string, [finalizers: string[] | undefined, action: 'add' | 'remove', patch: object[]]> = {
  'added to none': [undefined, 'add', [sameObject, write([mine])]],
  'added after others, if these are still the same': [
    ['other'],
    'add',
    [sameObject, sameList(['other']), write(['other', mine])],
  ],
  'removed from among others, if these are still the same': [
    ['a', mine, 'b'],
    'remove',
    [sameObject, sameList(['a', mine, 'b']), write(['a', 'b'])],
  ],
  'nothing when it is there already': [[mine], 'add', []],
  'nothing when it is gone already': [undefined, 'remove', []],
}
test.each(Object.entries(cases))('c.4-lock a finalizer is %s', (_, [finalizers, action, patch]) => {
  expect(finalizerPatch(object(finalizers), mine, action)).toEqual(patch)
  expect(hasFinalizer(object(finalizers), mine)).toBe(finalizers?.includes(mine) ?? false)
})
