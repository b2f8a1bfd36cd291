import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { VirtualMachineClone } from '../../packages/api/src/clone/kinds.ts'
import type { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { namespace, seedSnapshot, seedVm } from './seeds.ts'

// The selectors, labels and texts that people's habits and other projects' tests hold on to: the console specification,
// sections 3 to 12. Located as those tests do it, strictly: more than one match is a failure.

let started: Console
let stopped: VirtualMachine

beforeAll(async () => {
  started = await startConsole()
  stopped = await seedVm(started.client, { name: 'vm' })
  await seedVm(started.client, { name: 'other' })
  await seedVm(started.client, { name: 'running', status: 'Running' })
  await seedSnapshot(started.client, stopped, { name: 'snap-b', phase: 'Succeeded', achieved: 'Offline' })
  await seedSnapshot(started.client, stopped, {
    name: 'snap-a',
    phase: 'Succeeded',
    achieved: 'Application',
    frozenMs: 400,
    indications: ['GuestAgent', 'Online'],
  })
})

const openTab = (name = 'vm'): Promise<Page> => started.open(vmPath(name, 'snapshots'))

describe('the Snapshots tab', () => {
  test('has its tab links, toolbar, table and columns', async () => {
    const page = await openTab()
    for (const tab of ['Overview', 'Snapshots', 'Console', 'Events', 'Diagnostics'])
      await page.getByTestId(`horizontal-link-${tab}`).waitFor()
    await page.getByTestId('vm-snapshot-list').getByRole('grid', { name: 'Snapshots table' }).waitFor()
    await page.getByTestId('filter-toolbar').waitFor()
    await page.getByTestId('snapshot-snap-a').waitFor()
    for (const column of ['Name', 'Created', 'Status', 'Last restored', 'Indications'])
      await page.getByRole('columnheader', { name: column, exact: true }).waitFor()
    const names = await page
      .locator('[data-test^="snapshot-status-"]')
      .evaluateAll((cells) => cells.map((cell) => cell.getAttribute('data-test')))
    expect(names).toEqual(['snapshot-status-snap-a', 'snapshot-status-snap-b'])
    expect(await page.getByTestId('snapshot-created-snap-a').textContent()).toMatch(/ago|now/)
    expect(await page.getByTestId('snapshot-status-snap-a').textContent()).toContain('Succeeded')
    await page.getByTestId('snapshot-status-snap-a').getByTestId('success-icon').waitFor()
    await page.context().close()
  })

  test('each of the strict locators matches once', async () => {
    const page = await openTab()
    await page.getByTestId('snapshot-snap-a').waitFor()
    expect(await page.locator('button', { hasText: /take snapshot/i }).count()).toBe(1)
    expect(await page.locator('a', { hasText: 'snap-a' }).count()).toBe(1)
    expect(await page.locator('tr', { hasText: 'snap-a' }).count()).toBe(1)
    expect(await page.locator('#name').count()).toBe(0)
    const last = page.locator('tr', { hasText: 'snap-a' }).locator('td button').last()
    expect(await last.getAttribute('id')).toBe('snapshot-actions-snap-a')
    expect(await last.getAttribute('data-test')).toBe('kebab-button')
    await last.click()
    await page.getByRole('menuitem').first().waitFor()
    expect(await page.getByRole('menuitem').allTextContents()).toEqual([
      expect.stringContaining('Create VirtualMachine'),
      expect.stringContaining('Restore VirtualMachine from snapshot'),
      expect.stringContaining('Delete snapshot'),
    ])
    expect(await page.getByText('Restore VirtualMachine from snapshot').count()).toBe(1)
    await page.context().close()
  })

  test('keeps one row of that name when its details are open', async () => {
    const page = await openTab()
    await page
      .locator('tr', { hasText: 'snap-a' })
      .getByRole('button', { name: /details/i })
      .click()
    await page.getByText('root').first().waitFor()
    expect(await page.locator('a', { hasText: 'snap-a' }).count()).toBe(1)
    expect(await page.locator('tr', { hasText: 'snap-a' }).count()).toBe(1)
    await page.context().close()
  })

  test('filters by status, name and label, and keeps that in the address', async () => {
    const page = await openTab()
    await page.getByTestId('filter-toolbar').getByRole('textbox').first().fill('snap-b')
    await page.getByTestId('snapshot-snap-a').waitFor({ state: 'detached' })
    await page.waitForURL(/name=snap-b/)
    await page.reload()
    await page.getByTestId('snapshot-snap-b').waitFor()
    expect(await page.getByTestId('snapshot-snap-a').count()).toBe(0)
    await page.getByTestId('filter-toolbar').getByRole('textbox').first().fill('nothing like it')
    await page.getByRole('heading', { name: 'No results match the current filters' }).waitFor()
    await page.getByRole('button', { name: 'Clear all filters' }).first().click()
    await page.getByTestId('snapshot-snap-a').waitFor()
    await page.context().close()
  })

  test('says so when it is empty, with a button of another text', async () => {
    const page = await openTab('other')
    await page.getByTestId('vm-snapshot-list').locator('h4', { hasText: 'No snapshots found' }).waitFor()
    expect(await page.locator('button', { hasText: /take snapshot/i }).count()).toBe(1)
    await page.context().close()
  })
})

describe('the dialog Take snapshot', () => {
  test('has its fields, and makes the object as described', async () => {
    const page = await openTab()
    await page.locator('button', { hasText: /take snapshot/i }).click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByRole('heading', { name: 'Take snapshot' }).waitFor()
    expect(await page.locator('#name').inputValue()).toMatch(/^vm-snapshot-\d{8}-\d{6}$/)
    for (const id of ['tab-modal', 'tab-modal-form', 'name', 'description', 'deadline', 'deadline-unit'])
      expect(await page.locator(`#${id}`).count(), `#${id}`).toBe(1)
    for (const id of ['save-button', 'cancel-button']) expect(await page.getByTestId(id).count(), id).toBe(1)
    expect(await dialog.locator('button.pf-m-primary').first().textContent()).toContain('Save')
    await dialog.getByText('Disks included in this snapshot (1)').waitFor()
    await page.locator('#name').fill('made-here')
    await page.locator('#description').fill('a word on it')
    await page.locator('#deadline').fill('90')
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    const made = await started.client.get(VirtualMachineSnapshot, { namespace, name: 'made-here' })
    expect(made.spec).toMatchObject({
      source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'vm' },
      failureDeadline: '90s',
    })
    expect(made.metadata.annotations?.description).toBe('a word on it')
    expect(made.metadata.ownerReferences).toEqual([
      expect.objectContaining({
        kind: 'VirtualMachine',
        name: 'vm',
        uid: stopped.metadata.uid,
        blockOwnerDeletion: false,
      }),
    ])
    await page.context().close()
  })

  test('shows the notice for a running VM only', async () => {
    const notice = 'Taking snapshot of running VirtualMachine.'
    for (const [name, shown] of [
      ['running', 1],
      ['other', 0],
    ] as const) {
      const page = await openTab(name)
      await page.locator('button', { hasText: /take snapshot/i }).click()
      await page.getByTestId('dialog-modal').waitFor()
      expect(await page.getByText(notice).count()).toBe(shown)
      await page.context().close()
    }
  })

  test('stays open with the server’s words when it is refused', async () => {
    const page = await openTab('other')
    await page.locator('button', { hasText: /take snapshot/i }).click()
    await page.locator('#name').fill('late')
    // Somebody else is quicker; the page cannot know when the button is pressed.
    await page.route('**/virtualmachinesnapshots', async (route) => {
      if (route.request().method() === 'POST') await seedSnapshot(started.client, stopped, { name: 'late' })
      await route.continue()
    })
    await page.getByTestId('save-button').click()
    await page.getByText('An error occurred').waitFor()
    expect(await page.locator('#name').inputValue()).toBe('late')
    await page.context().close()
  })
})

