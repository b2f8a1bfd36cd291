import { expect, test } from 'vitest'
import { restoredVolumes, whyNoVolumes } from './restored-volumes.ts'
import { content, restore } from './testing/objects.ts'

const given = restore({
  status: {
    restores: [
      { volumeName: 'root', persistentVolumeClaim: 'web-1-root', volumeSnapshotName: 'cut-root' },
      { volumeName: 'data', persistentVolumeClaim: 'new-data', volumeSnapshotName: 'cut-data', dataVolumeName: 'dv' },
    ],
  },
})

test('disks are told with the claims they had and have', () => {
  const of = content({
    spec: {
      source: {},
      volumeBackups: [
        { volumeName: 'data', persistentVolumeClaim: { metadata: { name: 'old-data' } } },
        { volumeName: 'root', persistentVolumeClaim: {} },
      ],
    },
  })
  expect(restoredVolumes(given, of)).toEqual([
    { name: 'root', from: undefined, to: 'web-1-root', dataVolume: undefined, volumeSnapshot: 'cut-root' },
    { name: 'data', from: 'old-data', to: 'new-data', dataVolume: 'dv', volumeSnapshot: 'cut-data' },
  ])
})

test('they are told when the content is gone', () =>
  expect(restoredVolumes(given, undefined).map(({ from, to }) => [from, to])).toEqual([
    [undefined, 'web-1-root'],
    [undefined, 'new-data'],
  ]))

test('before they are settled there are none, with a reason', () => {
  expect(restoredVolumes(restore(), undefined)).toEqual([])
  expect(whyNoVolumes(restore())).toContain('settled when')
  expect(whyNoVolumes(restore({ status: { complete: true } }))).toContain('no disk in the snapshot')
  expect(whyNoVolumes(restore({ status: { conditions: [{ type: 'Failure', status: 'True' }] } }))).toContain('failed')
})
