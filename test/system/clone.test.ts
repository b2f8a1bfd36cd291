import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { machine } from '../../bench/objects.ts'
import { VirtualMachineClone } from '../../packages/api/src/clone/kinds.ts'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotContent } from '../../packages/api/src/storage/kinds.ts'
import { Fixture, judge, twoDisks } from './fixtures.ts'
import { agentConnected, namespace, shellOf, started } from './machine.ts'
import { root } from './server.ts'
import { spaceOf } from './space.ts'
import { until } from './until.ts'

let fixture: Fixture
const mac = '02:00:00:ab:cd:01'

/** What a guest is told apart by, as it sees it itself. */
async function identityOf(name: string): Promise<{ mac: string; uuid: string; serial: string }> {
  const shell = await shellOf(fixture.server, name)
  const read = async (file: string): Promise<string> => (await shell.must(`cat ${file}`)).trim().toLowerCase()
  const identity = {
    mac: await read('/sys/class/net/eth0/address'),
    uuid: await read('/sys/class/dmi/id/product_uuid'),
    serial: await read('/sys/class/dmi/id/product_serial'),
  }
  shell.close()
  return identity
}

const succeeded = (name: string): Promise<VirtualMachineClone> =>
  until(
    fixture.server.client,
    VirtualMachineClone,
    { namespace, name },
    (clone) => clone?.status?.phase === 'Succeeded' && !clone.status.snapshotName && clone,
  )

beforeAll(async () => {
  fixture = await Fixture.start()
  const vm = machine('my-vm', 'Always', twoDisks)
  const { spec } = vm.spec.template
  spec.domain.devices.interfaces = [{ name: 'default', macAddress: mac, masquerade: {} }]
  spec.networks = [{ name: 'default', pod: {} }]
  await fixture.server.client.create(VirtualMachine, vm)
  await agentConnected(fixture.server, 'my-vm')
})

test('a running VM is cloned with its data, and both run side by side as different machines', async () => {
  const { server } = fixture
  const shell = await shellOf(server, 'my-vm')
  await shell.must('head -c 300000 /dev/urandom >/data/precious; sync')
  const sum = await shell.must('sha256sum </data/precious')
  await shell.must('seqw -d /root.seq /data/data.seq; sleep 1')

  await server.kubectl(['create', '-f', join(root, 'examples/clone.yaml')])
  await server.kubectl(['wait', 'vmclone', 'my-vmclone', '--for', 'condition=Ready', '--timeout=60s'])
  await succeeded('my-vmclone')
  // The source went on all the while.
  const before = (JSON.parse(await shell.must('seqw --status')) as { last: number }).last
  await shell.must('sleep 1; rm /data/precious')
  expect((JSON.parse(await shell.must('seqw --stop')) as { last: number }).last).toBeGreaterThan(before)
  shell.close()

  const columns = await server.kubectl(['get', 'vmclones'])
  expect(columns).toMatch(
    /NAME +PHASE +SOURCEVIRTUALMACHINE +TARGETVIRTUALMACHINE\s+my-vmclone +Succeeded +my-vm +my-vm-copy/,
  )
  const copy = await server.client.get(VirtualMachine, { namespace, name: 'my-vm-copy' })
  expect(copy.spec.runStrategy).toBe('Halted')
  await started(server, 'my-vm-copy')

  const copied = await shellOf(server, 'my-vm-copy')
  expect(await copied.must('sha256sum </data/precious')).toBe(sum)
  expect(await judge(copied)).toMatchObject({ consistent: true })
  copied.close()

  const [one, other] = [await identityOf('my-vm'), await identityOf('my-vm-copy')]
  expect(one.mac).toBe(mac)
  for (const key of ['mac', 'uuid', 'serial'] as const) {
    expect(other[key]).not.toBe('')
    expect(other[key]).not.toBe(one[key])
  }
})

test('nothing but the copy is left', async () => {
  const { client } = fixture.server
  for (const definition of [VirtualMachineSnapshot, VirtualMachineRestore, VolumeSnapshot, VolumeSnapshotContent])
    await expect.poll(async () => (await client.list(definition)).items, { timeout: 30_000 }).toEqual([])
  expect((await client.list(PersistentVolumeClaim, { namespace })).items).toHaveLength(4)
  expect((await spaceOf(fixture.server)).snapshots).toEqual([])
})

test('the copy outlives its source, and its clone goes with it', async () => {
  const { server } = fixture
  await server.client.delete(VirtualMachine, { namespace, name: 'my-vm' })
  await until(server.client, VirtualMachine, { namespace, name: 'my-vm' }, (vm) => vm === undefined)
  const shell = await shellOf(server, 'my-vm-copy')
  await shell.must('sha256sum /data/precious; echo more >/data/more; sync')
  shell.close()
  await server.client.delete(VirtualMachine, { namespace, name: 'my-vm-copy' })
  await until(server.client, VirtualMachineClone, { namespace, name: 'my-vmclone' }, (clone) => clone === undefined)
})