describe('the dialog Restore snapshot', () => {
  test('posts a restore, offers no radio group, and closes', async () => {
    const page = await openTab()
    await page.locator('#snapshot-actions-snap-a').click()
    await page.getByRole('menuitem', { name: 'Restore VirtualMachine from snapshot' }).click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByRole('heading', { name: 'Restore snapshot' }).waitFor()
    expect(await page.getByRole('radiogroup', { name: 'Volume restore policy' }).count()).toBe(0)
    await dialog.getByRole('checkbox', { name: /present state/i }).uncheck()
    const answer = page.waitForResponse(
      (response) => response.request().method() === 'POST' && response.url().endsWith('/virtualmachinerestores'),
    )
    await page.getByTestId('save-button').click()
    const response = await answer
    expect(response.status()).toBe(201)
    const restore = (await response.json()) as { metadata: { name: string }; spec: Record<string, unknown> }
    expect(restore.metadata.name).toMatch(/^restore-snap-a-\d{13}$/)
    expect(restore.spec).toMatchObject({
      target: { name: 'vm' },
      virtualMachineSnapshotName: 'snap-a',
      volumeRestorePolicy: 'InPlace',
    })
    await dialog.waitFor({ state: 'detached' })
    await page.context().close()
    // Nobody works on it here, and while it is there no other can be begun.
    await started.client.delete(VirtualMachineRestore, { namespace, name: restore.metadata.name })
  })
})

