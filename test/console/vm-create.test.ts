import { beforeAll, expect, test } from 'vitest'
import { machine } from '../../bench/objects.ts'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import { VolumeSnapshot } from '../../packages/api/src/storage/kinds.ts'
import type { Console } from './console.ts'
import { startConsole } from './fixture.ts'
import { namespace } from './seeds.ts'

let started: Console
const list = '/k8s/ns/default/kubevirt.io~v1~VirtualMachine'

beforeAll(async () => {
  // With the controllers of machines: they know which VM cannot be.
  started = await startConsole('apiserver,console,machine')
  await started.client.create(VirtualMachine, machine('taken', 'Halted', []))
})

test('what is wrong stands at its field: by itself while it is typed, by the API before anything is made', async () => {
  const page = await started.open(list)
  await page.getByRole('link', { name: 'Create VirtualMachine' }).click()
  await page.getByRole('heading', { name: 'Create VirtualMachine' }).waitFor()
  await page.getByRole('textbox', { name: 'Name' }).fill('taken')
  await page.getByText('"taken" exists already; choose another name').waitFor()
  await page.getByRole('textbox', { name: 'Name' }).fill('made')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByText('An address is required').waitFor()
  await page.getByRole('textbox', { name: 'Address of the image' }).fill('file:///guest.qcow2')
  // Half a mebibyte is a size, but no computer.
  await page.getByRole('textbox', { name: 'Memory' }).fill('0.5')
  await page.getByRole('combobox', { name: 'Unit of memory' }).selectOption('Mi')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByText(/'512Ki' is no memory size/).waitFor()
  expect(await page.getByRole('textbox', { name: 'Memory' }).getAttribute('aria-invalid')).toBe('true')
  expect(await started.client.find(VirtualMachine, { namespace, name: 'made' })).toBeUndefined()

  await page.getByRole('textbox', { name: 'Memory' }).fill('64')
  await page.getByRole('checkbox', { name: 'Start it after creation' }).uncheck()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByRole('heading', { name: 'made', level: 1 }).waitFor()
  const made = await started.client.get(VirtualMachine, { namespace, name: 'made' })
  expect(made.spec).toMatchObject({
    runStrategy: 'Halted',
    dataVolumeTemplates: [{ spec: { source: { http: { url: 'file:///guest.qcow2' } } } }],
    template: { spec: { domain: { memory: { guest: '64Mi' } } } },
  })
  await page.context().close()
})

test('a disk from a VolumeSnapshot: where it is, which one, and its size', async () => {
  const snapshot = await started.client.create(
    VolumeSnapshot,
    objectOf(
      VolumeSnapshot,
      { name: 'disk-monday', namespace },
      { spec: { source: { persistentVolumeClaimName: 'disk' } } },
    ),
  )
  await started.client.updateStatus(VolumeSnapshot, { ...snapshot, status: { readyToUse: true, restoreSize: '7Gi' } })
  const page = await started.open(`${list}/~new`)
  await page.getByRole('textbox', { name: 'Name' }).fill('copy')
  await page.getByRole('radio', { name: 'VolumeSnapshot' }).check()
  await page.getByRole('combobox', { name: 'Project of the snapshot' }).selectOption(namespace)
  await page.getByRole('combobox', { name: 'Snapshot', exact: true }).selectOption('disk-monday')
  expect(await page.getByRole('textbox', { name: 'Size' }).inputValue()).toBe('7')
  await page.getByRole('textbox', { name: 'Size' }).fill('6')
  await page.getByText('At least as large as the snapshot: 7 GiB').waitFor()
  await page.context().close()
})

test('the form can be gone on with as YAML', async () => {
  const page = await started.open(`${list}/~new`)
  await page.getByRole('textbox', { name: 'Name' }).fill('by-text')
  await page.getByRole('checkbox', { name: 'Start it after creation' }).uncheck()
  await page.getByRole('button', { name: 'YAML' }).click()
  await page.locator('.cm-line', { hasText: 'name: by-text' }).first().waitFor()
  await page.getByTestId('save-changes').click()
  await page.getByRole('heading', { name: 'by-text', level: 1 }).waitFor()
  expect((await started.client.get(VirtualMachine, { namespace, name: 'by-text' })).spec.runStrategy).toBe('Halted')
  await page.context().close()
})
