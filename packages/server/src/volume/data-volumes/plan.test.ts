import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { expect, test } from 'vitest'
import { type Observed, type ObservedClaim, type ObservedFill, plan } from './plan.ts'

const wanted = {
  claim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'disk' } } as PersistentVolumeClaim,
}
const base: Observed = {
  name: 'disk',
  deleting: false,
  source: { kind: 'http' },
  allowsAdoption: false,
  prePopulated: false,
  wanted,
}
const fill: ObservedFill = { phase: 'Pending', ready: false, progress: '', restarts: 0 }
const claim: ObservedClaim = {
  name: 'disk',
  owner: 'this',
  offered: false,
  phase: 'Pending',
  deleting: false,
  waitsForConsumer: false,
  fill,
}

test.each<[string, Partial<Observed>, 'create-claim' | 'adopt' | undefined]>([
  ['the claim is created', {}, 'create-claim'],
  ['one that has succeeded makes no new claim', { phase: 'Succeeded' }, undefined],
  ['one that is populated elsewhere makes none', { prePopulated: true }, undefined],
  ['a foreign claim is not touched', { claim: { ...claim, owner: 'none' } }, undefined],
  ['a claim that is offered is adopted', { claim: { ...claim, owner: 'none', offered: true } }, 'adopt'],
  ['a claim is adopted when allowed', { allowsAdoption: true, claim: { ...claim, owner: 'none' } }, 'adopt'],
  ['never that of another owner', { allowsAdoption: true, claim: { ...claim, owner: 'another' } }, undefined],
  ['nor one that is going', { allowsAdoption: true, claim: { ...claim, owner: 'none', deleting: true } }, undefined],
])('%s', (_, given, step) => expect(plan({ ...base, ...given }).step?.do).toBe(step))

test.each<[string, Partial<Observed>, string]>([
  ['an import that waits', { claim }, 'ImportScheduled'],
  ['an import that runs', { claim: { ...claim, fill: { ...fill, phase: 'Running' } } }, 'ImportInProgress'],
  [
    'an import that is tried again',
    { claim: { ...claim, fill: { ...fill, phase: 'Running', failure: 'x' } } },
    'ImportInProgress',
  ],
  [
    'an import that failed for good',
    { claim: { ...claim, fill: { ...fill, phase: 'Failed', failure: 'x' } } },
    'Failed',
  ],
  [
    'a filled volume that is not bound yet',
    { claim: { ...claim, fill: { ...fill, phase: 'Succeeded' } } },
    'ImportInProgress',
  ],
  ['a filled volume', { claim: { ...claim, phase: 'Bound', fill: { ...fill, phase: 'Succeeded' } } }, 'Succeeded'],
  ['an upload not offered yet', { source: { kind: 'upload' }, claim }, 'UploadScheduled'],
  [
    'an upload waited for',
    { source: { kind: 'upload' }, claim: { ...claim, fill: { ...fill, ready: true } } },
    'UploadReady',
  ],
  [
    'a clone',
    { source: { kind: 'pvc' }, claim: { ...claim, fill: undefined } as unknown as ObservedClaim },
    'CSICloneInProgress',
  ],
  ['a claim nobody uses yet', { claim: { ...claim, waitsForConsumer: true } }, 'PendingPopulation'],
  ['a specification that cannot be followed', { source: { refused: 'no' } }, 'Failed'],
  ['a source that is not there yet', { source: { kind: 'pvc' }, wanted: { wait: 'not found' } }, 'CloneScheduled'],
  ['a claim whose volume is lost', { claim: { ...claim, phase: 'Lost' } }, 'Failed'],
])('%s', (_, given, phase) => expect(plan({ ...base, ...given }).report?.phase).toBe(phase))

test('a failed attempt is told by the condition Running and the count of restarts', () => {
  const failing = { ...claim, fill: { ...fill, phase: 'Running', failure: 'get x: refused', restarts: 3 } }
  const report = plan({ ...base, claim: failing }).report
  expect(report?.restartCount).toBe(3)
  expect(report?.conditions.find(({ type }) => type === 'Running')).toEqual({
    type: 'Running',
    status: 'False',
    reason: 'Error',
    message: 'get x: refused',
  })
})
