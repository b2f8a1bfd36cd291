import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { cutSetAnnotation } from '@stillpoint/api/snapshot/keys'
import {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
  VolumeSnapshotContent,
} from '@stillpoint/api/storage/kinds'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { layeredClassName } from './keys.ts'
import { MemoryDriver } from './testing/memory-driver.ts'
import { World } from './testing/world.ts'

const fromSnapshot = (name: string) => ({
  dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name },
})

// Two claims, cut as a set, one restored, everything deleted: with the controllers dying after any effect on the way,
// twice, the set is cut once, the restored claim has the data, and nothing is left over in the driver.
test('wherever it dies, a set is cut once, restores are whole, and nothing leaks', { timeout: 240_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 45 }), fc.integer({ min: 1, max: 25 }), async (first, second) => {
      const world = await World.create()
      const driver = new MemoryDriver()
      driver.checkpoint = (_, at) => (at === 0 ? world.mortality.before() : world.mortality.after())
      const finished = new AbortController()
      const supervise = async (): Promise<void> => {
        for (const next of [second, Number.POSITIVE_INFINITY]) {
          await Promise.race([world.mortality.died, stopped])
          if (finished.signal.aborted) return
          await world.stop()
          world.mortality.dieAfter(next)
          await world.start(driver)
        }
      }
      const stopped = new Promise<void>((resolve) => finished.signal.addEventListener('abort', () => resolve()))
      await world.start(driver)
      await world.until(StorageClass, layeredClassName, () => true)
      await world.until(VolumeSnapshotClass, layeredClassName, () => true)
      world.mortality.dieAfter(first)
      const supervised = supervise()
      try {
        const bound = ({ status }: PersistentVolumeClaim): boolean => status?.phase === 'Bound'
        for (const name of ['a', 'b']) await world.claim(name)
        for (const name of ['a', 'b']) await world.until(PersistentVolumeClaim, name, bound)
        for (const volume of driver.volumes.values()) volume.data = 'before'
        for (const name of ['a', 'b']) await world.snapshot(`snap-${name}`, name, { [cutSetAnnotation]: 'set/2' })
        const times = new Set<string | undefined>()
        for (const name of ['a', 'b'])
          times.add(
            (
              await world.until(
                VolumeSnapshot,
                `snap-${name}`,
                ({ status }) => status?.readyToUse === true && status.boundVolumeSnapshotContentName !== undefined,
              )
            ).status?.creationTime,
          )
        expect(times.size).toBe(1)
        for (const volume of driver.volumes.values()) volume.data = 'after'
        await world.claim('restored', fromSnapshot('snap-a'))
        await world.until(PersistentVolumeClaim, 'restored', bound)
        expect([...driver.volumes.values()].map(({ data }) => data).toSorted()).toEqual(['after', 'after', 'before'])

        // Two that are deleted while they are being made.
        await world.claim('hasty', fromSnapshot('snap-a'))
        await world.snapshot('snap-hasty', 'a')
        for (const name of ['a', 'b', 'restored', 'hasty'])
          await world.client.delete(PersistentVolumeClaim, { namespace: 'default', name })
        for (const name of ['snap-a', 'snap-b', 'snap-hasty'])
          await world.client.delete(VolumeSnapshot, { namespace: 'default', name })
        await Promise.all([
          ...['a', 'b', 'restored', 'hasty'].map((name) => world.untilGone(PersistentVolumeClaim, name)),
          ...['snap-a', 'snap-b', 'snap-hasty'].map((name) => world.untilGone(VolumeSnapshot, name)),
        ])
        for (const definition of [PersistentVolume, VolumeSnapshotContent] as ResourceDefinition[])
          for (const { metadata } of (await world.client.list(definition)).items)
            await world.untilGone(definition, metadata.name)
        expect(driver.groups.size).toBe(1)
        expect([...driver.snapshots.keys()]).toEqual([])
        expect([...driver.volumes.keys()]).toEqual([])
      } finally {
        finished.abort()
        await supervised
        await world.close()
      }
    }),
    {
      numRuns: 25,
      examples: [
        [1, 1],
        [12, 3],
        [14, 1],
        [15, 2],
        [17, 4],
        // A snapshot made just before its claim is deleted, and seen just after.
        [26, 1],
        [27, 1],
      ],
    },
  )
})
