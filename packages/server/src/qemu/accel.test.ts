import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { decideAccel, hasVirtualization, runProbeGuest } from './accel.ts'
import { qemuMissing } from './testing/qemu-missing.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp('/tmp/spa-')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test.each([
  ['an Intel processor', 'flags\t\t: fpu vmx sse\n', true],
  ['an AMD processor', 'flags\t\t: fpu svm\n', true],
  ['a guest without it', 'flags\t\t: fpu sse svm_lock\nvmx flags\t: vnmi\nbugs\t: vmx\n', false],
])('%s can virtualise: %#', (_, cpuinfo, expected) => expect(hasVirtualization(cpuinfo)).toBe(expected))

test('the configuration decides without looking', async () => {
  expect(await decideAccel({ force: 'kvm' })).toEqual({ accel: 'kvm', reason: 'set by configuration' })
})

test('a verdict is kept until the machine or its kernel is restarted', async () => {
  const cacheFile = join(dir, 'accel.json')
  const first = await decideAccel({ cacheFile, timeoutMs: 2000 })
  const kept = JSON.parse(await readFile(cacheFile, 'utf8')) as object
  await writeFile(cacheFile, JSON.stringify({ ...kept, reason: 'kept' }))
  expect(await decideAccel({ cacheFile })).toEqual({ ...first, reason: 'kept' })
  await writeFile(cacheFile, JSON.stringify({ ...kept, reason: 'kept', key: 'another boot' }))
  expect((await decideAccel({ cacheFile, timeoutMs: 2000 })).reason).toBe(first.reason)
  await writeFile(cacheFile, 'damaged')
  expect(await decideAccel({ cacheFile, timeoutMs: 2000 })).toEqual(first)
})

test.skipIf(qemuMissing)('the probe guest reaches its end where instructions really run', async () => {
  expect(await runProbeGuest('tcg')).toEqual({ ok: true })
})

test('a probe that does not answer, or cannot start, is no success', async () => {
  expect(await runProbeGuest('tcg', { program: '/bin/false' })).toMatchObject({ ok: false })
  expect(await runProbeGuest('tcg', { program: '/no/such' })).toMatchObject({ ok: false })
})
