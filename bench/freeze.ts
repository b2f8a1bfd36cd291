import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { VirtualMachine } from '../packages/api/src/kubevirt/kinds.ts'
import { freezeReportAnnotation } from '../packages/api/src/snapshot/keys.ts'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '../packages/api/src/snapshot/kinds.ts'
import { contentName } from '../packages/api/src/snapshot/names.ts'
import { GuestAgent } from '../packages/server/src/qemu/guest-agent.ts'
import { QmpConnection } from '../packages/server/src/qemu/qmp.ts'
import { GuestShell } from '../test/system/guest-shell.ts'
import { agentConnected, namespace, shellOf } from '../test/system/machine.ts'
import { guestDir, Server } from '../test/system/server.ts'
import { until } from '../test/system/until.ts'
import { machine, snapshotOf } from './objects.ts'
import { type Line, summarize } from './table.ts'

const run = promisify(execFile)

/**
 * How long a writer in the guest stands still for one snapshot of two disks. The floor is a bare script on a guest of
 * the same kind in the same run: freeze, one QMP transaction over prepared overlays, thaw. The two take turns.
 */
export async function benchFreeze(dir: string, runs: number): Promise<Line[]> {
  const bare = await BareGuest.boot(dir)
  const server = await Server.start(join(dir, 'data'))
  try {
    await server.client.create(
      VirtualMachine,
      machine('vm', 'Always', [
        { name: 'root', size: '1Gi', image: 'guest.qcow2' },
        { name: 'data', size: '1Gi' },
      ]),
    )
    await agentConnected(server, 'vm')
    const shell = await shellOf(server, 'vm')
    const floor: number[] = []
    const ours: number[] = []
    const frozen: number[] = []
    for (let i = 0; i < runs; i += 1) {
      await bare.prepare(i)
      floor.push(await longestGap(bare.shell, () => bare.snapshot(i)))
      ours.push(
        await longestGap(shell, async () => {
          frozen.push(await snapshot(server, `s-${i}`))
        }),
      )
      await server.client.delete(VirtualMachineSnapshot, { namespace, name: `s-${i}` })
    }
    shell.close()
    const [low, high] = [summarize(floor), summarize(ours)]
    const ratio = high.median / low.median
    return [
      { what: 'writer stands still, bare freeze-transaction-thaw (floor)', unit: 'ms', summary: low },
      { what: '  of that: freeze', unit: 'ms', summary: summarize(bare.freezeMs) },
      { what: '  transaction', unit: 'ms', summary: summarize(bare.cutMs) },
      { what: '  thaw', unit: 'ms', summary: summarize(bare.thawMs) },
      {
        what: 'writer stands still, VirtualMachineSnapshot of 2 disks',
        unit: 'ms',
        summary: high,
        aim: { text: `≤ 1.5 × floor (is ${ratio.toFixed(2)} ×)`, met: ratio <= 1.5 },
      },
      { what: '  frozen → thaw confirmed, as reported', unit: 'ms', summary: summarize(frozen) },
    ]
  } finally {
    await server.stop('SIGUSR2')
    await bare.end()
  }
}

/** The longest time between two synchronous writes of a writer in the guest while `action` runs. */
async function longestGap(shell: GuestShell, action: () => Promise<void>): Promise<number> {
  await shell.must('seqw -d -g 1000 /root.seq /data/data.seq')
  await sleep(500)
  await action()
  await sleep(200)
  const state = JSON.parse(await shell.must('seqw --stop')) as { maxGapMs: number; error: string }
  if (state.error !== '') throw new Error(`writer in the guest: ${state.error}`)
  return state.maxGapMs
}

async function snapshot(server: Server, name: string): Promise<number> {
  const made = await server.client.create(VirtualMachineSnapshot, snapshotOf('vm', name))
  await until(server.client, VirtualMachineSnapshot, { namespace, name }, (s) => s?.status?.readyToUse === true)
  const content = await server.client.get(VirtualMachineSnapshotContent, {
    namespace,
    name: contentName(made.metadata.uid ?? ''),
  })
  const report = JSON.parse(content.metadata.annotations?.[freezeReportAnnotation] ?? '{}') as { frozenMs?: number }
  if (report.frozenMs === undefined) throw new Error(`snapshot ${name} carries no measured freeze`)
  return report.frozenMs
}

