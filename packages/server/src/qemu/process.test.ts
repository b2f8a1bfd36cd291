import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { processStat } from './linux-process.ts'
import { adopt, launch, QemuError, QemuGoneError, type RunningQemu } from './process.ts'
import { QmpConnection } from './qmp.ts'
import { readRuntimeRecord, writeRuntimeRecord } from './runtime-record.ts'
import type { QemuSpec } from './spec.ts'
import { qemuMissing } from './testing/qemu-missing.ts'

const spec: QemuSpec = {
  name: 'vm-1',
  uuid: '0f5c3a9e-7d2b-4c1e-9a4d-3b2f1e0d9c8b',
  machine: 'q35',
  accel: 'tcg',
  cpus: { sockets: 1, cores: 1, threads: 1 },
  memoryBytes: 32 * 1024 * 1024,
  disks: [],
  networks: [{ name: 'default', mac: '02:00:00:00:00:01' }],
  startPaused: true,
}

describe.skipIf(qemuMissing)('a QEMU process', () => {
  let dir: string
  let running: RunningQemu[]

  beforeEach(async () => {
    dir = await mkdtemp('/tmp/spq-')
    running = []
  })
  afterEach(async () => {
    for (const qemu of running) await qemu.terminate({ graceMs: 0 })
    await rm(dir, { recursive: true, force: true })
  })

  async function started(changes: Partial<QemuSpec> = {}, folder = dir): Promise<RunningQemu> {
    const qemu = await launch({ ...spec, ...changes }, folder)
    running.push(qemu)
    return qemu
  }

  test('is started, answers, is found again by its record, and ends when told', async () => {
    await writeFile(join(dir, 'disk.img'), '')
    await truncate(join(dir, 'disk.img'), 1024 * 1024)
    const first = await started({
      disks: [
        {
          name: 'root',
          bus: 'virtio',
          serial: 'root',
          source: { kind: 'file', format: 'raw', path: join(dir, 'disk.img') },
        },
      ],
      graphics: 'vnc',
      tablet: true,
    })
    expect(await first.qmp.execute('query-status')).toMatchObject({ running: false, status: 'prelaunch' })
    expect(first.record).toMatchObject({ machine: 'pc-q35-7.2', sandbox: true, accel: 'tcg' })
    expect((await stat(first.record.sockets.qmp)).mode & 0o077).toBe(0)
    const storage = await QmpConnection.connect(first.record.sockets.storage, { timeoutMs: 2000 })
    expect(await storage.execute('query-named-block-nodes', { flat: true })).toHaveLength(2)
    await storage.close()
    await first.detach()

    const record = await readRuntimeRecord(dir)
    if (!record) throw new Error('no record')
    const second = await adopt(record)
    running.push(second)
    expect(second.pid).toBe(first.pid)
    expect(await second.qmp.execute('query-status')).toMatchObject({ status: 'prelaunch' })
    const shutdown = second.qmp.waitForEvent('SHUTDOWN')
    expect(await second.terminate({ graceMs: 0 })).toMatchObject({ how: 'quit' })
    expect((await shutdown).data).toMatchObject({ guest: false, reason: 'host-qmp-quit' })
    expect((await second.exited).shutdown?.reason).toBe('host-qmp-quit')
    expect(await second.terminate({ graceMs: 0 })).toMatchObject({ how: 'already-gone' })
    await expect(adopt(record)).rejects.toThrow(QemuGoneError)
  })

  test('outlives the process that started it, even when that is killed', async () => {
    const script = `
      import { launch } from '${join(import.meta.dirname, 'process.ts')}'
      await launch(${JSON.stringify(spec)}, '${dir}')
      console.log('started')
      setInterval(() => {}, 1000)`
    const server = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => server.stdout.once('data', resolve))
    server.kill('SIGKILL')
    await new Promise((resolve) => server.once('exit', resolve))

    const record = await readRuntimeRecord(dir)
    if (!record) throw new Error('no record')
    const adopted = await adopt(record)
    running.push(adopted)
    expect(await adopted.qmp.execute('query-status')).toMatchObject({ status: 'prelaunch' })
    process.kill(adopted.pid, 'SIGKILL')
    expect(await adopted.exited).toEqual({ code: undefined, signal: undefined, shutdown: undefined })
  })

  test('is found by its pid file when the server died before it noted the pid', async () => {
    const qemu = await started()
    await qemu.detach()
    const { process: identity, ...unfinished } = qemu.record
    await writeRuntimeRecord(dir, unfinished)
    expect((await readRuntimeRecord(dir))?.process).toEqual(identity)
    await writeRuntimeRecord(dir, { ...unfinished, argvHash: 'another command line' })
    expect((await readRuntimeRecord(dir))?.process).toBeUndefined()
  })

  test('is not taken for another process that got its pid', async () => {
    const qemu = await started()
    const { process: identity } = qemu.record
    if (!identity) throw new Error('no process')
    await expect(adopt({ ...qemu.record, process: { ...identity, startTime: '1' } })).rejects.toThrow(/pid-reused/)
    await expect(adopt({ ...qemu.record, process: { ...identity, bootId: 'x' } })).rejects.toThrow(/rebooted/)
  })

  test('ends by signal when its monitor is held up', async () => {
    const qemu = await started({}, join(dir, 'stuck'))
    process.kill(qemu.pid, 'SIGSTOP')
    expect(await qemu.terminate({ graceMs: 0, quitMs: 100, termMs: 100 })).toMatchObject({ how: 'SIGKILL' })
    expect((await processStat(qemu.pid))?.state ?? 'Z').toBe('Z')
  })

  test('is asked politely and then told, when the guest does not listen', async () => {
    const qemu = await started({ startPaused: false })
    expect(await qemu.qmp.execute('query-status')).toMatchObject({ status: 'running' })
    let asked = 0
    const ask = async () => {
      asked += 1
    }
    expect(await qemu.terminate({ graceMs: 100, ask })).toMatchObject({ how: 'quit' })
    expect(asked).toBeGreaterThan(0)
    expect((await qemu.exited).code).toBe(0)
  })

  test('that cannot start says why and leaves nothing running', async () => {
    const missing = {
      name: 'a',
      bus: 'virtio',
      source: { kind: 'layered', top: 'n', nodes: [{ driver: 'file', 'node-name': 'n', filename: '/no/such' }] },
    } as const
    const err: unknown = await launch({ ...spec, disks: [missing] }, dir).catch((thrown: unknown) => thrown)
    expect(err).toBeInstanceOf(QemuError)
    expect(String(err)).toMatch(/No such file/)
    expect(existsSync(join(dir, 'qemu.pid')) && (await readRuntimeRecord(dir))?.process).toBeFalsy()
  })

  test('that ends as soon as its monitor is connected says why, not that the connection broke', async () => {
    const program = join(dir, 'brief')
    const script = `#!${process.execPath}
      if (process.argv.includes('help')) require('node:child_process').execFileSync('qemu-system-x86_64', process.argv.slice(2), { stdio: 'inherit' })
      else {
        require('node:net').createServer((socket) => {
          socket.destroy()
          setTimeout(() => { console.error('could not set up the device'); process.exit(1) }, 100)
        }).listen(${JSON.stringify(join(dir, 'm/qmp'))})
      }`
    await writeFile(program, script, { mode: 0o755 })
    const err: unknown = await launch(spec, join(dir, 'm'), { program }).catch((thrown: unknown) => thrown)
    expect(err).toBeInstanceOf(QemuError)
    expect(String(err)).toMatch(/could not set up the device/)
  })

  test('refuses an image that stands on another file', async () => {
    await writeFile(join(dir, 'base'), 'x'.repeat(1024))
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', join(dir, 'base'), '-F', 'raw', join(dir, 'top')])
    const source = { kind: 'file', format: 'qcow2', path: join(dir, 'top') } as const
    await expect(launch({ ...spec, disks: [{ name: 'a', bus: 'virtio', source }] }, dir)).rejects.toThrow(
      /backing file/,
    )
  })
})
