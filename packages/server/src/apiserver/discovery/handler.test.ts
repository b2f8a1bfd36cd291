import { kinds } from '@stillpoint/api/kinds'
import { StatusError } from '@stillpoint/api/meta/status-error'
import { describe, expect, test } from 'vitest'
import { discoveryRoutes } from './handler.ts'
import type { OpenApiSchema } from './schemas.ts'

const keys = ['subresources.kubevirt.io/virtualmachineinstances/freeze']
const routes = discoveryRoutes(kinds, () => keys)
// biome-ignore lint/suspicious/noExplicitAny: documents are looked into at many depths
type Json = any

function get(path: string, accept?: string): Json {
  const answer = routes(path, accept)
  if (answer === undefined) throw new Error(`${path} is not served`)
  return JSON.parse(Buffer.from(answer.body).toString())
}

const v2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const v2beta1 = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList'

describe('plain discovery', () => {
  test('names the core version', () => expect(get('/api').versions).toEqual(['v1']))

  test('lists the other groups', () => {
    const { groups } = get('/apis', 'application/json')
    expect(groups.map(({ name }: Json) => name)).not.toContain('')
    const snapshots = groups.find(({ name }: Json) => name === 'snapshot.kubevirt.io')
    expect(snapshots.preferredVersion).toEqual({ groupVersion: 'snapshot.kubevirt.io/v1beta1', version: 'v1beta1' })
    expect(get('/apis/snapshot.kubevirt.io')).toMatchObject({ kind: 'APIGroup', ...snapshots })
  })

  test('lists resources and their subresources', () => {
    const { groupVersion, resources } = get('/api/v1/')
    expect(groupVersion).toBe('v1')
    expect(resources.find(({ name }: Json) => name === 'configmaps')).toEqual({
      name: 'configmaps',
      singularName: 'configmap',
      namespaced: true,
      kind: 'ConfigMap',
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      shortNames: ['cm'],
      storageVersionHash: 'qFsyl6wFWjQ=',
    })
    expect(resources.find(({ name }: Json) => name === 'namespaces/status')).toMatchObject({
      namespaced: false,
      kind: 'Namespace',
      verbs: ['get', 'patch', 'update'],
    })
    expect(get('/apis/subresources.kubevirt.io/v1alpha3').resources).toMatchObject([
      { name: 'virtualmachineinstances/freeze', namespaced: true, verbs: ['update'] },
    ])
  })

  test.each([
    '/api/v2',
    '/apis/none',
    '/apis/apps/v2',
    '/api/v1/configmaps',
    '/openapi/v3/apis/none/v1',
    '/version',
    '/x',
  ])('%s is not answered', (path) => expect(routes(path, undefined)).toBeUndefined())
})

describe('aggregated discovery', () => {
  const cases: [string, string, string][] = [
    ['the newest form that is asked for', `${v2},${v2beta1},application/json`, v2],
    ['the older form alone', `${v2beta1},application/json`, v2beta1],
    ['the plain form when it comes first', `application/json,${v2}`, 'application/json'],
    ['the plain form for unknown versions', `${v2.replace('v=v2', 'v=v3')},application/json`, 'application/json'],
    ['the plain form for anything', '*/*', 'application/json'],
  ]
  test.each(cases)('is answered in %s', (_, accept, type) => expect(routes('/apis', accept)?.contentType).toBe(type))

  test('has the core group under /api and the others under /apis', () => {
    expect(get('/api', v2).items.map(({ metadata }: Json) => metadata.name)).toEqual([''])
    expect(get('/apis', v2).items.map(({ metadata }: Json) => metadata.name)).not.toContain('')
  })

  test('hangs actions from a parent without kind and verbs', () => {
    const group = get('/apis', v2).items.find(({ metadata }: Json) => metadata.name === 'subresources.kubevirt.io')
    const nothing = { group: '', version: '', kind: '' }
    expect(group.versions[0].resources).toEqual([
      {
        resource: 'virtualmachineinstances',
        responseKind: nothing,
        scope: 'Namespaced',
        singularResource: '',
        verbs: [],
        subresources: [{ subresource: 'freeze', responseKind: nothing, verbs: ['update'] }],
      },
    ])
  })

  test('changes with the subresources, and is kept otherwise', () => {
    const own: string[] = []
    const changing = discoveryRoutes(kinds, () => own)
    const before = changing('/apis', v2)
    expect(changing('/apis', v2)).toBe(before)
    own.push(...keys)
    expect(changing('/apis', v2)?.etag).not.toBe(before?.etag)
  })
})

