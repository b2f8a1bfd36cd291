import type { Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { machine } from '../../bench/objects.ts'
import { VirtualMachine, VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import { roles } from '../../packages/server/src/cli/roles.ts'
import { twoDisks } from '../system/fixtures.ts'
import { agentConnected, namespace } from '../system/machine.ts'
import { until } from '../system/until.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { Wire } from './wire.ts'

// Before a real guest: its serial console, its display, and its power switch.

let started: Console
let page: Page

beforeAll(async () => {
  started = await startConsole(roles.join(','))
  await started.client.create(VirtualMachine, machine('web', 'Manual', twoDisks))
  page = await started.open(vmPath('web', 'console'))
})

// A row of the terminal each.
const screen = async (): Promise<string> =>
  (await page.locator('.xterm-accessibility-tree > div').allTextContents()).map((line) => line.trimEnd()).join('\n')
const inTerminal = (): Promise<boolean> => page.evaluate(`document.activeElement.closest('.xterm') !== null`)
const status = (word: string) => page.getByTestId('vm-status').getByText(word).waitFor({ timeout: 60_000 })

test('a VM that is off says so, and is started from there', async () => {
  await page.getByRole('heading', { name: 'The VirtualMachine is not running' }).waitFor()
  await page.getByRole('button', { name: 'Start' }).last().click()
  await page.getByTestId('console-state').getByText('Connected').waitFor({ timeout: 60_000 })
  await agentConnected(started.server, 'web')
})

test('what is typed reaches the guest, and Ctrl-] gives the keyboard back', async () => {
  await page.getByTestId('serial-console').click()
  await page.keyboard.type('\n')
  await expect.poll(screen, { timeout: 30_000 }).toMatch(/#$/m)
  await page.keyboard.type('echo $((6 * 7))-answers\n')
  await expect.poll(screen).toContain('42-answers')
  // Tab is the guest's, as every other key.
  await page.keyboard.press('Tab')
  expect(await inTerminal()).toBe(true)
  await page.keyboard.press('Control+]')
  expect(await inTerminal()).toBe(false)
  await page.evaluate(`navigator.clipboard.writeText('echo pasted-$((1 + 1))')`)
  await page.getByRole('button', { name: 'Paste' }).click()
  await expect.poll(inTerminal).toBe(true)
  await page.keyboard.press('Enter')
  await expect.poll(screen).toContain('pasted-2')
})

test('the display is shown, and takes the three keys', async () => {
  await page.getByRole('button', { name: 'Display (VNC)' }).click()
  await page.getByTestId('vnc-console').waitFor()
  await page.getByTestId('console-state').getByText('Connected').waitFor()
  await expect.poll(() => page.getByTestId('vnc-console').locator('canvas').count()).toBe(1)
  await page.getByTestId('vnc-console').click()
  await page.keyboard.press('Control+]')
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Send Ctrl-Alt-Del')
  await page.getByRole('button', { name: 'Serial console' }).click()
  await page.getByTestId('serial-console').waitFor()
  await page.getByTestId('console-state').getByText('Connected').waitFor()
})

test('a cut line comes back by itself, with what was on the screen, once', async () => {
  const wire = await Wire.to(started.url)
  const far = await started.open(vmPath('web', 'console'), { url: wire.url })
  const state = far.getByTestId('console-state')
  await state.getByText('Connected').waitFor()
  const answers = (): Promise<number> =>
    far.locator('.xterm-accessibility-tree > div', { hasText: /^42-answers/ }).count()
  await expect.poll(answers).toBe(1)
  wire.cut()
  await state.getByText(/^\s*Closed: /).waitFor()
  wire.mend()
  await far.getByRole('button', { name: 'Connect now' }).click()
  await state.getByText('Connected').waitFor()
  await far.getByTestId('serial-console').click()
  await far.keyboard.type('echo $((6 + 6))-again\n')
  await far.locator('.xterm-accessibility-tree > div', { hasText: /^12-again/ }).waitFor()
  expect(await answers()).toBe(1)
  await far.context().close()
  wire.close()
})

test('pausing, restarting and stopping: at once, or after a question', async () => {
  await page.getByRole('button', { name: 'Pause', exact: true }).click()
  await status('Paused')
  await page.getByRole('button', { name: 'Unpause' }).click()
  await status('Running')
  const before = await started.client.get(VirtualMachineInstance, { namespace, name: 'web' })
  await page.getByRole('button', { name: 'Restart' }).click()
  const dialog = page.getByTestId('dialog-modal')
  await dialog.getByText(/asked to shut down/).waitFor()
  await dialog.getByRole('checkbox', { name: /at once/ }).check()
  await dialog.getByTestId('save-button').click()
  await until(
    started.client,
    VirtualMachineInstance,
    { namespace, name: 'web' },
    (vmi) => vmi !== undefined && vmi.metadata.uid !== before.metadata.uid && vmi.status?.phase === 'Running',
  )
  // The console of the new instance, without asking.
  await page.getByTestId('console-state').getByText('Connected').waitFor()
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await dialog.getByRole('checkbox', { name: /at once/ }).check()
  await dialog.getByTestId('save-button').click()
  await status('Stopped')
  await page.getByRole('heading', { name: 'The VirtualMachine is not running' }).waitFor()
})

test('an action that is refused says so, and why', async () => {
  // Somebody else is quicker; the page cannot know when the button is pressed.
  await page.route('**/virtualmachines/web/start', async (route) => {
    await started.client.delete(VirtualMachine, { namespace, name: 'web' })
    await route.continue()
  })
  await page.getByRole('button', { name: 'Start', exact: true }).first().click()
  const toast = page.getByTestId('toast-danger')
  await toast.getByText('web was not started').waitFor()
  await page.context().close()
})
