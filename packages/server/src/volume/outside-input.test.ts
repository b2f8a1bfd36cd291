import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { packingOf } from './fills/decompress.ts'
import { fillTarget } from './fills/target.ts'
import { provisioningAnnotation, volumeName } from './keys.ts'
import { recordedOn } from './provisioning-record.ts'
import { UploadTokens } from './uploads/token.ts'

const folder = mkdtempSync(join(tmpdir(), 'stillpoint-input-'))
afterAll(() => rmSync(folder, { recursive: true }))

const tokens = new UploadTokens(Buffer.alloc(32, 1))
const grant = { namespace: 'n', name: 'p', uid: 'u' }
const now = new Date('2026-01-01T00:00:00Z')

test('a token is good for five minutes, and for what it was given for', () => {
  const token = tokens.issue(grant, now)
  expect(tokens.read(token, new Date(now.getTime() + 299_000))).toEqual(grant)
  expect(tokens.read(token, new Date(now.getTime() + 301_000))).toBeUndefined()
  expect(new UploadTokens(Buffer.alloc(32, 2)).read(token, now)).toBeUndefined()
})

test('no changed token is accepted', () => {
  const token = tokens.issue(grant, now)
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom(...'AZaz09-_.'), (at, char) => {
      const changed = token.slice(0, at) + char + token.slice(at + 1)
      const read = tokens.read(changed, now)
      // The last character of base64url may have bits that mean nothing: then it is the same token.
      expect(read === undefined || (at === token.length - 1 && read.uid === 'u') || changed === token).toBe(true)
    }),
  )
})

const claimWith = (text: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'p', uid: 'u', annotations: { [provisioningAnnotation]: text } },
})

test("a claim's own record is taken, one copied from another claim is not", () => {
  const record = { driver: 'd', capacityBytes: 1, parameters: {}, volumeMode: 'Block', reclaimPolicy: 'Delete' }
  const own = { ...record, name: volumeName('u') }
  expect(recordedOn(claimWith(JSON.stringify(own)))).toEqual(own)
  expect(recordedOn(claimWith(JSON.stringify({ ...record, name: volumeName('other') })))).toBeUndefined()
})

test('anything may be read as a token or a record without harm', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(tokens.read(text, now)).toBeUndefined()
      expect(recordedOn(claimWith(text))).toBeUndefined()
    }),
  )
})

test('a published file that is no description is a raw image, whatever it holds', async () => {
  const path = join(folder, 'volume')
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.json(), fc.string(), fc.constant('{"format":"stillpoint.dev/layered-volume/v1"}')),
      async (text) => {
        writeFileSync(path, text)
        expect(await fillTarget(path, 1)).toEqual({ path, format: 'raw', zeroed: false })
        await packingOf(path)
      },
    ),
    { numRuns: 50 },
  )
})
