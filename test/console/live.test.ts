import { beforeAll, expect, test } from 'vitest'
import type { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { namespace, seedSnapshot, seedVm } from './seeds.ts'
import { Wire } from './wire.ts'

let started: Console
let vm: VirtualMachine

beforeAll(async () => {
  started = await startConsole()
  vm = await seedVm(started.client, { name: 'web', status: 'Running' })
})

test('what others do is on the screen without asking', async () => {
  const page = await started.open(vmPath('web', 'snapshots'))
  await page.getByRole('heading', { name: 'No snapshots found' }).waitFor()
  await seedSnapshot(started.client, vm, { name: 'theirs', phase: 'InProgress', minutesAgo: 0 })
  await page.getByTestId('snapshot-theirs').waitFor()
  const requests: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  const { items } = await started.client.list(VirtualMachineSnapshot, { namespace })
  const [snapshot] = items
  if (!snapshot) throw new Error('there is no snapshot')
  await started.client.updateStatus(VirtualMachineSnapshot, {
    ...snapshot,
    status: { ...snapshot.status, phase: 'Succeeded', readyToUse: true },
  })
  await page.getByTestId('snapshot-status-theirs').getByText('Succeeded').waitFor()
  await started.client.delete(VirtualMachineSnapshot, snapshot.metadata as { name: string; namespace: string })
  await page.getByRole('heading', { name: 'No snapshots found' }).waitFor()
  // By the watch that was there already: nothing of these kinds was asked for again.
  expect(requests.filter((url) => /virtualmachinesnapshots(\?|$)/.test(url))).toEqual([])
  await page.context().close()
})

test('a lost connection is shown, and mended without losing or repeating rows', async () => {
  for (const name of ['one', 'two', 'three'])
    await seedSnapshot(started.client, vm, { name, phase: 'Succeeded', achieved: 'Offline' })
  const wire = await Wire.to(started.url)
  const page = await started.open(vmPath('web', 'snapshots'), { url: wire.url })
  const rows = page.getByRole('grid', { name: 'Snapshots table' }).locator('[data-test^="snapshot-status-"]')
  await expect.poll(() => rows.count()).toBe(3)
  wire.cut()
  await page.getByTestId('connection-lost').waitFor()
  expect(await rows.count()).toBe(3)
  const gone = await started.client.list(VirtualMachineSnapshot, { namespace, fieldSelector: 'metadata.name=two' })
  for (const { metadata } of gone.items)
    await started.client.delete(VirtualMachineSnapshot, metadata as { name: string; namespace: string })
  await seedSnapshot(started.client, vm, { name: 'four', phase: 'Succeeded', achieved: 'Offline' })
  wire.mend()
  await page.getByTestId('connection-lost').waitFor({ state: 'detached' })
  await page.getByTestId('snapshot-four').waitFor()
  await page.getByTestId('snapshot-two').waitFor({ state: 'detached' })
  expect(await page.locator('[data-test^="snapshot-status-"]').count()).toBe(3)
  await page.context().close()
  wire.close()
})
