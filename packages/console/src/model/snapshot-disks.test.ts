import type { VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { describe, expect, test } from 'vitest'
import { contentBytes, snapshotDisks } from './snapshot-disks.ts'
import { content, snapshot, succeeded } from './testing/objects.ts'

const backup = (volumeName: string, storage?: string) => ({
  volumeName,
  volumeSnapshotName: `cut-of-${volumeName}`,
  persistentVolumeClaim: {
    metadata: { name: `web-${volumeName}` },
    spec: { storageClassName: 'fast', ...(storage === undefined ? {} : { resources: { requests: { storage } } }) },
  },
})
const contentOf = (...volumeBackups: ReturnType<typeof backup>[]): VirtualMachineSnapshotContent =>
  content({
    spec: { source: {}, volumeBackups },
    status: {
      volumeSnapshotStatus: [
        { volumeSnapshotName: 'cut-of-root', creationTime: '2026-08-02T10:00:01Z', readyToUse: true },
        { volumeSnapshotName: 'cut-of-data', readyToUse: false, error: { message: 'no space' } },
      ],
    },
  })
const told = snapshot({
  metadata: {
    annotations: {
      'snapshot.stillpoint.dev/receipt': JSON.stringify({
        version: 1,
        snapshotUID: 'snap-uid',
        outcome: 'Succeeded',
        requested: 'Preferred',
        volumes: [{ name: 'root', volumeSnapshotName: 'cut-of-root', cut: '2026-08-02T10:00:00.123Z', precisionMs: 1 }],
      }),
    },
  },
})

describe('the disks of a snapshot', () => {
  test('come from its content, with the more exact instant of the receipt', () => {
    const [root, data] = snapshotDisks(told, contentOf(backup('root', '10Gi'), backup('data', '1Gi')))
    expect(root).toEqual({
      name: 'root',
      claimName: 'web-root',
      storageClass: 'fast',
      sizeBytes: 10 * 2 ** 30,
      volumeSnapshotName: 'cut-of-root',
      cutMs: Date.parse('2026-08-02T10:00:00.123Z'),
      precisionMs: 1,
      readyToUse: true,
      error: undefined,
    })
    expect(data).toMatchObject({ cutMs: undefined, readyToUse: false, error: 'no space' })
  })

  test('have the instant of the volume snapshot where no receipt tells', () => {
    const [root] = snapshotDisks(snapshot(), contentOf(backup('root')))
    expect(root).toMatchObject({ cutMs: Date.parse('2026-08-02T10:00:01Z'), precisionMs: undefined })
    expect(root?.sizeBytes).toBeUndefined()
  })

  test('are named by the status, or the receipt, when the content is gone', () => {
    const named = snapshot({ status: { ...succeeded, snapshotVolumes: { includedVolumes: ['root', 'data'] } } })
    expect(snapshotDisks(named, undefined).map(({ name }) => name)).toEqual(['root', 'data'])
    expect(snapshotDisks(told, undefined)).toMatchObject([{ name: 'root', volumeSnapshotName: 'cut-of-root' }])
  })
})

describe('the size of a content', () => {
  test('is the sum of what its claims asked for', () =>
    expect(contentBytes(contentOf(backup('root', '10Gi'), backup('data', '500M')))).toBe(10 * 2 ** 30 + 500e6))
  test('is not known when one is not', () =>
    expect(contentBytes(contentOf(backup('root', '10Gi'), backup('data')))).toBeUndefined())
  test('is nothing without disks', () => expect(contentBytes(contentOf())).toBe(0))
})
