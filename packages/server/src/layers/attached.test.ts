import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CsiClient } from '../csi/client.ts'
import { type LayersDriver, startLayersDriver } from './driver.ts'
import { NodePublisher } from './node-publisher.ts'
import { Store, type StoreOptions } from './store.ts'
import { mismatches, quiet, readMarkers, temporaryFolder } from './testing/fixture.ts'
import { readPublished, TestMachine } from './testing/machine.ts'

let dir: string
const cleanups: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  const folder = await temporaryFolder()
  dir = folder.dir
  await mkdir(join(dir, 'pods'))
  cleanups.push(folder.remove)
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const target = (name: string) => join(dir, 'pods', name)
const sizeBytes = 64 * 1024 ** 2

/** Store and publisher as the driver has them, without the gRPC around. */
async function open(options: Partial<StoreOptions> = {}) {
  const store = await Store.open({ dataDir: join(dir, 'data'), log: quiet, ...options })
  const publisher = new NodePublisher(store)
  const close = async () => {
    await publisher.close()
    await store.close()
  }
  let closed = false
  cleanups.push(async () => {
    if (!closed) await close()
  })
  return {
    store,
    publisher,
    close: async () => {
      closed = true
      await close()
    },
  }
}

async function publishedVolumes({ store, publisher }: { store: Store; publisher: NodePublisher }, names: string[]) {
  const ids: string[] = []
  for (const name of names) {
    const { id } = await store.createVolume({ name, requiredBytes: sizeBytes })
    await publisher.publish(id, target(name), false)
    ids.push(id)
  }
  return ids
}

async function machine(names: string[], options?: { running: boolean; dir?: string }) {
  const started = await TestMachine.start(options?.dir ?? dir, names.map(target), options)
  cleanups.push(() => started.kill())
  return started
}

test('cuts two open volumes at one instant, again and again, and each snapshot keeps what was written before it', async () => {
  const opened = await open()
  const { store, publisher } = opened
  const ids = await publishedVolumes(opened, ['root', 'data'])
  const vm = await machine(['root', 'data'])
  for (const round of [1, 2, 3]) {
    await vm.write(0, round, round * 65536)
    await vm.write(1, 100 + round, round * 65536)
    const { group, snapshots } = await store.createGroup(`group-${round}`, ids)
    expect(snapshots.map(({ sourceVolume }) => sourceVolume).sort()).toEqual([...ids].sort())
    expect(new Set(snapshots.map(({ createdMicros }) => createdMicros))).toEqual(new Set([group.createdMicros]))
    for (const id of ids) publisher.prepareSoon(id)
    await publisher.idle()
  }
  for (const [index, id] of ids.entries()) {
    const volume = store.context.catalogue.volume(id)
    expect(await vm.activeNode(index)).toBe(`${volume?.tag}-${volume?.top}`)
    // Description and QEMU agree, so that the next start opens the same chain.
    expect((await readPublished(target(index === 0 ? 'root' : 'data'))).nodes).toHaveLength(4)
    const markers = await Promise.all(
      store.context.catalogue.snapshots({ volume: id }).map(({ layer }) => readMarkers(store, layer, 4)),
    )
    const base = index * 100
    expect(markers).toEqual([
      [0, base + 1, 0, 0],
      [0, base + 1, base + 2, 0],
      [0, base + 1, base + 2, base + 3],
    ])
  }
  expect(await mismatches(store)).toEqual([])
})

test('has the next overlay in QEMU before it is asked to cut, and takes it out when the volume is unpublished', async () => {
  const opened = await open()
  const { store, publisher } = opened
  const [id = ''] = await publishedVolumes(opened, ['root'])
  const vm = await machine(['root'])
  await expect.poll(() => store.context.catalogue.spareOf(id)).toBeDefined()
  await publisher.idle()
  const spare = store.context.catalogue.spareOf(id)
  expect(await vm.nodes()).toContain(`${store.context.catalogue.volume(id)?.tag}-${spare?.id}`)

  await expect(publisher.unpublish(id, target('root'))).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  const unplugged = vm.qmp.waitForEvent('DEVICE_DELETED')
  await vm.qmp.execute('device_del', { id: 'd0' })
  // A guest that is not running does not let go of a device until it is reset.
  await vm.qmp.execute('system_reset')
  await unplugged
  await publisher.unpublish(id, target('root'))
  expect(await vm.nodes()).toEqual([])
  expect(store.context.catalogue.spareOf(id)).toBeUndefined()
  expect(await mismatches(store)).toEqual([])
})

