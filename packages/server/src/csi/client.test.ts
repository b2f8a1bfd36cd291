import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startLayersDriver } from '../layers/driver.ts'
import { quiet, temporaryFolder } from '../layers/testing/fixture.ts'
import { CsiClient } from './client.ts'
import { isRetryable } from './csi-error.ts'

let dir: string
let endpoint: string
const cleanups: (() => Promise<unknown> | undefined)[] = []
beforeEach(async () => {
  const folder = await temporaryFolder()
  dir = folder.dir
  endpoint = `unix://${join(dir, 'csi')}`
  cleanups.push(folder.remove)
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function driver() {
  const started = await startLayersDriver({ endpoint, dataDir: join(dir, 'data'), log: quiet })
  cleanups.push(() => started.close())
  return started
}

function client(timeoutMs = 5_000) {
  const csi = CsiClient.connect(endpoint, { timeoutMs })
  cleanups.push(async () => csi.close())
  return csi
}

test('says who the driver is and what it can', async () => {
  await driver()
  const csi = client()
  expect(await csi.driverName()).toBe('layers.stillpoint.dev')
  expect(await csi.ready()).toBe(true)
  const capabilities = await csi.controllerCapabilities()
  expect([...capabilities]).toContain('CREATE_DELETE_SNAPSHOT')
  expect([...capabilities]).toContain('CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT')
  expect(await csi.capacity()).toBeGreaterThan(0)
})

test('waits for a driver that is only starting', async () => {
  const name = client().driverName()
  await driver()
  expect(await name).toBe('layers.stillpoint.dev')
})

test('fails at once with a retryable error where no driver is', async () => {
  const error = await client()
    .listSnapshots()
    .catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'UNAVAILABLE', method: 'ListSnapshots' })
  expect(isRetryable(error)).toBe(true)
})

test('reads all pages of a list, and filters', async () => {
  await driver()
  const csi = client()
  const { volumeId } = await csi.createVolume({ name: 'v', capacityBytes: 1 })
  const other = await csi.createVolume({ name: 'w', capacityBytes: 1, contentSource: { volumeId } })
  const names = ['a', 'b', 'c']
  for (const name of names) await csi.createSnapshot({ name, sourceVolumeId: volumeId })
  const listed = await csi.listSnapshots({ sourceVolumeId: volumeId })
  expect(listed).toHaveLength(3)
  expect(await csi.listSnapshots({ snapshotId: listed[1]?.snapshotId ?? '' })).toEqual([listed[1]])
  expect(await csi.listSnapshots({ sourceVolumeId: other.volumeId })).toEqual([])
  expect((await csi.listVolumes()).map((volume) => volume.volumeId)).toEqual([volumeId, other.volumeId])
})

test('carries the driver’s code and sentence', async () => {
  await driver()
  await expect(client().createSnapshot({ name: 's', sourceVolumeId: 'nothing' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    method: 'CreateSnapshot',
    details: 'there is no volume nothing',
  })
})

test('takes back a publication of a volume that is gone', async () => {
  await driver()
  await client().nodeUnpublish({ volumeId: 'gone', targetPath: join(dir, 'nowhere') })
})
