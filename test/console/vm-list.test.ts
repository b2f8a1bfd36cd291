import { beforeAll, describe, expect, test } from 'vitest'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { namespace, seedSnapshot, seedVm } from './seeds.ts'

let started: Console
const list = '/k8s/ns/default/kubevirt.io~v1~VirtualMachine'

beforeAll(async () => {
  started = await startConsole()
  const web = await seedVm(started.client, { name: 'web', status: 'Running' })
  await seedVm(started.client, { name: 'db' })
  await seedSnapshot(started.client, web, { name: 'first', phase: 'Succeeded', achieved: 'Offline' })
  await seedSnapshot(started.client, web, { name: 'second', phase: 'Failed', error: 'out of space' })
})

describe('the list of VMs', () => {
  test('shows state, guest agent and newest snapshot', async () => {
    const page = await started.open(list)
    const web = page.getByRole('row', { name: 'web' })
    await web.getByText('Running').waitFor()
    await web.getByRole('link', { name: 'second' }).waitFor()
    await web.getByText('Failed').waitFor()
    await web.getByRole('button', { name: 'Not connected' }).click()
    await page.getByText('apt install qemu-guest-agent').waitFor()
    await page.getByRole('row', { name: 'db' }).getByText('Stopped').waitFor()
    await page.context().close()
  })

  test('keeps its filters in the address', async () => {
    const page = await started.open(list)
    await page.getByRole('button', { name: 'Filter by status' }).click()
    await page.getByRole('menuitem', { name: 'Stopped' }).getByRole('checkbox').check()
    await page.getByRole('row', { name: 'web' }).waitFor({ state: 'detached' })
    await page.waitForURL(/status=Stopped/)
    await page.reload()
    await page.getByRole('row', { name: 'db' }).waitFor()
    expect(await page.getByRole('row', { name: 'web' }).count()).toBe(0)
    await page.getByRole('textbox', { name: 'Name' }).fill('web')
    await page.getByRole('heading', { name: 'No results match the current filters' }).waitFor()
    await page.getByRole('button', { name: 'Clear all filters' }).last().click()
    await page.getByRole('row', { name: 'web' }).waitFor()
    await page.context().close()
  })

  test('starts with nothing to do, and says why', async () => {
    const page = await started.open(list)
    await page.getByTestId('actions-dropdown').click()
    const take = page.getByTestId('selected-vms-action-snapshot')
    await take.getByText('Tick VirtualMachines first').waitFor()
    expect(await take.getByRole('menuitem').getAttribute('aria-disabled')).toBe('true')
    await page.keyboard.press('Escape')
    await page.getByRole('row', { name: 'web' }).getByRole('checkbox').check()
    await page.getByTestId('actions-dropdown').click()
    await page.getByTestId('selected-vms-action-start').getByText('None of those ticked can be started').waitFor()
    await take.click()
    await page.getByTestId('dialog-modal').getByRole('heading', { name: 'Take snapshot' }).waitFor()
    await page.context().close()
  })
})

describe('while a snapshot is being taken', () => {
  test('the VM cannot be switched, its icons are gone, and the reason is told', async () => {
    const busy = await seedVm(started.client, { name: 'busy', status: 'Running' })
    await started.client.updateStatus(VirtualMachine, {
      ...busy,
      status: { printableStatus: 'Running', ...busy.status, snapshotInProgress: 'nightly' },
    })
    const page = await started.open(vmPath('busy', 'overview'))
    await page.getByRole('heading', { name: 'busy', level: 1 }).waitFor()
    await page.getByTestId('vm-work').first().getByText('Taking snapshot nightly').waitFor()
    expect(await page.getByTestId('vm-power-icons').getByRole('button').count()).toBe(0)
    await page.getByTestId('actions-menu-button').click()
    for (const id of ['start', 'stop', 'restart', 'pause']) {
      const action = page.getByTestId(`vm-action-${id}`)
      expect(await action.getByRole('menuitem').getAttribute('aria-disabled'), id).toBe('true')
      await action.getByText('The snapshot nightly is being taken').waitFor()
    }
    await page.keyboard.press('Escape')
    // It is over: without asking, the icons are back.
    const now = await started.client.get(VirtualMachine, { namespace, name: 'busy' })
    const { snapshotInProgress: _, ...status } = now.status ?? { printableStatus: 'Running' }
    await started.client.updateStatus(VirtualMachine, { ...now, status })
    await page.getByRole('button', { name: 'Stop', exact: true }).waitFor()
    await page.context().close()
  })
})

test('who may only look is told which right is missing', async () => {
  const token = await viewerToken()
  const page = await started.open(vmPath('web', 'yaml'), { token })
  await page.getByText(/You may not update virtualmachines.kubevirt.io/).waitFor()
  expect(await page.getByTestId('save-changes').count()).toBe(0)
  await page.getByTestId('actions-menu-button').click()
  await page
    .getByTestId('vm-action-stop')
    .getByText(/You may not update virtualmachines\/stop/)
    .waitFor()
  await page.context().close()
})

async function viewerToken(): Promise<string> {
  const { server } = started
  await server.kubectl(['create', 'sa', 'viewer'])
  await server.kubectl([
    'create',
    'rolebinding',
    'viewer',
    '--clusterrole=view',
    `--serviceaccount=${namespace}:viewer`,
  ])
  return (await server.kubectl(['create', 'token', 'viewer'])).trim()
}
