import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'
const secrets = '/api/v1/namespaces/default/secrets'
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.close())

describe('a Secret', () => {
  test('takes text and shows it in base64 only', async () => {
    const { body } = await api.client.post(secrets, {
      metadata: { name: 'a' },
      data: { x: 'AA==' },
      stringData: { y: 'text' },
    })
    expect(body).toMatchObject({ type: 'Opaque', data: { x: 'AA==', y: 'dGV4dA==' } })
    expect(body.stringData).toBeUndefined()
  })
  test('keeps its type', async () => {
    await api.client.post(secrets, { metadata: { name: 'b' } })
    const { code, body } = await api.client.merge(`${secrets}/b`, { type: 'other' })
    expect([code, body.message]).toEqual([
      422,
      'Secret "b" is invalid: type: Invalid value: "other": field is immutable',
    ])
  })
  test('of a known type has its keys', async () => {
    const { code, body } = await api.client.post(secrets, {
      metadata: { name: 'c' },
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': 'x' },
    })
    expect([code, body.message]).toEqual([422, 'Secret "c" is invalid: data[tls.key]: Required value'])
  })
  test('with broken base64 is refused', async () => {
    expect((await api.client.post(secrets, { metadata: { name: 'd' }, data: { x: '%' } })).code).toBe(400)
  })
})

describe('a ConfigMap', () => {
  test('that is immutable stays as it is', async () => {
    await api.client.post(configMaps, { metadata: { name: 'a' }, data: { a: 'b' }, immutable: true })
    const { code, body } = await api.client.merge(`${configMaps}/a`, { data: { a: 'c' }, immutable: false })
    expect([code, body.details.causes.map(({ field }: { field: string }) => field)]).toEqual([
      422,
      ['data', 'immutable'],
    ])
    expect((await api.client.merge(`${configMaps}/a`, { metadata: { labels: { x: 'y' } } })).code).toBe(200)
  })
  test('has good keys, each once', async () => {
    const { body } = await api.client.post(configMaps, {
      metadata: { name: 'b' },
      data: { 'a b': '', c: '' },
      binaryData: { c: '' },
    })
    expect(body.details.causes.map(({ field }: { field: string }) => field)).toEqual(['data[a b]', 'data[c]'])
  })
})

describe('a Lease', () => {
  test('is created by a PUT, and needs its version from then on', async () => {
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'l' },
      spec: { leaseDurationSeconds: 15 },
    }
    expect((await api.client.put(`${leases}/l`, lease)).code).toBe(201)
    expect((await api.client.put(`${leases}/l`, lease)).code).toBe(422)
  })
  test('lasts longer than nothing', async () => {
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'm' },
      spec: { leaseDurationSeconds: 0 },
    }
    expect((await api.client.post(leases, lease)).body.message).toMatch(
      /spec\.leaseDurationSeconds: Invalid value: 0: must be greater than 0/,
    )
  })
})

test('rules of others may change and refuse, and see what is stored', async () => {
  const { startTestServer: start } = await import('../testing/server.ts')
  const seen: string[] = []
  const other = await start({
    admission: [
      {
        group: '',
        resource: 'configmaps',
        operations: ['CREATE', 'DELETE'],
        admit: ({ operation, object, read, user, dryRun }) => {
          seen.push(
            `${operation} ${object.metadata.name} ${user.username} ${dryRun} ${read.get('', 'namespaces', undefined, 'default')?.kind}`,
          )
          return operation === 'DELETE'
            ? undefined
            : { ...object, metadata: { ...object.metadata, labels: { admitted: 'yes' } } }
        },
      },
    ],
  })
  try {
    const { body } = await other.client.post(`${configMaps}?dryRun=All`, { metadata: { name: 'x' } })
    expect(body.metadata.labels).toEqual({ admitted: 'yes' })
    await other.client.post(configMaps, { metadata: { name: 'x' } })
    await other.client.delete(`${configMaps}/x`)
    expect(seen).toEqual([
      'CREATE x system:controller true Namespace',
      'CREATE x system:controller false Namespace',
      'DELETE x system:controller false Namespace',
    ])
  } finally {
    await other.close()
  }
})
