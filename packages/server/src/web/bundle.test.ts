import { rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Bundle } from './bundle.ts'
import { Browser } from './testing/browser.ts'
import { indexHtml, makeDist, script } from './testing/dist.ts'
import { startFront } from './testing/front.ts'

let dist: string
let browser: Browser
let close: () => Promise<void>
beforeAll(async () => {
  dist = await makeDist()
  const front = await startFront({ server: 'http://127.0.0.1:1', authorize: () => ({}) }, { dist })
  browser = new Browser(front)
  close = async () => {
    await front.close()
    await rm(dirname(dist), { recursive: true })
  }
})
afterAll(() => close())

const get = (path: string, headers: Record<string, string> = {}) => browser.send('GET', path, { headers })
const js = '/assets/main-1a2b.js'
const font = '/assets/font-3c4d.woff2'

test.each([
  ['gzip, deflate, br, zstd', 'br', (bytes: Buffer) => brotliDecompressSync(bytes)],
  ['gzip', 'gzip', (bytes: Buffer) => gunzipSync(bytes)],
  ['br;q=0, gzip;q=0.1', 'gzip', (bytes: Buffer) => gunzipSync(bytes)],
  ['identity', undefined, (bytes: Buffer) => bytes],
  ['br;q=0', undefined, (bytes: Buffer) => bytes],
])('who takes %s is sent %s', async (accepted, encoding, unpack) => {
  const { headers, bytes } = await get(js, { 'accept-encoding': accepted })
  expect([headers['content-encoding'], headers.vary]).toEqual([encoding, 'Accept-Encoding'])
  expect(Number(headers['content-length'])).toBe(bytes.length)
  expect(unpack(bytes).toString()).toBe(script)
})

test('what is packed already is not packed again', async () => {
  const { headers, bytes } = await get(font, { 'accept-encoding': 'br' })
  expect([headers['content-encoding'], headers['content-type'], bytes.length]).toEqual([undefined, 'font/woff2', 4_096])
})

test('who has the file is not sent it again', async () => {
  const { headers } = await get(js)
  const packed = await get(js, { 'accept-encoding': 'br' })
  expect(packed.headers.etag).not.toBe(headers.etag)
  for (const tag of [headers.etag ?? '', `"x", W/${headers.etag}`, '*']) {
    const again = await get(js, { 'if-none-match': tag })
    expect([again.code, again.text, again.headers.etag]).toEqual([304, '', headers.etag])
  }
  expect((await get(js, { 'if-none-match': '"x"' })).code).toBe(200)
})

describe('a bundle that is built anew', () => {
  test('is shown at the next request', async () => {
    const html = { accept: 'text/html' }
    const before = await get('/', html)
    expect(before.text).toBe(indexHtml)
    await writeFile(join(dist, 'index.html'), '<!doctype html><title>New</title>')
    await utimes(join(dist, 'index.html'), new Date(), new Date(Date.now() + 5_000))
    const after = await get('/', { ...html, 'if-none-match': before.headers.etag ?? '' })
    expect([after.code, after.text]).toEqual([200, '<!doctype html><title>New</title>'])
  })

  test('is missing for a moment, which is said with the remedy', async () => {
    await rm(join(dist, 'index.html'))
    const { code, text, headers } = await get('/', { accept: 'text/html' })
    expect([code, headers['content-type'], headers['cache-control']]).toEqual([
      503,
      'text/html; charset=utf-8',
      'no-store',
    ])
    expect(text).toContain('<code>npm run setup</code>')
  })
})

test('what is kept in memory is bounded', async () => {
  const bundle = new Bundle(dist, 20_000)
  for (let at = 0; at < 8; at++) await writeFile(join(dist, `assets/chunk-${at}.js`), `// ${at}\n`.repeat(1_000))
  for (let at = 0; at < 8; at++) {
    const file = await bundle.file(`assets/chunk-${at}.js`)
    expect((await file?.packed('br'))?.length).toBeGreaterThan(0)
    expect(bundle.sizeBytes).toBeLessThanOrEqual(20_000)
  }
  expect(bundle.sizeBytes).toBeGreaterThan(10_000)
})

test('a folder, or a kind of file that is none of ours, is not served', async () => {
  const bundle = new Bundle(dist)
  await writeFile(join(dist, 'assets/a.exe'), '')
  expect([await bundle.file('assets/a.exe'), await bundle.file('assets'), await bundle.file('x.js/y.js')]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})
