import { beforeAll, expect, test } from 'vitest'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { PersistentVolumeClaim } from '../../packages/api/src/storage/kinds.ts'
import { until } from '../system/until.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { namespace, seedSnapshot, seedVm } from './seeds.ts'

// What goes with a VM and what stays: decided in the dialog, and true afterwards, when the garbage collector has passed.

let started: Console

beforeAll(async () => {
  started = await startConsole()
})

async function seed(name: string): Promise<void> {
  const { client } = started
  const vm = await seedVm(client, { name })
  const owner = {
    apiVersion: vm.apiVersion,
    kind: vm.kind,
    name,
    uid: vm.metadata.uid ?? '',
    blockOwnerDeletion: false,
  }
  await client.create(
    PersistentVolumeClaim,
    objectOf(
      PersistentVolumeClaim,
      { name: `${name}-root`, namespace, ownerReferences: [owner] },
      { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    ),
  )
  for (const snapshot of ['good', 'bad']) {
    const { metadata } = await seedSnapshot(client, vm, { name: `${name}-${snapshot}`, phase: 'Succeeded' })
    await client.patch(
      VirtualMachineSnapshot,
      { namespace, name: metadata.name },
      { metadata: { ownerReferences: [owner] } },
    )
  }
}

async function openDialog(name: string) {
  const page = await started.open(vmPath(name, 'overview'))
  await page.getByTestId('actions-menu-button').click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  const dialog = page.getByTestId('dialog-modal')
  await dialog.getByRole('checkbox', { name: `${name}-good` }).waitFor()
  return { page, dialog }
}

test('what is not ticked stays, although the VM owned it', async () => {
  await seed('web')
  const { page, dialog } = await openDialog('web')
  // Proposed: its own disk goes, its snapshots stay.
  expect(await dialog.getByRole('checkbox', { name: 'web-root' }).isChecked()).toBe(true)
  expect(await dialog.getByRole('checkbox', { name: 'web-good' }).isChecked()).toBe(false)
  await dialog.getByRole('checkbox', { name: 'web-bad' }).check()
  await dialog.getByRole('button', { name: /Show the command/ }).click()
  const command = (await dialog.getByTestId('command-text').textContent()) ?? ''
  expect(command.indexOf('patch')).toBeLessThan(command.indexOf('delete'))
  expect(command).toContain('web-good')
  expect(await page.evaluate('document.activeElement.dataset.test')).not.toBe('save-button')
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
  // The page of what is gone is left.
  await page.waitForURL(/kubevirt\.io~v1~VirtualMachine$/)
  const gone = <T>(object: T | undefined) => object === undefined
  await until(started.client, VirtualMachine, { namespace, name: 'web' }, gone)
  await until(started.client, VirtualMachineSnapshot, { namespace, name: 'web-bad' }, gone)
  await until(
    started.client,
    PersistentVolumeClaim,
    { namespace, name: 'web-root' },
    (claim) => claim === undefined || claim.metadata.deletionTimestamp !== undefined,
  )
  const kept = await started.client.get(VirtualMachineSnapshot, { namespace, name: 'web-good' })
  expect(kept.metadata.ownerReferences ?? []).toEqual([])
  expect(kept.metadata.deletionTimestamp).toBeUndefined()
  await page.context().close()
})

test('when a part cannot be kept, nothing is deleted, and the dialog says why', async () => {
  await seed('db')
  const { page, dialog } = await openDialog('db')
  // Somebody touches the snapshot at the last moment; the page cannot know when the button is pressed.
  await page.route('**/virtualmachinesnapshots/db-good', async (route) => {
    await started.client.patch(
      VirtualMachineSnapshot,
      { namespace, name: 'db-good' },
      { metadata: { labels: { a: 'b' } } },
    )
    await route.continue()
  })
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
  await dialog.getByText('An error occurred').waitFor()
  expect(await started.client.find(VirtualMachine, { namespace, name: 'db' })).toBeDefined()
  await page.unroute('**/virtualmachinesnapshots/db-good')
  // The watch has brought the change: now it fits.
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
  await page.waitForURL(/kubevirt\.io~v1~VirtualMachine$/)
  const kept = await started.client.get(VirtualMachineSnapshot, { namespace, name: 'db-good' })
  expect(kept.metadata.ownerReferences ?? []).toEqual([])
  await page.context().close()
})
