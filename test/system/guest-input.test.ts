import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { machine } from '../../bench/objects.ts'
import { VirtualMachine, VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import { isTrue } from '../../packages/api/src/meta/condition.ts'
import { DataVolume } from '../../packages/api/src/storage/cdi.ts'
import { Fixture, testDirectory } from './fixtures.ts'
import { agentConnected, namespace, shellOf } from './machine.ts'
import { guestDir, root } from './server.ts'
import { until } from './until.ts'

const run = promisify(execFile)
let fixture: Fixture
let images: string

beforeAll(async () => {
  images = await testDirectory()
  fixture = await Fixture.start(['--import-dir', images])
})

/** Imports an image into a claim of 1 GiB and waits until that has ended one way or the other. */
async function imported(name: string, image: string): Promise<DataVolume> {
  await fixture.server.client.create(VirtualMachine, machine(name, 'Halted', [{ name: 'disk', size: '1Gi', image }]))
  return until(
    fixture.server.client,
    DataVolume,
    { namespace, name: `${name}-disk` },
    (dv) => (dv?.status?.phase === 'Failed' || dv?.status?.phase === 'Succeeded') && dv,
  )
}

const messageOf = (dv: DataVolume): string =>
  dv.status?.conditions?.find(({ type, status }) => type === 'Running' && status === 'False')?.message ?? ''

const badImages: Record<string, [(path: string) => Promise<unknown>, RegExp]> = {
  'names a backing file': [
    (path) =>
      run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', join(guestDir, 'guest.qcow2'), '-F', 'qcow2', path]),
    /backing file/,
  ],
  'names an external data file': [
    (path) =>
      run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${path}.data,data_file_raw=on`, path, '10M']),
    /keeps its data in another file/,
  ],
  'is larger than its claim': [
    (path) => run('qemu-img', ['create', '-q', '-f', 'qcow2', path, '20G']),
    /20|larger|size/,
  ],
  'only begins like a qcow2 image': [
    (path) => writeFile(path, Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(9_000, 0xff)])),
    /./,
  ],
}
test.each(Object.entries(badImages))(
  'an image that %s is refused with the reason, and the VM says so',
  async (what, [make, reason]) => {
    const name = what.replaceAll(/[^a-z]/g, '').slice(0, 20)
    await make(join(images, `${name}.img`))
    const dataVolume = await imported(name, `${name}.img`)
    expect(dataVolume.status?.phase).toBe('Failed')
    expect(messageOf(dataVolume)).toMatch(reason)
    await until(
      fixture.server.client,
      VirtualMachine,
      { namespace, name },
      (vm) => vm?.status?.printableStatus === 'DataVolumeError' || undefined,
    )
    const described = await fixture.server.kubectl(['describe', 'dv', `${name}-disk`])
    expect(described).toMatch(reason)
  },
)

test('an image outside the import directories is refused like one that is not there', async () => {
  const outside = await imported('outside', join('../../../../../../..', root, 'package.json'))
  const absent = await imported('absent', 'no-such-image.qcow2')
  expect(outside.status?.phase).toBe('Failed')
  expect(messageOf(outside)).toContain('cannot be imported')
  expect(messageOf(absent)).toContain('cannot be imported')
})

test('a guest that answers garbage on the agent port counts as one without an agent, and recovers', async () => {
  await fixture.boot('vm')
  const shell = await shellOf(fixture.server, 'vm')
  await shell.must('agent stop; sleep 1')
  // Megabytes without an end of line, then half a reply and wrong ids.
  await shell.must(
    `port=/dev/virtio-ports/org.qemu.guest_agent.0; (head -c 4000000 /dev/urandom; printf '{"return": {"id": 1'; printf '\\377{"return": 7}\\n{"return": 12345}\\n{"error"}\\n') >$port & sleep 3; kill $! 2>/dev/null; true`,
  )
  await until(
    fixture.server.client,
    VirtualMachineInstance,
    { namespace, name: 'vm' },
    (vmi) => (vmi !== undefined && !isTrue(vmi.status?.conditions, 'AgentConnected')) || undefined,
  )
  const snapshot = await fixture.snapshot('vm', 'garbage')
  expect(snapshot.status?.indications?.toSorted()).toEqual(['NoGuestAgent', 'Online'])
  await shell.must('agent start')
  await agentConnected(fixture.server, 'vm')
  const again = await fixture.snapshot('vm', 'recovered')
  expect(again.status?.indications?.toSorted()).toEqual(['GuestAgent', 'Online'])
  expect(await fixture.server.kubectl(['get', '--raw', '/readyz'])).toContain('ok')
  shell.close()
})