test.each(['cut: journalled', 'cut: done', 'cut: recorded'])(
  'a driver that dies at "%s" with QEMU running cuts once',
  async (point) => {
    let armed = false
    const dying = await open({
      checkpoint: (step) => {
        if (armed && step === point) dead = true
        if (dead) throw new Error('killed')
      },
    })
    let dead = false
    const ids = await publishedVolumes(dying, ['root', 'data'])
    const vm = await machine(['root', 'data'])
    await vm.write(0, 1, 0)
    await dying.publisher.idle()
    armed = true
    await expect(dying.store.createGroup('g', ids)).rejects.toThrow('killed')
    await vm.write(0, 2, 0)
    await dying.close()

    const again = await open()
    const { snapshots } = await again.store.createGroup('g', ids)
    const chains = ids.map((id) =>
      again.store.context.catalogue.chain(again.store.context.catalogue.volume(id)?.top ?? ''),
    )
    expect(chains.map((chain) => chain.length)).toEqual([2, 2])
    const root = snapshots.find(({ sourceVolume }) => sourceVolume === ids[0])
    // Cut before the second write unless the driver died before it cut at all.
    expect(await readMarkers(again.store, root?.layer ?? '', 1)).toEqual([point === 'cut: journalled' ? 2 : 1])
    await again.publisher.idle()
    await vm.write(0, 3, 0)
    await vm.quit()
    expect(await readMarkers(again.store, chains[0]?.[0]?.id ?? '', 1)).toEqual([3])
    expect(await mismatches(again.store)).toEqual([])
  },
)

test.each([
  ['cut: journalled', false, 0],
  ['cut: done', false, 0],
  ['cut: done', true, 1],
] as const)(
  'driver dies at "%s", QEMU is killed (written after: %s): nothing written is lost',
  async (point, written, made) => {
    let dead = false
    let armed = false
    const dying = await open({
      checkpoint: (step) => {
        if (armed && step === point) dead = true
        if (dead) throw new Error('killed')
      },
    })
    const ids = await publishedVolumes(dying, ['root', 'data'])
    const vm = await machine(['root', 'data'])
    await vm.write(0, 1, 0)
    await dying.publisher.idle()
    armed = true
    await expect(dying.store.createGroup('g', ids)).rejects.toThrow('killed')
    if (written) await vm.write(0, 2, 0)
    await dying.close()
    await vm.kill()

    const { store } = await open()
    // An overlay that holds data was in use; one that holds none can be left away.
    expect(store.context.catalogue.snapshots()).toHaveLength(made * 2)
    const top = store.context.catalogue.volume(ids[0] ?? '')?.top ?? ''
    expect(await readMarkers(store, top, 1)).toEqual([written ? 2 : 1])
    const { snapshots } = await store.createGroup('g', ids)
    const root = snapshots.find(({ sourceVolume }) => sourceVolume === ids[0])
    expect(await readMarkers(store, root?.layer ?? '', 1)).toEqual([1])
    expect(store.context.catalogue.intents()).toEqual([])
    expect(await mismatches(store)).toEqual([])
  },
)

test('a volume whose QEMU was killed is cut in the catalogue', async () => {
  const opened = await open()
  const [id = ''] = await publishedVolumes(opened, ['root'])
  const vm = await machine(['root'])
  await vm.write(0, 7, 0)
  await vm.kill()
  const { layer } = await opened.store.createSnapshot('s', id)
  expect(await readMarkers(opened.store, layer, 1)).toEqual([7])
  const published = await readPublished(target('root'))
  expect(published.nodes.map((node) => node['read-only'])).toEqual([true, false])
  const next = await machine(['root'])
  await next.write(0, 8, 0)
  expect(await readMarkers(opened.store, layer, 1)).toEqual([7])
})

test('cuts volumes of two machines and a closed one together while both guests stand still', async () => {
  const opened = await open()
  const { store } = opened
  const ids = await publishedVolumes(opened, ['root', 'data', 'loose'])
  for (const name of ['m1', 'm2']) await mkdir(join(dir, name))
  const first = await machine(['root'], { running: true, dir: join(dir, 'm1') })
  const second = await machine(['data'], { running: true, dir: join(dir, 'm2') })
  const stops = [first, second].map((vm) => vm.qmp.waitForEvent('STOP'))
  const { snapshots, group } = await store.createGroup('g', ids)
  await Promise.all(stops)
  expect(snapshots).toHaveLength(3)
  expect(group.skewMicros).toBeGreaterThan(0)
  for (const vm of [first, second]) expect(await vm.qmp.execute('query-status')).toMatchObject({ running: true })
})