describe('OpenAPI v3', () => {
  const index = get('/openapi/v3')
  const paths = Object.keys(index.paths)

  test('has an address with the hash of the document for every group version with resources', () => {
    expect(paths).toContain('api/v1')
    expect(paths).not.toContain('apis/subresources.kubevirt.io/v1')
    for (const path of paths) {
      const etag = routes(`/openapi/v3/${path}`, 'application/json')?.etag
      expect(index.paths[path].serverRelativeURL).toBe(`/openapi/v3/${path}?hash=${etag?.slice(1, -1)}`)
    }
  })

  test.each(paths)('%s refers only to what it has', (path) => {
    const document = get(`/openapi/v3/${path}`)
    const text = JSON.stringify(document)
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
      expect(document.components.schemas).toHaveProperty([name ?? ''])
    expect(text).not.toMatch(/"\$ref":"(?!#)/)
  })

  test.each(paths)('%s has unique operation names and the parameters clients look for', (path) => {
    const ids: string[] = []
    for (const item of Object.values<Json>(get(`/openapi/v3/${path}`).paths))
      for (const [method, operation] of Object.entries<Json>(item)) {
        if (method === 'parameters') continue
        ids.push(operation.operationId)
        const names = operation.parameters.map(({ name }: Json) => name)
        if (method === 'patch') expect(names).toEqual(expect.arrayContaining(['dryRun', 'fieldValidation']))
        expect(operation['x-kubernetes-group-version-kind'].kind).toBeTruthy()
      }
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('offers strategic merge patch for built-in kinds only', () => {
    const types = (path: string, item: string) =>
      Object.keys(get(`/openapi/v3/${path}`).paths[item].patch.requestBody.content)
    expect(types('api/v1', '/api/v1/namespaces/{namespace}/configmaps/{name}')).toContain(
      'application/strategic-merge-patch+json',
    )
    const snapshots = '/apis/snapshot.kubevirt.io/v1beta1/namespaces/{namespace}/virtualmachinesnapshots/{name}'
    expect(types('apis/snapshot.kubevirt.io/v1beta1', snapshots)).toEqual([
      'application/json-patch+json',
      'application/merge-patch+json',
    ])
  })

  test('says what a kind is and how its metadata merges', () => {
    const { schemas } = get('/openapi/v3/api/v1').components
    expect(schemas['io.k8s.api.core.v1.ConfigMap']['x-kubernetes-group-version-kind']).toEqual([
      { group: '', version: 'v1', kind: 'ConfigMap' },
    ])
    const meta: OpenApiSchema = schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']
    expect(meta.properties).toHaveProperty('annotations')
    expect(meta.properties?.ownerReferences?.['x-kubernetes-patch-merge-key']).toBe('uid')
  })
})

describe('OpenAPI v2', () => {
  test('leaves out what Swagger does not know', () => {
    const document = get('/openapi/v2', 'application/json')
    expect(document.swagger).toBe('2.0')
    expect(JSON.stringify(document.definitions)).not.toMatch(/"(nullable|oneOf|anyOf|allOf|default)":/)
    for (const [, name] of JSON.stringify(document).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g))
      expect(document.definitions).toHaveProperty([name ?? ''])
  })

  test('comes as protobuf for old clients, under a type they can parse', () => {
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
    expect(routes('/openapi/v2', accept)?.contentType).toBe(accept.replace('@', '.'))
  })

  test('a form not offered is refused', () => {
    expect(() => routes('/openapi/v2', 'text/html')).toThrow(StatusError)
    expect(() => routes('/openapi/v3', 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf')).toThrow(
      expect.objectContaining({ code: 406 }),
    )
  })
})
