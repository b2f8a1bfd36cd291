import { Event } from '@stillpoint/api/core/event'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { failure } from '@stillpoint/api/meta/status-error'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import {
  notStartedAnnotation,
  restoredAnnotation,
  runStrategyAnnotation,
  startedAnnotation,
  startTargetAnnotation,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { parseRestored } from '@stillpoint/api/snapshot/restored'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import { bootVm, FakeStorage } from '../controller/testing/fake-guest.ts'
import { type SeededVm, seedSnapshot, seedStorage, seedVm, startRestore } from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { restoreControllers } from './controllers.ts'

let bench: Bench
let storage: FakeStorage
let process: Process
/** Start actions that were not refused. */
let starts = 0
/** What start actions are answered with. */
let refusal: Error | undefined

beforeAll(async () => {
  bench = await startBench({ admission: snapshotAdmission })
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
  bench.subresources.set('subresources.kubevirt.io/virtualmachines/stop', async ({ namespace, name }) => {
    const { spec } = await bench.client.get(VirtualMachine, { namespace, name })
    const halted = spec.running === undefined ? { runStrategy: 'Halted' } : { running: false }
    if (spec.runStrategy !== 'Manual') await bench.client.patch(VirtualMachine, { namespace, name }, { spec: halted })
    await bench.client.delete(VirtualMachineInstance, { namespace, name })
    return { code: 202 }
  })
  bench.subresources.set('subresources.kubevirt.io/virtualmachines/start', async ({ namespace, name }) => {
    if (refusal !== undefined) throw refusal
    starts += 1
    const status = { stateChangeRequests: [{ action: 'Start' }] }
    await bench.client.patch(VirtualMachine, { namespace, name }, { status }, { subresource: 'status' })
    return { code: 202 }
  })
})
afterAll(async () => {
  await storage.close()
  await bench.close()
})
beforeEach(async () => {
  starts = 0
  refusal = undefined
  process = await bench.run((context) => [restoreControllers(context)])
})
afterEach(() => process.stop())

async function snapshotted(options: Parameters<typeof seedVm>[1] = {}): Promise<SeededVm> {
  const source = await seedVm(bench, options)
  await seedSnapshot(bench, source.vm)
  return source
}
const starting = { annotations: { [startTargetAnnotation]: 'true' } }
const settled = ({ namespace }: { namespace: string }) =>
  bench.until(VirtualMachineRestore, { namespace, name: 'back' }, (restore) => {
    const { annotations = {} } = restore?.metadata ?? {}
    const isSettled = (annotations[startedAnnotation] ?? annotations[notStartedAnnotation]) !== undefined
    return isSettled && restore
  })
/** `kind type reason message` of all that is told of starts. */
async function told({ namespace }: SeededVm): Promise<string[]> {
  await process.stop()
  const { items } = await bench.client.list(Event, { namespace })
  return items
    .filter(({ reason }) => reason?.startsWith('RestoreTarget') && reason !== 'RestoreTargetNotReady')
    .map(({ involvedObject, type, reason, message }) => `${involvedObject.kind} ${type} ${reason} ${message}`)
    .sort()
}

const forms: Record<string, [spec: object, after: object]> = {
  'run strategy Always': [{ runStrategy: 'Always' }, { runStrategy: 'Always' }],
  'run strategy Once': [{ runStrategy: 'Once' }, { runStrategy: 'Once' }],
  'running: true': [{ runStrategy: null, running: true }, { running: true }],
}
test.each(Object.entries(forms))('a VM with %s is stopped, restored and has it again', async (_, [spec, after]) => {
  const source = await seedVm(bench)
  source.vm = await bench.client.patch(VirtualMachine, source, { spec })
  await seedSnapshot(bench, source.vm)
  await bootVm(bench, source)
  await startRestore(bench, source, { targetReadinessPolicy: 'StopTarget', ...starting })
  const restore = await settled(source)
  expect(restore.status?.complete).toBe(true)
  const { running, runStrategy, template } = (await bench.client.get(VirtualMachine, source)).spec
  expect({
    ...(running === undefined ? {} : { running }),
    ...(runStrategy === undefined ? {} : { runStrategy }),
  }).toEqual(after)
  expect(template.spec.volumes?.[0]?.persistentVolumeClaim?.claimName).toContain(restore.metadata.uid)
  const strategy = 'running' in after ? 'Always' : Object.values(after)[0]
  expect(restore.metadata.annotations?.[runStrategyAnnotation]).toBe(strategy)
  const said = `RestoreTargetStarted VirtualMachine my-vm is started after VirtualMachineRestore back: run strategy ${strategy}`
  expect(await told(source)).toEqual([`VirtualMachine Normal ${said}`, `VirtualMachineRestore Normal ${said}`])
})

test('a VM that is started by request is asked once', async () => {
  const source = await snapshotted({ runStrategy: 'Manual' })
  await bootVm(bench, source)
  await startRestore(bench, source, { targetReadinessPolicy: 'StopTarget', ...starting })
  await settled(source)
  await process.quiet()
  expect(starts).toBe(1)
})

test('a new VM runs as the snapshotted one did', async () => {
  const source = await snapshotted({ runStrategy: 'Always' })
  await startRestore(bench, { ...source, name: 'copy' }, starting)
  await settled(source)
  expect((await bench.client.get(VirtualMachine, { ...source, name: 'copy' })).spec.runStrategy).toBe('Always')
  expect(starts).toBe(0)
})

test('a restore that is deleted the moment it is complete still starts its target, and is in the history', async () => {
  await process.stop()
  const source = await snapshotted({ runStrategy: 'Halted' })
  const created = await startRestore(bench, source, starting)
  const ref = refOf(created)
  // Everything but what comes after.
  for (let complete = false; !complete; ) {
    const step = await bench.run((context) => [restoreControllers(context)], { writes: 1 })
    await step.quiet()
    await step.stop()
    complete = (await bench.client.get(VirtualMachineRestore, ref)).status?.complete === true
  }
  await bench.client.delete(VirtualMachineRestore, ref)
  process = await bench.run((context) => [restoreControllers(context)])
  await bench.until(VirtualMachineRestore, ref, (found) => found === undefined)
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.spec.runStrategy).toBe('Always')
  const snapshot = await bench.client.get(VirtualMachineSnapshot, { namespace: source.namespace, name: 'snap' })
  expect(parseRestored(snapshot.metadata.annotations?.[restoredAnnotation])).toEqual([
    {
      time: expect.stringMatching(/^20\d\d-.*Z$/),
      target: 'my-vm',
      targetUID: vm.metadata.uid,
      restore: 'back',
      restoreUID: created.metadata.uid,
    },
  ])
})