/** A guest of the same kind under a bare QEMU, driven by nothing but its monitor and its agent. */
class BareGuest {
  readonly shell: GuestShell
  readonly freezeMs: number[] = []
  readonly cutMs: number[] = []
  readonly thawMs: number[] = []
  readonly #dir: string
  readonly #child: ChildProcess
  readonly #qmp: QmpConnection
  readonly #agent: GuestAgent

  private constructor(dir: string, child: ChildProcess, qmp: QmpConnection, agent: GuestAgent, shell: GuestShell) {
    this.#dir = dir
    this.#child = child
    this.#qmp = qmp
    this.#agent = agent
    this.shell = shell
  }

  static async boot(dir: string): Promise<BareGuest> {
    const image = (name: string): string => join(dir, `${name}.qcow2`)
    const options = ['create', '-q', '-f', 'qcow2', '-o', 'extended_l2=on']
    await run('qemu-img', [...options, '-b', join(guestDir, 'guest.qcow2'), '-F', 'qcow2', image('root-top'), '1G'])
    await run('qemu-img', [...options, image('data-top'), '1G'])
    const socket = (id: string, extra = ''): string[] => [
      '-chardev',
      `socket,id=${id},path=${join(dir, id)},server=on,wait=off${extra}`,
    ]
    const disk = (name: string): string[] => [
      ...[
        '-blockdev',
        `driver=qcow2,node-name=${name}-top,discard=unmap,file.driver=file,file.filename=${image(`${name}-top`)},cache.direct=on,file.cache.direct=on`,
      ],
      ...['-device', `virtio-blk-pci,drive=${name}-top,serial=${name}`],
    ]
    const child = spawn(
      'qemu-system-x86_64',
      [
        // The machine that stillpoint gives a guest under emulation.
        ...['-machine', 'pc-q35-7.2', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-m', '256'],
        ...['-nodefaults', '-no-user-config', '-display', 'none'],
        ...socket('qmp'),
        '-mon',
        'chardev=qmp,mode=control',
        ...socket('serial'),
        '-serial',
        'chardev:serial',
        ...socket('agent'),
        '-device',
        'virtio-serial-pci',
        '-device',
        'virtserialport,chardev=agent,name=org.qemu.guest_agent.0',
        ...disk('root'),
        ...disk('data'),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    while (!existsSync(join(dir, 'agent'))) {
      if (child.exitCode !== null) throw new Error(`bare QEMU ended with ${child.exitCode}`)
      await sleep(20)
    }
    const shell = await GuestShell.connect(join(dir, 'serial'))
    const qmp = await QmpConnection.connect(join(dir, 'qmp'), { timeoutMs: 5_000 })
    const agent = await GuestAgent.attach(join(dir, 'agent'), { timeoutMs: 5_000 })
    await agent.sync()
    return new BareGuest(dir, child, qmp, agent, shell)
  }

  async prepare(i: number): Promise<void> {
    for (const name of ['root', 'data']) {
      const file = join(this.#dir, `${name}-${i}.qcow2`)
      const below = i === 0 ? `${name}-top` : `${name}-${i - 1}`
      await run('qemu-img', [
        'create',
        '-q',
        '-f',
        'qcow2',
        '-o',
        'extended_l2=on',
        '-b',
        join(this.#dir, `${below}.qcow2`),
        '-F',
        'qcow2',
        file,
        '1G',
      ])
      await this.#qmp.execute('blockdev-add', {
        driver: 'qcow2',
        'node-name': `${name}-${i}`,
        backing: null,
        discard: 'unmap',
        cache: { direct: true },
        file: { driver: 'file', filename: file, cache: { direct: true } },
      })
    }
  }

  async snapshot(i: number): Promise<void> {
    const began = performance.now()
    await this.#agent.freeze({ timeoutMs: 10_000 })
    const frozen = performance.now()
    const node = (name: string): string => (i === 0 ? `${name}-top` : `${name}-${i - 1}`)
    await this.#qmp.execute('transaction', {
      actions: ['root', 'data'].map((name) => ({
        type: 'blockdev-snapshot',
        data: { node: node(name), overlay: `${name}-${i}` },
      })),
    })
    const cut = performance.now()
    await this.#agent.thaw()
    this.freezeMs.push(frozen - began)
    this.cutMs.push(cut - frozen)
    this.thawMs.push(performance.now() - cut)
  }

  async end(): Promise<void> {
    this.shell.close()
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await ended
  }
}
