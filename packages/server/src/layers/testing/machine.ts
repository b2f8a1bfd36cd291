import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { QmpConnection, QmpError } from '../../qemu/qmp.ts'
import type { PublishedVolume } from '../publications.ts'

export async function readPublished(target: string): Promise<PublishedVolume> {
  return JSON.parse(await readFile(target, 'utf8')) as PublishedVolume
}

/** A real QEMU with published volumes plugged in, stopped before its first instruction. Writes go through its monitor. */
export class TestMachine {
  readonly qmp: QmpConnection
  readonly storageSocket: string
  readonly #process: ChildProcess
  readonly #published: PublishedVolume[]
  private constructor(process: ChildProcess, qmp: QmpConnection, storageSocket: string, published: PublishedVolume[]) {
    this.#process = process
    this.qmp = qmp
    this.storageSocket = storageSocket
    this.#published = published
  }

  static async start(dir: string, targets: readonly string[], { running = false } = {}): Promise<TestMachine> {
    const published = await Promise.all(targets.map(readPublished))
    const own = join(dir, 'q')
    const storage = join(dir, 's')
    for (const path of [own, storage]) await rm(path, { force: true })
    // Announced before it is opened, as the contract wants it.
    for (const { monitorFile } of published) await writeFile(monitorFile, JSON.stringify({ qmpSocket: storage }))
    const monitor = (id: string, path: string) => [
      '-chardev',
      `socket,id=${id},path=${path},server=on,wait=off`,
      '-mon',
      `chardev=${id},mode=control`,
    ]
    const disks = published.flatMap(({ nodes, top }, index) => [
      ...nodes.flatMap((node) => ['-blockdev', JSON.stringify(node)]),
      '-device',
      `virtio-blk-pci,id=d${index},drive=${top}`,
    ])
    const basics = '-machine pc -accel tcg -m 32 -nodefaults -no-user-config -display none'.split(' ')
    const args = [
      ...basics,
      ...(running ? [] : ['-S']),
      ...monitor('own', own),
      ...monitor('storage', storage),
      ...disks,
    ]
    const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    try {
      const qmp = await connectSoon(own, child)
      return new TestMachine(child, qmp, storage, published)
    } catch (error) {
      child.kill('SIGKILL')
      throw new Error(`qemu: ${stderr}`, { cause: error })
    }
  }

  /** The node a device writes to now. */
  async activeNode(index: number): Promise<string> {
    type Device = { qdev: string; inserted?: { 'node-name': string } }
    const devices = await this.qmp.execute<Device[]>('query-block')
    const device = devices.find(({ qdev }) => qdev.includes(`/d${index}/`) || qdev === `d${index}`)
    if (!device?.inserted) throw new Error(`no disk ${index}: ${JSON.stringify(devices)}`)
    return device.inserted['node-name']
  }

  /** Writes one byte all over a block, as the guest would: through the device, to whatever is on top. */
  async write(index: number, pattern: number, offset: number, length = 65536): Promise<void> {
    await this.#io(index, `write -P ${pattern} ${offset} ${length}`)
    await this.#io(index, 'flush')
  }

  async #io(index: number, command: string): Promise<void> {
    const line = `qemu-io -d /machine/peripheral/d${index}/virtio-backend "${command}"`
    const output = await this.qmp.execute<string>('human-monitor-command', { 'command-line': line })
    // Success is told on QEMU's standard output; here come only its complaints about the command.
    if (output !== '') throw new Error(`${line}: ${output}`)
  }

  async nodes(): Promise<string[]> {
    const nodes = await this.qmp.execute<{ 'node-name': string }[]>('query-named-block-nodes', { flat: true })
    return nodes.map((node) => node['node-name'])
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, 'exit')
      this.#process.kill('SIGKILL')
      await gone
    }
    await this.qmp.close()
  }

  /** An orderly end, as a machine controller does it: the marks go when QEMU has ended. */
  async quit(): Promise<void> {
    await this.kill()
    for (const { monitorFile } of this.#published) await rm(monitorFile, { force: true })
  }
}

async function connectSoon(path: string, child: ChildProcess): Promise<QmpConnection> {
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      if (existsSync(path)) return await QmpConnection.connect(path, { timeoutMs: 5_000 })
    } catch (error) {
      if (!(error instanceof QmpError) || error.class !== 'ConnectionClosed') throw error
    }
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`QEMU does not listen at ${path}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
