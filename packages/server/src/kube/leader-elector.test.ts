import { Lease } from '@stillpoint/api/core/lease'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../apiserver/testing/server.ts'
import { KubeClient } from './client.ts'
import { delay } from './informer.ts'
import { LeaderElector, type LeaderElectorOptions } from './leader-elector.ts'
import { type HttpRequest, Transport } from './transport.ts'

const times = { leaseMs: 1_000, renewMs: 600, retryMs: 100 }
const namespace = 'kube-system'
const never = new AbortController().signal

/** What becomes of a request: answered, lost before it arrives, answered and the answer lost, or late. */
type Fate = 'well' | 'lost' | 'unanswered' | 'late'

class FateTransport extends Transport {
  fate: () => Fate = () => 'well'

  override async request(options: HttpRequest): Promise<unknown> {
    const fate = this.fate()
    if (fate === 'lost') throw new Error('connection refused')
    if (fate === 'late') await delay(300, never)
    const answer = await super.request(options)
    if (fate === 'unanswered') throw new Error('connection reset')
    return answer
  }
}

let api: TestServer
let leases = 0
const opened: { transport: FateTransport; elector: LeaderElector }[] = []

beforeAll(async () => {
  api = await startTestServer()
})
afterAll(() => api.close())
afterEach(async () => {
  for (const { transport, elector } of opened.splice(0)) {
    transport.fate = () => 'well'
    await elector.release()
    transport.close()
  }
})

function newLease(): string {
  leases += 1
  return `lease-${leases}`
}
function process(name: string, identity: string, options: Partial<LeaderElectorOptions> = {}) {
  const { server } = api
  const authorization = `Bearer ${server.controllerToken}`
  const transport = new FateTransport({ server: server.url, ca: server.ca, authorize: () => ({ authorization }) })
  const client = new KubeClient(transport)
  const log = pino({ level: 'silent' })
  const elector = new LeaderElector({ client, namespace, name, identity, log, ...times, ...options })
  opened.push({ transport, elector })
  return { transport, client, elector }
}

test('the first leads; the second is told who, and follows at once when the lease is given back', async () => {
  const name = newLease()
  const [a, b] = [process(name, 'a'), process(name, 'b')]
  expect(await a.elector.acquire(never)).toBe(true)
  const holder = Promise.withResolvers<string>()
  let follows = false
  const second = b.elector.acquire(never, holder.resolve).then((leads) => (follows = leads))
  expect(await holder.promise).toBe('a')
  const lease = await a.client.get(Lease, { namespace, name })
  expect(lease.spec).toEqual({
    holderIdentity: 'a',
    leaseDurationSeconds: 1,
    acquireTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    renewTime: expect.stringMatching(/\.\d{6}Z$/),
    leaseTransitions: 0,
  })
  await delay(2 * times.leaseMs, never)
  expect(follows).toBe(false)
  const startedMs = performance.now()
  await a.elector.release()
  await second
  expect(performance.now() - startedMs).toBeLessThan(times.leaseMs)
  expect((await b.client.get(Lease, { namespace, name })).spec).toMatchObject({
    holderIdentity: 'b',
    leaseTransitions: 1,
  })
})

test('who stops waiting does not lead', async () => {
  const name = newLease()
  const [a, b] = [process(name, 'a'), process(name, 'b')]
  await a.elector.acquire(never)
  const stopping = new AbortController()
  const second = b.elector.acquire(stopping.signal, () => stopping.abort())
  expect(await second).toBe(false)
})

test('who cannot renew gives up before anybody else takes over', async () => {
  const name = newLease()
  const [a, b] = [process(name, 'a'), process(name, 'b')]
  await a.elector.acquire(never)
  const order: string[] = []
  const ends = [
    a.elector.lost.then((reason) => order.push(reason)),
    b.elector.acquire(never).then(() => order.push('b leads')),
  ]
  a.transport.fate = () => 'lost'
  await Promise.all(ends)
  expect(order).toEqual([`the lease ${name} could not be renewed within 0.6 s`, 'b leads'])
})

test('an answer that never comes does not keep the lease', async () => {
  const name = newLease()
  const a = process(name, 'a')
  await a.elector.acquire(never)
  a.transport.request = () => new Promise(() => {})
  expect(await a.elector.lost).toMatch(/could not be renewed/)
  opened.splice(0)
  a.transport.close()
})

test('a lease that somebody else holds is lost at once, and not taken again', async () => {
  const name = newLease()
  const a = process(name, 'a')
  await a.elector.acquire(never)
  await a.client.patch(Lease, { namespace, name }, { spec: { holderIdentity: 'thief' } })
  expect(await a.elector.lost).toBe(`the lease ${name} is held by thief`)
  await a.elector.release()
  expect((await a.client.get(Lease, { namespace, name })).spec?.holderIdentity).toBe('thief')
})

test('a process that stood still for longer than its lease does not go on', async () => {
  let skippedMs = 0
  const a = process(newLease(), 'a', { monotonicMs: () => performance.now() + skippedMs })
  await a.elector.acquire(never)
  skippedMs = 5_000
  expect(await a.elector.lost).toMatch(/could not be renewed/)
})

test('the clock of a holder does not matter, only that it is silent', async () => {
  const name = newLease()
  const a = process(name, 'a')
  const renewTime = '2999-01-01T00:00:00.000000Z'
  const spec = { holderIdentity: 'gone', leaseDurationSeconds: 1, renewTime, acquireTime: renewTime }
  await a.client.create(Lease, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace, name },
    spec,
  })
  const startedMs = performance.now()
  expect(await a.elector.acquire(never)).toBe(true)
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(times.leaseMs)
})

test.each([
  { leaseMs: 1_000, renewMs: 1_000, retryMs: 100 },
  { leaseMs: 1_000, renewMs: 500, retryMs: 500 },
])('times that cannot keep a lease are refused: %o', (wrong) =>
  expect(() => process(newLease(), 'a', wrong)).toThrow(/cannot be kept/),
)

test('whatever becomes of their requests, no two lead at once, and one does in the end', async () => {
  const fates = fc.array(fc.constantFrom<Fate>('well', 'well', 'well', 'lost', 'unanswered', 'late'), {
    minLength: 20,
    maxLength: 60,
  })
  await fc.assert(
    fc.asyncProperty(fc.tuple(fates, fates, fates), async (given) => {
      const name = newLease()
      const leading = new Set<string>()
      let led = 0
      const lives = given.map(async (list, index) => {
        const identity = `p${index}`
        let at = 0
        const { elector, transport } = process(name, identity)
        transport.fate = () => list[at++] ?? 'well'
        await elector.acquire(never)
        led += 1
        leading.add(identity)
        expect([...leading]).toEqual([identity])
        // It leads until it has used up its fates, or loses the lease; then the next one's turn comes.
        const spent = delay(times.retryMs * 4, never)
        await Promise.race([elector.lost, spent])
        leading.delete(identity)
        transport.fate = () => 'well'
        await elector.release()
      })
      await Promise.all(lives)
      expect(led).toBe(given.length)
    }),
    { numRuns: 4 },
  )
}, 120_000)
