import { beforeAll, expect, test } from 'vitest'
import { restoreOf } from '../../bench/objects.ts'
import { Event } from '../../packages/api/src/core/event.ts'
import { VirtualMachine, VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import { restoredAnnotation, startedAnnotation, startTargetAnnotation } from '../../packages/api/src/snapshot/keys.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { parseRestored } from '../../packages/api/src/snapshot/restored.ts'
import { Fixture } from './fixtures.ts'
import { agentConnected, namespace, shellOf, stopped } from './machine.ts'
import { until } from './until.ts'

let fixture: Fixture
const vm = { namespace, name: 'vm' }

beforeAll(async () => {
  fixture = await Fixture.start()
  await fixture.boot('vm')
})

async function write(content: string): Promise<void> {
  const shell = await shellOf(fixture.server, 'vm')
  await shell.must(`echo ${content} >/data/state; sync`)
  shell.close()
}
async function read(): Promise<string> {
  const shell = await shellOf(fixture.server, 'vm')
  const content = await shell.must('cat /data/state')
  shell.close()
  return content
}
const uidOfInstance = async () => (await fixture.server.client.get(VirtualMachineInstance, vm)).metadata.uid

/** A restore that stops its target, and starts it afterwards. */
async function restart(snapshot: string, name: string): Promise<void> {
  const restore = restoreOf('vm', snapshot, name)
  await fixture.server.client.create(VirtualMachineRestore, {
    ...restore,
    metadata: { ...restore.metadata, annotations: { [startTargetAnnotation]: 'true' } },
    spec: { ...restore.spec, targetReadinessPolicy: 'StopTarget' },
  })
}
const started = (name: string): Promise<VirtualMachineRestore> =>
  until(
    fixture.server.client,
    VirtualMachineRestore,
    { namespace, name },
    (restore) => restore?.metadata.annotations?.[startedAnnotation] !== undefined && restore,
  )

test('a running VM goes back to its snapshot and runs again, with Always as before', async () => {
  const { client } = fixture.server
  await write('before')
  await fixture.snapshot('vm', 'online')
  await write('after')
  const old = await uidOfInstance()

  await restart('online', 'back')
  const { status, metadata } = await started('back')
  expect(status?.complete).toBe(true)
  await agentConnected(fixture.server, 'vm')
  expect(await read()).toBe('before')
  expect(await uidOfInstance()).not.toBe(old)
  const { spec } = await client.get(VirtualMachine, vm)
  expect(spec.runStrategy).toBe('Always')

  const { items } = await client.list(Event, { namespace })
  const told = items.filter(({ reason }) => reason === 'RestoreTargetStarted')
  expect(told.map(({ involvedObject, message }) => `${involvedObject.kind}: ${message}`).sort()).toEqual([
    'VirtualMachine: VirtualMachine vm is started after VirtualMachineRestore back: run strategy Always',
    'VirtualMachineRestore: VirtualMachine vm is started after VirtualMachineRestore back: run strategy Always',
  ])
  const snapshot = await client.get(VirtualMachineSnapshot, { namespace, name: 'online' })
  expect(parseRestored(snapshot.metadata.annotations?.[restoredAnnotation])).toMatchObject([
    { target: 'vm', restore: 'back', restoreUID: metadata.uid, time: status?.restoreTime },
  ])
})

test('one that is started by request is started once, also when the server is killed at that moment', async () => {
  await stopped(fixture.server, 'vm')
  await fixture.server.kubectl(['patch', 'vm', 'vm', '--type=merge', '-p', '{"spec":{"runStrategy":"Manual"}}'])
  const start = { group: 'subresources.kubevirt.io', version: 'v1', resource: 'virtualmachines', subresource: 'start' }
  await fixture.server.client.call({ ...start, ...vm }, { method: 'PUT', body: {} })
  await agentConnected(fixture.server, 'vm')
  await write('after')

  await restart('online', 'again')
  const complete = (restore: VirtualMachineRestore | undefined) => restore?.status?.complete === true
  await until(fixture.server.client, VirtualMachineRestore, { namespace, name: 'again' }, complete)
  await fixture.crash()
  await started('again')
  await agentConnected(fixture.server, 'vm')
  const { metadata } = await fixture.server.client.get(VirtualMachineInstance, vm)
  expect(await read()).toBe('before')
  expect((await fixture.server.client.get(VirtualMachine, vm)).spec.runStrategy).toBe('Manual')

  // Another look at everything by another server starts nothing more.
  await fixture.crash()
  await agentConnected(fixture.server, 'vm')
  expect(await uidOfInstance()).toBe(metadata.uid)
})
