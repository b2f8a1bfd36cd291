import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { machine, restoreOf, snapshotOf } from '../../bench/objects.ts'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { freezeReportAnnotation } from '../../packages/api/src/snapshot/keys.ts'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '../../packages/api/src/snapshot/kinds.ts'
import { contentName } from '../../packages/api/src/snapshot/names.ts'
import type { GuestShell } from './guest-shell.ts'
import { agentConnected, namespace } from './machine.ts'
import { Server } from './server.ts'
import { until } from './until.ts'

export const twoDisks = [
  { name: 'root', size: '1Gi', image: 'guest.qcow2' },
  { name: 'data', size: '1Gi' },
]

// Registered while the file is read: what a hook registers in its turn is never called.
const cleanups: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const clean of cleanups.toReversed()) await clean()
})

/** A directory that goes when the file's tests have ended, unless one of them failed and KEEP_TEST_DATA is set. */
export async function testDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sp-'))
  cleanups.push(async () => {
    if (process.env.KEEP_TEST_DATA === undefined) await rm(dir, { recursive: true, force: true })
  })
  return dir
}

/** A server for all tests of a file; its virtual machines are stopped with it. */
export class Fixture {
  server: Server
  readonly dataDir: string

  private constructor(dataDir: string, server: Server) {
    this.dataDir = dataDir
    this.server = server
  }

  static async start(args: readonly string[] = []): Promise<Fixture> {
    const dataDir = join(await testDirectory(), 'data')
    const fixture = new Fixture(dataDir, await Server.start(dataDir, args))
    cleanups.push(() => fixture.server.stop('SIGUSR2'))
    return fixture
  }

  /** `kill -9`, and a new server on the same data. */
  async crash(): Promise<void> {
    await this.server.stop('SIGKILL')
    this.server = await Server.start(this.dataDir)
  }

  async boot(name: string): Promise<void> {
    await this.server.client.create(VirtualMachine, machine(name, 'Always', twoDisks))
    await agentConnected(this.server, name)
  }

  /** Creates a snapshot and waits until it is ready to use. */
  async snapshot(vm: string, name: string): Promise<VirtualMachineSnapshot> {
    await this.server.client.create(VirtualMachineSnapshot, snapshotOf(vm, name))
    return this.snapshotReady(name)
  }

  snapshotReady(name: string, timeoutMs?: number): Promise<VirtualMachineSnapshot> {
    return until(
      this.server.client,
      VirtualMachineSnapshot,
      { namespace, name },
      (s) => s?.status?.phase === 'Succeeded' && s.status.readyToUse === true && s,
      timeoutMs,
    )
  }

  snapshotGone(name: string): Promise<true> {
    return until(this.server.client, VirtualMachineSnapshot, { namespace, name }, (s) => s === undefined || undefined)
  }

  async restore(vm: string, snapshot: string, name: string): Promise<VirtualMachineRestore> {
    await this.server.client.create(VirtualMachineRestore, restoreOf(vm, snapshot, name))
    return until(
      this.server.client,
      VirtualMachineRestore,
      { namespace, name },
      (r) => r?.status?.complete === true && r,
    )
  }

  contentOf(snapshot: VirtualMachineSnapshot): Promise<VirtualMachineSnapshotContent> {
    return this.server.client.get(VirtualMachineSnapshotContent, {
      namespace,
      name: contentName(snapshot.metadata.uid ?? ''),
    })
  }

  async freezeReport(snapshot: VirtualMachineSnapshot): Promise<Record<string, unknown>> {
    const content = await this.contentOf(snapshot)
    return JSON.parse(content.metadata.annotations?.[freezeReportAnnotation] ?? '{}') as Record<string, unknown>
  }
}

export interface Verdict {
  consistent: boolean
  last: number
  spread: number
}

/** What the sequence writer's own check says of both disks. */
export async function judge(shell: GuestShell): Promise<Verdict> {
  const { output } = await shell.run('seqw -r /root.seq /data/data.seq')
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Verdict
}
