import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Sent } from '../testing/client.ts'
import { startTestServer, type TestServer } from '../testing/server.ts'

const widgets = '/apis/diff.example.com/v1/namespaces/default/widgets'
const configMaps = '/api/v1/namespaces/default/configmaps'
const widget = (spec?: object, name = 'bad') => ({
  apiVersion: 'diff.example.com/v1',
  kind: 'Widget',
  metadata: { name },
  ...(spec ? { spec } : {}),
})

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.close())

const deep = (levels: number) =>
  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"deep"},"data":${'['.repeat(levels)}${']'.repeat(levels)}}`

const refused: Record<string, [path: string, body: unknown, code: number, message: RegExp | string, sent?: Sent]> = {
  'broken JSON': [widgets, '{"kind":', 400, /json parse error/],
  'broken YAML': [widgets, 'a: [', 400, /error converting YAML to JSON/, { contentType: 'application/yaml' }],
  'an alias bomb': [
    configMaps,
    `a: &a [x,x,x,x,x,x,x,x,x]\n${['b', 'c', 'd', 'e', 'f', 'g'].map((k, i) => `${k}: &${k} [${Array(9).fill(`*${'abcdefg'[i]}`).join(',')}]`).join('\n')}\n`,
    400,
    /alias/,
    { contentType: 'application/yaml' },
  ],
  'an empty body': [widgets, '', 400, /json parse error/],
  'a list for a body': [widgets, '[]', 400, /must be an object/],
  'an unknown content type': [
    widgets,
    'x',
    415,
    'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
    { contentType: 'text/plain' },
  ],
  'a protobuf body of a custom kind': [
    widgets,
    'k8s\0',
    415,
    /unknown format/,
    { contentType: 'application/vnd.kubernetes.protobuf' },
  ],
  'a broken protobuf body': [
    configMaps,
    'k8s\0x',
    400,
    /^the protobuf body cannot be decoded/,
    { contentType: 'application/vnd.kubernetes.protobuf' },
  ],
  'a body over 3 MiB': [configMaps, 'x'.repeat(3 * 1024 * 1024 + 1), 413, 'Request entity too large: limit is 3145728'],
  'an object etcd would refuse': [
    widgets,
    widget({ free: { x: 'x'.repeat(1_600_000) } }),
    413,
    'Request entity too large: limit is 1572864',
  ],
  'a missing kind': [widgets, { metadata: { name: 'x' } }, 400, /^Object 'Kind' is missing in/],
  'another version than the URL': [
    widgets,
    { ...widget(), apiVersion: 'diff.example.com/v2' },
    400,
    'the API version in the data (diff.example.com/v2) does not match the expected API version (diff.example.com/v1)',
  ],
  'another kind than the URL': [widgets, { ...widget(), kind: 'Gadget' }, 400, /cannot be handled as a Widget/],
  'another namespace than the URL': [
    widgets,
    { ...widget(), metadata: { name: 'x', namespace: 'other' } },
    400,
    'the namespace of the provided object does not match the namespace sent on the request',
  ],
  'a missing namespace': [
    '/api/v1/namespaces/nowhere/configmaps',
    { metadata: { name: 'x' } },
    404,
    'namespaces "nowhere" not found',
  ],
  'a resourceVersion at creation': [
    configMaps,
    { metadata: { name: 'x', resourceVersion: '1' } },
    500,
    'resourceVersion should not be set on objects to be created',
  ],
  'no name': [
    configMaps,
    {},
    422,
    'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  ],
  'a bad name': [
    widgets,
    widget(undefined, 'Bad_Name'),
    422,
    /^Widget\.diff\.example\.com "Bad_Name" is invalid: metadata\.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain/,
  ],
  'a namespace name with dots': [
    '/api/v1/namespaces',
    { metadata: { name: 'a.b' } },
    422,
    /a lowercase RFC 1123 label/,
  ],
  'a bad label': [
    configMaps,
    { metadata: { name: 'x', labels: { 'a b': 'c' } } },
    422,
    /metadata\.labels: Invalid value: "a b": name part/,
  ],
  'annotations over 256 KiB': [
    configMaps,
    { metadata: { name: 'x', annotations: { a: 'x'.repeat(262_144) } } },
    422,
    'ConfigMap "x" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
  ],
  'labels that are no strings': [configMaps, { metadata: { name: 'x', labels: { a: 1 } } }, 400, /metadata\.labels\.a/],
  'two controllers': [
    configMaps,
    {
      metadata: {
        name: 'x',
        ownerReferences: ['a', 'b'].map((name) => ({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name,
          uid: name,
          controller: true,
        })),
      },
    },
    422,
    /Only one reference can have Controller set to true/,
  ],
  'a number that is too small': [
    widgets,
    widget({ size: 0 }),
    422,
    'Widget.diff.example.com "bad" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
  ],
  'a string for a number': [
    widgets,
    widget({ size: 'big' }),
    422,
    'Widget.diff.example.com "bad" is invalid: spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
  ],
  'a value outside an enum': [
    widgets,
    widget({ mode: 'C' }),
    422,
    'Widget.diff.example.com "bad" is invalid: spec.mode: Unsupported value: "C": supported values: "A", "B"',
  ],
  'several mistakes at once': [
    widgets,
    widget({ size: 99, title: 'NO', parts: [{}, { name: 'a' }, { name: 'a' }] }),
    422,
    'Widget.diff.example.com "bad" is invalid: [spec.size: Invalid value: 99: spec.size in body should be less than or equal to 10, spec.title: Invalid value: "NO": spec.title in body should match \'^[a-z ]*$\', spec.parts[2]: Duplicate value: {"name":"a"}, spec.parts[0].name: Required value]',
  ],
  'too many items': [
    widgets,
    widget({ parts: ['a', 'b', 'c', 'd'].map((name) => ({ name })) }),
    422,
    'Widget.diff.example.com "bad" is invalid: spec.parts: Too many: 4: must have at most 3 items',
  ],
  'an integer JavaScript cannot hold': [
    widgets,
    '{"apiVersion":"diff.example.com/v1","kind":"Widget","metadata":{"name":"x"},"spec":{"size":9007199254740993}}',
    422,
    /spec\.size/,
  ],
  'a wrong type in a built-in kind': [
    configMaps,
    { metadata: { name: 'x' }, data: { a: 1 } },
    400,
    /^ConfigMap in version "v1" cannot be handled as a ConfigMap: data\.a/,
  ],
  'nesting deeper than a thousand': [configMaps, deep(1_001), 400, /nested deeper/],
  'nesting deep enough to break a stack': [configMaps, deep(1_000_000), 400, /nested deeper/],
  'nested YAML': [configMaps, '['.repeat(100_000), 400, /nested deeper/, { contentType: 'application/yaml' }],
  'an unknown dryRun': [
    `${widgets}?dryRun=Some`,
    widget(),
    422,
    /dryRun: Unsupported value: .*supported values: "All"/,
  ],
  'an unknown fieldValidation': [
    `${widgets}?fieldValidation=Maybe`,
    widget(),
    422,
    /fieldValidation: Unsupported value: "Maybe"/,
  ],
  'unknown fields when strict': [
    `${widgets}?fieldValidation=Strict`,
    '{"apiVersion":"diff.example.com/v1","kind":"Widget","metadata":{"name":"x","foo":1},"spec":{"size":1,"size":2,"bar":1}}',
    400,
    'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "metadata.foo", unknown field "spec.bar", duplicate field "spec.size"',
  ],
}

describe('a creation is refused for', () => {
  test.each(Object.entries(refused))('%s', async (_, [path, body, code, message, sent]) => {
    const reply = await api.client.post(path, body, sent)
    expect([reply.code, reply.body?.message]).toEqual([
      code,
      typeof message === 'string' ? message : expect.stringMatching(message),
    ])
    expect(reply.body).toMatchObject({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code })
  })
})

test('every mistake is a cause of its own', async () => {
  const { body } = await api.client.post(widgets, widget({ size: 99, mode: 'C' }))
  expect(body.details).toEqual({
    name: 'bad',
    group: 'diff.example.com',
    kind: 'Widget',
    causes: [
      {
        reason: 'FieldValueInvalid',
        field: 'spec.size',
        message: 'Invalid value: 99: spec.size in body should be less than or equal to 10',
      },
      {
        reason: 'FieldValueNotSupported',
        field: 'spec.mode',
        message: 'Unsupported value: "C": supported values: "A", "B"',
      },
    ],
  })
})

test('unknown fields are pruned with a warning each', async () => {
  const { code, headers, body } = await api.client.post(
    widgets,
    widget({ unknown: 1, free: { anything: { goes: 1 } } }, 'pruned'),
  )
  expect([code, headers.warning]).toEqual([201, '299 - "unknown field \\"spec.unknown\\""'])
  expect(body.spec).toEqual({ size: 3, free: { anything: { goes: 1 } } })
  const ignored = await api.client.post(`${widgets}?fieldValidation=Ignore`, widget({ unknown: 1 }, 'ignored'))
  expect([ignored.code, ignored.headers.warning]).toEqual([201, undefined])
})

test('keys that mean something to JavaScript are plain keys', async () => {
  const body =
    '{"apiVersion":"diff.example.com/v1","kind":"Widget","metadata":{"name":"proto"},"spec":{"tags":{"__proto__":"a","constructor":"b"},"free":{"__proto__":{"polluted":true}},"__proto__":{"size":9}}}'
  const { code, text, headers } = await api.client.post(widgets, body)
  expect([code, headers.warning]).toEqual([201, '299 - "unknown field \\"spec.__proto__\\""'])
  expect(text).toContain('"tags":{"__proto__":"a","constructor":"b"}')
  expect(text).toContain('"free":{"__proto__":{"polluted":true}}')
  const patched = await api.client.send('PATCH', `${widgets}/proto`, {
    body: '{"spec":{"free":{"__proto__":{"more":1}},"tags":{"__proto__":null}}}',
    contentType: 'application/merge-patch+json',
  })
  expect(patched.text).toContain('"free":{"__proto__":{"more":1,"polluted":true}}')
  expect(patched.text).toContain('"tags":{"constructor":"b"}')
  expect({}).not.toHaveProperty('polluted')
})

const patches: Record<string, [contentType: string, body: unknown, code: number, message: RegExp]> = {
  'a strategic patch of a custom kind': [
    'application/strategic-merge-patch+json',
    {},
    415,
    /accepted media types include: application\/json-patch\+json, application\/merge-patch\+json$/,
  ],
  'server-side apply': ['application/apply-patch+yaml', {}, 415, /^server-side apply is not offered; apply without/],
  'plain JSON': ['application/json', {}, 415, /unknown format/],
  'a JSON patch that is no list': ['application/json-patch+json', {}, 400, /must be a list/],
  'a JSON patch whose test fails': [
    'application/json-patch+json',
    [{ op: 'test', path: '/spec/size', value: 9 }],
    422,
    /^the server rejected our request due to an error in our request$/,
  ],
  'a JSON patch of a missing path': [
    'application/json-patch+json',
    [{ op: 'remove', path: '/spec/none' }],
    422,
    /^the server rejected/,
  ],
  'a JSON patch of a prototype': [
    'application/json-patch+json',
    [{ op: 'add', path: '/__proto__/polluted', value: 1 }],
    422,
    /^the server rejected/,
  ],
  'a JSON patch with too many operations': [
    'application/json-patch+json',
    Array(10_001).fill({ op: 'test', path: '', value: 0 }),
    413,
    /maximum operations/,
  ],
  'another name': [
    'application/merge-patch+json',
    { metadata: { name: 'other' } },
    400,
    /^the name of the object \(other\) does not match the name on the URL \(patched\)$/,
  ],
  'another uid': [
    'application/merge-patch+json',
    { metadata: { uid: 'x' } },
    409,
    /Precondition failed: UID in precondition: x/,
  ],
  'a stale version': [
    'application/merge-patch+json',
    { metadata: { resourceVersion: '1' } },
    409,
    /the object has been modified/,
  ],
}

describe('a patch is refused for', () => {
  beforeAll(async () => {
    await api.client.post(widgets, widget({ size: 2 }, 'patched'))
  })
  test.each(Object.entries(patches))('%s', async (_, [contentType, body, code, message]) => {
    const reply = await api.client.send('PATCH', `${widgets}/patched`, { body, contentType })
    expect([reply.code, reply.body?.message]).toEqual([code, expect.stringMatching(message)])
  })
  test('and a good JSON patch works', async () => {
    const body = [
      { op: 'test', path: '/spec/size', value: 2 },
      { op: 'replace', path: '/spec/size', value: 7 },
    ]
    const reply = await api.client.send('PATCH', `${widgets}/patched`, {
      body,
      contentType: 'application/json-patch+json',
    })
    expect([reply.code, reply.body.spec.size]).toEqual([200, 7])
  })
})

const requests: Record<string, [method: string, path: string, code: number, message: string | RegExp]> = {
  'a missing object': ['GET', `${configMaps}/none`, 404, 'configmaps "none" not found'],
  'a bad label selector': ['GET', `${configMaps}?labelSelector=a%20b`, 400, /unable to parse requirement/],
  'an unknown field selector': [
    'GET',
    `${configMaps}?fieldSelector=data.x%3D1`,
    400,
    'field label not supported: data.x',
  ],
  'a bad limit': ['GET', `${configMaps}?limit=many`, 400, /strconv\.ParseInt/],
  'a bad resourceVersion': ['GET', `${configMaps}?resourceVersion=x`, 400, /invalid resource version/],
  'a bad continue token': ['GET', `${configMaps}?continue=x`, 400, /continue key is not valid/],
  'a resourceVersion from the future': [
    'GET',
    `${configMaps}?resourceVersion=999999`,
    504,
    /^Timeout: Too large resource version: 999999, current: \d+$/,
  ],
  'a match without a version': [
    'GET',
    `${configMaps}?resourceVersionMatch=Exact`,
    422,
    /resourceVersionMatch is forbidden unless resourceVersion is provided/,
  ],
  'streaming lists': [
    'GET',
    `${configMaps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`,
    422,
    /sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled/,
  ],
  'a POST on an object': [
    'POST',
    `${configMaps}/x`,
    405,
    'the server does not allow this method on the requested resource',
  ],
  'a creation in all namespaces': [
    'POST',
    '/api/v1/configmaps',
    405,
    'the server does not allow this method on the requested resource',
  ],
  'an unknown propagation policy': [
    'DELETE',
    `${configMaps}/x?propagationPolicy=Sideways`,
    422,
    /propagationPolicy: Unsupported value: "Sideways"/,
  ],
}

describe('an error Status answers', () => {
  test.each(Object.entries(requests))('%s', async (_, [method, path, code, message]) => {
    const reply = await api.client.send(method, path)
    expect([reply.code, reply.body?.message]).toEqual([
      code,
      typeof message === 'string' ? message : expect.stringMatching(message),
    ])
  })
})

test.each([
  '/nope',
  '/api/v2/pods',
  '/apis/no.such.group/v1/things',
  '/api/v1/namespaces/default/pods/x',
  '/api/v1/namespaces/default/pods?watch=true',
  '/api/v1/watch/pods',
  '/api/v1/namespaces/default/pods/x/log',
  '/api/v1/services',
  '/apis/apiextensions.k8s.io/v1/namespaces/default/customresourcedefinitions',
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x',
  '/apis/diff.example.com/v9/widgets',
  '/api/v1/configmaps/name-without-namespace',
  '/apis/diff.example.com/v1/namespaces/default/gadgets',
  `${configMaps}/x/status`,
  '/api/v1/namespaces/%zz/configmaps',
  '/api/v1/namespaces/default%2Fx/configmaps',
])('%s leads nowhere', async (path) => {
  const { code, text, headers } = await api.client.get(path)
  expect([code, text, headers['content-type']]).toEqual([404, '404 page not found\n', 'text/plain; charset=utf-8'])
})

const pods = '/api/v1/namespaces/default/pods'
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
test.each([
  ['/api/v1/pods?limit=500', 'PodList', 'v1'],
  [`${pods}?fieldSelector=spec.nodeName%3Dx`, 'PodList', 'v1'],
  [crds, 'CustomResourceDefinitionList', 'apiextensions.k8s.io/v1'],
])('%s is listed by kubectl without asking, and there are none', async (path, kind, apiVersion) => {
  const { code, body } = await api.client.get(path)
  const metadata = { resourceVersion: expect.stringMatching(/^\d+$/) }
  expect([code, body]).toEqual([200, { kind, apiVersion, metadata, items: [] }])
  expect((await api.client.get(path, { token: '' })).code).toBe(403)
})

test('but neither can be written, nor is it announced', async () => {
  for (const path of [pods, crds]) {
    expect((await api.client.post(path, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' } })).code).toBe(404)
    expect((await api.client.delete(path)).code).toBe(404)
  }
  expect((await api.client.get('/api/v1')).text).not.toContain('pods')
  expect((await api.client.get('/apis')).text).not.toContain('apiextensions')
})

test('whatever is sent, the answer is a Status below 500 and the server lives on', async () => {
  const contentTypes = [
    'application/json',
    'application/yaml',
    'application/merge-patch+json',
    'application/json-patch+json',
    '',
  ]
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE'),
      fc.constantFrom(widgets, configMaps, `${widgets}/patched`, `${widgets}/patched/status`, `${configMaps}/fuzzed`),
      fc.constantFrom(...contentTypes),
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.object().map((spec) => JSON.stringify({ ...widget({}), ...spec, spec })),
      ),
      async (method, path, contentType, body) => {
        const { code } = await api.client.send(method, path, { body, contentType })
        expect(code).toBeLessThan(500)
      },
    ),
    { numRuns: 200 },
  )
  expect((await api.client.get('/readyz')).code).toBe(200)
})
