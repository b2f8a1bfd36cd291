import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'

const widgets = '/apis/diff.example.com/v1/namespaces/default/widgets'
const configMaps = '/api/v1/namespaces/default/configmaps'
const widget = (name: string, rest: object = {}) => ({
  apiVersion: 'diff.example.com/v1',
  kind: 'Widget',
  metadata: { name },
  ...rest,
})

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.close())

describe('create', () => {
  test('fills what the server owns and drops status', async () => {
    const { code, body } = await api.client.post(widgets, {
      ...widget('made', { spec: { parts: [{ name: 'a' }] }, status: { phase: 'X' } }),
    })
    expect(code).toBe(201)
    expect(body).toEqual({
      apiVersion: 'diff.example.com/v1',
      kind: 'Widget',
      metadata: {
        name: 'made',
        namespace: 'default',
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        generation: 1,
        creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        resourceVersion: expect.stringMatching(/^\d+$/),
      },
      spec: { size: 3, parts: [{ name: 'a', count: 1 }] },
    })
    expect((await api.client.get(`${widgets}/made`)).body).toEqual(body)
  })

  test('of the same name answers AlreadyExists', async () => {
    await api.client.post(widgets, widget('twice'))
    const { code, body } = await api.client.post(widgets, widget('twice'))
    expect(code).toBe(409)
    expect(body).toMatchObject({
      kind: 'Status',
      reason: 'AlreadyExists',
      message: 'widgets.diff.example.com "twice" already exists',
      details: { name: 'twice', group: 'diff.example.com', kind: 'widgets' },
    })
  })

  test('generates names', async () => {
    const { body } = await api.client.post(configMaps, { metadata: { generateName: 'some-' } })
    expect(body.metadata.name).toMatch(/^some-[bcdfghjklmnpqrstvwxz2-9]{5}$/)
  })

  test('without a content type is JSON', async () => {
    const { code } = await api.client.post(configMaps, JSON.stringify({ metadata: { name: 'plain' } }), {
      contentType: '',
    })
    expect(code).toBe(201)
  })

  test('takes YAML', async () => {
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-yaml\ndata:\n  a: "1"\n'
    const { code, body } = await api.client.post(configMaps, yaml, { contentType: 'application/yaml; charset=utf-8' })
    expect(code).toBe(201)
    expect(body.data).toEqual({ a: '1' })
  })

  test('with dryRun answers as if, and writes nothing', async () => {
    const { code, body } = await api.client.post(`${widgets}?dryRun=All`, widget('dry'))
    expect(code).toBe(201)
    expect(body.metadata.resourceVersion).toBeUndefined()
    expect((await api.client.get(`${widgets}/dry`)).code).toBe(404)
  })
})

