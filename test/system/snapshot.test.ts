import { beforeAll, describe, expect, test } from 'vitest'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotContent } from '../../packages/api/src/storage/kinds.ts'
import { Fixture, judge } from './fixtures.ts'
import { agentConnected, namespace, shellOf, started, stopped } from './machine.ts'
import { spaceOf } from './space.ts'
import { until } from './until.ts'

let fixture: Fixture

beforeAll(async () => {
  fixture = await Fixture.start()
  await fixture.boot('vm')
})

const indicationsOf = (snapshot: VirtualMachineSnapshot): string[] => [...(snapshot.status?.indications ?? [])].sort()

describe('a running VM with a writer across two disks', () => {
  test('is snapshotted with its agent, at one instant, and comes back byte for byte', async () => {
    const shell = await shellOf(fixture.server, 'vm')
    await shell.must('head -c 300000 /dev/urandom >/data/precious; sync')
    const sum = await shell.must('sha256sum </data/precious')
    await shell.must('seqw -d /root.seq /data/data.seq')

    const snapshot = await fixture.snapshot('vm', 'online')
    expect(indicationsOf(snapshot)).toEqual(['GuestAgent', 'Online'])
    expect(snapshot.status?.snapshotVolumes?.includedVolumes?.toSorted()).toEqual(['data', 'root'])
    expect(snapshot.metadata.finalizers).toContain('snapshot.kubevirt.io/vmsnapshot-protection')
    const report = await fixture.freezeReport(snapshot)
    expect(report.frozenMs).toBeGreaterThan(0)

    // Both volume snapshots were cut at the same moment, and the guest went on afterwards.
    const content = await fixture.contentOf(snapshot)
    const times = new Set(content.status?.volumeSnapshotStatus?.map(({ creationTime }) => creationTime))
    expect(times.size).toBe(1)
    const before = (JSON.parse(await shell.must('seqw --status')) as { last: number }).last
    await shell.must('sleep 1')
    expect((JSON.parse(await shell.must('seqw --status')) as { last: number }).last).toBeGreaterThan(before)
    const atSnapshot = (JSON.parse(await shell.must('seqw --stop')) as { last: number }).last

    await shell.must('rm /data/precious; dd if=/dev/zero of=/data/data.seq bs=4k count=1024 conv=notrunc; sync')
    shell.close()
    await stopped(fixture.server, 'vm')
    const restore = await fixture.restore('vm', 'online', 'back')
    expect(restore.status?.restores).toHaveLength(2)
    await started(fixture.server, 'vm')

    const again = await shellOf(fixture.server, 'vm')
    expect(await again.must('sha256sum </data/precious')).toBe(sum)
    const verdict = await judge(again)
    expect(verdict).toMatchObject({ consistent: true })
    expect(verdict.last).toBeGreaterThan(0)
    expect(verdict.last).toBeLessThan(atSnapshot)
    again.close()
  })

  test('is snapshotted without an agent at one instant as well, and says so', async () => {
    const shell = await shellOf(fixture.server, 'vm')
    await shell.must('agent stop')
    await until(
      fixture.server.client,
      VirtualMachine,
      { namespace, name: 'vm' },
      (vm) => !vm?.status?.conditions?.some(({ type }) => type === 'AgentConnected') || undefined,
    )
    await shell.must('rm -f /root.seq /data/data.seq; seqw -d /root.seq /data/data.seq; sleep 1')
    const snapshot = await fixture.snapshot('vm', 'no-agent')
    expect(indicationsOf(snapshot)).toEqual(['NoGuestAgent', 'Online'])
    await shell.must('seqw --stop; rm /root.seq /data/data.seq; sync')
    shell.close()
    await stopped(fixture.server, 'vm')
    await fixture.restore('vm', 'no-agent', 'back-no-agent')
    await started(fixture.server, 'vm')
    const again = await shellOf(fixture.server, 'vm')
    expect(await judge(again)).toMatchObject({ consistent: true })
    again.close()
  })
})

test('a stopped VM is snapshotted without indications and comes back', async () => {
  const shell = await shellOf(fixture.server, 'vm')
  await shell.must('echo before >/data/state; sync')
  shell.close()
  await stopped(fixture.server, 'vm')
  const snapshot = await fixture.snapshot('vm', 'offline')
  expect(indicationsOf(snapshot)).toEqual([])
  await started(fixture.server, 'vm')
  const changed = await shellOf(fixture.server, 'vm')
  await changed.must('echo after >/data/state; sync')
  changed.close()
  await stopped(fixture.server, 'vm')
  await fixture.restore('vm', 'offline', 'back-offline')
  await started(fixture.server, 'vm')
  const again = await shellOf(fixture.server, 'vm')
  expect(await again.must('cat /data/state')).toBe('before')
  again.close()
})

describe('deleting', () => {
  test('a snapshot before its VM frees what only it held, and leaves the VM alone', async () => {
    await fixture.snapshot('vm', 'short-lived')
    const shell = await shellOf(fixture.server, 'vm')
    await shell.must('dd if=/dev/urandom of=/data/ballast bs=1M count=20; sync')
    await fixture.server.client.delete(VirtualMachineSnapshot, { namespace, name: 'short-lived' })
    await fixture.snapshotGone('short-lived')
    await shell.must('sync; sha256sum /data/ballast')
    shell.close()
    const left = await fixture.server.client.list(VolumeSnapshot, {
      namespace,
      labelSelector: 'snapshot.kubevirt.io/source-vm-name=vm',
    })
    expect(left.items.filter((vs) => vs.metadata.name.includes('short-lived'))).toEqual([])
  })

  test('the VM before its snapshots keeps the snapshots; then nothing is left in the store', async () => {
    await stopped(fixture.server, 'vm')
    await fixture.server.client.delete(VirtualMachine, { namespace, name: 'vm' })
    await until(fixture.server.client, VirtualMachine, { namespace, name: 'vm' }, (vm) => vm === undefined || undefined)
    const kept = await fixture.snapshotReady('offline')
    expect(kept.status?.readyToUse).toBe(true)

    // The VM is made anew from its snapshot, with its data.
    await fixture.restore('vm', 'offline', 'recreate')
    await started(fixture.server, 'vm')
    await agentConnected(fixture.server, 'vm')
    const shell = await shellOf(fixture.server, 'vm')
    expect(await shell.must('cat /data/state')).toBe('before')
    shell.close()
    await stopped(fixture.server, 'vm')

    await fixture.server.client.delete(VirtualMachine, { namespace, name: 'vm' })
    for (const name of ['online', 'no-agent', 'offline']) {
      await fixture.server.client.delete(VirtualMachineSnapshot, { namespace, name })
      await fixture.snapshotGone(name)
    }
    await fixture.server.kubectl(['delete', 'pvc,dv', '--all', '--timeout=60s'])
    for (const definition of [PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotContent])
      await expect
        .poll(async () => (await fixture.server.client.list(definition)).items, { timeout: 30_000 })
        .toEqual([])
    await expect.poll(async () => (await spaceOf(fixture.server)).storeBytes, { timeout: 30_000 }).toBe(0)
  })
})
