import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { machine, snapshotOf } from '../../bench/objects.ts'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { CsiClient } from '../../packages/server/src/csi/client.ts'
import { Fixture, testDirectory } from './fixtures.ts'
import { namespace } from './machine.ts'
import { root, Server } from './server.ts'
import { until } from './until.ts'

// The commands of the binary as processes of their own.

let fixture: Fixture
let dir: string
const children: ChildProcess[] = []

beforeAll(async () => {
  dir = await testDirectory()
  fixture = await Fixture.start(['--roles', 'apiserver,machine,volume'])
})
afterEach(async () => {
  for (const child of children.splice(0))
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
})

function stillpoint(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [join(root, 'packages/server/src/main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  return child
}

/** The first line a command prints when it is ready. */
async function ready(child: ChildProcess): Promise<string> {
  if (!child.stdout || !child.stderr) throw new Error('no output')
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const line = once(createInterface({ input: child.stdout }), 'line').then(([text]) => String(text))
  const end = once(child, 'exit').then(([code]) => {
    throw new Error(`ended with ${code}: ${complaint}`)
  })
  return Promise.race([line, end])
}

/** What a command that must fail says, and its exit code. */
async function refused(...args: string[]): Promise<string> {
  const child = stillpoint(...args)
  let complaint = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(1)
  expect(complaint.trim().split('\n')).toHaveLength(1)
  return complaint
}

test('the snapshot and restore controllers run against an API that another process serves', async () => {
  const { client, kubeconfig } = fixture.server
  await client.create(VirtualMachine, machine('vm', 'Halted', [{ name: 'data', size: '1Gi' }]))
  await until(client, VirtualMachine, { namespace, name: 'vm' }, (vm) => vm?.status?.printableStatus === 'Stopped')
  // Nobody takes snapshots yet: the request waits, untouched, for a controller to come.
  await client.create(VirtualMachineSnapshot, snapshotOf('vm', 'early'))
  const controllers = stillpoint('controllers', '--kubeconfig', kubeconfig, '--controllers', 'snapshot,restore')
  expect(await ready(controllers)).toContain('snapshot, restore')
  await fixture.snapshotReady('early')
  const restore = await fixture.restore('vm', 'early', 'back')
  expect(restore.status?.complete).toBe(true)
})

test('an action that no controller of this server offers is told as such', async () => {
  const alone = await Server.start(join(dir, 'alone'), ['--roles', 'apiserver'])
  const freeze = alone.client.call(
    {
      group: 'subresources.kubevirt.io',
      version: 'v1',
      namespace,
      resource: 'virtualmachineinstances',
      name: 'vm',
      subresource: 'freeze',
    },
    { method: 'PUT', body: { unfreezeTimeout: '5s' } },
  )
  await expect(freeze).rejects.toMatchObject({ code: 404 })
  expect(await alone.kubectl(['get', 'vm,vmsnapshot'])).toBe('')
  await alone.stop()
})

test('the storage driver alone is a plain CSI server', async () => {
  const endpoint = `unix://${join(dir, 'csi.sock')}`
  expect(await ready(stillpoint('csi-driver', '--endpoint', endpoint, '--data-dir', join(dir, 'store')))).toContain(
    endpoint,
  )
  const driver = CsiClient.connect(endpoint, { timeoutMs: 10_000 })
  expect(await driver.driverName()).toBe('layers.stillpoint.dev')
  const volume = await driver.createVolume({ name: 'v', capacityBytes: 2 ** 20 })
  const snapshot = await driver.createSnapshot({ name: 's', sourceVolumeId: volume.volumeId })
  expect(snapshot.readyToUse).toBe(true)
  await driver.deleteVolume(volume.volumeId)
  await driver.deleteSnapshot(snapshot.snapshotId)
  driver.close()
})

test('what prevents a start is said in one line, with the remedy', async () => {
  const dataDir = fixture.dataDir
  expect(await refused('up', '--data-dir', dataDir, '--listen', '127.0.0.1:0')).toMatch(
    /is in use by process \d+.*stillpoint down/,
  )
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  expect(await refused('up', '--data-dir', join(dir, 'other'), '--listen', `127.0.0.1:${port}`)).toMatch(
    /taken.*--listen/,
  )
  taken.close()
  expect(await refused('up', '--data-dir', join(dir, 'other'), '--listen', 'here')).toMatch(
    /--listen 'here' is not ADDRESS:PORT/,
  )
  expect(await refused('controllers', '--kubeconfig', join(dir, 'nothing'))).toMatch(/cannot be read/)
  expect(await refused('csi-driver', '--endpoint', 'tcp://x', '--data-dir', dir)).toMatch(/not a Unix socket/)
})

test('down stops the machines and the server', async () => {
  await fixture.server.client.patch(VirtualMachine, { namespace, name: 'vm' }, { spec: { runStrategy: 'Always' } })
  await until(
    fixture.server.client,
    VirtualMachine,
    { namespace, name: 'vm' },
    (vm) => vm?.status?.printableStatus === 'Running',
  )
  const down = stillpoint('down', '--data-dir', fixture.dataDir)
  expect(await ready(down)).toBe('virtual machines and server are stopped')
  expect(await ready(stillpoint('down', '--data-dir', fixture.dataDir))).toContain('no server was running')
})
