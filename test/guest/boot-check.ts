/**
 * Boots the guest for real and tries all it promises: `node test/guest/boot-check.ts`.
 * By hand, after a change to the guest; tests of the product do not need it. Prints what it measured.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { buildGuest, guestImage } from './build.ts'

const run = promisify(execFile)
const BOOT_LIMIT_MS = 60_000
const ANSWER_LIMIT_MS = 20_000

type Json = Record<string, unknown>

/** One JSON object a line, answered in order: the way QMP and the agent speak. Events are left aside. */
class Lines {
  readonly #socket: Socket
  readonly #received: Json[] = []
  #text = ''
  #wake = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk
      for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
        const line = this.#text.slice(0, end).replace(/^\xff+|[^{]*(?=\{)/, '')
        this.#text = this.#text.slice(end + 1)
        if (line.startsWith('{')) this.#received.push(JSON.parse(line) as Json)
      }
      this.#wake()
    })
    socket.on('error', () => this.#wake())
  }

  async call(execute: string, args: Json = {}, limitMs = ANSWER_LIMIT_MS, expected?: unknown): Promise<unknown> {
    this.#received.length = 0
    this.#socket.write(`${JSON.stringify({ execute, arguments: args })}\n`)
    const deadline = Date.now() + limitMs
    for (;;) {
      const answer = this.#received.find((m) =>
        expected === undefined ? 'return' in m || 'error' in m : m.return === expected,
      )
      if (answer && 'error' in answer) throw new Error(`${execute}: ${JSON.stringify(answer.error)}`)
      if (answer) return answer.return
      if (Date.now() > deadline) throw new Error(`${execute}: no answer in ${limitMs} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}

async function open(path: string): Promise<Lines> {
  for (const deadline = Date.now() + 10_000; ; await delay(20)) {
    const socket = connect(path)
    try {
      await once(socket, 'connect')
      return new Lines(socket)
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

const machines: ChildProcess[] = []

/** A machine as the product makes one: q35, from its disk, agent on virtio-serial. */
async function boot(dir: string, extra: string[]) {
  const disk = (name: string, serial: string) => [
    ...['-drive', `if=none,id=${name},file=${join(dir, `${name}.qcow2`)},format=qcow2,cache=none`],
    ...['-device', `virtio-blk-pci,drive=${name},serial=${serial}`],
  ]
  const started = performance.now()
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...['-machine', 'q35', '-accel', 'tcg', '-m', '256', '-nodefaults', '-no-user-config', '-display', 'none'],
      ...['-chardev', `socket,id=qmp,path=${dir}/qmp,server=on,wait=off`, '-mon', 'chardev=qmp,mode=control'],
      ...['-serial', `file:${dir}/serial.log`, '-device', 'virtio-serial-pci'],
      ...['-chardev', `socket,id=qga,path=${dir}/qga,server=on,wait=off`],
      ...['-device', 'virtserialport,chardev=qga,name=org.qemu.guest_agent.0'],
      ...['-device', 'pcie-root-port,id=rp1,chassis=1'],
      ...[...disk('root', 'root'), ...disk('data', 'data'), ...disk('data2', 'data2'), ...extra],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  machines.push(qemu)
  const exited = once(qemu, 'exit')
  const qmp = await open(`${dir}/qmp`)
  await qmp.call('qmp_capabilities')
  const agent = await open(`${dir}/qga`)
  await answering(agent)
  return { qemu, exited, qmp, agent, bootMs: performance.now() - started }
}

/** The agent may answer calls given up long ago first; what follows the answer with our number is ours. */
async function answering(agent: Lines): Promise<void> {
  for (let id = 1, deadline = Date.now() + BOOT_LIMIT_MS; ; id += 1) {
    try {
      await agent.call('guest-sync', { id }, 250, id)
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

/** Runs a shell command in the guest, answers its output. */
async function sh(agent: Lines, command: string): Promise<string> {
  const { pid } = (await agent.call('guest-exec', {
    path: '/bin/sh',
    arg: ['-c', command],
    'capture-output': true,
  })) as { pid: number }
  for (const deadline = Date.now() + ANSWER_LIMIT_MS; ; await delay(20)) {
    const s = (await agent.call('guest-exec-status', { pid })) as Record<string, string | number | boolean>
    const text = (key: string) => Buffer.from(String(s[key] ?? ''), 'base64').toString()
    if (s.exited && s.exitcode !== 0)
      throw new Error(`guest: ${command}: exit ${s.exitcode}: ${text('err-data')}${text('out-data')}`)
    if (s.exited) return text('out-data')
    if (Date.now() > deadline) throw new Error(`guest: ${command}: no end`)
  }
}

async function until(what: string, test: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + ANSWER_LIMIT_MS; !(await test()); await delay(100))
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ANSWER_LIMIT_MS} ms`)
}