test('refuses to cut a volume that is being filled, and one that somebody unknown writes', async () => {
  const opened = await open()
  const { store } = opened
  const [id = ''] = await publishedVolumes(opened, ['root'])
  await writeFile(`${target('root')}.filling`, '')
  await expect(store.createSnapshot('s', id)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  await expect(store.createSnapshot('s', id)).rejects.toThrow(/being filled/)
  const other = await readPublished(target('root'))
  expect(other.fillingFile).toBe(`${target('root')}.filling`)
})

test('refuses to cut a volume that a QEMU writes without having told its monitor', async () => {
  const opened = await open()
  const [id = ''] = await publishedVolumes(opened, ['root'])
  const vm = await machine(['root'])
  const { monitorFile } = await readPublished(target('root'))
  await opened.publisher.idle()
  await rm(monitorFile)
  await expect(opened.store.createSnapshot('s', id)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await vm.kill()
  await opened.store.createSnapshot('s', id)
})

test('grows an open volume, and the next overlay is as large as the disk', async () => {
  const opened = await open()
  const { store } = opened
  const [id = ''] = await publishedVolumes(opened, ['root'])
  const vm = await machine(['root'])
  await opened.publisher.idle()
  await store.expandVolume(id, 2 * sizeBytes)
  await vm.write(0, 9, 2 * sizeBytes - 65536)
  await store.createSnapshot('s', id)
  await vm.write(0, 10, 2 * sizeBytes - 65536)
  expect((await readPublished(target('root'))).sizeBytes).toBe(2 * sizeBytes)
  expect(store.context.catalogue.snapshotNamed('s')?.size).toBe(2 * sizeBytes)
})

test('over gRPC: group snapshot of an open volume, clone of it, deletion of everything', async () => {
  const endpoint = `unix://${join(dir, 'csi')}`
  const driver: LayersDriver = await startLayersDriver({ endpoint, dataDir: join(dir, 'data'), log: quiet })
  cleanups.push(() => driver.close())
  const csi = CsiClient.connect(endpoint, { timeoutMs: 10_000 })
  cleanups.push(async () => csi.close())
  const { volumeId } = await csi.createVolume({ name: 'root', capacityBytes: sizeBytes })
  await csi.nodePublish({ volumeId, targetPath: target('root') })
  const vm = await machine(['root'])
  await vm.write(0, 5, 0, 4 * 1024 ** 2)
  const group = await csi.createGroupSnapshot({ name: 'g', sourceVolumeIds: [volumeId] })
  expect(await csi.createGroupSnapshot({ name: 'g', sourceVolumeIds: [volumeId] })).toEqual(group)
  expect(group.snapshots[0]).toMatchObject({ sourceVolumeId: volumeId, readyToUse: true, sizeBytes })
  const snapshotId = group.snapshots[0]?.snapshotId ?? ''
  const clone = await csi.createVolume({ name: 'clone', capacityBytes: 2 * sizeBytes, contentSource: { snapshotId } })
  await driver.prepared()
  const account = await driver.account()
  expect(account.snapshots[0]?.sharedBytes).toBeGreaterThan(4 * 1024 ** 2)
  await csi.deleteGroupSnapshot(group.groupSnapshotId, [snapshotId])
  expect(driver.mergeableLayers()).toEqual([]) // both the volume and its clone stand on it
  await csi.deleteVolume(clone.volumeId)
  expect(driver.mergeableLayers()).toHaveLength(1)
  await expect(csi.deleteVolume(volumeId)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  await vm.quit()
  await csi.nodeUnpublish({ volumeId, targetPath: target('root') })
  await expect(readFile(target('root'))).rejects.toThrow('ENOENT')
  await csi.deleteVolume(volumeId)
  expect(await driver.account()).toEqual({ storeBytes: 0, volumes: [], snapshots: [] })
})

test('does not cut a volume that a QEMU is about to open, and does as soon as it is plain that none comes', async () => {
  const opened = await open()
  const [id = ''] = await publishedVolumes(opened, ['root'])
  const { monitorFile } = await readPublished(target('root'))
  await writeFile(monitorFile, JSON.stringify({ qmpSocket: join(dir, 's') }))
  await expect(opened.store.createSnapshot('s', id)).rejects.toThrow(/is starting/)
  const long = new Date(Date.now() - 60_000)
  await utimes(monitorFile, long, long)
  await opened.store.createSnapshot('s', id)
})

test('a QEMU that opens a volume while it is being cut keeps it: the cut is taken back', async () => {
  const opened = await open()
  const [id = ''] = await publishedVolumes(opened, ['root'])
  await opened.publisher.idle()
  // The moment between the first look and the change: the layer is opened in it.
  const { files } = opened.store.context
  const look = files.openForWriting.bind(files)
  let started: Promise<unknown> | undefined
  files.openForWriting = async (file) => {
    const answer = await look(file)
    started ??= machine(['root'])
    await started
    return answer
  }
  const before = await readPublished(target('root'))
  await expect(opened.store.createSnapshot('s', id)).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await readPublished(target('root'))).toEqual(before)
  expect(opened.store.context.catalogue.snapshots()).toEqual([])
  await opened.store.createSnapshot('s', id)
  expect(await mismatches(opened.store)).toEqual([])
})
