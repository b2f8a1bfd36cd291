import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import type { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { beforeRestoreAnnotation, originLabel, restoredAnnotation } from '../../packages/api/src/snapshot/keys.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { good, namespace, seedRestore, seedSnapshot, seedVm } from './seeds.ts'

// Row by row what the reference console does wrong (console specification, section 13), done right.

let started: Console
let vm: VirtualMachine
let page: Page

beforeAll(async () => {
  started = await startConsole()
  const { client } = started
  vm = await seedVm(client, {
    name: 'web',
    status: 'Running',
    volumes: [{ name: 'scratch', emptyDisk: { capacity: '1Gi' } }],
    unsupported: [{ name: 'scratch', reason: 'Snapshot is not supported for this volumeSource type [scratch]' }],
  })
  await seedVm(client, { name: 'plain' })
  await seedSnapshot(client, vm, { ...good, name: 'good', annotations: { description: 'Before the upgrade' } })
  await seedSnapshot(client, vm, { name: 'odd', phase: 'Unknown' })
  await seedSnapshot(client, vm, { name: 'pending' })
  await seedSnapshot(client, vm, { name: 'not-ready', phase: 'Succeeded', readyToUse: false })
  await seedSnapshot(client, vm, { name: 'failed', phase: 'Failed', error: 'snapshot deadline exceeded' })
  await seedSnapshot(client, vm, {
    ...good,
    name: 'late',
    achieved: 'Crash',
    frozenMs: 9_000,
    indications: ['GuestAgent', 'Online', 'QuiesceTimeout'],
  })
  await seedSnapshot(client, vm, {
    ...good,
    name: 'partial',
    indications: ['GuestAgent', 'Online', 'PartialSnapshot'],
    excluded: ['scratch'],
  })
  await seedSnapshot(client, vm, {
    name: 'no-agent',
    phase: 'Succeeded',
    achieved: 'Crash',
    indications: ['NoGuestAgent', 'Online'],
  })
  await seedSnapshot(client, vm, { ...good, name: 'former', sourceUID: '00000000-0000-0000-0000-00000000dead' })
  await seedSnapshot(client, vm, { ...good, name: 'kept', labels: { [originLabel]: 'before-restore' } })
  const doomed = await seedSnapshot(client, vm, { ...good, name: 'doomed' })
  await client.patch(
    VirtualMachineSnapshot,
    { namespace, name: 'doomed' },
    { metadata: { finalizers: ['example.com/held'] } },
  )
  await client.delete(VirtualMachineSnapshot, doomed.metadata as { name: string; namespace: string })
  page = await started.open(vmPath('web', 'snapshots'))
  await page.getByTestId('snapshot-good').waitFor()
})

const status = (name: string) => page.getByTestId(`snapshot-status-${name}`)
const row = (name: string) => page.locator('tr').filter({ has: page.getByTestId(`snapshot-${name}`) })

async function menuItem(name: string, item: string) {
  await page.locator(`#snapshot-actions-${name}`).click()
  return page.getByRole('menuitem', { name: item })
}

async function openDialog(name: string, item: string) {
  await (await menuItem(name, item)).click()
  const dialog = page.getByTestId('dialog-modal')
  await dialog.waitFor()
  return dialog
}

async function close(): Promise<void> {
  await page.getByTestId('cancel-button').click()
  await page.getByTestId('dialog-modal').waitFor({ state: 'detached' })
}

async function take() {
  await page.locator('button', { hasText: /take snapshot/i }).click()
  const dialog = page.getByTestId('dialog-modal')
  await dialog.waitFor()
  return dialog
}

describe('status', () => {
  test('1: only what succeeded and is ready is green', async () => {
    for (const [name, text] of [
      ['odd', 'Unknown'],
      ['pending', 'Pending'],
      ['doomed', 'Deleting'],
    ] as const) {
      await status(name).getByText(text).first().waitFor()
      expect(await status(name).getByTestId('success-icon').count(), name).toBe(0)
    }
    expect(await status('not-ready').getByTestId('success-icon').count()).toBe(0)
    expect(await status('good').getByTestId('success-icon').count()).toBe(1)
  })

  test('2: what means less than it seems is not harmless blue, and one word of consistency stands first', async () => {
    for (const [name, label] of [
      ['late', 'QuiesceTimeout'],
      ['partial', 'PartialSnapshot'],
    ] as const) {
      const shown = row(name).locator('.pf-v6-c-label', { hasText: label })
      await shown.waitFor()
      expect(await shown.getAttribute('class')).toMatch(/pf-m-(yellow|orange|red|warning|danger)/)
    }
    await row('good').getByText('Application-consistent').waitFor()
    await row('late').getByText('Crash-consistent').waitFor()
    await row('partial').getByText('Incomplete').waitFor()
  })

  test('3: what the guest agent did is said, with how long the guest stood still', async () => {
    await row('good')
      .getByRole('button', { name: /details/i })
      .click()
    await page
      .getByText(/Frozen 0\.4 s, thaw verified/)
      .first()
      .waitFor()
    await row('good')
      .getByRole('button', { name: /details/i })
      .click()
    await row('no-agent')
      .getByRole('button', { name: /details/i })
      .click()
    await page
      .getByText(/Not frozen/)
      .first()
      .waitFor()
    await row('no-agent')
      .getByRole('button', { name: /details/i })
      .click()
  })

  test('12: why a snapshot failed stands in its row', async () => {
    await status('failed').getByText('snapshot deadline exceeded').waitFor()
  })

  test('16: the snapshots of a former VM of the same name stand apart', async () => {
    await page.getByRole('heading', { name: /former/i }).waitFor()
    const main = page.getByRole('grid', { name: 'Snapshots table' })
    expect(await main.getByTestId('snapshot-former').count()).toBe(0)
    expect(await page.getByTestId('snapshot-former').count()).toBe(1)
  })

  test('17: description, origin and size are in the list', async () => {
    for (const column of ['Consistency', 'Size', 'Origin', 'Description'])
      await page.getByRole('columnheader', { name: column }).first().waitFor()
    await row('good').getByText('Before the upgrade').waitFor()
    await row('kept')
      .getByText(/before.restore/i)
      .first()
      .waitFor()
  })
})

describe('taking', () => {
  test('4: a deadline is a decimal number, and none is a choice of its own', async () => {
    await take()
    const deadline = page.locator('#deadline')
    for (const [text, error] of [
      ['0', 'Deadline must be greater than 0'],
      ['1e3', 'Deadline must be a number'],
      ['0x10', 'Deadline must be a number'],
      ['Infinity', 'Deadline must be a number'],
      ['soon', 'Deadline must be a number'],
    ] as const) {
      await deadline.fill(text)
      await page.getByText(error).waitFor()
      expect(await page.getByTestId('save-button').isDisabled(), text).toBe(true)
    }
    await deadline.fill('90')
    await expect.poll(() => page.getByText(/Deadline must/).count()).toBe(0)
    await page.getByRole('checkbox', { name: /no deadline/i }).waitFor()
    await close()
  })

  test('5: a name that is taken is told while it is typed', async () => {
    await take()
    await page.locator('#name').fill('good')
    await page
      .getByText(/already/)
      .first()
      .waitFor()
    expect(await page.getByTestId('save-button').isDisabled()).toBe(true)
    await close()
  })

  test('15: what is made anew anyway is no warning; lost data needs the tick', async () => {
    const dialog = await take()
    await dialog.getByText('Recreated automatically').waitFor()
    await dialog.getByText('The following disk(s) will not be included in the snapshot').waitFor()
    const warning = dialog.locator('.pf-v6-c-alert', { hasText: 'will not be included' })
    expect(await warning.getByText('cloudinit').count()).toBe(0)
    await warning.getByText('scratch', { exact: true }).waitFor()
    const tick = dialog.getByRole('checkbox', { name: 'I am aware of this warning and wish to proceed' })
    expect(await page.getByTestId('save-button').isDisabled()).toBe(true)
    await tick.check()
    await expect.poll(() => page.getByTestId('save-button').isEnabled()).toBe(true)
    await close()
    const plain = await started.open(vmPath('plain', 'snapshots'))
    await plain.locator('button', { hasText: /take snapshot/i }).click()
    await plain.getByTestId('dialog-modal').waitFor()
    expect(await plain.getByText('I am aware of this warning').count()).toBe(0)
    await expect.poll(() => plain.getByTestId('save-button').isEnabled()).toBe(true)
    await plain.context().close()
  })

  test('19: at midnight the hour of a generated name is 00', async () => {
    const context = await started.context()
    const midnight = await context.newPage()
    await midnight.goto(await started.link(context))
    await midnight.getByTestId('user-menu').waitFor()
    await midnight.clock.setFixedTime(new Date('2026-03-01T23:30:05Z'))
    await midnight.goto(vmPath('plain', 'snapshots'))
    await midnight.locator('button', { hasText: /take snapshot/i }).click()
    // Half past midnight in Berlin, which this browser believes to be in.
    expect(await midnight.locator('#name').inputValue()).toBe('plain-snapshot-20260302-003005')
    await context.close()
  })

  test('14: of several, each has its own result, and only what failed is tried again', async () => {
    const context = await started.context()
    const bulk = await context.newPage()
    await bulk.goto(await started.link(context))
    await bulk.getByTestId('user-menu').waitFor()
    await bulk.goto('/k8s/ns/default/kubevirt.io~v1~VirtualMachine')
    for (const name of ['plain', 'web']) await bulk.getByRole('row', { name }).getByRole('checkbox').check()
    await bulk.getByTestId('actions-dropdown').click()
    await bulk.getByTestId('selected-vms-action-snapshot').click()
    const dialog = bulk.getByTestId('dialog-modal')
    await bulk.locator('#suffix').fill('nightly')
    const tick = dialog.getByRole('checkbox', { name: 'I am aware of this warning and wish to proceed' })
    if ((await tick.count()) > 0) await tick.check()
    // The network fails for one of them, once.
    let failed = 0
    await bulk.route('**/virtualmachinesnapshots', async (route) => {
      const wanted = route.request().postDataJSON() as { spec: { source: { name: string } } } | null
      if (route.request().method() === 'POST' && wanted?.spec.source.name === 'web' && failed++ === 0)
        await route.abort()
      else await route.continue()
    })
    await bulk.getByTestId('save-button').click()
    await dialog
      .getByText(/failed|could not|cannot be reached/i)
      .first()
      .waitFor()
    const count = async (): Promise<number> =>
      (await started.client.list(VirtualMachineSnapshot, { namespace })).items.filter(({ metadata }) =>
        metadata.name.endsWith('-nightly'),
      ).length
    // The other one may still be on its way.
    await expect.poll(count).toBe(1)
    await dialog.getByRole('button', { name: /retry/i }).click()
    await expect.poll(count).toBe(2)
    await context.close()
  })
})

describe('restoring', () => {
  test('6: a running VM is no obstacle: the dialog offers to stop it', async () => {
    const dialog = await openDialog('good', 'Restore VirtualMachine from snapshot')
    await expect.poll(() => dialog.getByRole('checkbox', { name: /stop/i }).isChecked()).toBe(true)
    await close()
  })

  test('7: a failed snapshot can be restored from nowhere, and the reason is told', async () => {
    const item = await menuItem('failed', 'Restore VirtualMachine from snapshot')
    expect(await item.getAttribute('aria-disabled')).toBe('true')
    expect(await item.textContent()).toMatch(/failed/i)
    await page.keyboard.press('Escape')
    const overview = await started.open(vmPath('web', 'overview'))
    const card = overview.getByTestId('virtual-machine-overview-snapshots')
    await card.waitFor()
    const kebab = overview.locator('#snapshot-actions-failed')
    if ((await kebab.count()) > 0) {
      await kebab.click()
      expect(await overview.getByRole('menuitem', { name: /Restore/ }).getAttribute('aria-disabled')).toBe('true')
    }
    await overview.context().close()
  })

  test('8: the dialog says what is replaced, and that the present state is kept', async () => {
    const dialog = await openDialog('good', 'Restore VirtualMachine from snapshot')
    await dialog
      .getByText(/Changes made since/)
      .first()
      .waitFor()
    await dialog.getByText(/24 h/).first().waitFor()
    expect(await dialog.getByText('data from the last snapshot taken will be lost').count()).toBe(0)
    await close()
  })

  test('10: a restore at work and a failed one are seen in the tab', async () => {
    await seedRestore(started.client, vm, { name: 'restore-waiting', snapshot: 'good', state: 'waiting' })
    const banner = page.getByTestId('restore-banner')
    await banner.getByText('good').first().waitFor()
    // One at a time: the API refuses a second restore of the same target.
    await started.client.delete(VirtualMachineRestore, { namespace, name: 'restore-waiting' })
    await seedRestore(started.client, vm, {
      name: 'restore-broken',
      snapshot: 'late',
      state: 'failed',
      message: 'exceeded quota: claims',
    })
    await page.getByText('exceeded quota: claims').first().waitFor()
    await started.client.delete(VirtualMachineRestore, { namespace, name: 'restore-broken' })
  })

  test('11: when it was last restored is known after the restore is gone', async () => {
    const entry = {
      time: new Date(Date.now() - 7_200_000).toISOString(),
      target: 'web',
      targetUID: vm.metadata.uid,
      restore: 'gone',
      restoreUID: 'gone',
    }
    await started.client.patch(
      VirtualMachineSnapshot,
      { namespace, name: 'late' },
      { metadata: { annotations: { [restoredAnnotation]: JSON.stringify([entry]) } } },
    )
    await row('late').getByText('2 hours ago').waitFor()
  })

  test('undo: what was before a restore can be gone back to', async () => {
    await seedRestore(started.client, vm, {
      name: 'restore-done',
      snapshot: 'good',
      state: 'complete',
      annotations: { [beforeRestoreAnnotation]: 'kept' },
    })
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByTestId('dialog-modal').getByText('kept').first().waitFor()
    await close()
  })
})

describe('deleting', () => {
  test('18: the dialog says what is lost, and refuses what is in use', async () => {
    const dialog = await openDialog('partial', 'Delete snapshot')
    await dialog
      .getByText(/cannot be undone|lost/i)
      .first()
      .waitFor()
    await close()
    await seedRestore(started.client, vm, { name: 'restore-using', snapshot: 'partial', state: 'working' })
    const used = await openDialog('partial', 'Delete snapshot')
    await used
      .getByText(/restore-using/)
      .first()
      .waitFor()
    await expect.poll(() => page.getByTestId('save-button').isDisabled()).toBe(true)
    await close()
    await started.client.delete(VirtualMachineRestore, { namespace, name: 'restore-using' })
  })

  test('13: the dialog that deletes a VM says which snapshots go with it', async () => {
    const context = await started.open(vmPath('web', 'overview'))
    await context.getByTestId('actions-menu-button').click()
    await context.getByRole('menuitem', { name: 'Delete' }).click()
    const dialog = context.getByTestId('dialog-modal')
    await dialog.getByRole('checkbox', { name: /good/ }).waitFor()
    await context.context().close()
  })
})

test('9: the restore keeps names by InPlace, and says that nothing is destroyed before its replacement is there', async () => {
  const dialog = await openDialog('good', 'Restore VirtualMachine from snapshot')
  await dialog.getByRole('button', { name: /Show the command/ }).click()
  await dialog.getByText(/volumeRestorePolicy: InPlace/).waitFor()
  await close()
})
