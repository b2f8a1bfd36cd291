import type { VolumeSnapshot, VolumeSnapshotContent } from '@stillpoint/api/storage/kinds'
import { expect, test } from 'vitest'
import { type SpaceFreed, type StorageFacts, spaceFreed, spaceText, uniqueBytesIn } from './space-freed.ts'
import { snapshot } from './testing/objects.ts'

const volumeSnapshot = (uid: string, volume: string, restoreSize: string | undefined, namespace = 'shop') =>
  ({
    metadata: { name: `vmsnapshot-${uid}-volume-${volume}`, namespace },
    status: { restoreSize, boundVolumeSnapshotContentName: `content-${uid}-${volume}` },
  }) as VolumeSnapshot
const contentOf = (uid: string, volume: string) =>
  ({
    metadata: { name: `content-${uid}-${volume}` },
    status: { snapshotHandle: `${uid}-${volume}` },
  }) as VolumeSnapshotContent

const a = snapshot({ metadata: { name: 'a', uid: 'a' } })
const b = snapshot({ metadata: { name: 'b', uid: 'b' } })
const known: StorageFacts = {
  volumeSnapshots: [
    volumeSnapshot('a', 'root', '1Gi'),
    volumeSnapshot('a', 'data', '10Gi'),
    volumeSnapshot('b', 'root', '1Gi'),
    volumeSnapshot('a', 'root', '5Gi', 'elsewhere'),
  ],
  contents: [contentOf('a', 'root'), contentOf('a', 'data'), contentOf('b', 'root')],
  uniqueBytes: new Map([
    ['a-root', 100],
    ['a-data', 200],
    ['b-root', 400],
  ]),
}
const gi = 2 ** 30

const cases: Record<string, [(typeof a)[], StorageFacts, SpaceFreed | undefined]> = {
  'of one, disk by disk': [[a], known, { snapshots: 1, volumeSnapshots: 2, atMostBytes: 11 * gi, atLeastBytes: 300 }],
  'of several, summed up': [
    [a, b],
    known,
    { snapshots: 2, volumeSnapshots: 3, atMostBytes: 12 * gi, atLeastBytes: 700 },
  ],
  'only at most, where metrics may not be read': [
    [b],
    { ...known, uniqueBytes: undefined },
    { snapshots: 1, volumeSnapshots: 1, atMostBytes: gi },
  ],
  'only at most, where the contents of the cluster may not be seen': [
    [b],
    { ...known, contents: undefined },
    { snapshots: 1, volumeSnapshots: 1, atMostBytes: gi },
  ],
  'of another storage, that has no metrics here': [
    [b],
    { ...known, uniqueBytes: new Map() },
    { snapshots: 1, volumeSnapshots: 1, atMostBytes: gi },
  ],
  'not in part, where one size is missing': [
    [a],
    {
      ...known,
      uniqueBytes: undefined,
      volumeSnapshots: [volumeSnapshot('a', 'root', '1Gi'), volumeSnapshot('a', 'x', undefined)],
    },
    { snapshots: 1, volumeSnapshots: 2 },
  ],
  'nothing of what is kept': [
    [snapshot({ metadata: { uid: 'a' }, spec: { ...a.spec, deletionPolicy: 'Retain' } })],
    known,
    { snapshots: 1, volumeSnapshots: 0, atMostBytes: 0, atLeastBytes: 0 },
  ],
  'not known, where volume snapshots may not be seen': [[a], { ...known, volumeSnapshots: undefined }, undefined],
}
test.each(Object.entries(cases))('space is told: %s', (_, [snapshots, facts, expected]) =>
  expect(spaceFreed(snapshots, facts)).toEqual(expected),
)

const texts: [SpaceFreed | undefined, RegExp][] = [
  [undefined, /not known/],
  [{ snapshots: 1, volumeSnapshots: 0 }, /^No space/],
  [{ snapshots: 1, volumeSnapshots: 2, atLeastBytes: 2048, atMostBytes: gi }, /^2 KiB of space come back; what else/],
  [{ snapshots: 1, volumeSnapshots: 1, atLeastBytes: 0, atMostBytes: gi }, /^Hardly any/],
  [{ snapshots: 2, volumeSnapshots: 2, atLeastBytes: 2048, atMostBytes: gi }, /^At least 2 KiB/],
  [{ snapshots: 1, volumeSnapshots: 2, atMostBytes: gi }, /^At most 1 GiB/],
  [{ snapshots: 1, volumeSnapshots: 2 }, /does not tell/],
]
test.each(texts)('%j is said in words', (freed, expected) => expect(spaceText(freed)).toMatch(expected))

test('the series of snapshots are found among others', () => {
  const metrics = [
    '# TYPE stillpoint_snapshot_unique_bytes gauge',
    'stillpoint_volume_unique_bytes{id="vol-1"} 5',
    'stillpoint_snapshot_unique_bytes{id="snap-1"} 4096',
    'stillpoint_snapshot_unique_bytes{id="snap-2"} 0',
    'stillpoint_snapshot_shared_bytes{id="snap-1"} 7',
  ].join('\n')
  expect([...uniqueBytesIn(metrics)]).toEqual([
    ['snap-1', 4096],
    ['snap-2', 0],
  ])
})
