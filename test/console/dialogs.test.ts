import type { Locator, Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { VirtualMachineClone } from '../../packages/api/src/clone/kinds.ts'
import type { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import {
  beforeRestoreAnnotation,
  expiresAtAnnotation,
  originLabel,
  startTargetAnnotation,
} from '../../packages/api/src/snapshot/keys.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { violationsOf } from './accessibility.ts'
import { type Console, type Look, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { namespace, seedRestore, seedSnapshot, seedVm } from './seeds.ts'
import { userOf } from './users.ts'

// What the dialogs of snapshots do beyond the contract: in the order in which it matters to whoever may lose data. No
// controller is at work, so that what it would do is done here, when a test wants it.

let started: Console

beforeAll(async () => {
  started = await startConsole()
})

const good = { phase: 'Succeeded', achieved: 'Offline' } as const
const restoreItem = 'Restore VirtualMachine from snapshot'

/** A VM of its own for a test, with a snapshot that can be used. */
async function vmWith(name: string, status: 'Running' | 'Stopped', ...snapshots: string[]): Promise<VirtualMachine> {
  const vm = await seedVm(started.client, { name, status })
  for (const snapshot of snapshots) await seedSnapshot(started.client, vm, { ...good, name: snapshot })
  return vm
}

async function choose(page: Page, snapshot: string, item: string): Promise<Locator> {
  await page.locator(`#snapshot-actions-${snapshot}`).click()
  await page.getByRole('menuitem', { name: item }).click()
  const dialog = page.getByTestId('dialog-modal')
  await dialog.waitFor()
  return dialog
}

/** Opens the dialog of an action of a snapshot in the tab of its VM. */
async function opened(vm: string, snapshot: string, item: string, look: Look = {}): Promise<[Page, Locator]> {
  const page = await started.open(vmPath(vm, 'snapshots'), look)
  return [page, await choose(page, snapshot, item)]
}

/** Takes part in what a controller does: the snapshot ends like this. */
async function end(snapshot: VirtualMachineSnapshot, phase: 'Succeeded' | 'Failed', reason?: string): Promise<void> {
  const failure = { type: 'Failure', status: 'True', reason: reason ?? '' } as const
  await started.client.updateStatus(VirtualMachineSnapshot, {
    ...snapshot,
    status: {
      ...snapshot.status,
      phase,
      readyToUse: phase === 'Succeeded',
      conditions: reason === undefined ? [] : [failure],
    },
  })
}

/** The snapshot of the present state, once it has been asked for. */
async function snapshotBefore(vm: string): Promise<VirtualMachineSnapshot> {
  const find = async (): Promise<VirtualMachineSnapshot | undefined> => {
    const { items } = await started.client.list(VirtualMachineSnapshot, { namespace })
    return items.find(
      ({ metadata, spec }) => metadata.labels?.[originLabel] === 'before-restore' && spec.source.name === vm,
    )
  }
  await expect.poll(async () => (await find()) !== undefined).toBe(true)
  const found = await find()
  if (!found) throw new Error(`no snapshot of the present state of ${vm}`)
  return found
}

async function restoresInto(name: string): Promise<VirtualMachineRestore[]> {
  const { items } = await started.client.list(VirtualMachineRestore, { namespace })
  return items.filter(({ spec }) => spec.target.name === name)
}

describe('a restore that keeps the present state', () => {
  test('is made only when that can be gone back to, and is tied to it', async () => {
    await vmWith('keeps', 'Running', 'keeps-point')
    const [page, dialog] = await opened('keeps', 'keeps-point', restoreItem)
    await page.getByTestId('save-button').click()
    await dialog.getByTestId('keeping-progress').waitFor()
    const before = await snapshotBefore('keeps')
    expect(Date.parse(before.metadata.annotations?.[expiresAtAnnotation] ?? '') - Date.now()).toBeGreaterThan(
      23 * 3_600_000,
    )
    expect(await restoresInto('keeps')).toEqual([])
    await end(before, 'Succeeded')
    await dialog.waitFor({ state: 'detached' })
    expect(await restoresInto('keeps')).toMatchObject([
      {
        metadata: {
          annotations: { [beforeRestoreAnnotation]: before.metadata.name, [startTargetAnnotation]: 'true' },
        },
        spec: { virtualMachineSnapshotName: 'keeps-point', targetReadinessPolicy: 'StopTarget' },
      },
    ])
    await page.context().close()
  })

  test('is not made when that fails, and the dialog says so', async () => {
    await vmWith('unkept', 'Stopped', 'unkept-point')
    const [page, dialog] = await opened('unkept', 'unkept-point', restoreItem)
    await page.getByTestId('save-button').click()
    await end(await snapshotBefore('unkept'), 'Failed', 'no space left')
    await dialog.getByText(/nothing has been restored: no space left/).waitFor()
    expect(await restoresInto('unkept')).toEqual([])
    // It can be done without, which is said to be without a way back.
    await dialog.getByRole('checkbox', { name: /present state/ }).uncheck()
    await dialog.getByText(/The current state is not kept/).waitFor()
    await page.getByTestId('save-button').click()
    await dialog.waitFor({ state: 'detached' })
    expect(await restoresInto('unkept')).toHaveLength(1)
    await page.context().close()
  })

  test('is given up when the dialog is closed meanwhile', async () => {
    await vmWith('given-up', 'Stopped', 'given-up-point')
    const [page, dialog] = await opened('given-up', 'given-up-point', restoreItem)
    await page.getByTestId('save-button').click()
    await dialog.getByTestId('keeping-progress').waitFor()
    const before = await snapshotBefore('given-up')
    await page.getByTestId('cancel-button').click()
    await page.getByText('Nothing has been restored.').waitFor()
    await end(before, 'Succeeded')
    await page.getByTestId(`snapshot-status-${before.metadata.name}`).getByText('Succeeded').waitFor()
    expect(await restoresInto('given-up')).toEqual([])
    await page.context().close()
  })

  test('takes no snapshot for a restore the server refuses', async () => {
    await vmWith('refused', 'Stopped', 'refused-point')
    const [page, dialog] = await opened('refused', 'refused-point', restoreItem)
    const asked: string[] = []
    page.on('request', (request) => request.method() === 'POST' && asked.push(request.url()))
    await page.route('**/virtualmachinerestores?dryRun=All', (route) =>
      route.fulfill({ status: 422, json: { kind: 'Status', code: 422, reason: 'Invalid', message: 'no such claim' } }),
    )
    await page.getByTestId('save-button').click()
    await dialog.getByText(/no such claim/).waitFor()
    expect(asked.filter((url) => url.includes('/virtualmachinesnapshots'))).toEqual([])
    await page.context().close()
  })
})

describe('the dialog Restore snapshot', () => {
  test('follows what happens while it is open', async () => {
    const vm = await vmWith('followed', 'Stopped', 'followed-point')
    const [page, dialog] = await opened('followed', 'followed-point', restoreItem)
    await expect.poll(() => page.getByTestId('save-button').isEnabled()).toBe(true)
    const rival = await seedRestore(started.client, vm, { name: 'rival', snapshot: 'followed-point', state: 'working' })
    await dialog
      .getByTestId('check-failed')
      .getByText(/rival is in progress/)
      .waitFor()
    expect(await page.getByTestId('save-button').isDisabled()).toBe(true)
    await started.client.delete(VirtualMachineRestore, rival.metadata as { name: string; namespace: string })
    await expect.poll(() => page.getByTestId('save-button').isEnabled()).toBe(true)
    await page.context().close()
  })

  test('makes a VM of another name, with an identity of its own', async () => {
    await vmWith('original', 'Running', 'original-point')
    const [page, dialog] = await opened('original', 'original-point', restoreItem)
    await dialog.getByRole('radio', { name: 'New VirtualMachine' }).check()
    const name = dialog.getByRole('textbox', { name: 'Name of the new VirtualMachine' })
    await name.fill('original')
    await dialog.getByText(/exists already/).waitFor()
    expect(await page.getByTestId('save-button').isDisabled()).toBe(true)
    await name.fill('second')
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    const [made] = await restoresInto('second')
    expect(made?.metadata.annotations?.[beforeRestoreAnnotation]).toBeUndefined()
    expect(made?.spec).toMatchObject({
      volumeRestorePolicy: 'PrefixTargetName',
      targetReadinessPolicy: 'FailImmediate',
    })
    await page.context().close()
  })

  test('is sent once, however often it is pressed', async () => {
    await vmWith('hasty', 'Stopped', 'hasty-point')
    const [page, dialog] = await opened('hasty', 'hasty-point', restoreItem)
    await dialog.getByRole('checkbox', { name: /present state/ }).uncheck()
    await page.getByTestId('save-button').dblclick()
    await dialog.waitFor({ state: 'detached' })
    expect(await restoresInto('hasty')).toHaveLength(1)
    await page.context().close()
  })

  test('gives the focus back to the menu it came from', async () => {
    await vmWith('focused', 'Stopped', 'focused-point')
    const [page, dialog] = await opened('focused', 'focused-point', restoreItem)
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('snapshot-actions-focused-point')
    await page.context().close()
  })
})

describe('undo', () => {
  test('Keep takes away the end of the former state, and closing hides the banner', async () => {
    const vm = await vmWith('undone', 'Stopped', 'undone-point')
    await seedSnapshot(started.client, vm, {
      ...good,
      name: 'undone-before',
      labels: { [originLabel]: 'before-restore' },
      annotations: { [expiresAtAnnotation]: new Date(Date.now() + 80_000_000).toISOString() },
    })
    await seedRestore(started.client, vm, {
      name: 'undone-restore',
      snapshot: 'undone-point',
      state: 'complete',
      annotations: { [beforeRestoreAnnotation]: 'undone-before' },
    })
    const page = await started.open(vmPath('undone', 'overview'))
    const banner = page.getByTestId('undo-banner')
    await banner.getByText(/it is deleted in \d+ hours/).waitFor()
    await banner.getByRole('button', { name: 'Keep' }).click()
    await banner.getByText(/until it is deleted/).waitFor()
    const kept = await started.client.get(VirtualMachineSnapshot, { namespace, name: 'undone-before' })
    expect(kept.metadata.annotations?.[expiresAtAnnotation]).toBeUndefined()
    await banner.getByRole('button', { name: 'Undo' }).click()
    await page.getByTestId('dialog-modal').getByText('undone-before').first().waitFor()
    await page.getByTestId('cancel-button').click()
    await banner.getByRole('button', { name: 'Dismiss' }).click()
    await banner.waitFor({ state: 'detached' })
    await page.reload()
    await page.getByTestId('virtual-machine-overview-snapshots').waitFor()
    expect(await banner.count()).toBe(0)
    await page.context().close()
  })
})

describe('the dialog Create VirtualMachine from snapshot', () => {
  test('says what is in the snapshot, refuses a name that is taken, and tells why a clone failed', async () => {
    await vmWith('model', 'Stopped', 'model-point')
    const [page, dialog] = await opened('model', 'model-point', 'Create VirtualMachine')
    await dialog.getByTestId('captured-summary').getByText('2 CPUs, 2Gi').waitFor()
    await dialog.getByRole('button', { name: /^Storage/ }).click()
    await dialog.getByText('root, disk, 1 GiB').waitFor()
    await page.locator('#clone-name').fill('model')
    await dialog.getByText(/exists already/).waitFor()
    await page.locator('#clone-name').fill('model-2')
    await page.keyboard.press('Enter')
    await dialog.getByTestId('clone-running').waitFor()
    const { items } = await started.client.list(VirtualMachineClone, { namespace })
    const clone = items.find(({ spec }) => spec.target?.name === 'model-2')
    if (!clone) throw new Error('there is no clone')
    const conditions = [{ type: 'Ready', status: 'False', reason: 'Failed', message: 'the disks do not fit' } as const]
    await started.client.updateStatus(VirtualMachineClone, { ...clone, status: { phase: 'Failed', conditions } })
    await dialog.getByTestId('clone-failed').getByText('the disks do not fit').waitFor()
    await page.context().close()
  })
})

describe('the dialog Delete VirtualMachineSnapshot?', () => {
  test('of several deletes what is not in use, and begins with the way out', async () => {
    const vm = await vmWith('tidy', 'Stopped', 'tidy-1', 'tidy-2', 'tidy-3')
    await seedRestore(started.client, vm, { name: 'reads-tidy-2', snapshot: 'tidy-2', state: 'working' })
    const page = await started.open(vmPath('tidy', 'snapshots'))
    for (const name of ['tidy-1', 'tidy-2', 'tidy-3'])
      await page.getByRole('row', { name }).getByRole('checkbox').check()
    await page.getByTestId('delete-selected').click()
    const dialog = page.getByTestId('dialog-modal')
    await dialog.getByText(/reads-tidy-2/).waitFor()
    await expect.poll(() => page.evaluate('document.activeElement.dataset.test')).toBe('cancel-button')
    await dialog.getByTestId('lost').getByText('tidy-3').waitFor()
    await dialog.getByTestId('space-freed').getByText(/space/).waitFor()
    await dialog.getByRole('button', { name: 'Delete 2 snapshots' }).click()
    await page.getByTestId('snapshot-tidy-1').waitFor({ state: 'detached' })
    await page.getByTestId('snapshot-tidy-3').waitFor({ state: 'detached' })
    expect(await page.getByTestId('snapshot-tidy-2').count()).toBe(1)
    await page.context().close()
  })

  test('stays open with the reason when the server refuses', async () => {
    await vmWith('stuck', 'Stopped', 'stuck-point')
    const [page, dialog] = await opened('stuck', 'stuck-point', 'Delete snapshot')
    await page.route('**/virtualmachinesnapshots/stuck-point', (route) =>
      route.fulfill({ status: 403, json: { kind: 'Status', code: 403, reason: 'Forbidden', message: 'a policy' } }),
    )
    await page.getByTestId('save-button').click()
    await dialog
      .getByTestId('error-alert')
      .getByText(/a policy/)
      .waitFor()
    await page.context().close()
  })
})

describe('whoever may less', () => {
  test('is told which right is missing, in the menu', async () => {
    await vmWith('watched', 'Stopped', 'watched-point')
    const page = await started.open(vmPath('watched', 'snapshots'), { token: await userOf(started, namespace, 'view') })
    await page.locator('#snapshot-actions-watched-point').click()
    for (const item of ['Create VirtualMachine', restoreItem, 'Delete snapshot']) {
      const action = page.getByRole('menuitem', { name: new RegExp(`^${item}`) })
      expect(await action.getAttribute('aria-disabled')).toBe('true')
      expect(await action.textContent()).toMatch(/You may not (create|delete)/)
    }
    await page.context().close()
  })

  test('restores and deletes without seeing the storage of the cluster', async () => {
    await vmWith('edited', 'Stopped', 'edited-point')
    const token = await userOf(started, namespace, 'edit')
    const [page, dialog] = await opened('edited', 'edited-point', restoreItem, { token })
    await expect.poll(() => page.getByTestId('save-button').isEnabled()).toBe(true)
    await page.getByTestId('cancel-button').click()
    await dialog.waitFor({ state: 'detached' })
    await choose(page, 'edited-point', 'Delete snapshot')
    await dialog
      .getByTestId('space-freed')
      .getByText(/space comes back|space come back/)
      .waitFor()
    await page.getByTestId('save-button').click()
    await page.getByTestId('snapshot-edited-point').waitFor({ state: 'detached' })
    await page.context().close()
  })
})

describe('on a phone, in the dark', () => {
  const states: Record<string, [string, (page: Page, dialog: Locator) => Promise<void>]> = {
    'a new VM and everything unfolded': [
      restoreItem,
      async (_, dialog) => {
        await dialog.getByRole('radio', { name: 'New VirtualMachine' }).check()
        for (const name of ['Advanced', 'Show the command']) await dialog.getByRole('button', { name }).click()
      },
    ],
    'a copy under way': [
      'Create VirtualMachine',
      async (page, dialog) => {
        await page.locator('#clone-name').fill(`phone-${Date.now()}`)
        await page.keyboard.press('Enter')
        await dialog.getByTestId('clone-running').waitFor()
      },
    ],
    'a deletion': ['Delete snapshot', (_, dialog) => dialog.getByText(/space/).first().waitFor()],
  }
  test.each(Object.entries(states))('%s is whole', async (name, [item, prepare]) => {
    const vm = name.replaceAll(/[^a-z]+/g, '-')
    await vmWith(vm, 'Running', `${vm}-point`)
    const [page, dialog] = await opened(vm, `${vm}-point`, item, { scheme: 'dark', width: 390, height: 844 })
    await prepare(page, dialog)
    expect(await violationsOf(page)).toEqual([])
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await page.context().close()
  })
})
