import { ConfigMap } from '@stillpoint/api/core/config'
import { Namespace } from '@stillpoint/api/core/namespace'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'

// Fields that a definition declares as selectable: the snapshots of one VM, the restores of one target.

let api: TestServer
const base = (version: string, plural: string) => `/apis/snapshot.kubevirt.io/${version}/namespaces/default/${plural}`
const snapshots = base('v1beta1', 'virtualmachinesnapshots')
const restores = base('v1beta1', 'virtualmachinerestores')
const machine = (name: string) => ({ apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name })
const snapshot = (name: string, vm: string) => ({
  apiVersion: 'snapshot.kubevirt.io/v1beta1',
  kind: 'VirtualMachineSnapshot',
  metadata: { name },
  spec: { source: machine(vm) },
})
const by = (path: string, selector: string) => `${path}?fieldSelector=${encodeURIComponent(selector)}`
const names = async (path: string, selector: string): Promise<string[]> => {
  const { code, body } = await api.client.get(by(path, selector))
  expect(code).toBe(200)
  return body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)
}

beforeAll(async () => {
  api = await startTestServer({ resources: [Namespace, ConfigMap, VirtualMachineSnapshot, VirtualMachineRestore] })
  for (const [name, vm] of [
    ['a1', 'a'],
    ['a2', 'a'],
    ['b1', 'b'],
  ] as const)
    expect((await api.client.post(snapshots, snapshot(name, vm))).code).toBe(201)
  for (const [name, vm] of [
    ['back-a', 'a'],
    ['back-b', 'b'],
  ] as const)
    await api.client.post(restores, {
      apiVersion: 'snapshot.kubevirt.io/v1beta1',
      kind: 'VirtualMachineRestore',
      metadata: { name },
      spec: { target: machine(vm), virtualMachineSnapshotName: `${vm}1` },
    })
})
afterAll(() => api.close())

const lists: Record<string, [path: string, selector: string, names: string[]]> = {
  'the snapshots of one VM': [snapshots, 'spec.source.name=a', ['a1', 'a2']],
  'in the older version as well': [base('v1alpha1', 'virtualmachinesnapshots'), 'spec.source.name==a', ['a1', 'a2']],
  'of all VMs but one': [snapshots, 'spec.source.name!=a', ['b1']],
  'of one VM and one name': [snapshots, 'spec.source.name=a,metadata.name=a2', ['a2']],
  'of a VM that has none': [snapshots, 'spec.source.name=c', []],
  'in all namespaces': [
    '/apis/snapshot.kubevirt.io/v1beta1/virtualmachinesnapshots',
    'spec.source.name=a',
    ['a1', 'a2'],
  ],
  'the restores of one VM': [restores, 'spec.target.name=b', ['back-b']],
  'the restores from one snapshot': [restores, 'spec.virtualMachineSnapshotName=a1', ['back-a']],
}
test.each(Object.entries(lists))('lists %s', async (_, [path, selector, wanted]) =>
  expect(await names(path, selector)).toEqual(wanted),
)

test('a field that is not declared is refused by name', async () => {
  const { code, body } = await api.client.get(by(snapshots, 'spec.deletionPolicy=Retain'))
  expect([code, body.message]).toEqual([400, 'field label not supported: spec.deletionPolicy'])
  expect((await api.client.get(by(restores, 'spec.source.name=a'))).code).toBe(400)
})

test('a watch of one VM sees its snapshots come and go', async () => {
  const watch = await api.client.watch(`${by(snapshots, 'spec.source.name=w')}&watch=1`)
  await api.client.post(snapshots, snapshot('w1', 'w'))
  await api.client.post(snapshots, snapshot('x1', 'x'))
  // No rule forbids it here: an object that no longer fits has gone, as far as this watch can tell.
  await api.client.merge(`${snapshots}/w1`, { spec: { source: machine('x') } })
  await api.client.merge(`${snapshots}/x1`, { spec: { source: machine('w') } })
  await api.client.delete(`${snapshots}/x1`)
  expect(await watch.take(4)).toEqual(['ADDED w1', 'DELETED w1', 'ADDED x1', 'DELETED x1'])
  watch.close()
})

test('all snapshots of one VM are deleted by one request', async () => {
  await api.client.post(snapshots, snapshot('d1', 'd'))
  await api.client.post(snapshots, snapshot('d2', 'd'))
  expect((await api.client.delete(by(snapshots, 'spec.source.name=d'))).code).toBe(200)
  expect(await names(snapshots, 'spec.source.name=d')).toEqual([])
  expect(await names(snapshots, 'spec.source.name=a')).toEqual(['a1', 'a2'])
})
