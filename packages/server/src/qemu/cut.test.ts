import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cutAll, dropPrepared, flushBeforeCut, isCut, listBlockNodes, prepareOverlay } from './cut.ts'
import { createOverlay } from './image.ts'
import { launch, type RunningQemu } from './process.ts'
import { QmpConnection } from './qmp.ts'
import type { DiskSpec } from './spec.ts'
import { qemuMissing } from './testing/qemu-missing.ts'

const mib = 1024 * 1024

describe.skipIf(qemuMissing)('a cut of a running QEMU’s disks', () => {
  let dir: string
  let qemu: RunningQemu
  let storage: QmpConnection

  beforeEach(async () => {
    dir = await mkdtemp('/tmp/spc-')
    qemu = await launch(
      {
        name: 'vm-1',
        uuid: '0f5c3a9e-7d2b-4c1e-9a4d-3b2f1e0d9c8b',
        machine: 'q35',
        accel: 'tcg',
        cpus: { sockets: 1, cores: 1, threads: 1 },
        memoryBytes: 32 * mib,
        disks: [disk('a', true), disk('b', false)],
        networks: [],
        startPaused: true,
      },
      dir,
    )
    storage = await QmpConnection.connect(qemu.record.sockets.storage, { timeoutMs: 2000 })
  })
  afterEach(async () => {
    await storage.close()
    await qemu.terminate({ graceMs: 0 })
    await rm(dir, { recursive: true, force: true })
  })

  function disk(name: string, direct: boolean): DiskSpec {
    const filename = join(dir, `${name}.0`)
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'extended_l2=on', filename, '1M'])
    const node = {
      driver: 'qcow2',
      'node-name': `${name}-0`,
      backing: null,
      cache: { direct },
      file: { driver: 'file', filename, cache: { direct } },
    }
    return { name, bus: 'virtio', serial: name, source: { kind: 'layered', nodes: [node], top: `${name}-0` } }
  }

  async function overlay(name: string, sizeBytes = mib): Promise<string> {
    const path = join(dir, `${name}.1`)
    await createOverlay({ path, backingPath: `${name}.0`, backingFormat: 'qcow2', sizeBytes })
    return path
  }

  test('puts an overlay on every disk at once, and tells afterwards that it did', async () => {
    for (const name of ['a', 'b']) {
      await prepareOverlay(storage, { node: `${name}-0`, overlay: `${name}-1`, path: await overlay(name) })
      await prepareOverlay(storage, { node: `${name}-0`, overlay: `${name}-1`, path: join(dir, `${name}.1`) })
      expect(await isCut(storage, `${name}-1`)).toBe(false)
    }
    await flushBeforeCut(storage, ['a-0', 'b-0'])
    const { startedAt, endedAt } = await cutAll(storage, [
      { node: 'a-0', overlay: 'a-1' },
      { node: 'b-0', overlay: 'b-1' },
    ])
    expect(endedAt.getTime() - startedAt.getTime()).toBeLessThan(1000)
    expect(await Promise.all(['a-1', 'b-1', 'a-0', 'c-1'].map((node) => isCut(storage, node)))).toEqual([
      true,
      true,
      false,
      false,
    ])
    const devices = await qemu.qmp.execute<{ qdev: string; inserted: { 'node-name': string } }[]>('query-block')
    expect(devices.map(({ inserted }) => inserted['node-name'])).toEqual(['a-1', 'b-1'])
    const nodes = await listBlockNodes(storage)
    expect(nodes.get('a-0')).toMatchObject({ readOnly: true, hasBacking: false, path: join(dir, 'a.0') })
    // After a cut QEMU tells the overlay's path inside a description of the whole chain.
    expect(nodes.get('a-1')).toMatchObject({ readOnly: false, hasBacking: true, path: join(dir, 'a.1') })
  })

  test('cuts none when one cannot be cut, and can be repeated', async () => {
    await prepareOverlay(storage, { node: 'a-0', overlay: 'a-1', path: await overlay('a') })
    await expect(
      cutAll(storage, [
        { node: 'a-0', overlay: 'a-1' },
        { node: 'b-0', overlay: 'b-1' },
      ]),
    ).rejects.toThrow(/b-1/)
    expect(await isCut(storage, 'a-1')).toBe(false)
    await cutAll(storage, [{ node: 'a-0', overlay: 'a-1' }])
    expect(await isCut(storage, 'a-1')).toBe(true)
  })

  test('refuses an overlay of another size, which QEMU itself would take', async () => {
    await expect(
      prepareOverlay(storage, { node: 'a-0', overlay: 'a-1', path: await overlay('a', mib / 2) }),
    ).rejects.toThrow(/must be equal/)
    expect((await listBlockNodes(storage)).has('a-1')).toBe(false)
  })

  test('an overlay that was not used can be dropped', async () => {
    await prepareOverlay(storage, { node: 'a-0', overlay: 'a-1', path: await overlay('a') })
    await dropPrepared(storage, 'a-1')
    await dropPrepared(storage, 'a-1')
    expect((await listBlockNodes(storage)).has('a-1')).toBe(false)
  })
})
