import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { cloneAdmission } from '@stillpoint/api/clone/admission'
import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { kinds } from '@stillpoint/api/kinds'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { type KubeObject, ownedBy } from '@stillpoint/api/meta/object-meta'
import { objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { startedAnnotation, startTargetAnnotation } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { cloneControllers } from './clone/controllers.ts'
import { newNameSuffix } from './clone/name-suffix.ts'
import {
  AuthorizedTransport,
  allowedBy,
  attributesOf,
  type PolicyRule,
  type Role,
} from './controller/testing/authorizer.ts'
import { type Bench, startBench } from './controller/testing/bench.ts'
import { bootVm, FakeGuest, FakeStorage } from './controller/testing/fake-guest.ts'
import {
  type SeededVm,
  seedStorage,
  seedVm,
  seedVolume,
  startRestore,
  takeSnapshot,
} from './controller/testing/seeds.ts'
import { KubeClient, refOf } from './kube/client.ts'
import { Informers } from './kube/informers.ts'
import { connectionFromKubeconfig } from './kube/kubeconfig.ts'
import { LeaderElector } from './kube/leader-elector.ts'
import { restoreControllers } from './restore/controllers.ts'
import { snapshotControllers } from './snapshot/controllers.ts'
import { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from './webhook/configuration.ts'
import { webhook } from './webhook/webhook.ts'

// The rights in deploy/ are what the controllers need and no more: they do all their work here under an authorizer
// that knows nothing but these files.

const deploy = resolve(import.meta.dirname, '../../../deploy')

interface Manifest {
  kind: string
  metadata: { name: string; namespace?: string }
  rules?: PolicyRule[]
}
const manifests = (file: string): Manifest[] =>
  parseAllDocuments(readFileSync(join(deploy, file), 'utf8')).map((document) => document.toJS() as Manifest)
const roles: Role[] = ['rbac.yaml', 'webhook.yaml']
  .flatMap(manifests)
  .filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')
  .map(({ rules = [], metadata: { namespace } }) => (namespace === undefined ? { rules } : { rules, namespace }))
const granted = roles.flatMap(({ rules }) =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`))),
  ),
)

/** Rights that the work below does not use, and why they are given all the same. */
const unused: Record<string, string> = {
  'get kubevirt.io/virtualmachines': 'reads what a create has found to exist, after a crash',
  'get /persistentvolumeclaims': 'likewise',
  'get cdi.kubevirt.io/datavolumes': 'likewise',
  'get snapshot.storage.k8s.io/volumesnapshots': 'likewise, and when no watch event came',
  'get snapshot.kubevirt.io/virtualmachinesnapshotcontents': 'likewise, and before a deadline is judged',
  'get snapshot.storage.k8s.io/volumesnapshotcontents': 'the instant of a cut, where the storage names its content',
  'get snapshot.kubevirt.io/virtualmachinesnapshots': 'likewise',
  'get snapshot.kubevirt.io/virtualmachinerestores': 'likewise',
  'patch /events': 'the same event once more',
}

let bench: Bench
let guest: FakeGuest
let storage: FakeStorage
let transport: AuthorizedTransport
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  bench = await startBench({ resources: [...kinds, ValidatingWebhookConfiguration, MutatingWebhookConfiguration] })
  guest = new FakeGuest(bench)
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
  const { api } = bench
  const authorization = `Bearer ${api.controllerToken}`
  transport = new AuthorizedTransport({ server: api.url, ca: api.ca, authorize: () => ({ authorization }) }, roles)
  const client = new KubeClient(transport)
  const log = pino({ level: 'silent' })
  const elector = new LeaderElector({
    client,
    namespace: 'kube-system',
    name: 'stillpoint-controllers',
    identity: 'test',
    log,
  })
  await elector.acquire(new AbortController().signal)
  const informers = new Informers(client, log)
  const context = { client, informers, log, now: () => new Date() }
  const controllers = [snapshotControllers(context), restoreControllers(context), cloneControllers(context)]
  const target = { url: 'https://127.0.0.1:9443' }
  const rules = [...snapshotAdmission, ...cloneAdmission(newNameSuffix)]
  const serve = webhook(context, { listen: { host: '127.0.0.1', port: 0 }, target, rules })
  await informers.start()
  // Twice, as by two starts: the second finds the configurations there.
  for (let start = 0; start < 2; start += 1) controllers.push(await serve())
  closing.push(async () => {
    for (const controller of controllers.toReversed()) await controller.close()
    await informers.close()
    await elector.release()
    transport.close()
  })
})
afterAll(async () => {
  await storage.close()
  await bench.close()
})

async function restored({ namespace }: SeededVm, name: string): Promise<void> {
  await bench.until(VirtualMachineRestore, { namespace, name }, (restore) => restore?.status?.complete)
}
async function snapshotReady({ namespace }: SeededVm): Promise<VirtualMachineSnapshot> {
  return await bench.until(
    VirtualMachineSnapshot,
    { namespace, name: 'snap' },
    (snapshot) => snapshot?.status?.readyToUse && snapshot,
  )
}
async function withRevision(source: SeededVm): Promise<void> {
  const { namespace } = source
  const revision = { revision: 1, data: { a: 1 } }
  await bench.client.create(
    ControllerRevision,
    objectOf(ControllerRevision, { name: 'my-vm-small-1', namespace }, revision),
  )
  const spec = { instancetype: { name: 'small', revisionName: 'my-vm-small-1' } }
  source.vm = await bench.client.patch(VirtualMachine, source, { spec })
}

const work: Record<string, () => Promise<void>> = {
  'a snapshot of a running guest, restored to the stopped VM, and all deleted': async () => {
    const source = await seedVm(bench, { disks: ['root', 'data'], templated: ['data'] })
    await bootVm(bench, source, { revision: source.revision })
    await takeSnapshot(bench, source)
    const snapshot = await snapshotReady(source)
    expect(guest.calls).toContain('freeze')
    bench.subresources.set('subresources.kubevirt.io/virtualmachines/stop', async () => ({ code: 202 }))
    const restore = await startRestore(bench, source, { targetReadinessPolicy: 'StopTarget' })
    await bench.until(VirtualMachineRestore, refOf(restore), (found) =>
      found?.status?.conditions?.some(({ reason }) => reason?.startsWith('Automatically stopping')),
    )
    await bench.client.delete(VirtualMachineInstance, source)
    await restored(source, 'back')
    await bench.client.delete(VirtualMachineRestore, refOf(restore))
    await bench.client.delete(VirtualMachineSnapshot, refOf(snapshot))
    const content = { namespace: source.namespace, name: contentName(snapshot.metadata.uid ?? '') }
    await bench.until(VirtualMachineSnapshotContent, content, (found) => found === undefined)
    await bench.until(VirtualMachineSnapshot, refOf(snapshot), (found) => found === undefined)
  },
  'an offline snapshot of a VM with an instance type, restored to a new VM': async () => {
    const source = await seedVm(bench)
    await withRevision(source)
    const claim = { namespace: source.namespace, name: 'root-claim' }
    await bench.client.patch(PersistentVolumeClaim, claim, { metadata: { ownerReferences: [ownedBy(source.vm)] } })
    await takeSnapshot(bench, source)
    await snapshotReady(source)
    await startRestore(bench, { ...source, name: 'copy' })
    await restored(source, 'back')
    const copy = await bench.client.get(VirtualMachine, { namespace: source.namespace, name: 'copy' })
    expect(copy.spec.instancetype?.revisionName).toBe('copy-small-1')
  },
  'a revision that has changed meanwhile is made anew': async () => {
    const source = await seedVm(bench)
    await withRevision(source)
    await takeSnapshot(bench, source)
    await snapshotReady(source)
    const ref = { namespace: source.namespace, name: 'my-vm-small-1' }
    await bench.client.delete(ControllerRevision, ref)
    const changed = { revision: 1, data: { a: 2 } }
    await bench.client.create(ControllerRevision, objectOf(ControllerRevision, ref, changed))
    await startRestore(bench, source)
    await restored(source, 'back')
    expect((await bench.client.get(ControllerRevision, ref)).data).toEqual({ a: 1 })
  },
  'a restore in place': async () => {
    const source = await seedVm(bench, { disks: ['root', 'data'], templated: ['data'] })
    await seedVolume(bench, source.namespace, 'root-claim')
    await takeSnapshot(bench, source)
    await snapshotReady(source)
    await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
    await restored(source, 'back')
  },
  'a restore that starts its target': async () => {
    const source = await seedVm(bench)
    await takeSnapshot(bench, source)
    await snapshotReady(source)
    let started = false
    bench.subresources.set('subresources.kubevirt.io/virtualmachines/start', async () => {
      started = true
      return { code: 202 }
    })
    const annotations = { [startTargetAnnotation]: 'true' }
    const restore = await startRestore(bench, source, { annotations })
    await bench.until(
      VirtualMachineRestore,
      refOf(restore),
      (found) => found?.metadata.annotations?.[startedAnnotation],
    )
    expect(started).toBe(true)
  },
  'a clone of a VM': async () => {
    const source = await seedVm(bench)
    await bench.until(VirtualMachine, source, (vm) => vm?.status?.volumeSnapshotStatuses?.[0]?.enabled)
    const { namespace, name } = source
    const of = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine' }
    const spec = { source: { ...of, name }, target: { ...of, name: 'twin' } }
    await bench.client.create(
      VirtualMachineClone,
      objectOf(VirtualMachineClone, { name: 'clone', namespace }, { spec }),
    )
    const clone = { namespace, name: 'clone' }
    await bench.until(
      VirtualMachineClone,
      clone,
      (found) => found?.status?.phase === 'Succeeded' && !found.status.restoreName,
    )
    await bench.client.delete(VirtualMachine, { namespace, name: 'twin' })
    await bench.until(VirtualMachineClone, clone, (found) => found === undefined)
  },
  'a restore that is given up': async () => {
    storage.binding = false
    const source = await seedVm(bench, { disks: ['root', 'data'], templated: ['data'] })
    await takeSnapshot(bench, source)
    await snapshotReady(source)
    const restore = await startRestore(bench, source)
    const claim = { namespace: source.namespace, name: `restore-${restore.metadata.uid}-data` }
    await bench.until(PersistentVolumeClaim, claim, (found) => found)
    await bench.client.delete(VirtualMachineRestore, refOf(restore))
    await bench.until(VirtualMachineRestore, refOf(restore), (found) => found === undefined)
    storage.binding = true
  },
  'a cut that fails in part is repeated': async () => {
    storage.cutting = false
    const source = await seedVm(bench, { disks: ['root', 'data'] })
    await bootVm(bench, source, { revision: source.revision })
    const { uid } = (await takeSnapshot(bench, source)).metadata
    const member = (volume: string) => ({ namespace: source.namespace, name: `vmsnapshot-${uid}-volume-${volume}` })
    const status = (volume: string, of: object) =>
      bench.client.patch(VolumeSnapshot, member(volume), { status: of }, { subresource: 'status' })
    const before = await Promise.all(
      ['root', 'data'].map((volume) => bench.until(VolumeSnapshot, member(volume), (found) => found)),
    )
    await status('root', { creationTime: '2026-01-01T00:00:00Z', readyToUse: true })
    await status('data', { error: { message: 'no space left' } })
    for (const { metadata } of before)
      await bench.until(
        VolumeSnapshot,
        refOf({ metadata } as KubeObject),
        (found) => found?.metadata.uid !== metadata.uid,
      )
    storage.cutting = true
    await storage.work()
    await snapshotReady(source)
  },
}
describe('under the roles of deploy/', () => {
  test.each(Object.entries(work))('%s', async (_, run) => {
    await run()
    expect([...transport.refused]).toEqual([])
  })

  test('the end, with all events written and the lease given back', async () => {
    for (const close of closing) await close()
    expect([...transport.refused]).toEqual([])
  })

  test('nothing is granted that is not used, or needed for a reason named', () => {
    const idle = granted.filter((right) => !transport.used.has(right) && !(right in unused))
    expect(idle).toEqual([])
    expect(Object.keys(unused).filter((right) => !granted.includes(right))).toEqual([])
  })
})

// What the work above does not reach is found in the text: a call on a kind that no role allows.
describe('every call in the code of the controllers is allowed', () => {
  const root = import.meta.dirname
  const known = new Map<string, readonly ResourceDefinition[]>([
    ...[...kinds, ValidatingWebhookConfiguration, MutatingWebhookConfiguration].map(
      (definition): [string, ResourceDefinition[]] => [definition.kind, [definition]],
    ),
    ['Pod', [{ ...PersistentVolumeClaim, kind: 'Pod', plural: 'pods' }]],
    // Names that stand for one of several kinds.
    ['object', [DataVolume, PersistentVolumeClaim]],
    ['definition', [ValidatingWebhookConfiguration, MutatingWebhookConfiguration]],
  ])
  const verbs: Record<string, string> = { find: 'get', updateStatus: 'update' }
  const calls = globSync(['{snapshot,restore,webhook,controller}/**/*.ts', 'kube/leader-elector.ts'], { cwd: root })
    .filter((file) => !file.endsWith('.test.ts') && !file.includes('/testing/'))
    .flatMap((file) =>
      [
        ...readFileSync(join(root, file), 'utf8').matchAll(
          /client\s*\.(get|find|list|create|update|updateStatus|patch|delete)\(\s*(\w+)/g,
        ),
      ].map(([, verb = '', kind = '']) => `${file}: ${verb} ${kind}`),
    )

  test('there are calls to look at', () => expect(calls.length).toBeGreaterThan(40))
  test.each([...new Set(calls)])('%s', (call) => {
    const [, verb = '', kind = ''] = /: (\w+) (\w+)$/.exec(call) ?? []
    const definitions = known.get(kind)
    expect(definitions, `${kind}: which kind is that? Say so above`).toBeDefined()
    for (const { group, plural } of definitions ?? []) {
      const wanted = verbs[verb] ?? verb
      const may = [`${wanted} ${group}/${plural}`, `${wanted} ${group}/${plural}/status`]
      expect(
        may.some((right) => granted.includes(right)),
        may[0],
      ).toBe(true)
    }
  })
})

describe('the authorizer', () => {
  test.each([
    ['GET', '/api/v1/namespaces/ns/pods', undefined, { verb: 'list', group: '', resource: 'pods', namespace: 'ns' }],
    ['GET', '/apis/a.b/v1/things', { watch: 'true' }, { verb: 'watch', group: 'a.b', resource: 'things' }],
    [
      'PATCH',
      '/apis/a.b/v1/namespaces/ns/things/x/status',
      undefined,
      { verb: 'patch', group: 'a.b', resource: 'things/status', namespace: 'ns', name: 'x' },
    ],
    ['PUT', '/apis/a.b/v1/things/x', undefined, { verb: 'update', group: 'a.b', resource: 'things', name: 'x' }],
  ] as const)('%s %s', (method, path, query, attributes) =>
    expect(attributesOf({ method, path, ...(query ? { query } : {}) })).toEqual(attributes),
  )

  test('names, namespaces and verbs are limits', () => {
    const rule = { apiGroups: ['g'], resources: ['leases'], verbs: ['get'], resourceNames: ['mine'] }
    const asked = { verb: 'get', group: 'g', resource: 'leases', namespace: 'ns', name: 'mine' }
    expect(allowedBy([{ rules: [rule], namespace: 'ns' }], asked)).toBe(rule)
    expect(allowedBy([{ rules: [rule], namespace: 'other' }], asked)).toBeUndefined()
    expect(allowedBy([{ rules: [rule] }], { ...asked, name: 'yours' })).toBeUndefined()
    expect(allowedBy([{ rules: [rule] }], { ...asked, verb: 'update' })).toBeUndefined()
  })
})

test('the kubeconfig for a pod sends the token that lies there now', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'stillpoint-pod-'))
  try {
    const [{ data } = { data: { kubeconfig: '' } }] = manifests('kubeconfig.yaml') as unknown as {
      data: { kubeconfig: string }
    }[]
    const account = '/var/run/secrets/kubernetes.io/serviceaccount'
    await writeFile(join(dir, 'kubeconfig'), data.kubeconfig.replaceAll(account, dir))
    await writeFile(join(dir, 'ca.crt'), 'THE CA')
    await writeFile(join(dir, 'token'), 'the-token')
    const connection = await connectionFromKubeconfig(join(dir, 'kubeconfig'))
    expect(connection.server).toBe('https://kubernetes.default.svc')
    expect(connection.ca).toBe('THE CA')
    expect(await connection.authorize()).toMatchObject({ authorization: 'Bearer the-token' })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('KubeVirt is told to leave both kinds of objects alone', () => {
  const [patch] = manifests('kubevirt-patch.yaml')
  expect(patch).toEqual({
    spec: {
      customizeComponents: {
        flags: { controller: { 'snapshot-controller-threads': '0', 'restore-controller-threads': '0' } },
      },
    },
  })
})