test('given up while its target is off, it starts it again on the disks it had', async () => {
  storage.binding = false
  const source = await snapshotted({ runStrategy: 'Always' })
  await bootVm(bench, source)
  const created = await startRestore(bench, source, { targetReadinessPolicy: 'StopTarget', ...starting })
  await bench.until(VirtualMachine, source, (vm) => vm?.status?.restoreInProgress === 'back')
  await bench.client.delete(VirtualMachineRestore, refOf(created))
  await bench.until(VirtualMachineRestore, refOf(created), (found) => found === undefined)
  storage.binding = true
  const vm = await bench.client.get(VirtualMachine, source)
  expect(vm.spec.runStrategy).toBe('Always')
  expect(vm.status?.restoreInProgress).toBeUndefined()
  expect(vm.spec.template.spec.volumes).toEqual(source.vm.spec.template.spec.volumes)
  const snapshot = await bench.client.get(VirtualMachineSnapshot, { namespace: source.namespace, name: 'snap' })
  expect(snapshot.metadata.annotations?.[restoredAnnotation]).toBeUndefined()
})

test('a start that is refused is told, and done when it is taken', async () => {
  refusal = failure(409, 'Conflict', 'the node is being drained')
  const source = await snapshotted({ runStrategy: 'Manual' })
  await startRestore(bench, source, starting)
  await bench.untilAny(Event, source.namespace, ({ reason }) => reason === 'RestoreTargetNotStarted' || undefined)
  refusal = undefined
  const { status, metadata } = await settled(source)
  // The restore itself is as complete as it was.
  expect(status?.conditions?.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
    'Progressing Operation complete',
    'Ready Operation complete',
  ])
  expect(metadata.annotations?.[startedAnnotation]).toBeDefined()
  expect(starts).toBe(1)
  const after = 'after VirtualMachineRestore back'
  const said = `RestoreTargetStarted VirtualMachine my-vm is started ${after}: a start was asked for`
  expect(await told(source)).toEqual([
    `VirtualMachine Normal ${said}`,
    `VirtualMachineRestore Normal ${said}`,
    `VirtualMachineRestore Warning RestoreTargetNotStarted VirtualMachine my-vm could not be started ${after}: the node is being drained; tried again`,
  ])
})

test('two restores of one snapshot are both in its history, however late they tell', async () => {
  const source = await snapshotted({ runStrategy: 'Halted' })
  await startRestore(bench, source)
  await startRestore(bench, { ...source, name: 'copy' }, { as: 'other' })
  const ref = { namespace: source.namespace, name: 'snap' }
  const entries = await bench.until(VirtualMachineSnapshot, ref, (snapshot) => {
    const found = parseRestored(snapshot?.metadata.annotations?.[restoredAnnotation])
    return found.length === 2 && found
  })
  expect(entries.map(({ target }) => target).sort()).toEqual(['copy', 'my-vm'])
})

test('another snapshot that has got the name is told nothing', async () => {
  await process.stop()
  const source = await snapshotted({ runStrategy: 'Halted' })
  const ref = { namespace: source.namespace, name: 'snap' }
  process = await bench.run((context) => [restoreControllers(context)])
  await startRestore(bench, source)
  await bench.until(VirtualMachineSnapshot, ref, (found) => found?.metadata.annotations?.[restoredAnnotation])
  await bench.client.delete(VirtualMachineSnapshot, ref)
  await seedSnapshot(bench, await bench.client.get(VirtualMachine, source))
  await process.quiet()
  const { metadata } = await bench.client.get(VirtualMachineSnapshot, ref)
  expect(metadata.annotations?.[restoredAnnotation]).toBeUndefined()
})
