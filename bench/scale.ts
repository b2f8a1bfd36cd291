import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { VirtualMachine } from '../packages/api/src/kubevirt/kinds.ts'
import { type KubeObject, uidOf } from '../packages/api/src/meta/object-meta.ts'
import type { ResourceDefinition } from '../packages/api/src/schema/resource.ts'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '../packages/api/src/snapshot/kinds.ts'
import { VolumeSnapshot } from '../packages/api/src/storage/kinds.ts'
import { SqliteStore } from '../packages/server/src/apiserver/store/sqlite-store.ts'
import { KubeClient } from '../packages/server/src/kube/client.ts'
import { Informers } from '../packages/server/src/kube/informers.ts'
import { Transport } from '../packages/server/src/kube/transport.ts'
import { snapshotOf } from './objects.ts'
import type { ApiFacts, ApiReport } from './scale/api.ts'
import { Child } from './scale/child.ts'
import { bareWrites, cutAll, each, namespace, seedVms } from './scale/world.ts'
import { type Line, summarize } from './table.ts'

const vms = 200
const finished = 10_000
const mostRounds = 5
const mostWrites = 12
const limitMs = 300_000
const writeVerbs = new Set(['create', 'update', 'patch', 'delete'])
/** Sent by this process, not by the controllers. */
const ours = new Set([`create ${VirtualMachineSnapshot.plural}`, `patch ${VolumeSnapshot.plural}/status`])

type Api = Child<ApiFacts, ApiReport>
type Controllers = Child<object, object>

/**
 * Snapshots of many running VMs at once, each of one disk: the real API server and the real snapshot controllers, each
 * in a process of its own; KubeVirt and CSI are played through the API by the least that answers. The floor is as many
 * bare writes by the same client in the same run.
 */
export async function benchScale(dir: string, runs: number): Promise<Line[]> {
  const dataDir = join(dir, 'api')
  await mkdir(dataDir, { recursive: true })
  const api = await startApi(dataDir)
  const outside = await connect(api)
  const rounds = Math.min(runs, mostRounds)
  try {
    await seedVms(outside.client, vms)
    const controllers = await startControllers(api)
    await outside.until(VirtualMachine, vms, ({ status }) => status?.volumeSnapshotStatuses !== undefined)
    const measured: Round[] = []
    for (let round = 0; round < rounds; round += 1) measured.push(await takeRound(api, controllers, outside, round))
    await controllers.stop()
    const sample = await outside.sample('0-vm-0')
    await outside.close()
    await api.stop()
    return [...linesOf(measured), ...(await measureMemory(dataDir, sample))]
  } catch (error) {
    throw new Error('scale', { cause: error })
  }
}

interface Round {
  tookMs: number
  floorMs: number
  writes: number
  /** Freeze and thaw. */
  calls: number
  events: number
  reads: number
  windowsMs: number[]
  controllersMs: number
  apiMs: number
  byRequest: Map<string, number>
}

async function takeRound(api: Api, controllers: Controllers, outside: Outside, round: number): Promise<Round> {
  const before = { api: await api.report(), controllers: await controllers.report() }
  const began = performance.now()
  const ready = outside.until(
    VirtualMachineSnapshot,
    vms * (round + 1),
    ({ status }) => status?.phase === 'Succeeded' && status.readyToUse === true,
  )
  await each(vms, (index) =>
    outside.client.create(VirtualMachineSnapshot, snapshotOf(`vm-${index}`, `${round}-vm-${index}`)),
  )
  await ready
  const tookMs = performance.now() - began
  // What follows the last success, the unlock and the events, is part of the cost.
  await outside.until(VirtualMachine, vms, ({ status }) => !status?.snapshotInProgress)
  await outside.quiet(api)
  const after = { api: await api.report(), controllers: await controllers.report() }

  const byRequest = new Map<string, number>()
  for (const [what, count] of Object.entries(after.api.requests)) {
    const made = count - (before.api.requests[what] ?? 0)
    if (made > 0 && !ours.has(what)) byRequest.set(what, made)
  }
  const sum = (kind: ReturnType<typeof kindOf>): number =>
    [...byRequest].reduce((total, [what, count]) => (kindOf(what) === kind ? total + count : total), 0) / vms
  const [writes, events] = [sum('write'), sum('event')]
  const allWrites = Math.round(writes + events + ours.size)
  const floorBegan = performance.now()
  await each(vms, (index) => bareWrites(outside.client, `bare-${round}-${index}`, allWrites))
  return {
    tookMs,
    floorMs: performance.now() - floorBegan,
    writes,
    calls: sum('call'),
    events,
    reads: sum('read'),
    windowsMs: after.api.windowsMs.slice(before.api.windowsMs.length),
    controllersMs: (after.controllers.cpuMs - before.controllers.cpuMs) / vms,
    apiMs: (after.api.cpuMs - before.api.cpuMs) / vms,
    byRequest,
  }
}

