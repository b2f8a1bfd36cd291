import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Lease } from '@stillpoint/api/core/lease'
import { kinds } from '@stillpoint/api/kinds'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { TestClient } from '../apiserver/testing/client.ts'
import { type Bench, startBench } from '../controller/testing/bench.ts'
import { FakeStorage } from '../controller/testing/fake-guest.ts'
import { seedStorage, seedVm, takeSnapshot } from '../controller/testing/seeds.ts'
import { makeCertificate } from '../webhook/certificate.ts'
import {
  configurationName,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from '../webhook/configuration.ts'
import { type WebhookFlags, webhookOptions } from './webhook-options.ts'

// `stillpoint controllers` as processes of their own, against one API server.

const main = resolve(import.meta.dirname, '../main.ts')
const lease = { namespace: 'kube-system', name: 'stillpoint-controllers' }
const limitMs = 60_000

let bench: Bench
let storage: FakeStorage
let dir: string
const children: Controllers[] = []

beforeAll(async () => {
  bench = await startBench({ resources: [...kinds, ValidatingWebhookConfiguration, MutatingWebhookConfiguration] })
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
  dir = await mkdtemp(join(tmpdir(), 'stillpoint-controllers-'))
  await writeFile(join(dir, 'kubeconfig'), bench.api.adminKubeconfig)
})
afterEach(async () => {
  for (const child of children.splice(0)) await child.end('SIGKILL')
  await bench.client.delete(Lease, lease)
})
afterAll(async () => {
  await storage.close()
  await bench.close()
  await rm(dir, { recursive: true, force: true })
})

class Controllers {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #waiting: (() => void)[] = []
  complaint = ''

  constructor(...args: string[]) {
    const all = ['controllers', '--kubeconfig', join(dir, 'kubeconfig'), '--data-dir', join(dir, 'data'), ...args]
    this.#child = spawn(process.execPath, [main, ...all], { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(this)
    const { stdout, stderr } = this.#child
    if (!stdout || !stderr) throw new Error('no output')
    createInterface({ input: stdout }).on('line', (line) => {
      this.#lines.push(line)
      for (const wake of this.#waiting.splice(0)) wake()
    })
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complaint += text
    })
    this.#child.on('close', () => {
      for (const wake of this.#waiting.splice(0)) wake()
    })
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  said(pattern: RegExp): string | undefined {
    return this.#lines.find((line) => pattern.test(line))
  }

  /** The line that fits, once it is there. */
  async says(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.said(pattern)
      if (line !== undefined) return line
      if (!this.running) throw new Error(`ended without saying ${pattern}: ${this.complaint}`)
      await new Promise<void>((wake) => this.#waiting.push(wake))
    }
  }

  /** The exit code, or the signal. */
  async end(signal?: NodeJS.Signals): Promise<number | string> {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) return exitCode ?? String(signalCode)
    const closed = once(this.#child, 'close')
    if (signal) this.#child.kill(signal)
    const [code, by] = (await closed) as [number | null, NodeJS.Signals | null]
    return code ?? String(by)
  }
}

const ready = /are ready/
const waits = /^stillpoint controllers wait: \S+_[0-9a-f-]{36} holds the lease kube-system\/stillpoint-controllers$/
const holder = async () => (await bench.client.get(Lease, lease)).spec?.holderIdentity ?? ''

/** A snapshot is taken: somebody works. */
async function snapshotTaken(): Promise<void> {
  const source = await seedVm(bench)
  await takeSnapshot(bench, source)
  const ref = { namespace: source.namespace, name: 'snap' }
  await bench.until(VirtualMachineSnapshot, ref, (snapshot) => snapshot?.status?.readyToUse)
}

test(
  'of two processes one works; the other takes over when the first is stopped, and again when it is killed',
  async () => {
    const first = new Controllers()
    await first.says(ready)
    const second = new Controllers()
    await second.says(waits)
    const leading = await holder()
    await snapshotTaken()
    expect(second.said(ready)).toBeUndefined()

    const stoppedMs = performance.now()
    expect(await first.end('SIGTERM')).toBe(0)
    await second.says(ready)
    // The lease was given back: its 15 s were not waited for.
    expect(performance.now() - stoppedMs).toBeLessThan(14_000)
    expect(await holder()).not.toBe(leading)
    await snapshotTaken()

    const third = new Controllers()
    await third.says(waits)
    const killedMs = performance.now()
    expect(await second.end('SIGKILL')).toBe('SIGKILL')
    await third.says(ready)
    // Nobody could know that it was dead rather than slow before its lease was over.
    expect(performance.now() - killedMs).toBeGreaterThan(10_000)
    await snapshotTaken()
    expect(await third.end('SIGTERM')).toBe(0)
    expect(await holder()).toBe('')
  },
  2 * limitMs,
)

test(
  'who loses the lease ends with an error, so that it is started again',
  async () => {
    const controllers = new Controllers()
    await controllers.says(ready)
    await bench.client.patch(Lease, lease, { spec: { holderIdentity: 'thief' } })
    expect(await controllers.end()).toBe(1)
    expect(controllers.complaint).toBe(
      'stillpoint: the lease stillpoint-controllers is held by thief; ending, to be started again\n',
    )
    expect(await holder()).toBe('thief')
  },
  limitMs,
)

