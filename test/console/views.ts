import type { Page } from 'playwright-core'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { restorePath, snapshotPath, vmPath } from './console.ts'

/** A page, dialog or state of the console, and how to get there. */
export interface View {
  name: string
  path: string
  /** Resolves when the page shows what it is about. */
  ready: (page: Page) => Promise<void>
  prepare?: (page: Page) => Promise<void>
  /** Seen by somebody without a session. */
  signedOut?: boolean
}

const heading = (name: string | RegExp) => (page: Page) => page.getByRole('heading', { name }).first().waitFor()
const listOf = ({ group, version, kind }: { group: string; version: string; kind: string }, where = 'ns/default') =>
  `/k8s/${where}/${group}~${version}~${kind}`

async function choose(page: Page, menu: string, item: string): Promise<void> {
  await page.locator(menu).click()
  await page.getByRole('menuitem', { name: item }).click()
  await page.getByTestId('dialog-modal').waitFor()
}

const rowMenu = (snapshot: string) => `#snapshot-actions-${snapshot}`

export const views: View[] = [
  { name: 'sign-in', path: '/', signedOut: true, ready: (page) => page.getByLabel('Token').waitFor() },
  { name: 'virtual-machines', path: listOf(VirtualMachine), ready: heading('VirtualMachines') },
  {
    name: 'virtual-machines-none',
    path: listOf(VirtualMachine, 'ns/team-a'),
    ready: heading('No VirtualMachines found'),
  },
  { name: 'virtual-machines-all', path: listOf(VirtualMachine, 'all-namespaces'), ready: heading('VirtualMachines') },
  { name: 'virtual-machine-create', path: `${listOf(VirtualMachine)}/~new`, ready: heading('Create VirtualMachine') },
  {
    name: 'overview',
    path: vmPath('web', 'overview'),
    ready: (page) => page.getByTestId('virtual-machine-overview-snapshots').waitFor(),
  },
  {
    name: 'snapshots',
    path: vmPath('web', 'snapshots'),
    ready: (page) => page.getByTestId('snapshot-nightly').waitFor(),
  },
  { name: 'snapshots-none', path: vmPath('fresh', 'snapshots'), ready: heading('No snapshots found') },
  {
    name: 'snapshots-filtered-to-nothing',
    path: `${vmPath('web', 'snapshots')}?name=nothing-like-it`,
    ready: heading('No results match the current filters'),
  },
  {
    name: 'snapshots-timeline',
    path: `${vmPath('web', 'snapshots')}?view=timeline`,
    ready: (page) => page.getByText('You are here').first().waitFor(),
  },
  {
    name: 'snapshots-tree',
    path: `${vmPath('web', 'snapshots')}?view=tree`,
    ready: (page) => page.getByText('You are here').first().waitFor(),
  },
  {
    name: 'snapshots-restoring',
    path: vmPath('db', 'snapshots'),
    ready: (page) => page.getByTestId('snapshot-db-monday').waitFor(),
  },
  { name: 'disks', path: vmPath('web', 'disks'), ready: (page) => page.getByRole('grid').first().waitFor() },
  { name: 'console-not-running', path: vmPath('fresh', 'console'), ready: heading(/not running/) },
  {
    name: 'events',
    path: vmPath('web', 'events'),
    ready: (page) => page.getByText('Started the virtual machine').first().waitFor(),
  },
  { name: 'yaml', path: vmPath('web', 'yaml'), ready: (page) => page.locator('.cm-content').waitFor() },
  {
    name: 'diagnostics',
    path: vmPath('web', 'diagnostics'),
    ready: heading('Volume snapshot status'),
  },
  { name: 'virtual-machine-unknown', path: vmPath('nobody'), ready: heading(/does not exist/) },
  { name: 'snapshot-summary', path: snapshotPath('nightly'), ready: heading('nightly') },
  { name: 'snapshot-failed', path: snapshotPath('failed'), ready: heading('failed') },
  {
    name: 'snapshot-disks',
    path: snapshotPath('nightly', 'disks'),
    ready: (page) => page.getByRole('grid').first().waitFor(),
  },
  {
    name: 'snapshot-receipt',
    path: snapshotPath('nightly', 'receipt'),
    ready: (page) =>
      page
        .getByText(/412|0\.4 s/)
        .first()
        .waitFor(),
  },
  { name: 'snapshot-events', path: snapshotPath('nightly', 'events'), ready: heading('nightly') },
  {
    name: 'snapshot-yaml',
    path: snapshotPath('nightly', 'yaml'),
    ready: (page) => page.locator('.cm-content').waitFor(),
  },
  {
    name: 'fleet',
    path: listOf(VirtualMachineSnapshot, 'all-namespaces'),
    ready: (page) => page.getByText('db-monday').first().waitFor(),
  },
  {
    name: 'restores',
    path: listOf(VirtualMachineRestore),
    ready: (page) => page.getByText('restore-db').first().waitFor(),
  },
  {
    name: 'restores-all',
    path: listOf(VirtualMachineRestore, 'all-namespaces'),
    ready: (page) => page.getByText('restore-db').first().waitFor(),
  },
  { name: 'restores-none', path: listOf(VirtualMachineRestore, 'ns/team-a'), ready: heading('No restores found') },
  { name: 'restore', path: restorePath('restore-failed'), ready: heading('restore-failed') },
  { name: 'restore-complete', path: restorePath('restore-nightly'), ready: heading('restore-nightly') },
  {
    name: 'restore-volumes',
    path: restorePath('restore-nightly', 'volumes'),
    ready: (page) => page.getByRole('grid', { name: 'Volumes' }).waitFor(),
  },
  { name: 'restore-events', path: restorePath('restore-nightly', 'events'), ready: heading('Events') },
  {
    name: 'restore-yaml',
    path: restorePath('restore-nightly', 'yaml'),
    ready: (page) => page.locator('.cm-content').waitFor(),
  },
  {
    name: 'dialog-delete-restore',
    path: restorePath('restore-db'),
    ready: heading('restore-db'),
    prepare: async (page) => {
      await page.getByTestId('actions-menu-button').click()
      await page.getByRole('menuitem', { name: 'Delete restore' }).click()
      await page.getByTestId('deletion').waitFor()
    },
  },
  {
    name: 'dialog-take',
    path: vmPath('web', 'snapshots'),
    ready: (page) => page.getByTestId('snapshot-nightly').waitFor(),
    prepare: async (page) => {
      await page.getByRole('button', { name: 'Take snapshot' }).click()
      await page.getByTestId('dialog-modal').waitFor()
    },
  },
  {
    name: 'dialog-restore',
    path: vmPath('web', 'snapshots'),
    ready: (page) => page.getByTestId('snapshot-nightly').waitFor(),
    prepare: (page) => choose(page, rowMenu('nightly'), 'Restore VirtualMachine from snapshot'),
  },
  {
    name: 'dialog-create-vm',
    path: vmPath('web', 'snapshots'),
    ready: (page) => page.getByTestId('snapshot-nightly').waitFor(),
    prepare: (page) => choose(page, rowMenu('nightly'), 'Create VirtualMachine'),
  },
  {
    name: 'dialog-delete',
    path: vmPath('web', 'snapshots'),
    ready: (page) => page.getByTestId('snapshot-nightly').waitFor(),
    prepare: (page) => choose(page, rowMenu('nightly'), 'Delete snapshot'),
  },
  {
    name: 'dialog-stop-vm',
    path: vmPath('web', 'overview'),
    ready: heading('web'),
    prepare: (page) => choose(page, '[data-test="actions-menu-button"]', 'Stop'),
  },
  {
    name: 'dialog-delete-vm',
    path: vmPath('web', 'overview'),
    ready: heading('web'),
    prepare: async (page) => {
      await choose(page, '[data-test="actions-menu-button"]', 'Delete')
      await page.getByRole('checkbox', { name: 'nightly' }).waitFor()
    },
  },
  {
    name: 'virtual-machine-create-yaml',
    path: `${listOf(VirtualMachine)}/~new?view=yaml`,
    ready: (page) => page.locator('.cm-content').waitFor(),
  },
]
