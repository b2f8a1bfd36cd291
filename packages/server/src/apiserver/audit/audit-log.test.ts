import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Entry } from './audit-event.ts'
import { AuditLog, type AuditLogOptions } from './audit-log.ts'

let directory: string
let said: { msg: string; lines: number }[]
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'stillpoint-audit-')), 'audit')
  said = []
})
afterEach(() => rm(join(directory, '..'), { recursive: true }))

function auditLog(options: Partial<AuditLogOptions> = {}): AuditLog {
  const log = pino({}, { write: (line: string) => void said.push(JSON.parse(line)) })
  return new AuditLog({ directory, log, ...options })
}

function entry(id: string, url = '/api/v1/namespaces/ns/configmaps'): Entry {
  const trail = { id, method: 'POST', url, userAgent: undefined, address: undefined, receivedMs: 0 }
  return { trail: { ...trail, stage: 'ResponseComplete' }, stage: 'ResponseComplete', code: 201, atMs: 1 }
}

const linesOf = async (name = 'audit.log') => (await readFile(join(directory, name), 'utf8')).trimEnd().split('\n')
const idsOf = async (name?: string) => (await linesOf(name)).map((line) => JSON.parse(line).auditID)

test('what was recorded is there in order once it is closed, for its owner only', async () => {
  const log = auditLog()
  const ids = Array.from({ length: 500 }, (_, index) => `${index}`)
  for (const id of ids) log.record(entry(id))
  await log.close()
  expect(await idsOf()).toEqual(ids)
  expect((await stat(join(directory, 'audit.log'))).mode & 0o777).toBe(0o600)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  log.record(entry('late'))
  await log.flush()
  expect(await idsOf()).toEqual(ids)
})

test('it is written by itself, soon', async () => {
  const log = auditLog()
  log.record(entry('a'))
  await expect.poll(() => idsOf().catch(() => [])).toEqual(['a'])
  await log.close()
})

test('a file that is full is put aside, and the oldest go', async () => {
  const log = auditLog({ fileBytes: 1_000, keptFiles: 2 })
  for (let round = 0; round < 12; round++) {
    for (const id of ['x', 'y', 'z']) log.record(entry(`${round}${id}`))
    await log.flush()
  }
  await log.close()
  const names = (await readdir(directory)).sort()
  expect(names).toHaveLength(3)
  const ids = (await Promise.all(names.map(idsOf))).flat()
  expect(ids.at(-1)).toBe('11z')
  expect(ids).toEqual([...ids].sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10)))
  for (const name of names) expect((await stat(join(directory, name))).size).toBeLessThan(3_000)
})

test('half a line that a crash left does not spoil the next', async () => {
  await mkdir(directory)
  await writeFile(join(directory, 'audit.log'), '{"auditID":"whole"}\n{"auditID":"ha')
  const log = auditLog()
  log.record(entry('next'))
  await log.close()
  const [whole, half, next] = await linesOf()
  expect([whole, half]).toEqual(['{"auditID":"whole"}', '{"auditID":"ha'])
  expect(JSON.parse(next ?? '').auditID).toBe('next')
})

test('a disk that fails is told of once, stops nobody, and then it goes on', async () => {
  await mkdir(directory)
  await mkdir(join(directory, 'audit.log'))
  const log = auditLog()
  for (let count = 0; count < 120; count++) log.record(entry('lost'))
  await log.flush()
  expect(said.map(({ msg }) => msg)).toEqual(['audit log cannot be written'])
  await rm(join(directory, 'audit.log'), { recursive: true })
  log.record(entry('kept'))
  await log.close()
  expect(await idsOf()).toEqual(['kept'])
  expect(said.at(-1)).toMatchObject({ msg: 'lines of the audit log were lost', lines: 120 })
})

test('what does not fit while the disk is slow is lost, and counted', async () => {
  const log = auditLog({ waiting: 10 })
  for (let count = 0; count < 25; count++) log.record(entry(`${count}`))
  await log.close()
  expect(await idsOf()).toEqual(Array.from({ length: 10 }, (_, index) => `${index}`))
  expect(said).toEqual([expect.objectContaining({ msg: 'lines of the audit log were lost', lines: 15 })])
})

test('what is not worth a line makes no file', async () => {
  const log = auditLog()
  const { trail, ...rest } = entry('a', '/healthz')
  log.record({ ...rest, trail: { ...trail, method: 'GET' } })
  await log.close()
  await expect(readdir(directory)).rejects.toThrow('ENOENT')
})
