import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { startFront } from './front.ts'
import { namespace, seedSnapshot, seedVm } from './seeds.ts'
import { userOf } from './users.ts'
import { Wire } from './wire.ts'

// By HTTP/1.1 a browser opens six connections to a server, for all its tabs. Watches must not use them up.

let started: Console
let vm: VirtualMachine
let front: Awaited<ReturnType<typeof startFront>>

beforeAll(async () => {
  started = await startConsole()
  vm = await seedVm(started.client, { name: 'web', status: 'Running' })
  front = await startFront(started.server)
})
afterAll(() => front?.stop())

async function signIn(context: BrowserContext, token = started.adminToken): Promise<void> {
  const page = await newPage(context)
  await page.goto('/sign-in')
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByTestId('user-menu').waitFor()
  await page.close()
}

async function newPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  return page
}

async function tab(context: BrowserContext, path: string): Promise<Page> {
  const page = await newPage(context)
  await page.goto(path)
  return page
}

test('three tabs are live, and everything else is still answered', async () => {
  const context = await started.context({ url: front.url })
  await signIn(context)
  const list = await tab(context, '/')
  const snapshots = await tab(context, vmPath('web', 'snapshots'))
  const overview = await tab(context, vmPath('web'))
  await list.getByRole('link', { name: 'web', exact: true }).waitFor()
  await snapshots.getByRole('heading', { name: 'No snapshots found' }).waitFor()
  await overview.getByText('Snapshots (0)').waitFor()

  await seedSnapshot(started.client, vm, { name: 'theirs', phase: 'Succeeded', achieved: 'Offline' })
  await snapshots.getByTestId('snapshot-theirs').waitFor()
  await overview.getByText('Snapshots (1)').waitFor()
  await list.getByText('theirs').waitFor()

  await snapshots.getByRole('button', { name: 'Take snapshot' }).click()
  await snapshots.locator('#name').fill('ours')
  await snapshots.getByTestId('save-button').click()
  await snapshots.getByTestId('snapshot-ours').waitFor()
  await list.getByText('ours').waitFor()
  expect(await started.client.find(VirtualMachineSnapshot, { namespace, name: 'ours' })).toBeDefined()
  await context.close()
})

test('a lost connection is shown, and mended', async () => {
  const wire = await Wire.to(front.url)
  const context = await started.context({ url: wire.url })
  await signIn(context)
  const page = await tab(context, vmPath('web', 'snapshots'))
  await page.getByTestId('snapshot-theirs').waitFor()
  wire.cut()
  await page.getByTestId('connection-lost').waitFor()
  await seedSnapshot(started.client, vm, { name: 'meanwhile', phase: 'Succeeded', achieved: 'Offline' })
  wire.mend()
  await page.getByTestId('connection-lost').waitFor({ state: 'detached' })
  await page.getByTestId('snapshot-meanwhile').waitFor()
  await context.close()
  wire.close()
})

test('what may not be watched is said to be forbidden', async () => {
  const token = await userOf(started, 'default', 'view')
  const context = await started.context({ url: front.url })
  await signIn(context, token)
  const page = await tab(context, vmPath('web', 'snapshots'))
  await page.getByTestId('snapshot-theirs').waitFor()
  await page.goto(vmPath('web', 'snapshots', 'kube-system'))
  await page
    .getByText(/not allowed|forbidden/i)
    .first()
    .waitFor()
  await context.close()
})