describe('update', () => {
  test('is refused with a stale resourceVersion', async () => {
    const { body } = await api.client.post(widgets, widget('stale'))
    await api.client.put(`${widgets}/stale`, { ...body, spec: { size: 4 } })
    const { code, body: status } = await api.client.put(`${widgets}/stale`, { ...body, spec: { size: 5 } })
    expect(code).toBe(409)
    expect(status.message).toBe(
      'Operation cannot be fulfilled on widgets.diff.example.com "stale": the object has been modified; please apply your changes to the latest version and try again',
    )
  })

  test('of a custom kind needs a resourceVersion, of a built-in kind does not', async () => {
    await api.client.post(widgets, widget('unversioned'))
    const { code, body } = await api.client.put(`${widgets}/unversioned`, widget('unversioned'))
    expect([code, body.message]).toEqual([
      422,
      'Widget.diff.example.com "unversioned" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    ])
    await api.client.post(configMaps, { metadata: { name: 'unversioned' } })
    expect(
      (await api.client.put(`${configMaps}/unversioned`, { metadata: { name: 'unversioned' }, data: { a: 'b' } })).code,
    ).toBe(200)
  })

  test('that changes nothing writes nothing', async () => {
    const { body } = await api.client.post(widgets, widget('same', { spec: { size: 4 } }))
    const again = await api.client.put(`${widgets}/same`, body)
    expect(again.code).toBe(200)
    expect(again.body.metadata.resourceVersion).toBe(body.metadata.resourceVersion)
  })

  test('counts generations for the spec and not for metadata', async () => {
    await api.client.post(widgets, widget('counted'))
    const labelled = await api.client.merge(`${widgets}/counted`, { metadata: { labels: { a: 'b' } } })
    expect(labelled.body.metadata.generation).toBe(1)
    const resized = await api.client.merge(`${widgets}/counted`, { spec: { size: 5 } })
    expect(resized.body.metadata.generation).toBe(2)
  })

  test('keeps spec and status apart', async () => {
    const { body } = await api.client.post(widgets, widget('apart', { spec: {} }))
    const put = await api.client.put(`${widgets}/apart/status`, {
      ...body,
      metadata: { ...body.metadata, labels: { sneaked: 'in' } },
      spec: { size: 9 },
      status: { phase: 'Ready' },
    })
    expect(put.body).toMatchObject({ spec: { size: 3 }, status: { phase: 'Ready' }, metadata: { generation: 1 } })
    expect(put.body.metadata.labels).toBeUndefined()
    const merged = await api.client.merge(`${widgets}/apart`, { status: { phase: 'Hacked' }, spec: { size: 2 } })
    expect(merged.body).toMatchObject({ spec: { size: 2 }, status: { phase: 'Ready' }, metadata: { generation: 2 } })
  })

  test('by a hundred racing patches loses none', async () => {
    await api.client.post(configMaps, { metadata: { name: 'raced' } })
    const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`)
    const replies = await Promise.all(
      keys.map((key) => api.client.merge(`${configMaps}/raced`, { data: { [key]: 'x' } })),
    )
    expect(replies.map(({ code }) => code)).toEqual(keys.map(() => 200))
    expect(Object.keys((await api.client.get(`${configMaps}/raced`)).body.data).sort()).toEqual([...keys].sort())
  })
})

describe('delete', () => {
  test('answers a Status with the uid for kinds that do not return the object', async () => {
    const { body } = await api.client.post(widgets, widget('gone'))
    const { code, body: status } = await api.client.delete(`${widgets}/gone`)
    expect([code, status]).toEqual([
      200,
      {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Success',
        details: { name: 'gone', group: 'diff.example.com', kind: 'widgets', uid: body.metadata.uid },
      },
    ])
    expect((await api.client.get(`${widgets}/gone`)).code).toBe(404)
  })

  test('waits for finalizers', async () => {
    await api.client.post(widgets, { ...widget('held'), metadata: { name: 'held', finalizers: ['a.b/c'] } })
    const first = await api.client.delete(`${widgets}/held`)
    expect(first.body.metadata).toMatchObject({
      deletionTimestamp: expect.any(String),
      deletionGracePeriodSeconds: 0,
      generation: 2,
    })
    const second = await api.client.delete(`${widgets}/held`)
    expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion)
    const added = await api.client.merge(`${widgets}/held`, { metadata: { finalizers: ['a.b/c', 'd.e/f'] } })
    expect([added.code, added.body.message]).toEqual([
      422,
      'Widget.diff.example.com "held" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"d.e/f"}',
    ])
    const released = await api.client.merge(`${widgets}/held`, { metadata: { finalizers: [] } })
    expect(released.code).toBe(200)
    expect(released.body.metadata.finalizers).toBeUndefined()
    expect((await api.client.get(`${widgets}/held`)).code).toBe(404)
  })

  test('checks its preconditions', async () => {
    const { body } = await api.client.post(widgets, widget('guarded'))
    const { code, body: status } = await api.client.delete(`${widgets}/guarded`, { preconditions: { uid: 'other' } })
    expect([code, status.message]).toEqual([
      409,
      `Operation cannot be fulfilled on widgets.diff.example.com "guarded": the UID in the precondition (other) does not match the UID in record (${body.metadata.uid}). The object might have been deleted and then recreated`,
    ])
    expect((await api.client.delete(`${widgets}/guarded`, { preconditions: { uid: body.metadata.uid } })).code).toBe(
      200,
    )
  })

  test('of a collection takes what the selector selects', async () => {
    for (const name of ['del-a', 'del-b'])
      await api.client.post(configMaps, { metadata: { name, labels: { del: name } } })
    const { code, body } = await api.client.delete(`${configMaps}?labelSelector=del%3Ddel-a`)
    expect([code, body.kind, body.items.length]).toEqual([200, 'ConfigMapList', 1])
    expect((await api.client.get(`${configMaps}/del-b`)).code).toBe(200)
  })
})
