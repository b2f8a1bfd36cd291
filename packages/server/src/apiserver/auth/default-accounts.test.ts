import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.close())

const accounts = (namespace: string) => `/api/v1/namespaces/${namespace}/serviceaccounts`
const namespace = (name: string) => ({ metadata: { name } })

test('the namespaces of a new server have it from the start', async () => {
  const { body } = await api.client.get('/api/v1/serviceaccounts')
  const found = body.items.map(({ metadata }: { metadata: { namespace: string; name: string } }) => metadata)
  expect(found).toEqual(
    ['default', 'kube-node-lease', 'kube-public', 'kube-system'].map((of) =>
      expect.objectContaining({ namespace: of, name: 'default' }),
    ),
  )
})

test('a new namespace gets it, and again when it is deleted, once each', async () => {
  const watch = await api.client.watch(`${accounts('team')}?watch=1`)
  await api.client.post('/api/v1/namespaces', namespace('team'))
  expect(await watch.take(1)).toEqual(['ADDED default'])
  const first = (await api.client.get(`${accounts('team')}/default`)).body
  await api.client.delete(`${accounts('team')}/default`)
  expect(await watch.take(2)).toEqual(['DELETED default', 'ADDED default'])
  expect((await api.client.get(`${accounts('team')}/default`)).body.metadata.uid).not.toBe(first.metadata.uid)
  await api.client.post(accounts('team'), namespace('robot'))
  await api.client.delete(`${accounts('team')}/robot`)
  await api.client.post(accounts('team'), namespace('end'))
  expect(await watch.take(3)).toEqual(['ADDED robot', 'DELETED robot', 'ADDED end'])
  watch.close()
})

test('a namespace that is deleted loses it for good', async () => {
  await api.client.post('/api/v1/namespaces', namespace('leaving'))
  const watch = await api.client.watch(`${accounts('leaving')}?watch=1`)
  expect(await watch.take(1)).toEqual(['ADDED default'])
  const gone = await api.client.watch('/api/v1/namespaces?watch=1&fieldSelector=metadata.name%3Dleaving')
  await api.client.delete('/api/v1/namespaces/leaving')
  while ((await gone.next())?.type !== 'DELETED');
  expect(await watch.take(1)).toEqual(['DELETED default'])
  expect((await api.client.get(accounts('leaving'))).body.items).toEqual([])
  await api.client.post('/api/v1/namespaces', namespace('leaving'))
  expect(await watch.take(1)).toEqual(['ADDED default'])
})

test('a server that starts again makes what is missing, and nothing else', async () => {
  const before = (await api.client.get('/api/v1/serviceaccounts')).body
  await api.restart()
  const after = (await api.client.get('/api/v1/serviceaccounts')).body
  expect(after.items).toEqual(before.items)
  expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion)
})