function kindOf(request: string): 'read' | 'write' | 'event' | 'call' {
  const [verb = '', resource = ''] = request.split(' ')
  if (!writeVerbs.has(verb)) return 'read'
  if (resource === 'events') return 'event'
  return resource.endsWith('freeze') ? 'call' : 'write'
}

function linesOf(rounds: readonly Round[]): Line[] {
  const of = (value: (round: Round) => number) => summarize(rounds.map(value))
  const rate = of(({ tookMs }) => (vms / tookMs) * 1_000)
  const floor = of(({ floorMs }) => (vms / floorMs) * 1_000)
  const writes = of((round) => round.writes)
  const last = rounds.at(-1)
  for (const [what, count] of [...(last?.byRequest ?? [])].sort(([, a], [, b]) => b - a))
    process.stderr.write(`  ${(count / vms).toFixed(2).padStart(6)} per snapshot: ${what}\n`)
  return [
    { what: `online snapshots of ${vms} VMs at once, 1 disk`, unit: '1/s', summary: rate },
    { what: '  floor: as many bare writes', unit: '1/s', summary: floor },
    {
      what: '  writes of objects per snapshot, events left out',
      unit: '',
      summary: writes,
      aim: { text: `≤ ${mostWrites}`, met: writes.median <= mostWrites },
    },
    { what: '  calls of the guest per snapshot (freeze, thaw)', unit: '', summary: of((round) => round.calls) },
    { what: '  events per snapshot', unit: '', summary: of((round) => round.events) },
    { what: '  reads per snapshot', unit: '', summary: of((round) => round.reads) },
    {
      what: '  processor time of the controllers per snapshot',
      unit: 'ms',
      summary: of((round) => round.controllersMs),
    },
    { what: '  processor time of the API server per snapshot', unit: 'ms', summary: of((round) => round.apiMs) },
    { what: '  guest frozen', unit: 'ms', summary: summarize(rounds.flatMap(({ windowsMs }) => windowsMs)) },
  ]
}

/** What finished snapshots cost a server and controllers that start with them; written past the API, to be quick. */
async function measureMemory(dataDir: string, sample: readonly Stored[]): Promise<Line[]> {
  const idle = await startBoth(dataDir)
  const store = new SqliteStore(join(dataDir, 'store.sqlite'))
  for (let index = 0; index < finished; index += 1)
    await Promise.all(copiesOf(sample).map((write) => store.write({ ...write, expectedRevision: 0 })))
  await store.close()
  const full = await startBoth(dataDir)
  const line = (what: string, used: number): Line => ({
    what: `${what}, ${finished} finished snapshots`,
    unit: 'MiB',
    summary: summarize([used]),
  })
  return [
    line('memory of the controllers (resident)', full.controllers.rssMiB - idle.controllers.rssMiB),
    line('  heap', full.controllers.heapMiB - idle.controllers.heapMiB),
    line('memory of the API server (resident)', full.api.rssMiB - idle.api.rssMiB),
    line('  heap', full.api.heapMiB - idle.api.heapMiB),
    {
      what: `  start of the controllers, ${finished} finished snapshots`,
      unit: 'ms',
      summary: summarize([full.startMs]),
    },
    {
      what: '  requests they make then beside lists and watches',
      unit: '',
      summary: summarize([full.requests]),
      aim: { text: '0', met: full.requests === 0 },
    },
  ]
}

async function startBoth(dataDir: string) {
  const api = await startApi(dataDir)
  const began = performance.now()
  const controllers = await startControllers(api)
  const outside = await connect(api)
  await outside.quiet(api)
  const startMs = performance.now() - began - quietMs
  const report = { api: await api.report(), controllers: await controllers.report() }
  const requests = Object.entries(report.api.requests).reduce(
    (total, [what, count]) => (/^(list|watch) /.test(what) ? total : total + count),
    0,
  )
  await controllers.stop()
  await outside.close()
  await api.stop()
  return { ...report, startMs, requests }
}

