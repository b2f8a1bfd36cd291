import { setTimeout as delay } from 'node:timers/promises'
import type { ObjectMeta } from '@stillpoint/api/meta/object-meta'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'
import { type Collection, type OwnerState, planCollection } from './garbage-collector.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'
const eventually = { timeout: 3_000, interval: 10 }

let api: TestServer
let counter = 0
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.close())

const create = async (metadata: object) =>
  (await api.client.post(configMaps, { metadata: { name: `gc-${counter++}`, ...metadata } })).body
const owned = (owner: { metadata: { name: string; uid: string } }, rest: object = {}) => ({
  ownerReferences: [
    { apiVersion: 'v1', kind: 'ConfigMap', name: owner.metadata.name, uid: owner.metadata.uid, ...rest },
  ],
})
const read = async ({ metadata }: { metadata: { name: string } }) =>
  await api.client.get(`${configMaps}/${metadata.name}`)
const remove = ({ metadata }: { metadata: { name: string } }, options?: object) =>
  api.client.delete(`${configMaps}/${metadata.name}`, options)
const gone = (object: { metadata: { name: string } }) =>
  expect.poll(async () => (await read(object)).code, eventually).toBe(404)

describe('deleting an owner', () => {
  test('deletes what it owns, to the last generation, within a second', async () => {
    const owner = await create({})
    const child = await create(owned(owner))
    const grandchildren = await Promise.all(Array.from({ length: 20 }, () => create(owned(child))))
    const start = performance.now()
    await remove(owner)
    for (const object of [child, ...grandchildren]) await gone(object)
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  test('keeps what has another owner, which forgets the one that is gone', async () => {
    const [lost, kept] = [await create({}), await create({})]
    const child = await create({ ownerReferences: [...owned(lost).ownerReferences, ...owned(kept).ownerReferences] })
    await remove(lost)
    await expect
      .poll(
        async () => (await read(child)).body.metadata.ownerReferences?.map(({ uid }: { uid: string }) => uid),
        eventually,
      )
      .toEqual([kept.metadata.uid])
  })

  test('in the foreground waits for blocking dependents', async () => {
    const owner = await create({})
    const child = await create({ ...owned(owner, { blockOwnerDeletion: true }), finalizers: ['a.b/c'] })
    const { body } = await remove(owner, { propagationPolicy: 'Foreground' })
    expect(body.metadata.finalizers).toEqual(['foregroundDeletion'])
    await expect.poll(async () => (await read(child)).body.metadata.deletionTimestamp, eventually).toBeDefined()
    expect((await read(owner)).code).toBe(200)
    await api.client.merge(`${configMaps}/${child.metadata.name}`, { metadata: { finalizers: null } })
    await gone(owner)
    await gone(child)
  })

  test('in the foreground ends also where dependents own each other in a circle', async () => {
    const owner = await create({})
    const a = await create(owned(owner, { blockOwnerDeletion: true }))
    const b = await create({ ...owned(a, { blockOwnerDeletion: true }) })
    await api.client.merge(`${configMaps}/${owner.metadata.name}`, { metadata: owned(b, { blockOwnerDeletion: true }) })
    await remove(owner, { propagationPolicy: 'Foreground' })
    for (const object of [owner, a, b]) await gone(object)
  })

  test('as orphaning keeps its dependents and frees them', async () => {
    const owner = await create({})
    const child = await create(owned(owner))
    await remove(owner, { propagationPolicy: 'Orphan' })
    await gone(owner)
    expect((await read(child)).body.metadata.ownerReferences).toBeUndefined()
  })
})

test('an object whose owner has another uid is collected', async () => {
  const owner = await create({})
  await gone(await create(owned({ metadata: { name: owner.metadata.name, uid: 'another' } })))
  expect((await read(owner)).code).toBe(200)
})

test('an owner of a kind that is not served is left to its own server', async () => {
  const object = await create({ ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'x', uid: 'x' }] })
  await delay(100)
  expect((await read(object)).code).toBe(200)
})

test('what an owner left behind is collected after a restart', async () => {
  const owner = await create({})
  const child = await create({ ...owned(owner), finalizers: ['a.b/c'] })
  await remove(owner)
  await api.restart()
  await expect.poll(async () => (await read(child)).body.metadata.deletionTimestamp, eventually).toBeDefined()
  await api.client.merge(`${configMaps}/${child.metadata.name}`, { metadata: { finalizers: null } })
  await gone(child)
})

