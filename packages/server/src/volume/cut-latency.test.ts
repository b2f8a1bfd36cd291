import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cutSetAnnotation } from '@stillpoint/api/snapshot/keys'
import { StorageClass, VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import pino from 'pino'
import { expect, test } from 'vitest'
import { CsiClient } from '../csi/client.ts'
import { Informers } from '../kube/informers.ts'
import { startLayersDriver } from '../layers/driver.ts'
import type { VolumeDriver } from './driver.ts'
import { layeredClassName } from './keys.ts'
import { World } from './testing/world.ts'

const log = pino({ level: 'silent' })
const rounds = 12

// Not asserted, since machines differ: printed, to be looked at. A guest stands still for this long.
test('how long a set of two takes from the last create to the last status, over the real driver', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-latency-'))
  mkdirSync(join(folder, 'store'))
  const endpoint = `unix://${join(folder, 'csi.sock')}`
  const driver = await startLayersDriver({ endpoint, dataDir: join(folder, 'store'), log })
  const csi = await CsiClient.connect(endpoint, { timeoutMs: 10_000 })
  const world = await World.create()
  const inDriver: number[] = []
  const timed: VolumeDriver = new Proxy(csi, {
    get: (target, name) => {
      if (name !== 'createGroupSnapshot') {
        const member = Reflect.get(target, name, target) as unknown
        return typeof member === 'function' ? member.bind(target) : member
      }
      return async (request: Parameters<CsiClient['createGroupSnapshot']>[0]) => {
        const from = performance.now()
        try {
          return await target.createGroupSnapshot(request)
        } finally {
          inDriver.push(performance.now() - from)
        }
      }
    },
  })
  const informers = new Informers(world.client, log)
  try {
    await world.start(timed)
    await world.until(StorageClass, layeredClassName, () => true)
    await world.until(VolumeSnapshotClass, layeredClassName, () => true)
    await Promise.all(['a', 'b'].map((name) => world.boundClaim(name)))
    const snapshots = informers.of(VolumeSnapshot)
    let onCut = (): void => {}
    snapshots.onChange(({ object, old }) => {
      if (object.status?.creationTime !== undefined && old?.status?.creationTime === undefined) onCut()
    })
    await informers.start()
    const total: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      await driver.prepared()
      let missing = 2
      const cut = Promise.withResolvers<void>()
      onCut = () => {
        missing -= 1
        if (missing === 0) cut.resolve()
      }
      await Promise.all(
        ['a', 'b'].map((name) => world.snapshot(`${name}-${round}`, name, { [cutSetAnnotation]: `set-${round}/2` })),
      )
      const from = performance.now()
      await cut.promise
      total.push(performance.now() - from)
    }
    const shown = (values: number[]): string => {
      const sorted = values.toSorted((a, b) => a - b)
      return `median ${sorted[Math.floor(sorted.length / 2)]?.toFixed(1)} ms, most ${sorted.at(-1)?.toFixed(1)} ms`
    }
    console.log(`set of 2, ${rounds} rounds: ${shown(total)}; of that in the driver: ${shown(inDriver)}`)
    expect(total).toHaveLength(rounds)
  } finally {
    await informers.close()
    await world.close()
    csi.close()
    await driver.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