/** A NoCloud disk, by whichever tool for ISO 9660 is here; undefined when there is none. */
async function seedIso(dir: string): Promise<string | undefined> {
  await mkdir(join(dir, 'seed'))
  await writeFile(join(dir, 'seed/meta-data'), 'instance-id: one\nlocal-hostname: seeded\n')
  await writeFile(join(dir, 'seed/user-data'), '#!/bin/sh\necho ran >>/root/user-data-ran\n')
  for (const tool of ['genisoimage', 'mkisofs', 'xorrisofs']) {
    const args = ['-quiet', '-o', join(dir, 'seed.iso'), '-V', 'cidata', '-J', '-r', join(dir, 'seed')]
    const made = await run(tool, args).then(
      () => true,
      () => false,
    )
    if (made) return join(dir, 'seed.iso')
  }
  return undefined
}

const step = (text: string) => console.log(text)

async function check(dir: string): Promise<void> {
  await buildGuest()
  const create = (name: string, ...args: string[]) =>
    run('qemu-img', ['create', '-q', '-f', 'qcow2', ...args.slice(1), join(dir, `${name}.qcow2`), args[0] ?? '64M'])
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', guestImage, '-F', 'qcow2', join(dir, 'root.qcow2')])
  for (const name of ['data', 'data2', 'data3']) await create(name, '64M')
  const iso = await seedIso(dir)
  const seed = iso
    ? ['-drive', `if=none,id=seed,file=${iso},format=raw,readonly=on`, '-device', 'virtio-blk-pci,drive=seed']
    : []

  let vm = await boot(dir, seed)
  step(`boot to the agent's first answer: ${vm.bootMs.toFixed(0)} ms (blank disks formatted meanwhile)`)
  const mounts = await sh(vm.agent, 'cat /proc/mounts')
  for (const at of ['/', '/data', '/data2']) assert.match(mounts, new RegExp(` ${at} ext4 rw`))
  step('mounted: / /data /data2')

  if (iso) {
    await until('late start', async () => (await sh(vm.agent, 'ls /run')).includes('late.done'))
    assert.equal((await sh(vm.agent, 'hostname; cat /root/user-data-ran')).trim(), 'seeded\nran')
    step('NoCloud disk: host name set, user-data run')
  } else step('NoCloud disk: not tried, no tool here makes an ISO (genisoimage)')

  await sh(vm.agent, 'seqw -d /root/seq /data/seq /data2/seq')
  await delay(2000)
  const state = async () => JSON.parse(await sh(vm.agent, 'seqw --status')) as Record<string, number>
  step(`writer on 3 disks: ${JSON.stringify(await state())}`)
  await freezes(vm.agent)
  step(`gaps seen by the writer: ${(await sh(vm.agent, 'tail -n 12 /run/gaps')).trim().replaceAll('\n', ' | ')}`)

  await vm.qmp.call('blockdev-add', {
    ...{ driver: 'qcow2', 'node-name': 'hot' },
    file: { driver: 'file', filename: join(dir, 'data3.qcow2') },
  })
  await vm.qmp.call('device_add', { driver: 'virtio-blk-pci', drive: 'hot', serial: 'hot', id: 'hot', bus: 'rp1' })
  await until('hot-plugged disk', async () => (await sh(vm.agent, 'cat /proc/mounts')).includes(' /hot ext4 '))
  step('hot-plugged disk: formatted and mounted at /hot')

  await sh(vm.agent, 'echo kept >/data/kept')
  await vm.agent.call('guest-shutdown', { mode: 'reboot' }, 300).catch(() => {})
  const rebooted = performance.now()
  await delay(1500)
  await answering(vm.agent)
  // The old boot may still answer for a moment; the new one has a new clock.
  await until('reboot', async () => {
    if ((await sh(vm.agent, 'cat /proc/uptime; ls /run')).includes('seqw.json')) return false
    return true
  })
  step(`reboot by the agent: ${(performance.now() - rebooted).toFixed(0)} ms to the next answer`)
  assert.equal((await sh(vm.agent, 'cat /data/kept')).trim(), 'kept')
  assert.match(await sh(vm.agent, 'seqw -r /root/seq /data/seq /data2/seq'), /"consistent":true/)
  step('data disks mounted again, records on 3 disks consistent')

  await sh(vm.agent, '(sleep 0.2; agent stop) >/dev/null 2>&1 </dev/null &')
  await delay(1000)
  await assert.rejects(vm.agent.call('guest-ping', {}, 1500))
  step('agent stopped from inside')

  await timed('ACPI power button', vm, () => vm.qmp.call('system_powerdown'))
  vm = await boot(dir, seed)
  step(`second boot: ${vm.bootMs.toFixed(0)} ms`)
  if (iso) {
    await until('late start', async () => (await sh(vm.agent, 'ls /run')).includes('late.done'))
    assert.equal((await sh(vm.agent, 'cat /root/user-data-ran')).trim(), 'ran')
  }
  step(`boot log: ${(await sh(vm.agent, 'cat /run/boot.log /run/late.log')).trim().replaceAll('\n', ' | ')}`)
  await timed('guest-shutdown', vm, () => vm.agent.call('guest-shutdown', {}, 300).catch(() => {}))
}

