import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectionFromKubeconfig } from './kube/kubeconfig.ts'
import { type System, startSystem } from './system.ts'
import { Browser, type Page } from './web/testing/browser.ts'
import { makeDist } from './web/testing/dist.ts'
import { type Front, startFront } from './web/testing/front.ts'

// What test suites written for other consoles expect of the path /api/kubernetes, in the order in which they go, with a
// cookie or with a bearer token.

const namespace = 'pw-test-ns'
const vms = `/apis/kubevirt.io/v1/namespaces/${namespace}/virtualmachines`
const snapshotGroup = `/apis/snapshot.kubevirt.io/v1beta1/namespaces/${namespace}`
const snapshots = `${snapshotGroup}/virtualmachinesnapshots`
const restores = `${snapshotGroup}/virtualmachinerestores`

let system: System
let dataDir: string
let dist: string
let proxy: Front
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'stillpoint-contract-'))
  dist = await makeDist()
  system = await startSystem({
    dataDir,
    listen: { host: '127.0.0.1', port: 0 },
    roles: new Set(['apiserver', 'snapshot', 'restore', 'console'] as const),
    consoleDir: dist,
    importDirs: [],
    accel: 'auto',
    log: pino({ level: 'silent' }),
  })
  proxy = await startFront(await connectionFromKubeconfig(system.kubeconfigFile), { dist })
  const admin = new Caller({ url: system.url, ca: system.ca }, await adminToken())
  await admin.call('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
})
afterAll(async () => {
  await proxy.close()
  await system.close()
  await rm(dataDir, { recursive: true })
  await rm(dirname(dist), { recursive: true })
})

async function adminToken(): Promise<string> {
  const { authorization = '' } = await (await connectionFromKubeconfig(system.kubeconfigFile)).authorize()
  return authorization.replace('Bearer ', '')
}

/** A client of the proxy path, as such suites have it. */
class Caller {
  readonly browser: Browser
  readonly #token: string | undefined

  constructor(to: { url: string; ca?: string }, token: string | undefined) {
    this.browser = new Browser(to)
    this.#token = token
  }

  /** One request; the answer must be JSON whatever it is, since such a client reads nothing else. */
  async call(method: string, path: string, body?: unknown, type?: string): Promise<Page> {
    const headers: Record<string, string> = {
      accept: 'application/json',
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(type === undefined ? {} : { 'content-type': type }),
    }
    const answer =
      method === 'GET'
        ? await this.browser.send(method, `/api/kubernetes${path}`, { headers })
        : await this.browser.write(method, `/api/kubernetes${path}`, body, headers)
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
    return answer
  }

  /** Asks again and again, as such suites do, though faster. */
  async until(path: string, ready: (object: Page['json']) => boolean): Promise<Page['json']> {
    const deadline = Date.now() + 15_000
    for (;;) {
      const { code, json } = await this.call('GET', path)
      if (code === 200 && ready(json)) return json
      if (Date.now() > deadline) throw new Error(`${path} is not ready: ${JSON.stringify(json.status ?? json)}`)
      await sleep(50)
    }
  }
}

const haltedVm = (name: string) => ({
  apiVersion: 'kubevirt.io/v1',
  kind: 'VirtualMachine',
  metadata: { name, namespace },
  spec: {
    runStrategy: 'Halted',
    template: {
      spec: {
        domain: {
          devices: {
            disks: [
              { name: 'rootdisk', disk: { bus: 'virtio' } },
              { name: 'cloudinit', disk: { bus: 'virtio' } },
            ],
          },
          memory: { guest: '128Mi' },
        },
        volumes: [
          { name: 'rootdisk', containerDisk: { image: 'quay.io/containerdisks/fedora:latest' } },
          { name: 'cloudinit', cloudInitNoCloud: { userData: '#cloud-config\n' } },
        ],
      },
    },
  },
})

const ways = (['on the port of the API', 'before the API'] as const).flatMap((place) =>
  (['cookie', 'bearer'] as const).map((mode) => ({ place, mode })),
)

