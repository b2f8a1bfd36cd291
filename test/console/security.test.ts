import { beforeAll, describe, expect, test } from 'vitest'
import { Namespace } from '../../packages/api/src/core/namespace.ts'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { type Console, vmPath } from './console.ts'
import { startConsole } from './fixture.ts'
import { seedSnapshot, seedVm } from './seeds.ts'
import { userOf } from './users.ts'

const snapshots = '/api/kubernetes/apis/snapshot.kubevirt.io/v1beta1/namespaces/default/virtualmachinesnapshots'
let started: Console

beforeAll(async () => {
  started = await startConsole()
  await started.client.create(Namespace, objectOf(Namespace, { name: 'team-a' }, {}))
  for (const namespace of ['default', 'team-a']) {
    const vm = await seedVm(started.client, { name: 'web', status: 'Running', namespace })
    await seedSnapshot(started.client, vm, { name: `of-${namespace}`, phase: 'Succeeded', achieved: 'Offline' })
  }
})

const minimal = (name: string): unknown => ({
  apiVersion: 'snapshot.kubevirt.io/v1beta1',
  kind: 'VirtualMachineSnapshot',
  metadata: { name },
  spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web' } },
})

describe('without a session', () => {
  test('there is the sign-in, and no data', async () => {
    const context = await started.context()
    const page = await context.newPage()
    await page.goto(vmPath('web', 'snapshots'))
    await page.getByLabel('Token').waitFor()
    expect(await page.getByText('of-default').count()).toBe(0)
    expect((await context.request.get(snapshots)).status()).toBe(401)
    await page.getByLabel('Token').fill('not-a-token')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page
      .getByRole('heading', { name: /token|credential|sign/i })
      .nth(1)
      .waitFor()
    await context.close()
  })

  test('a used link is no link any more', async () => {
    const context = await started.context()
    const link = await started.link(context)
    const page = await context.newPage()
    await page.goto(link)
    await page.getByTestId('user-menu').waitFor()
    expect(page.url()).not.toContain('code=')
    const other = await started.context()
    const second = await other.newPage()
    await second.goto(link)
    await second.getByLabel('Token').waitFor()
    expect((await other.request.get(snapshots)).status()).toBe(401)
    await context.close()
    await other.close()
  })
})

describe('in a session', () => {
  test('a write without the CSRF token, or from elsewhere, is refused', async () => {
    const page = await started.open(vmPath('web', 'snapshots'))
    const { request } = page.context()
    const cookies = await page.context().cookies()
    const csrf = cookies.find(({ name }) => name === 'csrf-token')?.value ?? ''
    const send = (name: string, headers: Record<string, string>) =>
      request.post(snapshots, { headers, data: minimal(name) as Record<string, unknown> })
    expect((await send('a', { origin: started.url })).status()).toBe(403)
    expect((await send('b', { origin: started.url, 'X-CSRFToken': 'guess' })).status()).toBe(403)
    expect((await send('c', { origin: 'https://evil.example', 'X-CSRFToken': csrf })).status()).toBe(403)
    expect((await send('d', { 'X-CSRFToken': csrf })).status()).toBe(403)
    expect((await send('e', { origin: started.url, 'X-CSRFToken': csrf })).status()).toBe(201)
    const list = await started.client.list(VirtualMachineSnapshot, { namespace: 'default' })
    expect(list.items.map(({ metadata }) => metadata.name).filter((name) => name.length === 1)).toEqual(['e'])
    const session = cookies.find(({ httpOnly }) => httpOnly)
    expect(session).toMatchObject({ sameSite: 'Strict', secure: true })
    expect(await page.evaluate<string>('document.cookie')).not.toContain(session?.value)
    await page.context().close()
  })

  test('signing out ends it for the server too', async () => {
    const page = await started.open('/')
    const kept = await page.context().cookies()
    await page.getByTestId('user-menu').click()
    await page.getByRole('menuitem', { name: /Sign out/ }).click()
    await page.getByLabel('Token').waitFor()
    const thief = await started.context()
    await thief.addCookies(kept)
    expect((await thief.request.get(snapshots)).status()).toBe(401)
    await thief.close()
    await page.context().close()
  })

  test('the page runs nothing that is not its own', async () => {
    const page = await started.open('/')
    const violated = page.evaluate<string>(
      "new Promise((resolve) => document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective)))",
    )
    await page.evaluate(
      "{ const script = document.createElement('script'); script.textContent = 'globalThis.injected = true'; document.body.append(script) }",
    )
    expect(await violated).toMatch(/^script-src/)
    expect(await page.evaluate('globalThis.injected')).toBeUndefined()
    await page.context().close()
  })
})

describe('a user of one namespace', () => {
  test('sees it, and nothing of another', async () => {
    const token = await userOf(started, 'team-a', 'view')
    const page = await started.open(vmPath('web', 'snapshots', 'team-a'), { token })
    await page.getByTestId('snapshot-of-team-a').waitFor()
    // May look, not take: the button says why.
    const take = page.getByRole('button', { name: 'Take snapshot' })
    await expect.poll(() => take.getAttribute('aria-disabled')).toBe('true')
    await page.goto(vmPath('web', 'snapshots'))
    await page.getByRole('heading', { name: /You may not see/ }).waitFor()
    expect(await page.getByText('of-default').count()).toBe(0)
    expect((await page.context().request.get(snapshots)).status()).toBe(403)
    await page.context().close()
  })

  test('does in it what the role edit allows, and nothing elsewhere', async () => {
    const token = await userOf(started, 'team-a', 'edit')
    const page = await started.open(vmPath('web', 'snapshots', 'team-a'), { token })
    await page.getByRole('button', { name: 'Take snapshot' }).click()
    await page.getByTestId('dialog-modal').getByRole('textbox', { name: 'Name' }).fill('allowed')
    await page.getByTestId('save-button').click()
    await page.getByTestId('snapshot-allowed').waitFor()
    const csrf = (await page.context().cookies()).find(({ name }) => name === 'csrf-token')?.value ?? ''
    const refused = await page.context().request.post(snapshots, {
      headers: { origin: started.url, 'X-CSRFToken': csrf },
      data: minimal('elsewhere') as Record<string, unknown>,
    })
    expect(refused.status()).toBe(403)
    await page.context().close()
  })
})

test('markup in names and texts is shown as text', async () => {
  const markup = '<img src=x onerror="globalThis.injected=true"><b>bold</b>'
  const vm = await started.client.get(VirtualMachine, { namespace: 'default', name: 'web' })
  await seedSnapshot(started.client, vm, {
    name: 'marked-up',
    phase: 'Failed',
    error: markup,
    annotations: { description: markup },
  })
  const page = await started.open(vmPath('web', 'snapshots'))
  await page.getByTestId('snapshot-status-marked-up').getByText(markup).waitFor()
  expect(await page.evaluate('globalThis.injected')).toBeUndefined()
  expect(await page.locator('img[src="x"]').count()).toBe(0)
  await page.context().close()
})
