import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ImageError, probeImage, readQcow2Header, refuseReferences } from './image.ts'
import { qemuMissing } from './testing/qemu-missing.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp('/tmp/spi-')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const mib = 1024 * 1024
/** The first cluster of a version 3 image of 1 MiB over the raw file `/b`: header, one extension, name. */
const header = () => {
  const bytes = Buffer.alloc(65_536)
  bytes.writeUInt32BE(0x514649fb, 0)
  bytes.writeUInt32BE(3, 4)
  bytes.writeBigUInt64BE(136n, 8)
  bytes.writeUInt32BE(2, 16)
  bytes.writeUInt32BE(16, 20)
  bytes.writeBigUInt64BE(BigInt(mib), 24)
  bytes.writeUInt32BE(1, 36)
  bytes.writeBigUInt64BE(196_608n, 40)
  bytes.writeBigUInt64BE(65_536n, 48)
  bytes.writeUInt32BE(1, 56)
  bytes.writeUInt32BE(4, 96)
  bytes.writeUInt32BE(112, 100)
  bytes.writeUInt32BE(0xe2792aca, 112)
  bytes.writeUInt32BE(3, 116)
  bytes.write('raw', 120)
  bytes.write('/b', 136)
  return bytes
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

describe.skipIf(qemuMissing)('with qemu-img', () => {
  const qemuImg = (...args: string[]) => execFileSync('qemu-img', args, { encoding: 'utf8' })

  test('refuses images that point to other files, with the way out', async () => {
    qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${join(dir, 'data')}`, join(dir, 'external'), '1M')
    await expect(refuseReferences(join(dir, 'external'))).rejects.toThrow(/another file; flatten/)
    qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', join(dir, 'over'), '1M')
    await expect(refuseReferences(join(dir, 'over'))).rejects.toThrow(/backing file \("\/etc\/passwd"\)/)
  })
})