describe('the dialog Create VirtualMachine from snapshot', () => {
  test('makes a clone and follows it to its end', async () => {
    const page = await openTab()
    await page.locator('#snapshot-actions-snap-b').click()
    await page.getByRole('menuitem', { name: 'Create VirtualMachine' }).click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByRole('heading', { name: 'Create VirtualMachine from snapshot' }).waitFor()
    expect(await page.locator('#clone-name').inputValue()).toContain('snap-b')
    await page.locator('#clone-name').fill('copy')
    await page.locator('#start-clone').check()
    await page.getByTestId('save-button').click()
    await dialog.getByText(/may be closed/).waitFor()
    const { items } = await started.client.list(VirtualMachineClone, { namespace })
    const [clone] = items
    if (!clone) throw new Error('there is no clone')
    expect(clone.spec).toMatchObject({
      source: { kind: 'VirtualMachineSnapshot', name: 'snap-b' },
      target: { kind: 'VirtualMachine', name: 'copy' },
    })
    await started.client.updateStatus(VirtualMachineClone, {
      ...clone,
      status: { phase: 'Succeeded', targetName: 'copy' },
    })
    await dialog.getByText(/Clone completed/).waitFor()
    await dialog.locator('button.pf-m-primary').first().click()
    await dialog.waitFor({ state: 'detached' })
    await page.context().close()
  })
})

describe('the dialog Delete VirtualMachineSnapshot?', () => {
  test('names the snapshot and deletes it', async () => {
    await seedSnapshot(started.client, stopped, { name: 'unwanted', phase: 'Succeeded', achieved: 'Offline' })
    const page = await openTab()
    await page.locator('#snapshot-actions-unwanted').click()
    await page.getByRole('menuitem', { name: 'Delete snapshot' }).click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByRole('heading', { name: 'Delete VirtualMachineSnapshot?' }).waitFor()
    await dialog.getByText('unwanted').first().waitFor()
    await dialog.getByText(namespace).first().waitFor()
    await dialog.getByRole('button', { name: 'Delete snapshot' }).click()
    await page.getByTestId('snapshot-unwanted').waitFor({ state: 'detached' })
    await page.context().close()
  })
})

describe('the overview card', () => {
  test('counts, lists and leads on', async () => {
    const page = await started.open(vmPath('vm', 'overview'))
    const card = page.getByTestId('virtual-machine-overview-snapshots')
    await card.getByRole('link', { name: /^Snapshots \(\d+\)$/ }).waitFor()
    await card.getByRole('button', { name: 'Take snapshot' }).waitFor()
    await card.getByText('View more').waitFor()
    await page.getByTestId('virtual-machine-overview-details-name').getByText('vm').waitFor()
    await card.getByRole('button', { name: 'snap-a', exact: true }).click()
    const popover = page.getByRole('dialog')
    for (const word of ['Status', 'Created', 'Indications']) await popover.getByText(word, { exact: true }).waitFor()
    await page.context().close()
    const empty = await started.open(vmPath('running', 'overview'))
    await empty.getByTestId('virtual-machine-overview-snapshots').getByText('No snapshots found').waitFor()
    await empty.context().close()
  })
})

describe('bulk', () => {
  test('one snapshot of each selected VM, with a result for each', async () => {
    const page = await started.open('/k8s/ns/default/kubevirt.io~v1~VirtualMachine')
    for (const name of ['other', 'running']) await page.getByRole('row', { name }).getByRole('checkbox').check()
    await page.getByTestId('actions-dropdown').click()
    await page.getByTestId('selected-vms-action-snapshot').click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByRole('heading', { name: 'Take snapshots' }).waitFor()
    await page.locator('#suffix').fill('together')
    await page.getByTestId('save-button').click()
    await expect
      .poll(
        async () =>
          (await started.client.list(VirtualMachineSnapshot, { namespace })).items
            .map(({ metadata }) => metadata.name)
            .filter((name) => name.endsWith('-together')).length,
      )
      .toBe(2)
    await page.context().close()
  })
})

describe('the details page of a snapshot', () => {
  test('has the menu of the generic page and its editors', async () => {
    const page = await started.open('/k8s/ns/default/snapshot.kubevirt.io~v1beta1~VirtualMachineSnapshot/snap-a')
    await page.getByRole('heading', { name: 'snap-a' }).waitFor()
    const menu = async (action: string): Promise<void> => {
      await page.getByTestId('actions-menu-button').click()
      await page.locator(`[data-test-action="${action}"]`).click()
    }
    await menu('Edit labels')
    await page.getByTestId('tags-input').fill('tier=gold')
    await page.keyboard.press('Enter')
    await page.getByTestId('save-button').click()
    await page.getByTestId('label-key').getByText('tier').first().waitFor()
    await menu('Edit annotations')
    await page.getByTestId('pairs-list-name').first().waitFor()
    await page.getByTestId('cancel-button').click()
    await menu('Edit VirtualMachineSnapshot')
    await page.locator('.cm-content').waitFor()
    await menu('Delete VirtualMachineSnapshot')
    await page.getByTestId('dialog-modal').getByRole('heading', { name: 'Delete VirtualMachineSnapshot?' }).waitFor()
    await page.getByTestId('cancel-button').click()
    await menu('Restore VirtualMachine from snapshot')
    await page.getByTestId('dialog-modal').getByRole('heading', { name: 'Restore snapshot' }).waitFor()
    await page.context().close()
  })
})
