import type { Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { tabTo } from './keyboard.ts'
import { namespace, seedVm } from './seeds.ts'

let started: Console

beforeAll(async () => {
  started = await startConsole()
})

async function openEditor(name: string): Promise<Page> {
  await seedVm(started.client, { name })
  const page = await started.open(vmPath(name, 'yaml'))
  await page.locator('.cm-content').waitFor()
  return page
}

/** Types behind the first line that has this text. */
async function typeBehind(page: Page, text: string, typed: string): Promise<void> {
  await page.locator('.cm-line', { hasText: text }).first().click()
  await page.keyboard.press('End')
  await page.keyboard.insertText(typed)
}

const label = (page: Page, name: string, labels: Record<string, string>) =>
  started.client
    .patch(VirtualMachine, { namespace, name }, { metadata: { labels } })
    .then(() => page.locator('.cm-line', { hasText: 'name:' }).first().waitFor())

test('what is saved is in the API, and the editor says so', async () => {
  const page = await openEditor('saved')
  await typeBehind(page, 'uid:', '\n  labels:\n    tier: gold')
  await page.getByRole('button', { name: 'What saving would change' }).click()
  await page.getByTestId('diff').locator('ins', { hasText: 'tier: gold' }).waitFor()
  await page.getByTestId('save-changes').click()
  await page.locator('.yaml-editor__buttons h4', { hasText: /saved has been updated to version \d+/ }).waitFor()
  const { metadata } = await started.client.get(VirtualMachine, { namespace, name: 'saved' })
  expect(metadata.labels).toEqual({ tier: 'gold' })
  expect(await page.locator('.cm-content').textContent()).not.toContain('managedFields')
  await page.context().close()
})

test('what the API refuses stands at its line, and nothing is lost', async () => {
  const page = await openEditor('refused')
  await typeBehind(page, 'cores: 2', 'x')
  await page.getByTestId('save-changes').click()
  const problems = page.getByTestId('yaml-problems')
  await problems.getByText(/cores/).first().waitFor()
  await problems
    .getByRole('button', { name: /Line \d+/ })
    .first()
    .click()
  await expect.poll(() => page.locator('.cm-activeLine').first().textContent()).toContain('cores: 2x')
  await expect.poll(() => page.locator('.cm-lint-marker-error').count()).toBeGreaterThan(0)
  await page.context().close()
})

test('a status that changes meanwhile is no conflict; a label is, with a choice', async () => {
  const page = await openEditor('contested')
  await typeBehind(page, 'uid:', '\n  labels:\n    mine: a')
  const vm = await started.client.get(VirtualMachine, { namespace, name: 'contested' })
  await started.client.updateStatus(VirtualMachine, { ...vm, status: { printableStatus: 'Paused' } })
  await page.getByTestId('vm-status').getByText('Paused').waitFor()
  expect(await page.getByTestId('yaml-conflict').count()).toBe(0)
  await page.getByTestId('save-changes').click()
  await page.locator('.yaml-editor__buttons h4', { hasText: 'has been updated' }).waitFor()

  await typeBehind(page, 'mine: a', '2')
  await label(page, 'contested', { theirs: 'x' })
  await page.getByTestId('yaml-conflict').getByText('It has been changed meanwhile').waitFor()
  await page.getByTestId('save-changes').click()
  // The server has the last word: it must not be saved over what nobody has looked at.
  await expect
    .poll(async () => (await started.client.get(VirtualMachine, { namespace, name: 'contested' })).metadata.labels)
    .toEqual({ mine: 'a', theirs: 'x' })
  await page.getByRole('button', { name: 'Keep editing and compare' }).click()
  await page.getByTestId('diff').locator('del', { hasText: 'theirs: x' }).waitFor()
  await page.getByRole('button', { name: 'Reload' }).click()
  await page.locator('.cm-line', { hasText: 'theirs: x' }).waitFor()
  await page.context().close()
})

test('the editor is left by Escape and Tab, and asks before changes are lost', async () => {
  const page = await openEditor('left')
  await typeBehind(page, 'uid:', '\n  labels: {}')
  await page.keyboard.press('Tab')
  expect(await page.evaluate(`document.activeElement.closest('.cm-editor') !== null`)).toBe(true)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Tab')
  expect(await page.evaluate(`document.activeElement.closest('.cm-editor') !== null`)).toBe(false)
  await tabTo(page, page.getByRole('button', { name: 'Cancel' }))
  await page.keyboard.press('Enter')
  await page.getByRole('dialog', { name: 'Leave without saving?' }).getByRole('button', { name: 'Stay' }).click()
  expect(page.url()).toContain('/yaml')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: 'Leave' }).click()
  await page.getByTestId('virtual-machine-overview-details-name').waitFor()
  await page.context().close()
})
