import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { machine, restoreOf, snapshotOf } from '../../bench/objects.ts'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import type { ResourceDefinition } from '../../packages/api/src/schema/resource.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import { PersistentVolumeClaim } from '../../packages/api/src/storage/kinds.ts'
import { type Sent, TestClient } from '../../packages/server/src/apiserver/testing/client.ts'
import { Fixture } from './fixtures.ts'
import { Kubectl, kubectlBinaries } from './kubectl-binary.ts'

// What users get wrong, sent as they would send it: each time a clear refusal, and nothing lost.

const pathOf = ({ group, version, plural }: ResourceDefinition, name?: string): string => {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  return `${root}/namespaces/default/${plural}${name === undefined ? '' : `/${name}`}`
}
const configMaps = '/api/v1/namespaces/default/configmaps'
const claims = pathOf(PersistentVolumeClaim)
const vms = pathOf(VirtualMachine)
const snapshots = pathOf(VirtualMachineSnapshot)
const restores = pathOf(VirtualMachineRestore)

const vm = (name: string): VirtualMachine => machine(name, 'Halted', [{ name: 'root', size: '1Gi' }])
const configMap = (name: string, rest: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...rest,
})
const withSpec = (object: { spec: object }, spec: object): object => ({ ...object, spec: { ...object.spec, ...spec } })

let fixture: Fixture
let http: TestClient
let before: string

/** All that is stored, as text. */
async function everything(): Promise<string> {
  const replies = await Promise.all([configMaps, claims, vms, snapshots, restores].map((path) => http.get(path)))
  return replies.map(({ code, text }) => `${code} ${text.replace(/"resourceVersion":"\d+"\},"items"/, '')}`).join('\n')
}

beforeAll(async () => {
  fixture = await Fixture.start(['--roles', 'apiserver'])
  const { clusters, users } = parse(await readFile(fixture.server.kubeconfig, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }]
    users: [{ user: { token: string } }]
  }
  const { server: url, 'certificate-authority-data': ca } = clusters[0].cluster
  http = new TestClient({ url, ca: Buffer.from(ca, 'base64').toString(), token: users[0].user.token })

  // The locks that controllers set are set by hand here, so that they stay.
  const { client } = fixture.server
  await client.create(VirtualMachine, vm('good'))
  for (const [name, lock] of [
    ['in-snapshot', { snapshotInProgress: 's' }],
    ['in-restore', { restoreInProgress: 'r' }],
  ] as const) {
    const locked = await client.create(VirtualMachine, vm(name))
    await client.updateStatus(VirtualMachine, { ...locked, status: { printableStatus: 'Stopped', ...lock } })
  }
  await client.create(VirtualMachineRestore, restoreOf('good', 'later', 'waiting'))
  await client.create(VirtualMachineSnapshot, snapshotOf('good', 'taken'))
  before = await everything()
})

afterEach(async () => {
  expect(await everything()).toBe(before)
  expect((await http.get('/readyz')).code).toBe(200)
})

