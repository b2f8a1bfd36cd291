import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { Event } from '../../packages/api/src/core/event.ts'
import type { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { type Console, snapshotPath, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { good, namespace, seedRestore, seedSnapshot, seedVm } from './seeds.ts'

// What a person does with many snapshots, and with one: the tab of a VM, the page of all, the page of one.

let started: Console
let web: VirtualMachine
const fleet = '/k8s/all-namespaces/snapshot.kubevirt.io~v1beta1~VirtualMachineSnapshot'

beforeAll(async () => {
  started = await startConsole()
  const { client } = started
  web = await seedVm(client, { name: 'web', status: 'Running' })
  await seedSnapshot(client, web, { ...good, name: 'monday', annotations: { description: 'Before the move' } })
  await seedSnapshot(client, web, { ...good, name: 'tuesday', labels: { tier: 'gold' } })
  await seedSnapshot(client, web, { name: 'broken', phase: 'Failed', error: 'no space left on device' })
  await seedSnapshot(
    client,
    { ...web, metadata: { ...web.metadata, name: 'gone', uid: 'gone' } },
    { ...good, name: 'orphan' },
  )
})

const names = (page: Page): Promise<(string | undefined)[]> =>
  page
    .locator('[data-test^="snapshot-status-"]')
    .evaluateAll((cells) => cells.map((cell) => cell.getAttribute('data-test')?.slice('snapshot-status-'.length)))
const openTab = async (look = {}): Promise<Page> => {
  const page = await started.open(vmPath('web', 'snapshots'), look)
  await page.getByTestId('snapshot-monday').waitFor()
  return page
}

describe('the tab of a VM', () => {
  test('is sorted as its address says', async () => {
    const page = await openTab()
    expect(await names(page)).toEqual(['broken', 'monday', 'tuesday'])
    await page.getByRole('button', { name: 'Name', exact: true }).first().click()
    await expect.poll(() => names(page)).toEqual(['tuesday', 'monday', 'broken'])
    await page.waitForURL(/sort=-name/)
    await page.reload()
    await page.getByTestId('snapshot-monday').waitFor()
    expect(await names(page)).toEqual(['tuesday', 'monday', 'broken'])
    await page.context().close()
  })

  test('finds by label', async () => {
    const page = await openTab()
    await page.getByRole('button', { name: 'Search by name' }).click()
    await page.getByRole('option', { name: 'Label' }).click()
    await page.getByRole('textbox', { name: 'Label' }).fill('tier=gold')
    await page.keyboard.press('Enter')
    await expect.poll(() => names(page)).toEqual(['tuesday'])
    await page.waitForURL(/label=tier%3Dgold/)
    await page.context().close()
  })

  test('shows the columns a person wants, also the next time', async () => {
    const page = await openTab()
    const header = page.getByRole('columnheader', { name: 'Size' })
    await header.waitFor()
    await page.getByTestId('manage-columns').click()
    await page.getByRole('menuitem', { name: 'Size' }).getByRole('checkbox').uncheck()
    await header.waitFor({ state: 'detached' })
    await page.reload()
    await page.getByTestId('snapshot-monday').waitFor()
    expect(await header.count()).toBe(0)
    await page.getByTestId('manage-columns').click()
    await page.getByRole('menuitem', { name: 'Back to the usual columns' }).click()
    await header.waitFor()
    await page.context().close()
  })

  test('opens a row: disks, indications, freeze and events, without the name', async () => {
    const { uid = '' } = (await started.client.get(VirtualMachineSnapshot, { namespace, name: 'monday' })).metadata
    const involvedObject = { kind: 'VirtualMachineSnapshot', name: 'monday', namespace, uid }
    const message = 'Successfully completed VirtualMachineSnapshot monday'
    await started.client.create(
      Event,
      objectOf(Event, { name: 'monday.1', namespace }, { involvedObject, type: 'Normal', reason: 'Complete', message }),
    )
    const page = await openTab()
    await page.getByRole('button', { name: 'Details of monday' }).click()
    const details = page.getByTestId('snapshot-details')
    await details.getByText('Before the move').waitFor()
    await details.getByText('root, 1 GiB, cut').waitFor()
    await details.getByText('Guest agent was active').waitFor()
    await details.getByText('the guest stood still for 412 ms').waitFor()
    await details.getByText('Successfully completed this snapshot').waitFor()
    expect(await details.textContent()).not.toContain('monday')
    await page.context().close()
  })

  test('deletes several at once', async () => {
    for (const name of ['old-1', 'old-2']) await seedSnapshot(started.client, web, { ...good, name })
    const page = await openTab()
    expect(await page.getByTestId('delete-selected').count()).toBe(0)
    for (const name of ['old-1', 'old-2']) await page.getByRole('checkbox', { name: `Select ${name}` }).check()
    await page.getByRole('button', { name: 'Delete selected (2)' }).click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByText('old-2').first().waitFor()
    await dialog.getByTestId('save-button').click()
    await dialog.waitFor({ state: 'detached' })
    for (const name of ['old-1', 'old-2']) await page.getByTestId(`snapshot-${name}`).waitFor({ state: 'detached' })
    await expect.poll(() => page.getByTestId('delete-selected').count()).toBe(0)
    await page.context().close()
  })

  test('tells of a failed restore until it is dismissed', async () => {
    await seedRestore(started.client, web, {
      name: 'back',
      snapshot: 'monday',
      state: 'failed',
      message: 'exceeded quota',
    })
    const page = await openTab()
    const banner = page.getByTestId('restore-banner')
    await banner.getByText('Make room in the quota').waitFor()
    await banner.getByRole('button', { name: 'Dismiss' }).click()
    await banner.waitFor({ state: 'detached' })
    await page.reload()
    await page.getByTestId('restore-history').waitFor()
    expect(await banner.count()).toBe(0)
    await page.getByRole('button', { name: 'History of restores (1)' }).click()
    await page.getByTestId('restore-history').getByText('monday').waitFor()
    await started.client.delete(VirtualMachineRestore, { namespace, name: 'back' })
    await page.context().close()
  })
})

describe('the page of all snapshots', () => {
  test('tells which VMs are gone, and finds by that, in the address', async () => {
    const page = await started.open(fleet)
    await page.getByRole('row', { name: 'orphan' }).getByText('VM gone').waitFor()
    await page.getByRole('row', { name: 'monday' }).getByRole('link', { name: 'web' }).waitFor()
    await page.getByRole('button', { name: 'Filter by vm' }).click()
    await page.getByRole('menuitem', { name: 'VM gone' }).getByRole('checkbox').check()
    await expect.poll(() => names(page)).toEqual(['orphan'])
    await page.waitForURL(/vm=gone/)
    await page.reload()
    await page.getByTestId('snapshot-orphan').waitFor()
    expect(await names(page)).toEqual(['orphan'])
    await page.context().close()
  })

  test('finds by consistency, age and status', async () => {
    const page = await started.open(`${fleet}?consistency=Application-consistent&age=day&status=Succeeded&sort=name`)
    await page.getByTestId('snapshot-monday').waitFor()
    expect(await names(page)).toEqual(['monday', 'orphan', 'tuesday'])
    await page.getByTestId('snapshot-count').getByText('3 of 4').waitFor()
    await page.context().close()
  })
})

describe('the page of a snapshot', () => {
  test('says why it failed, since when and what to do', async () => {
    const page = await started.open(snapshotPath('broken'))
    const why = page.getByTestId('why')
    await why.getByText('Why has it failed?').waitFor()
    await why.getByText('no space left on device').waitFor()
    await why.getByText('Make room on the storage').waitFor()
    expect(await page.getByTestId('why').count()).toBe(1)
    await page.context().close()
    const fine = await started.open(snapshotPath('monday'))
    await fine.getByTestId('snapshot-summary').waitFor()
    expect(await fine.getByTestId('why').count()).toBe(0)
    await fine.context().close()
  })

  test('names a VM that is gone without leading to it', async () => {
    const page = await started.open(snapshotPath('orphan'))
    await page.getByText('gone (deleted)').waitFor()
    expect(await page.getByRole('link', { name: 'gone' }).count()).toBe(0)
    await page.context().close()
  })

  test('its annotations are counted and edited', async () => {
    const page = await started.open(snapshotPath('tuesday'))
    await page.getByTestId('edit-annotations').getByText('1 annotation', { exact: true }).click()
    await page.getByTestId('pairs-list-add').click()
    await page.getByTestId('pairs-list-name').last().fill('example.com/note')
    await page.getByTestId('pairs-list-value').last().fill('a word')
    await page.getByTestId('save-button').click()
    await page.getByTestId('edit-annotations').getByText('2 annotations').waitFor()
    const { metadata } = await started.client.get(VirtualMachineSnapshot, { namespace, name: 'tuesday' })
    expect(metadata.annotations?.['example.com/note']).toBe('a word')
    await page.context().close()
  })

  test('a label that cannot be is told before it is sent', async () => {
    const page = await started.open(snapshotPath('tuesday'))
    await page.getByTestId('actions-menu-button').click()
    await page.locator('[data-test-action="Edit labels"]').click()
    await page.getByTestId('tags-input').fill('tier=not gold')
    await page.getByText('"not gold" may have letters').waitFor()
    expect(await page.getByTestId('save-button').isDisabled()).toBe(true)
    await page.getByTestId('tags-input').fill('')
    await page.getByRole('button', { name: 'Remove tier' }).click()
    await page.getByTestId('save-button').click()
    await page.getByText('No labels').waitFor()
    await page.context().close()
  })

  test('its receipt is copied as JSON', async () => {
    const page = await started.open(snapshotPath('monday', 'receipt'))
    await page.getByRole('button', { name: 'Copy the receipt' }).click()
    const text = await page.evaluate<string>('navigator.clipboard.readText()')
    expect(JSON.parse(text)).toMatchObject({ version: 1, achieved: 'Application', freeze: { frozenMs: 412 } })
    await page.getByTestId('freeze-bar').getByText('Thawed').waitFor()
    await page.context().close()
  })

  test('is left when the snapshot is deleted there', async () => {
    await seedSnapshot(started.client, web, { ...good, name: 'short-lived' })
    const page = await started.open(snapshotPath('short-lived'))
    await page.getByTestId('actions-menu-button').click()
    await page.locator('[data-test-action="Delete VirtualMachineSnapshot"]').click()
    await page.getByTestId('save-button').click()
    await page.getByRole('heading', { name: 'Snapshots', exact: true }).waitFor()
    await page.context().close()
  })
})
