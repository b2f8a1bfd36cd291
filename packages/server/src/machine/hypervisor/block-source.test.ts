import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { announceMonitor, openVolume, withdrawMonitor } from './block-source.ts'
import type { MachineDisk } from './hypervisor.ts'

let root: string
const disk = (path: string): MachineDisk => ({ name: 'root', path, kind: 'disk', bus: 'virtio', readOnly: false })

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sp-'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

test('a folder holds a raw disk.img', async () => {
  await mkdir(join(root, 'v'))
  expect(await openVolume(disk(join(root, 'v')))).toMatchObject({
    source: { kind: 'file', format: 'raw', path: join(root, 'v', 'disk.img'), cache: 'auto' },
  })
})

test('a file that is no description is a raw disk, whatever it begins with', async () => {
  const path = join(root, 'v')
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
      await writeFile(path, Buffer.concat([Buffer.from('{'), bytes, Buffer.from([0])]))
      expect((await openVolume(disk(path))).source).toMatchObject({ kind: 'file', format: 'raw' })
    }),
    { numRuns: 50 },
  )
})

test('a layered volume is opened as its description says', async () => {
  const path = join(root, 'v')
  const nodes = [{ driver: 'qcow2', 'node-name': 'l1', backing: null, file: { driver: 'file', filename: '/x' } }]
  const monitorFile = `${path}.monitor`
  const format = 'stillpoint.dev/layered-volume/v1'
  await writeFile(path, JSON.stringify({ format, volumeId: 'a', nodes, top: 'l1', topPath: '/x', monitorFile }))
  expect(await openVolume(disk(path))).toEqual({ source: { kind: 'layered', nodes, top: 'l1' }, monitorFile })
})

test.each([
  ['of a later form', { format: 'stillpoint.dev/layered-volume/v2' }],
  ['without nodes', { format: 'stillpoint.dev/layered-volume/v1', nodes: [], top: 'x', monitorFile: '/m' }],
  ['of something else', { hello: 'world' }],
])('a description %s is refused, not opened as a disk', async (_, description) => {
  const path = join(root, 'v')
  await writeFile(path, JSON.stringify(description))
  await expect(openVolume(disk(path))).rejects.toThrow(`disk root: ${path} describes a volume in a form`)
})

test('what is not published is named', async () => {
  await expect(openVolume(disk(join(root, 'none')))).rejects.toThrow('disk root: nothing is published at')
})

test('a monitor is announced and withdrawn', async () => {
  const file = join(root, 'v.monitor')
  await announceMonitor(file, '/run/m')
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ qmpSocket: '/run/m' })
  await withdrawMonitor(file)
  await withdrawMonitor(file)
  await expect(stat(file)).rejects.toThrow('ENOENT')
})