test(
  'who waits can be stopped; without election nobody waits',
  async () => {
    const first = new Controllers('--leader-elect-namespace', 'default', '--leader-elect-resource-name', 'other')
    await first.says(ready)
    expect((await bench.client.get(Lease, { namespace: 'default', name: 'other' })).spec?.holderIdentity).toMatch(/_/)
    const second = new Controllers('--leader-elect-namespace', 'default', '--leader-elect-resource-name', 'other')
    await second.says(/wait/)
    const third = new Controllers('--leader-elect=false', '--controllers', 'restore')
    await third.says(ready)
    expect(await bench.client.find(Lease, lease)).toBeUndefined()
    expect(await Promise.all([second.end('SIGTERM'), third.end('SIGTERM'), first.end('SIGTERM')])).toEqual([0, 0, 0])
  },
  limitMs,
)

const review = {
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'u',
    resource: { group: 'snapshot.kubevirt.io', version: 'v1beta1', resource: 'virtualmachinesnapshots' },
    operation: 'CREATE',
    object: {
      apiVersion: 'snapshot.kubevirt.io/v1beta1',
      kind: 'VirtualMachineSnapshot',
      metadata: { name: 'a' },
      spec: { source: { kind: 'VirtualMachine', name: 'x' } },
    },
  },
}

test(
  'the webhook is served by who leads, and the API server is told where, with the authority to trust',
  async () => {
    const controllers = new Controllers('--webhook-listen', '127.0.0.1:0', '--webhook-url', 'https://127.0.0.1:9443')
    const line = await controllers.says(/^webhook on port \d+, and the API server is told to ask it$/)
    const { webhooks } = await bench.client.get(ValidatingWebhookConfiguration, { name: configurationName })
    const [{ clientConfig } = { clientConfig: { url: '', caBundle: '' } }] = (webhooks ?? []) as {
      clientConfig: { url: string; caBundle: string }
    }[]
    expect(clientConfig.url).toBe('https://127.0.0.1:9443/validate/virtualmachinesnapshots')
    const ca = Buffer.from(clientConfig.caBundle, 'base64').toString()
    const client = new TestClient({ url: `https://127.0.0.1:${/\d+/.exec(line)?.[0]}`, ca, token: '' })
    const { body } = await client.post('/validate/virtualmachinesnapshots', review)
    expect(body.response).toMatchObject({ allowed: false, status: { code: 422, message: 'missing apiGroup' } })
    expect((await bench.client.find(MutatingWebhookConfiguration, { name: configurationName }))?.webhooks).toHaveLength(
      2,
    )
    expect(await controllers.end('SIGTERM')).toBe(0)
  },
  limitMs,
)

test(
  'a certificate of somebody else is used, and nobody is told where none is named',
  async () => {
    const { cert, key, ca } = await makeCertificate([], new Date())
    await writeFile(join(dir, 'tls.crt'), cert)
    await writeFile(join(dir, 'tls.key'), key)
    const controllers = new Controllers(
      ...['--leader-elect=false', '--webhook-listen', '127.0.0.1:0'],
      ...['--webhook-cert', join(dir, 'tls.crt'), '--webhook-key', join(dir, 'tls.key')],
    )
    const line = await controllers.says(/^webhook on port \d+; nobody is told to ask it\./)
    const client = new TestClient({ url: `https://127.0.0.1:${/\d+/.exec(line)?.[0]}`, ca: ca ?? '', token: '' })
    expect(await client.get('/readyz')).toMatchObject({ code: 200, text: 'ok' })
  },
  limitMs,
)

const wrong: Record<string, [WebhookFlags, RegExp]> = {
  'a URL without a place to listen': [{ webhookUrl: 'https://a' }, /need --webhook-listen ADDRESS:PORT/],
  'a certificate without its key': [
    { webhookListen: ':0', webhookCert: 'x' },
    /--webhook-cert and --webhook-key belong together/,
  ],
  'an authority without a certificate': [{ webhookListen: ':0', webhookCa: 'x' }, /goes with --webhook-cert/],
  'a certificate that is not there': [
    { webhookListen: ':0', webhookCert: 'no.crt', webhookKey: 'no.key' },
    /--webhook-cert no\.crt cannot be read/,
  ],
  'files that are no certificate and no key': [
    { webhookListen: ':0', webhookCert: main, webhookKey: main },
    /main\.ts do not fit together, or are no PEM files/,
  ],
  'no address': [{ webhookListen: 'here' }, /--webhook-listen 'here' is not ADDRESS:PORT/],
}
test.each(Object.entries(wrong))('what cannot be done is said with the remedy: %s', async (_, [flags, text]) => {
  await expect(webhookOptions(flags)).rejects.toThrow(text)
})

test('without webhook options there is no webhook', async () => {
  expect(await webhookOptions({})).toBeUndefined()
  expect(await webhookOptions({ webhookListen: '0.0.0.0:9443', webhookService: 'a/b' })).toEqual({
    listen: { host: '0.0.0.0', port: 9443 },
    target: { service: { namespace: 'a', name: 'b' } },
  })
})
