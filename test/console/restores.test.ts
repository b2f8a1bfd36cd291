import type { Locator, Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { Event } from '../../packages/api/src/core/event.ts'
import { Namespace } from '../../packages/api/src/core/namespace.ts'
import type { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import { beforeRestoreAnnotation, startTargetAnnotation } from '../../packages/api/src/snapshot/keys.ts'
import { VirtualMachineRestore } from '../../packages/api/src/snapshot/kinds.ts'
import { type Console, restorePath } from './console.ts'
import { startConsole } from './fixture.ts'
import { namespace, type RestoreSeed, seedRestore, seedSnapshot, seedVm } from './seeds.ts'
import { userOf } from './users.ts'

// The pages of restores. No controller is at work: restores stay in the state they are put in.

let started: Console
let web: VirtualMachine

beforeAll(async () => {
  started = await startConsole()
  const { client } = started
  await client.create(Namespace, objectOf(Namespace, { name: 'team-a' }, {}))
  web = await seedVm(client, { name: 'web', status: 'Running' })
  for (const name of ['monday', 'before'])
    await seedSnapshot(client, web, { name, phase: 'Succeeded', achieved: 'Offline' })
  await seedRestore(client, web, {
    name: 'done',
    snapshot: 'monday',
    state: 'complete',
    minutesAgo: 0,
    annotations: { [beforeRestoreAnnotation]: 'before', [startTargetAnnotation]: 'true' },
    spec: { volumeRestorePolicy: 'InPlace', targetReadinessPolicy: 'StopTarget' },
    volumes: [{ volumeName: 'root', persistentVolumeClaim: 'web-root', volumeSnapshotName: 'cut-root' }],
  })
  await seedRestore(client, web, {
    name: 'broken',
    snapshot: 'monday',
    state: 'failed',
    message: 'the claim web-root could not be created: exceeded quota',
  })
  await seedRestore(client, web, { name: 'of-a-deleted', snapshot: 'long-gone', state: 'complete' })
})

/** A VM of its own, and a restore of it that is at work. */
async function atWork(name: string, seed: Partial<RestoreSeed> = {}): Promise<VirtualMachineRestore> {
  const vm = await seedVm(started.client, { name, status: 'Running' })
  await seedSnapshot(started.client, vm, { name: `${name}-point`, phase: 'Succeeded', achieved: 'Offline' })
  const given: RestoreSeed = { name: `back-${name}`, snapshot: `${name}-point`, state: 'working', ...seed }
  return seedRestore(started.client, vm, given)
}

async function names(): Promise<string[]> {
  const { items } = await started.client.list(VirtualMachineRestore, { namespace })
  return items.map(({ metadata }) => metadata.name)
}

const rowOf = (page: Page, name: string): Locator =>
  page
    .getByRole('grid', { name: 'Restores' })
    .getByRole('row')
    .filter({ has: page.getByTestId(name) })
const fact = (page: Page, title: string): Locator =>
  page
    .getByTestId('restore-summary')
    .locator('.pf-v6-c-description-list__group')
    .filter({ has: page.getByText(title, { exact: true }) })
    .locator('dd')

describe('the list', () => {
  test('says of each how far it is, and what can be done', async () => {
    await atWork('waits', { state: 'waiting' })
    const page = await started.open(restorePath(''))
    const waits = rowOf(page, 'back-waits')
    await waits.getByText('Waiting for the virtual machine to stop').waitFor()
    await waits.getByTestId('elapsed').waitFor()
    await waits.getByTestId('remedy').getByText('Stop the virtual machine.').waitFor()
    const broken = rowOf(page, 'broken')
    await broken.getByTestId('danger-icon').waitFor()
    await broken.getByText('Make room in the quota of the namespace.').waitFor()
    const done = rowOf(page, 'done')
    await done.getByTestId('success-icon').waitFor()
    expect(await done.getByTestId('elapsed').count()).toBe(0)
    expect(await done.getByRole('link', { name: 'monday' }).getAttribute('href')).toContain('/monday')
    expect(await done.getByRole('link', { name: 'web' }).getAttribute('href')).toMatch(/~VirtualMachine\/web$/)
    const gone = rowOf(page, 'of-a-deleted')
    await gone.getByText('(deleted)').waitFor()
    expect(await gone.getByRole('link', { name: 'long-gone' }).count()).toBe(0)
    await page.context().close()
  })

  test('is narrowed down by state and name, which stand in the address', async () => {
    const page = await started.open(restorePath(''))
    await page.getByRole('button', { name: 'Filter by state' }).click()
    await page.getByRole('menuitem', { name: 'Failed' }).click()
    await rowOf(page, 'done').waitFor({ state: 'detached' })
    await rowOf(page, 'broken').waitFor()
    await page.waitForURL(/state=failed/)
    await page.getByRole('textbox', { name: 'Name' }).fill('nothing-like-it')
    await page.getByRole('heading', { name: 'No results match the current filters' }).waitFor()
    await page.waitForURL(/name=nothing-like-it/)
    await page.reload()
    await page.getByRole('heading', { name: 'No results match the current filters' }).waitFor()
    await page.getByRole('button', { name: 'Clear all filters' }).last().click()
    await rowOf(page, 'done').waitFor()
    expect(new URL(page.url()).search).toBe('')
    await page.context().close()
  })

  test('says that there is none, and where they come from', async () => {
    const page = await started.open(restorePath('', '', 'team-a'))
    await page.getByRole('heading', { name: 'No restores found' }).waitFor()
    await page.getByRole('link', { name: 'Show the VirtualMachines' }).click()
    await page.getByRole('heading', { name: 'No VirtualMachines found' }).waitFor()
    await page.context().close()
  })

  test('is told apart from one that may not be seen', async () => {
    const token = await userOf(started, 'team-a', 'view')
    const page = await started.open(restorePath(''), { token })
    await page.getByRole('heading', { name: 'You may not see restores' }).waitFor()
    await page.context().close()
  })
})

describe('the page of a restore', () => {
  test('says what it is in words', async () => {
    const page = await started.open(restorePath('done'))
    await page.getByRole('heading', { level: 1, name: 'done' }).waitFor()
    await fact(page, 'When the virtual machine runs').getByText('It is stopped').waitFor()
    await fact(page, 'Names of the disks').getByText('which are replaced').waitFor()
    await fact(page, 'When the virtual machine is deleted').getByText('are deleted with it').waitFor()
    await fact(page, 'Afterwards').getByText('is started').waitFor()
    await fact(page, 'State before').getByRole('link', { name: 'before' }).waitFor()
    await fact(page, 'Conditions').getByText('Operation complete').first().waitFor()
    expect(await page.getByTestId('why').count()).toBe(0)
    await page.context().close()
  })

  test('says why it failed, since when, and what to do', async () => {
    const page = await started.open(restorePath('broken'))
    const why = page.getByTestId('why')
    await why.getByRole('heading', { name: 'Why has it failed?' }).waitFor()
    await why.getByText('the claim web-root could not be created: exceeded quota').waitFor()
    await why.getByText(/^1 min .*ago$/).waitFor()
    await why.getByText('Make room in the quota of the namespace. Then restore again.').waitFor()
    await page.context().close()
  })

  test('offers to stop the machine it waits for, and follows it to its end', async () => {
    const restore = await atWork('busy', { state: 'waiting' })
    const page = await started.open(restorePath('back-busy'))
    const why = page.getByTestId('why')
    await why.getByRole('heading', { name: 'Why is it not complete?' }).waitFor()
    await why.getByRole('button', { name: 'Stop the virtual machine' }).click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByText('is asked to shut down').waitFor()
    await dialog.getByTestId('cancel-button').click()
    await started.client.updateStatus(VirtualMachineRestore, {
      ...restore,
      status: { complete: true, restoreTime: new Date().toISOString(), conditions: [] },
    })
    await page.getByRole('status').getByText('Complete').waitFor()
    await why.waitFor({ state: 'detached' })
    await page.context().close()
  })

  test('shows the disks with the claims they had and have', async () => {
    const page = await started.open(restorePath('done', 'volumes'))
    const row = page.getByRole('grid', { name: 'Volumes' }).getByRole('row').nth(1)
    await row.getByText('Replaces the one of this name').waitFor()
    expect(await row.getByText('web-root').count()).toBe(2)
    await row.getByText('cut-root').waitFor()
    await page.goto(restorePath('broken', 'volumes'))
    await page.getByText('It failed before it began with the disks.').waitFor()
    await page.context().close()
  })

  test('shows what is reported of it, when it is', async () => {
    const page = await started.open(restorePath('done', 'events'))
    await page.getByText('No events').waitFor()
    const { metadata } = await started.client.get(VirtualMachineRestore, { namespace, name: 'done' })
    const time = new Date().toISOString()
    await started.client.create(
      Event,
      objectOf(
        Event,
        { name: 'done.1', namespace },
        {
          involvedObject: { kind: 'VirtualMachineRestore', name: 'done', namespace, uid: metadata.uid ?? '' },
          type: 'Normal',
          reason: 'VirtualMachineRestoreComplete',
          message: 'Successfully completed VirtualMachineRestore done',
          firstTimestamp: time,
          lastTimestamp: time,
        },
      ),
    )
    await page.getByText('Successfully completed VirtualMachineRestore done').waitFor()
    await page.getByTestId('horizontal-link-YAML').click()
    await page.locator('.cm-content').getByText('virtualMachineSnapshotName').waitFor()
    await page.context().close()
  })

  test('says when it is not there', async () => {
    const page = await started.open(restorePath('nobody'))
    await page.getByRole('heading', { level: 1, name: 'VirtualMachineRestore nobody does not exist' }).waitFor()
    await page.context().close()
  })
})

describe('deleting', () => {
  test('of one at work gives it up, and says so before', async () => {
    await atWork('given-up')
    const page = await started.open(restorePath(''))
    await page.locator('#restore-actions-default-back-given-up').click()
    await page.getByRole('menuitem', { name: 'Delete restore' }).click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByText('The restore is given up and rolled back. given-up stays as it was before').waitFor()
    await dialog.getByTestId('save-button').click()
    await dialog.waitFor({ state: 'detached' })
    await rowOf(page, 'back-given-up').waitFor({ state: 'detached' })
    expect(await names()).not.toContain('back-given-up')
    await page.context().close()
  })

  test('says what becomes of it when it is through meanwhile', async () => {
    const restore = await atWork('quick')
    const page = await started.open(restorePath('back-quick'))
    await page.getByTestId('actions-menu-button').click()
    await page.getByRole('menuitem', { name: 'Delete restore' }).click()
    const deletion = page.getByTestId('deletion')
    await deletion.getByText('is given up').waitFor()
    await started.client.updateStatus(VirtualMachineRestore, {
      ...restore,
      status: { complete: true, restoreTime: new Date().toISOString(), conditions: [] },
    })
    await deletion.getByText('Only the record goes: quick stays as it is now, restored.').waitFor()
    await page.getByTestId('save-button').click()
    await page.getByRole('heading', { level: 1, name: 'Restores' }).waitFor()
    expect(await names()).not.toContain('back-quick')
    await page.context().close()
  })

  test('is not offered without the right, and says which is missing', async () => {
    const token = await userOf(started, namespace, 'view')
    const page = await started.open(restorePath('done'), { token })
    await page.getByTestId('actions-menu-button').click()
    const item = page.getByRole('menuitem', { name: 'Delete restore' })
    await item.getByText(/You may not delete virtualmachinerestores/).waitFor()
    expect(await item.getAttribute('aria-disabled')).toBe('true')
    await page.context().close()
  })
})

test('a snapshot that was made anew under the name is not the one restored from', async () => {
  const vm = await seedVm(started.client, { name: 'again' })
  await seedRestore(started.client, vm, { name: 'back-again', snapshot: 'again-point', state: 'complete' })
  await seedSnapshot(started.client, vm, { name: 'again-point', phase: 'Succeeded', achieved: 'Offline' })
  const page = await started.open(restorePath('back-again'))
  await fact(page, 'Snapshot').getByText('(deleted)').waitFor()
  await page.context().close()
})