const startApi = (dataDir: string): Promise<Api> => Child.start(join(import.meta.dirname, 'scale/api.ts'), [dataDir])
const startControllers = ({ facts }: Api): Promise<Controllers> =>
  Child.start(join(import.meta.dirname, 'scale/controllers.ts'), [facts.url, facts.ca, facts.token])

interface Stored {
  key: string
  object: KubeObject
}

/** Another finished snapshot with its content and volume snapshot, under other names and UIDs. */
function copiesOf(sample: readonly Stored[]): { key: string; value: string }[] {
  const uids = sample.map(({ object }) => [uidOf(object), randomUUID()] as const)
  const name = sample[0]?.object.metadata.name ?? ''
  const renamed = (text: string): string =>
    uids.reduce((result, [old, fresh]) => result.replaceAll(old, fresh), text.replaceAll(name, `copy-${uids[0]?.[1]}`))
  return sample.map(({ key, object }) => {
    const { resourceVersion: _, ...metadata } = object.metadata
    return { key: renamed(key), value: renamed(JSON.stringify({ ...object, metadata })) }
  })
}

type Outside = Awaited<ReturnType<typeof connect>>
const quietMs = 1_000

/** Everybody else: users, KubeVirt, CSI. */
async function connect({ facts }: Api) {
  const { url, ca, token } = facts
  const transport = new Transport({ server: url, ca, authorize: () => ({ authorization: `Bearer ${token}` }) })
  const client = new KubeClient(transport)
  const informers = new Informers(client, pino({ level: 'silent' }))
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => {})
  cutAll(client, informers, broken.reject)
  for (const definition of [VirtualMachineSnapshot, VirtualMachine]) informers.of(definition)
  await informers.start()
  return {
    client,
    /** Waits until so many objects are as wanted. */
    async until<R extends typeof VirtualMachineSnapshot | typeof VirtualMachine>(
      definition: R,
      count: number,
      holds: (object: ReturnType<ReturnType<typeof informers.of<R>>['list']>[number]) => boolean,
    ): Promise<void> {
      const informer = informers.of(definition)
      const good = new Set<string>()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const look = (object: Parameters<typeof holds>[0]): void => {
        if (holds(object)) good.add(object.metadata.name)
        else good.delete(object.metadata.name)
        if (good.size >= count) resolve()
      }
      informer.onChange(({ object }) => look(object))
      for (const object of informer.list()) look(object)
      const timer = setTimeout(
        () => reject(new Error(`${good.size} of ${count} ${definition.plural} as wanted after ${limitMs} ms`)),
        limitMs,
      )
      await Promise.race([promise, broken.promise]).finally(() => clearTimeout(timer))
    },
    /** Waits until the API server has not been asked for anything for a while. */
    async quiet(api: Api): Promise<void> {
      for (let seen = -1; ; ) {
        const { requests } = await api.report()
        const total = Object.values(requests).reduce((a, b) => a + b, 0)
        if (total === seen) return
        seen = total
        await new Promise((resolve) => setTimeout(resolve, quietMs))
      }
    },
    /** A finished snapshot and what belongs to it, the way the store keeps them. */
    async sample(name: string): Promise<Stored[]> {
      const stored = (definition: ResourceDefinition, object: KubeObject): Stored => ({
        key: `${definition.group}/${definition.plural}/${namespace}/${object.metadata.name}`,
        object,
      })
      const snapshot = await client.get(VirtualMachineSnapshot, { namespace, name })
      const contentName = snapshot.status?.virtualMachineSnapshotContentName ?? ''
      const content = await client.get(VirtualMachineSnapshotContent, { namespace, name: contentName })
      const member = content.spec.volumeBackups?.[0]?.volumeSnapshotName ?? ''
      const cut = await client.get(VolumeSnapshot, { namespace, name: member })
      return [
        stored(VirtualMachineSnapshot, snapshot),
        stored(VirtualMachineSnapshotContent, content),
        stored(VolumeSnapshot, cut),
      ]
    },
    async close(): Promise<void> {
      await informers.close()
      transport.close()
    },
  }
}
