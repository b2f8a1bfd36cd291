import { Namespace } from '@stillpoint/api/core/namespace'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'

const collection = '/apis/snapshot.kubevirt.io/v1beta1/namespaces/default/virtualmachinesnapshots'
const held = (name: string) => ({
  apiVersion: 'snapshot.kubevirt.io/v1beta1',
  kind: VirtualMachineSnapshot.kind,
  metadata: { name, finalizers: ['example.com/held'] },
  spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'a' } },
})

let api: TestServer
let asAdmin: { token: string }
beforeAll(async () => {
  api = await startTestServer({ resources: [Namespace, VirtualMachineSnapshot] })
  asAdmin = { token: api.server.adminToken }
})
afterAll(() => api.close())

test('who lists right after a deletion finds what has no more to wait for gone', async () => {
  await api.client.post(collection, held('soon'))
  const watch = await api.client.watch(`${collection}?watch=1&resourceVersion=0`)
  let answered = false
  const deleting = api.client.delete(`${collection}/soon`, undefined, asAdmin).finally(() => {
    answered = true
  })
  for (let event = await watch.next(); !event?.object.metadata.deletionTimestamp; ) event = await watch.next()
  watch.close()
  expect(answered).toBe(false)
  await api.client.merge(`${collection}/soon`, { metadata: { finalizers: null } })
  const { code, body } = await deleting
  expect([code, body.kind]).toEqual([200, 'VirtualMachineSnapshot'])
  expect((await api.client.get(`${collection}/soon`)).code).toBe(404)
})

test('what is held is not waited for long, and by controllers not at all', async () => {
  await api.client.post(collection, held('later'))
  const byController = await api.client.delete(`${collection}/later`)
  const began = performance.now()
  const byAdmin = await api.client.delete(`${collection}/later`, undefined, asAdmin)
  expect(performance.now() - began).toBeGreaterThan(400)
  for (const { code, body } of [byController, byAdmin])
    expect([code, body.metadata.deletionTimestamp]).toEqual([200, expect.any(String)])
  const dry = performance.now()
  expect((await api.client.delete(`${collection}/later?dryRun=All`, undefined, asAdmin)).code).toBe(200)
  expect(performance.now() - dry).toBeLessThan(400)
})
