import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { isTrue } from '@stillpoint/api/meta/condition'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually, TestSystem } from './testing/system.ts'

let system: TestSystem
const ref = { namespace: 'default', name: 'web' }

beforeEach(async () => {
  system = await TestSystem.start()
})
afterEach(async () => {
  await system.close()
})

const printable = (wanted: string) =>
  eventually(async () => {
    const vm = await system.user.get(VirtualMachine, ref)
    return vm.status?.printableStatus === wanted && vm
  })
const phase = (wanted: string) =>
  eventually(async () => {
    const vmi = await system.user.find(VirtualMachineInstance, ref)
    return vmi?.status?.phase === wanted && vmi
  })

test('a VM with runStrategy Always gets a running instance on its published disk', async () => {
  await system.claim('disk')
  await system.vm('web', 'Always')
  const vm = await printable('Running')
  expect(vm.status).toMatchObject({ created: true, ready: true, runStrategy: 'Always' })
  const vmi = await phase('Running')
  expect(vmi.status).toMatchObject({
    nodeName: 'node-1',
    virtualMachineRevisionName: `revision-start-vm-${vm.metadata.uid}-1`,
  })
  expect(isTrue(vmi.status?.conditions, 'SoftwareEmulation')).toBe(true)
  expect(system.driverCalls).toEqual(['publish disk'])
  expect(system.hypervisor.launched[0]?.disks).toMatchObject([{ name: 'root', bus: 'virtio', serial: 'root' }])
})
