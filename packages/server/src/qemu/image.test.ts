import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  convert,
  createOverlay,
  ImageError,
  imageInfo,
  probeImage,
  readQcow2Header,
  refuseReferences,
  resize,
} from './image.ts'
import { newOverlayBytes } from './qcow2-overlay.ts'
import { QemuImgError, runQemuImg } from './qemu-img.ts'
import { qemuMissing } from './testing/qemu-missing.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp('/tmp/spi-')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const mib = 1024 * 1024
const header = () => {
  const [first] = newOverlayBytes({ backingPath: '/b', backingFormat: 'raw', sizeBytes: mib }).parts
  if (!first) throw new Error('no header')
  return Buffer.concat([first.data, Buffer.alloc(65536 - first.data.length)])
}

describe('a qcow2 header', () => {
  test('tells size, backing file and its format', () => {
    expect(readQcow2Header('x', header())).toEqual({
      format: 'qcow2',
      virtualSizeBytes: mib,
      backingFile: '/b',
      backingFormat: 'raw',
    })
  })

  const damages: Record<string, (bytes: Buffer) => void> = {
    'an unknown version': (bytes) => bytes.writeUInt32BE(9, 4),
    'clusters of an impossible size': (bytes) => bytes.writeUInt32BE(40, 20),
    'a backing file name outside the first cluster': (bytes) => bytes.writeBigUInt64BE(2n ** 63n, 8),
    'a backing file name of a gigabyte': (bytes) => bytes.writeUInt32BE(2 ** 30, 16),
    'a size beyond all bounds': (bytes) => bytes.writeBigUInt64BE(2n ** 63n, 24),
    'an extension that does not end': (bytes) => bytes.writeUInt32BE(2 ** 31, 116),
    'a header longer than its cluster': (bytes) => bytes.writeUInt32BE(2 ** 31, 100),
  }
  test.each(Object.entries(damages))('with %s is refused', (_, damage) => {
    const bytes = header()
    damage(bytes)
    expect(() => readQcow2Header('x', bytes)).toThrow(ImageError)
  })

  test('with external data says so', () => {
    const bytes = header()
    bytes.writeBigUInt64BE(4n, 72)
    expect(readQcow2Header('x', bytes).dataFile).toBe('')
  })

  test('of any bytes is read or refused, never anything else', () => {
    const damaged = fc.array(fc.tuple(fc.integer({ min: 4, max: 600 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(damaged, fc.integer({ min: 4, max: 70_000 }), (changes, length) => {
        const bytes = header()
        for (const [at, value] of changes) bytes.writeUInt8(value, at)
        try {
          const info = readQcow2Header('x', bytes.subarray(0, length))
          expect(info.backingFile?.length ?? 0).toBeLessThanOrEqual(1023)
        } catch (err) {
          expect(err).toBeInstanceOf(ImageError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

test('what has no known magic is raw, and other formats are named with a remedy', async () => {
  await writeFile(join(dir, 'raw'), Buffer.alloc(1536))
  expect(await probeImage(join(dir, 'raw'))).toEqual({ format: 'raw', virtualSizeBytes: 1536 })
  await writeFile(join(dir, 'vmdk'), 'KDMV and more')
  await expect(probeImage(join(dir, 'vmdk'))).rejects.toThrow(/VMDK.*qemu-img convert/)
  await writeFile(join(dir, 'empty'), '')
  expect(await probeImage(join(dir, 'empty'))).toEqual({ format: 'raw', virtualSizeBytes: 0 })
})

test.each([0, -512, 1000, 2 ** 53])('an overlay of %d bytes is refused', (sizeBytes) => {
  expect(() => newOverlayBytes({ backingPath: '/b', backingFormat: 'raw', sizeBytes })).toThrow()
})

describe.skipIf(qemuMissing)('with qemu-img', () => {
  const qemuImg = (...args: string[]) => execFileSync('qemu-img', args, { encoding: 'utf8' })

  test.each([512, mib, 256 * mib, 256 * mib + 512, 300 * 1024 * mib, 5 * 1024 ** 2 * mib])(
    'an overlay of %d bytes is byte for byte what qemu-img creates',
    async (sizeBytes) => {
      const backing = join(dir, 'base.img')
      await writeFile(backing, '')
      await truncate(backing, sizeBytes)
      const backingPath = sizeBytes === mib ? 'base.img' : backing
      await createOverlay({ path: join(dir, 'ours'), backingPath, backingFormat: 'raw', sizeBytes })
      const theirs = join(dir, 'theirs')
      qemuImg(
        'create',
        '-q',
        '-f',
        'qcow2',
        '-o',
        'extended_l2=on',
        '-b',
        backingPath,
        '-F',
        'raw',
        theirs,
        String(sizeBytes),
      )
      expect((await readFile(join(dir, 'ours'))).equals(await readFile(theirs))).toBe(true)
      expect(qemuImg('check', '-q', join(dir, 'ours'))).toBe('')
    },
  )

  test('an overlay is never put over a file that exists', async () => {
    await writeFile(join(dir, 'precious'), 'data')
    const spec = { path: join(dir, 'precious'), backingPath: '/b', backingFormat: 'raw', sizeBytes: mib } as const
    await expect(createOverlay(spec)).rejects.toThrow(/EEXIST/)
    expect(await readFile(join(dir, 'precious'), 'utf8')).toBe('data')
  })

  test('refuses images that point to other files, with the way out', async () => {
    qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${join(dir, 'data')}`, join(dir, 'external'), '1M')
    await expect(refuseReferences(join(dir, 'external'))).rejects.toThrow(/another file; flatten/)
    await createOverlay({ path: join(dir, 'over'), backingPath: '/etc/passwd', backingFormat: 'raw', sizeBytes: mib })
    await expect(refuseReferences(join(dir, 'over'))).rejects.toThrow(/backing file \("\/etc\/passwd"\)/)
    await expect(
      convert({ path: join(dir, 'over'), format: 'qcow2' }, { path: join(dir, 'out'), format: 'raw' }),
    ).rejects.toThrow(/backing file/)
  })

  test('converts, enlarges and describes', async () => {
    const raw = join(dir, 'a.img')
    const qcow2 = join(dir, 'a.qcow2')
    await writeFile(raw, Buffer.alloc(mib, 7))
    await convert({ path: raw, format: 'raw' }, { path: qcow2, format: 'qcow2', compress: true })
    await resize(qcow2, 'qcow2', 2 * mib)
    expect(await imageInfo(qcow2, 'qcow2')).toMatchObject({ virtualSizeBytes: 2 * mib, dirty: false, corrupt: false })
    await expect(resize(qcow2, 'qcow2', mib)).rejects.toThrow(/smaller/)
    await expect(imageInfo('nbd:localhost:1', 'raw')).rejects.toThrow(/absolute/)
    await convert({ path: qcow2, format: 'qcow2' }, { path: join(dir, 'b.img'), format: 'raw' })
    expect((await readFile(join(dir, 'b.img'))).subarray(0, mib).equals(Buffer.alloc(mib, 7))).toBe(true)
  })

  test('gives up in time and says what qemu-img said', async () => {
    await expect(runQemuImg(['info', '/no/such'])).rejects.toThrow(/No such file/)
    await expect(runQemuImg(['info', '/no/such'], { timeoutMs: 1 })).rejects.toThrow(QemuImgError)
  })
})