describe.each(ways)('$place, by $mode', ({ place, mode }) => {
  const id = `${place === 'before the API' ? 'before' : 'on'}-${mode}`
  const [vm, snapshot, restore] = [`vm-${id}`, `snap-${id}`, `restore-${id}`]
  let caller: Caller
  beforeAll(async () => {
    const to = place === 'before the API' ? proxy : { url: system.url, ca: system.ca }
    caller = new Caller(to, mode === 'bearer' ? await adminToken() : undefined)
  })

  test('GET / sets the CSRF token, and signing in makes a session', async () => {
    await caller.browser.send('GET', '/', { headers: { accept: '*/*' } })
    expect(caller.browser.csrfToken).not.toBe('')
    if (mode === 'bearer') return
    const { code } = await caller.browser.write('POST', '/auth/session', { token: await adminToken() })
    expect(code).toBe(201)
  })

  test('a stopped VM without a disk to cut is made', async () => {
    const { code, json } = await caller.call('POST', vms, haltedVm(vm))
    expect([code, json.kind, json.metadata.name]).toEqual([201, 'VirtualMachine', vm])
  })

  test('its snapshot is made, and becomes ready', async () => {
    const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: vm }
    const made = await caller.call('POST', snapshots, {
      apiVersion: 'snapshot.kubevirt.io/v1beta1',
      kind: 'VirtualMachineSnapshot',
      metadata: { name: snapshot, namespace },
      spec: { source },
    })
    expect([made.code, made.json.kind, made.json.metadata.name]).toEqual([201, 'VirtualMachineSnapshot', snapshot])
    const ready = await caller.until(`${snapshots}/${snapshot}`, ({ status }) => status?.readyToUse === true)
    expect([ready.spec.source, ready.status.creationTime]).toEqual([source, expect.any(String)])
  })

  test('it is in the list, in both versions that are read', async () => {
    for (const version of ['v1beta1', 'v1alpha1']) {
      const { code, json } = await caller.call('GET', `${snapshots.replace('v1beta1', version)}?limit=250`)
      expect([code, json.kind]).toEqual([200, 'VirtualMachineSnapshotList'])
      expect(json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toContain(snapshot)
    }
    expect((await caller.call('GET', `${snapshots}/no-such-snapshot`)).code).toBe(404)
  })

  test('it gets a label, though it had none', async () => {
    const patch = { metadata: { labels: { 'e2e-test': 'patched' } } }
    const type = 'application/merge-patch+json'
    const { code, json } = await caller.call('PATCH', `${snapshots}/${snapshot}`, patch, type)
    expect([code, json.metadata.labels]).toEqual([200, { 'e2e-test': 'patched' }])
  })

  test('it is restored, and the restore completes', async () => {
    const made = await caller.call('POST', restores, {
      apiVersion: 'snapshot.kubevirt.io/v1beta1',
      kind: 'VirtualMachineRestore',
      metadata: { name: restore, namespace },
      spec: {
        target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: vm },
        virtualMachineSnapshotName: snapshot,
      },
    })
    expect([made.code, made.json.kind]).toEqual([201, 'VirtualMachineRestore'])
    await caller.until(`${restores}/${restore}`, ({ status }) => status?.complete === true)
    const { json } = await caller.call('GET', `${restores}?limit=250`)
    expect(json.kind).toBe('VirtualMachineRestoreList')
  })

  test('restore and snapshot are deleted, and gone by then', async () => {
    for (const [collection, name] of [
      [restores, restore],
      [snapshots, snapshot],
    ] as const) {
      const { code, json } = await caller.call('DELETE', `${collection}/${name}`)
      expect([code, ['Status', 'VirtualMachineRestore', 'VirtualMachineSnapshot'].includes(json.kind)]).toEqual([
        200,
        true,
      ])
      const list = await caller.call('GET', `${collection}?limit=250`)
      expect(list.json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).not.toContain(name)
    }
  })

  test('what goes wrong is said in JSON', async () => {
    expect((await caller.call('POST', snapshots, { kind: 'VirtualMachineSnapshot' })).code).toBeGreaterThanOrEqual(400)
    const signedOut = new Caller(place === 'before the API' ? proxy : { url: system.url, ca: system.ca }, undefined)
    expect((await signedOut.call('GET', snapshots)).code).toBe(401)
    expect((await signedOut.call('DELETE', `${vms}/${vm}`)).code).toBe(401)
    expect((await caller.call('DELETE', `${vms}/${vm}`)).code).toBe(200)
  })
})

test('a volume snapshot list is there to be read', async () => {
  const caller = new Caller(proxy, await adminToken())
  const { code, json } = await caller.call(
    'GET',
    `/apis/snapshot.storage.k8s.io/v1/namespaces/${namespace}/volumesnapshots`,
  )
  expect([code, json.kind]).toEqual([200, 'VolumeSnapshotList'])
})

test('the link that the server prints signs the administrator in, once', async () => {
  const link = system.consoleLink()
  const [address, code = ''] = link?.split('#code=') ?? []
  expect(address).toBe(`${system.url}/sign-in`)
  const to = { url: system.url, ca: system.ca }
  expect((await new Browser(to).signIn({ code })).json).toMatchObject({ user: { username: 'admin' }, mode: 'embedded' })
  expect((await new Browser(to).signIn({ code })).code).toBe(401)
})
