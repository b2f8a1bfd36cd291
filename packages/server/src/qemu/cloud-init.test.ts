import fc from 'fast-check'
import { expect, test } from 'vitest'
import { configDriveIso, noCloudIso } from './cloud-init.ts'
import { buildIso, type IsoFile } from './iso9660.ts'

interface Read {
  label: string
  files: Map<string, string>
}

/** An independent reader: walks the folders of one of the image's two views. */
function read(image: Buffer, view: 'rock-ridge' | 'joliet' | 'plain'): Read {
  const at = (view === 'joliet' ? 17 : 16) * 2048
  expect(image.toString('latin1', at + 1, at + 6)).toBe('CD001')
  const label = image.subarray(at + 40, at + 72)
  const files = new Map<string, string>()
  walk(image.readUInt32LE(at + 158), image.readUInt32LE(at + 166), '')
  return { label: decode(label).trim(), files }

  function decode(bytes: Buffer): string {
    return view === 'joliet' ? Buffer.from(bytes).swap16().toString('utf16le') : bytes.toString('latin1')
  }
  function walk(sector: number, length: number, prefix: string): void {
    const folder = image.subarray(sector * 2048, sector * 2048 + length)
    for (let pos = 0; pos < folder.length; ) {
      const size = folder.readUInt8(pos)
      if (size === 0) {
        pos = (Math.floor(pos / 2048) + 1) * 2048
        continue
      }
      const entry = folder.subarray(pos, pos + size)
      expect(Math.floor(pos / 2048)).toBe(Math.floor((pos + size - 1) / 2048))
      pos += size
      expect(entry.readUInt32LE(2)).toBe(entry.readUInt32BE(6))
      const nameLength = entry.readUInt8(32)
      const raw = entry.subarray(33, 33 + nameLength)
      if (nameLength === 1 && (raw[0] ?? 9) < 2) continue
      const name = (
        view === 'rock-ridge' ? rockRidge(entry.subarray(33 + nameLength + ((nameLength + 1) % 2))) : decode(raw)
      ).replace(/;1$/, '')
      const [start, bytes] = [entry.readUInt32LE(2), entry.readUInt32LE(10)]
      if (entry.readUInt8(25) & 2) walk(start, bytes, `${prefix}${name}/`)
      else files.set(prefix + name, image.toString('utf8', start * 2048, start * 2048 + bytes))
    }
  }
  function rockRidge(fields: Buffer): string {
    for (let pos = 0; pos + 4 <= fields.length; pos += fields.readUInt8(pos + 2) || 255)
      if (fields.toString('latin1', pos, pos + 2) === 'NM')
        return fields.toString('utf8', pos + 5, pos + fields.readUInt8(pos + 2))
    throw new Error('no name')
  }
}

test('cloud-init finds its files under their names in both views', () => {
  const image = noCloudIso({
    metaData: { 'instance-id': 'i-1', 'local-hostname': 'web-1' },
    userData: '#cloud-config\nhostname: wéb\n',
    networkConfig: 'version: 2\n',
  })
  const files = [
    ['meta-data', '{"instance-id":"i-1","local-hostname":"web-1"}\n'],
    ['network-config', 'version: 2\n'],
    ['user-data', '#cloud-config\nhostname: wéb\n'],
  ]
  for (const view of ['rock-ridge', 'joliet'] as const) {
    const { label, files: found } = read(image, view)
    expect(label).toBe('cidata')
    expect([...found].toSorted()).toEqual(files)
  }
  expect([...read(image, 'plain').files.keys()]).toEqual(['META_DAT.', 'NETWORK_.', 'USER_DAT.'])
})

test('the same data gives the same bytes', () => {
  const data = { metaData: 'instance-id: x\n', userData: '' }
  expect(noCloudIso(data).equals(noCloudIso(data))).toBe(true)
})

test('a config drive has its folders', () => {
  const { label, files } = read(configDriveIso({ metaData: { uuid: 'u' }, userData: 'x' }), 'rock-ridge')
  expect(label).toBe('config-2')
  expect([...files.keys()].toSorted()).toEqual(['openstack/latest/meta_data.json', 'openstack/latest/user_data'])
})

test('any set of files is read back as it was given', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,40}$/).filter((text) => !/^\.{1,2}$/.test(text))
  const tree = fc.uniqueArray(fc.tuple(fc.constantFrom('', 'd/', 'd/e/'), name), {
    selector: ([folder, text]) => folder + text,
    maxLength: 60,
  })
  fc.assert(
    fc.property(tree, fc.string({ maxLength: 5000 }), (paths, content) => {
      const files: IsoFile[] = paths
        .map(([folder, text]) => ({ path: `${folder}${text}`, content }))
        .filter(({ path }) => path !== 'd' && path !== 'd/e')
      const image = buildIso('x', files)
      const expected = files.map(({ path }) => [path, Buffer.from(content).toString()]).toSorted()
      for (const view of ['rock-ridge', 'joliet'] as const)
        expect([...read(image, view).files].toSorted()).toEqual(expected)
      expect(read(image, 'plain').files.size).toBe(files.length)
    }),
    { numRuns: 50 },
  )
})

test.each([['..'], ['a//b'], ['/a'], ['x'.repeat(65)], ['a\0b']])('refuses %j as a file name', (path) =>
  expect(() => buildIso('x', [{ path, content: '' }])).toThrow(/file name/),
)
test('refuses a label with a comma', () => expect(() => buildIso('a,b', [])).toThrow(/label/))