async function freezes(agent: Lines): Promise<void> {
  const times: string[] = []
  for (let i = 0; i < 5; i += 1) {
    const t0 = performance.now()
    assert.equal(await agent.call('guest-fsfreeze-freeze'), 3)
    const t1 = performance.now()
    assert.equal(await agent.call('guest-fsfreeze-status'), 'frozen')
    const t2 = performance.now()
    assert.equal(await agent.call('guest-fsfreeze-thaw'), 3)
    times.push(`${(t1 - t0).toFixed(0)}+${(performance.now() - t2).toFixed(0)}`)
    await delay(300)
  }
  step(`freeze + thaw of 3 file systems, ms: ${times.join(', ')}`)
}

async function timed(what: string, vm: Awaited<ReturnType<typeof boot>>, act: () => Promise<unknown>): Promise<void> {
  const t0 = performance.now()
  await act()
  const end = await Promise.race([vm.exited, delay(ANSWER_LIMIT_MS, undefined, { ref: false })])
  if (!end) vm.qemu.kill('SIGKILL')
  assert.ok(end, `${what}: the machine did not go off within ${ANSWER_LIMIT_MS} ms`)
  step(`${what}: off after ${(performance.now() - t0).toFixed(0)} ms`)
  vm.qmp.close()
  vm.agent.close()
}

const dir = await mkdtemp(join(tmpdir(), 'stillpoint-guest-'))
try {
  await check(dir)
  step('all well')
} catch (error) {
  console.error(await readFile(join(dir, 'serial.log'), 'utf8').catch(() => ''))
  console.error(error)
  process.exitCode = 1
} finally {
  for (const machine of machines) machine.kill('SIGKILL')
  if (!process.argv.includes('--keep')) await rm(dir, { recursive: true, force: true })
  else console.log(`kept: ${dir}`)
}
process.exit()