describe('over HTTPS', () => {
  const oversize = configMap('big', { data: { a: 'x'.repeat(3 * 1024 * 1024) } })
  const requests: Record<string, [method: string, path: string, sent: Sent, code: number, message: string | RegExp]> = {
    'broken JSON': ['POST', configMaps, { body: '{"kind":' }, 400, /json parse error: .*JSON/],
    'broken YAML': [
      'POST',
      configMaps,
      { body: 'a: [1,\nb: }', contentType: 'application/yaml' },
      400,
      /^error converting YAML to JSON: /,
    ],
    'an empty body': ['POST', configMaps, { body: '' }, 400, /json parse error/],
    'a list in place of an object': [
      'POST',
      configMaps,
      { body: [] },
      400,
      /the body must be an object of kind Config/,
    ],
    'a type the server does not read': [
      'POST',
      configMaps,
      { body: 'a=b', contentType: 'application/x-www-form-urlencoded' },
      415,
      /accepted media types include: application\/json, application\/yaml/,
    ],
    'a body of more than 3 MiB': ['POST', configMaps, { body: oversize }, 413, /too large: limit is 3145728/],
    'data of more than 1 MiB': [
      'POST',
      configMaps,
      { body: configMap('big', { data: { a: 'x'.repeat(1024 * 1024 + 1) } }) },
      422,
      /Too long: may not be more than 1048576 bytes/,
    ],
    'another kind': [
      'POST',
      vms,
      { body: { ...vm('x'), kind: 'VirtualMachineInstance' } },
      400,
      /the kind in the data does not match the kind in the URL/,
    ],
    'another version': ['POST', vms, { body: { ...vm('x'), apiVersion: 'kubevirt.io/v9' } }, 400, /API version in the/],
    'another namespace': [
      'POST',
      vms,
      { body: { ...vm('x'), metadata: { name: 'x', namespace: 'kube-system' } } },
      400,
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    'a namespace that does not exist': [
      'POST',
      '/api/v1/namespaces/nowhere/configmaps',
      { body: configMap('x') },
      404,
      'namespaces "nowhere" not found',
    ],
    'a name with capitals': [
      'POST',
      configMaps,
      { body: configMap('My_Map') },
      422,
      /metadata.name: Invalid value: "My_/,
    ],
    'a name that is too long': ['POST', configMaps, { body: configMap('x'.repeat(254)) }, 422, /no more than 253/],
    'no name': ['POST', configMaps, { body: configMap('') }, 422, /name or generateName is required/],
    'a namespace that is no DNS label': [
      'POST',
      '/api/v1/namespaces',
      { body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a.b' } } },
      422,
      /metadata.name: Invalid value: "a.b"/,
    ],
    'a bad label': [
      'POST',
      configMaps,
      { body: configMap('x', { metadata: { name: 'x', labels: { a: 'no spaces' } } }) },
      422,
      /metadata.labels: Invalid value: "no spaces"/,
    ],
    'a number where a text belongs': ['POST', configMaps, { body: configMap('x', { data: { a: 1 } }) }, 400, /data\.a/],
    'a text where a truth value belongs': [
      'POST',
      vms,
      { body: withSpec(vm('x'), { running: 'yes' }) },
      422,
      /spec.running: Invalid value: "string": spec.running in body must be of type boolean/,
    ],
    'unknown fields, when asked to be strict': [
      'POST',
      `${snapshots}?fieldValidation=Strict`,
      { body: withSpec(snapshotOf('good', 'x'), { sorce: 1 }) },
      400,
      /strict decoding error: unknown field "spec.sorce"/,
    ],
    'an object that is there already': ['POST', vms, { body: vm('good') }, 409, /"good" already exists/],
    'a change to an old version': [
      'PUT',
      `${vms}/good`,
      { body: { ...vm('good'), metadata: { name: 'good', resourceVersion: '1' } } },
      409,
      /the object has been modified; please apply your changes to the latest version/,
    ],
    'a change to something that is not there': [
      'PATCH',
      `${vms}/none`,
      { body: {}, contentType: 'application/merge-patch+json' },
      404,
      'virtualmachines.kubevirt.io "none" not found',
    ],
    'a patch of a type there is not': [
      'PATCH',
      `${vms}/good`,
      { body: {}, contentType: 'application/apply-patch+yaml' },
      415,
      /^server-side apply is not offered; apply without --server-side/,
    ],
    'a deletion for another UID': [
      'DELETE',
      `${vms}/good`,
      { body: { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: 'other' } } },
      409,
      /the UID in the precondition \(other\) does not match/,
    ],
    'a bad selector': ['GET', `${vms}?labelSelector=a%20in`, {}, 400, /unable to parse/],
    'no token': ['GET', vms, { token: '' }, 403, /User "system:anonymous" cannot list resource "virtualmachines"/],
    'a wrong token': ['GET', vms, { token: 'wrong' }, 401, 'Unauthorized'],
    'no token in a write': ['POST', configMaps, { token: '', body: configMap('x') }, 403, /User "system:anonymous"/],
    'another way to prove who one is': [
      'GET',
      vms,
      { token: '', headers: { Authorization: 'Basic YWRtaW46YWRtaW4=' } },
      401,
      'Unauthorized',
    ],
  }
  test.each(Object.entries(requests))('%s', async (_, [method, path, sent, code, message]) => {
    const reply = await http.send(method, path, sent)
    expect([reply.code, reply.body?.kind, reply.body?.message]).toEqual([
      code,
      'Status',
      typeof message === 'string' ? message : expect.stringMatching(message),
    ])
  })

  test('unknown fields are dropped with a warning when nothing is asked for', async () => {
    const body = withSpec(snapshotOf('good', 'x'), { sorce: 1 })
    const reply = await http.post(`${snapshots}?dryRun=All`, body)
    expect(reply.code).toBe(201)
    expect(reply.headers.warning).toBe('299 - "unknown field \\"spec.sorce\\""')
    expect(reply.body.spec).not.toHaveProperty('sorce')
  })
})

const refusals: Record<string, [args: string[], input: object | string, message: RegExp]> = {
  'YAML that does not parse': [['create', '-f', '-'], 'kind: [\n', /error (converting YAML|parsing)/],
  'a kind there is not': [
    ['create', '-f', '-'],
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' } },
    /no matches for kind "Service" in version "v1"/,
  ],
  'an unknown field': [
    ['apply', '-f', '-'],
    withSpec(snapshotOf('good', 'x'), { sorce: 1 }),
    /unknown field "(spec\.)?sorce"/,
  ],
  'a required field that is missing': [
    ['create', '--validate=false', '-f', '-'],
    { ...snapshotOf('good', 'x'), spec: {} },
    /VirtualMachineSnapshot.* "x" is invalid: .*spec.source: Required value/,
  ],
  'a name with capitals': [
    ['create', '-f', '-'],
    snapshotOf('good', 'My_Snapshot'),
    /metadata.name: Invalid value: "My_Snapshot": a lowercase RFC 1123 subdomain must consist of/,
  ],
  'a snapshot of another kind': [
    ['create', '-f', '-'],
    withSpec(snapshotOf('good', 'x'), { source: { apiGroup: 'kubevirt.io', kind: 'Pod', name: 'x' } }),
    /spec.source.kind: invalid kind/,
  ],
  'a snapshot of another group': [
    ['create', '-f', '-'],
    withSpec(snapshotOf('good', 'x'), { source: { apiGroup: 'apps', kind: 'VirtualMachine', name: 'x' } }),
    /spec.source.apiGroup: invalid apiGroup/,
  ],
  'a deadline that is no duration': [
    ['create', '-f', '-'],
    withSpec(snapshotOf('good', 'x'), { failureDeadline: 'soon' }),
    /spec.failureDeadline: time: invalid duration "soon"; write for example 90s, 5m or 1h30m/,
  ],
  'a change to the spec of a snapshot': [
    ['patch', 'vmsnapshot', 'taken', '--type=merge', '-p', '{"spec":{"deletionPolicy":"Retain"}}'],
    '',
    /spec in immutable after creation/,
  ],
  'another source for a snapshot': [
    ['patch', 'vmsnapshot', 'taken', '--type=json', '-p', '[{"op":"replace","path":"/spec/source/name","value":"x"}]'],
    '',
    /spec in immutable after creation/,
  ],
  'a change to the spec of a restore': [
    ['patch', 'vmrestore', 'waiting', '--type=merge', '-p', '{"spec":{"virtualMachineSnapshotName":"x"}}'],
    '',
    /spec in immutable after creation/,
  ],
  'a second restore of one machine': [
    ['create', '-f', '-'],
    restoreOf('good', 'later', 'second'),
    /VirtualMachineRestore "waiting" in progress/,
  ],
  'starting a machine while its snapshot is taken': [
    ['patch', 'vm', 'in-snapshot', '--type=merge', '-p', '{"spec":{"runStrategy":"Always"}}'],
    '',
    /Cannot update vm running state until snapshot "s" completes/,
  ],
  'other disks while a snapshot is taken': [
    ['patch', 'vm', 'in-snapshot', '--type=json', '-p', '[{"op":"remove","path":"/spec/template/spec/volumes"}]'],
    '',
    /Cannot update vm disks or volumes until snapshot "s" completes|not found/,
  ],
  'starting a machine while it is restored': [
    ['patch', 'vm', 'in-restore', '--type=merge', '-p', '{"spec":{"runStrategy":"Always"}}'],
    '',
    /Cannot update VM runStrategy until restore "r" completes/,
  ],
  'a disk without a volume': [
    ['patch', 'vm', 'good', '--type=merge', '-p', '{"spec":{"template":{"spec":{"volumes":[]}}}}'],
    '',
    /disks\[0\]\.Name 'root' not found/,
  ],
  'a run strategy there is not': [
    ['patch', 'vm', 'good', '--type=merge', '-p', '{"spec":{"runStrategy":"Sometimes"}}'],
    '',
    /Invalid RunStrategy \(Sometimes\)/,
  ],
  'something that is not there': [
    ['get', 'vm', 'none'],
    '',
    /\(NotFound\): virtualmachines.kubevirt.io "none" not found$/,
  ],
  'a resource type there is not': [['get', 'deployments'], '', /the server doesn't have a resource type "deployments"/],
  'a wrong token': [['get', 'vm', '--token=wrong'], '', /You must be logged in to the server|Unauthorized/],
}

const { found, missing } = await kubectlBinaries()
for (const reason of missing)
  test('through a further kubectl', ({ skip }) => {
    skip(reason)
  })

describe.each(found)('through kubectl $version', (binary) => {
  let kubectl: Kubectl
  beforeAll(async () => {
    const home = join(fixture.dataDir, `kubectl-${binary.version}`)
    await mkdir(home)
    kubectl = new Kubectl(binary, fixture.server.kubeconfig, home)
  })

  test.each(Object.entries(refusals))('%s', async (_, [args, input, message]) => {
    expect(await kubectl.refused(input, ...args)).toMatch(message)
  })
})
