import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { machine } from '../../bench/objects.ts'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineRestore } from '../../packages/api/src/snapshot/kinds.ts'
import { roles } from '../../packages/server/src/cli/roles.ts'
import { twoDisks } from '../system/fixtures.ts'
import { agentConnected, namespace, shellOf } from '../system/machine.ts'
import { until } from '../system/until.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { chooseByKeys, tabTo } from './keyboard.ts'

// The main job with a real guest, through the browser alone: a snapshot of the running machine, its data destroyed, a
// restore that stops and starts it, the data back.

let started: Console

beforeAll(async () => {
  started = await startConsole(roles.join(','))
  await started.client.create(VirtualMachine, machine('web', 'Always', twoDisks))
  await agentConnected(started.server, 'web')
})

const restoreItem = 'Restore VirtualMachine from snapshot'

async function precious(): Promise<string> {
  const shell = await shellOf(started.server, 'web')
  await shell.must('head -c 300000 /dev/urandom >/data/precious; sync')
  const sum = await shell.must('sha256sum </data/precious')
  shell.close()
  return sum
}

async function destroy(): Promise<void> {
  const shell = await shellOf(started.server, 'web')
  await shell.must('rm /data/precious; sync')
  expect((await shell.run('test -e /data/precious')).code).not.toBe(0)
  shell.close()
}

/** Waits until the restore of this snapshot is complete and the VM runs again, and reads what the guest has. */
async function dataAfterRestore(page: Page, snapshot: string): Promise<string> {
  const restores = await started.client.list(VirtualMachineRestore, { namespace })
  const restore = restores.items.find(({ spec }) => spec.virtualMachineSnapshotName === snapshot)
  if (!restore) throw new Error(`there is no restore of ${snapshot}`)
  await until(
    started.client,
    VirtualMachineRestore,
    { namespace, name: restore.metadata.name },
    (object) => object?.status?.complete === true,
  )
  await until(
    started.client,
    VirtualMachine,
    { namespace, name: 'web' },
    (vm) => vm?.status?.printableStatus === 'Running' && !vm.status.restoreInProgress,
  )
  await agentConnected(started.server, 'web')
  await expect
    .poll(() =>
      page
        .getByRole('row', { name: snapshot })
        .getByText(/ago|just now/)
        .count(),
    )
    .toBeGreaterThan(1)
  const shell = await shellOf(started.server, 'web')
  const sum = await shell.must('sha256sum </data/precious')
  shell.close()
  return sum
}

describe('a running VM', () => {
  test('is snapshotted, loses its data, and gets it back from the restore dialog', async () => {
    const sum = await precious()
    const page = await started.open(vmPath('web', 'snapshots'))
    await page.getByRole('button', { name: 'Take snapshot' }).click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByText('Taking snapshot of running VirtualMachine.').waitFor()
    await dialog.getByRole('textbox', { name: 'Name' }).fill('before')
    await dialog.getByTestId('save-button').click()
    await dialog.waitFor({ state: 'detached' })

    const row = page.getByRole('row', { name: 'before' })
    await row.getByTestId('snapshot-status-before').getByText('Succeeded').waitFor()
    await row.getByText('GuestAgent', { exact: true }).waitFor()
    await row.getByText('Online', { exact: true }).waitFor()
    await row.getByText('Application-consistent').waitFor()
    await destroy()

    await page.locator('#snapshot-actions-before').click()
    await page.getByRole('menuitem', { name: restoreItem }).click()
    await expect.poll(() => dialog.getByRole('checkbox', { name: /start/i }).isChecked()).toBe(true)
    await dialog.getByRole('button', { name: 'Restore', exact: true }).click()
    // The way there is on the screen while it is gone.
    await page.getByTestId('restore-banner').waitFor()
    await dialog.waitFor({ state: 'detached', timeout: 60_000 })
    expect(await dataAfterRestore(page, 'before')).toBe(sum)
    await page
      .getByText(/before-restore/)
      .first()
      .waitFor()
    await page.context().close()
  })

  test('all of it by keyboard alone', async () => {
    const sum = await precious()
    const page = await started.open(vmPath('web', 'snapshots'))
    await tabTo(page, page.getByRole('button', { name: 'Take snapshot' }))
    await page.keyboard.press('Enter')
    const dialog = page.getByTestId('dialog-modal')
    const name = dialog.getByRole('textbox', { name: 'Name' })
    await tabTo(page, name)
    await page.keyboard.press('Control+a')
    await page.keyboard.type('by-keys')
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    await page.getByTestId('snapshot-status-by-keys').getByText('Succeeded').waitFor()
    await destroy()

    await tabTo(page, page.locator('#snapshot-actions-by-keys'))
    await page.keyboard.press('Enter')
    await chooseByKeys(page, page.getByRole('menuitem', { name: restoreItem }))
    const restore = dialog.getByRole('button', { name: 'Restore', exact: true })
    await expect.poll(() => restore.isEnabled()).toBe(true)
    await tabTo(page, restore)
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached', timeout: 60_000 })
    expect(await dataAfterRestore(page, 'by-keys')).toBe(sum)
    await page.context().close()
  })
})
