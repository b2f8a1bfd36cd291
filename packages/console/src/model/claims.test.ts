import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { expect, test } from 'vitest'
import { claimSize, claimState } from './claims.ts'

const metadata = { name: 'root', namespace: 'shop' }
const claim = (status: PersistentVolumeClaim['status'], storage = '5Gi'): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata,
  spec: { resources: { requests: { storage } } },
  status,
})
const filled = (status: DataVolume['status']): DataVolume => ({
  apiVersion: 'cdi.kubevirt.io/v1beta1',
  kind: 'DataVolume',
  metadata,
  spec: {},
  status,
})
const bound = claim({ phase: 'Bound', capacity: { storage: '10Gi' } })

test('the size is that of the volume, else what is asked for', () => {
  expect(claimSize(bound)).toBe('10 GiB')
  expect(claimSize(claim({ phase: 'Pending' }))).toBe('5 GiB')
  expect(claimSize(claim(undefined, 'much'))).toBe('much')
  expect(claimSize({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata })).toBeUndefined()
})

const waiting = { type: 'Running', status: 'False', message: 'the image is being looked for' } as const
const cases: Record<string, [Parameters<typeof claimState>, Partial<ReturnType<typeof claimState>>]> = {
  bound: [[bound, filled({ phase: 'Succeeded' })], { label: 'Bound', tone: 'success', running: false }],
  'not bound yet': [[claim({ phase: 'Pending' }), undefined], { label: 'Pending', running: true }],
  lost: [[claim({ phase: 'Lost' }), undefined], { label: 'Lost', tone: 'danger' }],
  missing: [[undefined, undefined], { label: 'Missing', tone: 'danger' }],
  'being filled, however the claim is': [
    [bound, filled({ phase: 'ImportInProgress', progress: '40.0%' })],
    { label: 'ImportInProgress (40.0%)', running: true },
  ],
  'waiting to be filled, and why': [
    [claim({ phase: 'Pending' }), filled({ phase: 'ImportScheduled', progress: 'N/A', conditions: [waiting] })],
    { label: 'ImportScheduled', detail: 'the image is being looked for' },
  ],
  'not filled': [
    [undefined, filled({ phase: 'Failed', conditions: [waiting] })],
    { label: 'Failed', tone: 'danger', detail: 'the image is being looked for' },
  ],
  deleted: [
    [{ ...bound, metadata: { ...metadata, deletionTimestamp: '2026-08-02T12:00:00Z' } }, undefined],
    { label: 'Deleting', running: true },
  ],
}
test.each(Object.entries(cases))('a claim that is %s', (_, [given, expected]) =>
  expect(claimState(...given)).toMatchObject(expected),
)