describe('a namespace', () => {
  test('is emptied before it goes, and says what it waits for', async () => {
    await api.client.post('/api/v1/namespaces', { metadata: { name: 'doomed' } })
    const inside = '/api/v1/namespaces/doomed/configmaps'
    await api.client.post(inside, { metadata: { name: 'free' } })
    await api.client.post(inside, { metadata: { name: 'held', finalizers: ['a.b/c'] } })
    const { code, body } = await api.client.delete('/api/v1/namespaces/doomed')
    expect([code, body.status.phase]).toEqual([200, 'Terminating'])
    const refused = await api.client.post(inside, { metadata: { name: 'late' } })
    expect([refused.code, refused.body.message, refused.body.details.causes[0].reason]).toEqual([
      403,
      'configmaps "late" is forbidden: unable to create new content in namespace doomed because it is being terminated',
      'NamespaceTerminating',
    ])
    const condition = async (type: string) =>
      (await api.client.get('/api/v1/namespaces/doomed')).body.status.conditions?.find(
        (item: { type: string }) => item.type === type,
      )?.message
    await expect
      .poll(() => condition('NamespaceContentRemaining'), eventually)
      .toBe('Some resources are remaining: configmaps has 1 resource instances')
    expect(await condition('NamespaceFinalizersRemaining')).toBe(
      'Some content in the namespace has finalizers remaining: a.b/c in 1 resource instances',
    )
    expect((await api.client.delete('/api/v1/namespaces/doomed')).code).toBe(409)
    await api.client.merge(`${inside}/held`, { metadata: { finalizers: null } })
    await expect.poll(async () => (await api.client.get('/api/v1/namespaces/doomed')).code, eventually).toBe(404)
  })

  test.each(['default', 'kube-system', 'kube-public'])('%s cannot be deleted', async (name) => {
    const { code, body } = await api.client.delete(`/api/v1/namespaces/${name}`)
    expect([code, body.message]).toEqual([403, `namespaces "${name}" is forbidden: this namespace may not be deleted`])
  })
})

const owner = (uid: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: uid, uid })
const plans: Record<
  string,
  [Partial<ObjectMeta>, Record<string, OwnerState>, Collection, { any: boolean; waiting: boolean }?]
> = {
  'keeps what has no owners': [{}, {}, { do: 'keep' }],
  'keeps what is being deleted already': [
    { deletionTimestamp: 'x', ownerReferences: [owner('a')] },
    { a: 'dangling' },
    { do: 'keep' },
  ],
  'keeps what has a living owner': [{ ownerReferences: [owner('a')] }, { a: 'solid' }, { do: 'keep' }],
  'strips the dead beside the living': [
    { ownerReferences: [owner('a'), owner('b'), owner('c')] },
    { a: 'solid', b: 'dangling', c: 'waiting' },
    { do: 'strip', uids: ['b', 'c'] },
  ],
  'deletes in the background': [
    { ownerReferences: [owner('a')] },
    { a: 'dangling' },
    { do: 'delete', policy: 'Background', unblock: false },
  ],
  'deletes in the foreground what has dependents and a waiting owner': [
    { ownerReferences: [owner('a')] },
    { a: 'waiting' },
    { do: 'delete', policy: 'Foreground', unblock: false },
    { any: true, waiting: false },
  ],
  'unblocks a circle': [
    { ownerReferences: [owner('a')] },
    { a: 'waiting' },
    { do: 'delete', policy: 'Foreground', unblock: true },
    { any: true, waiting: true },
  ],
  'respects an orphan finalizer': [
    { ownerReferences: [owner('a')], finalizers: ['orphan'] },
    { a: 'dangling' },
    { do: 'delete', policy: 'Orphan', unblock: false },
  ],
}
test.each(Object.entries(plans))('the plan %s', (_, [metadata, states, plan, dependents]) =>
  expect(
    planCollection(
      { name: 'x', ...metadata },
      new Map(Object.entries(states)),
      dependents ?? { any: false, waiting: false },
    ),
  ).toEqual(plan),
)
