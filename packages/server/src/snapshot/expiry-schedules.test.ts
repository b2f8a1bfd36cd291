import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { Namespace } from '@stillpoint/api/core/namespace'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { expiresAtAnnotation, lockedKey, snapshotFinalizer } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { contentName, volumeSnapshotName } from '@stillpoint/api/snapshot/names'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { expect, test } from 'vitest'
import type { ControllerContext, RunningController } from '../controller/context.ts'
import { EventRecorder } from '../controller/events.ts'
import { drawDeaths, drawDeedsFrom, drawWeather, live, runSchedules } from '../controller/testing/schedules.ts'
import type { SeededRandom } from '../controller/testing/seeded-random.ts'
import { lab } from '../controller/testing/simulated-seeds.ts'
import type { Deed, Simulation } from '../controller/testing/simulation.ts'
import { refOf } from '../kube/client.ts'
import { expiryController } from './expiry-controller.ts'
import { ExpiryJudge } from './testing/expiry-judge.ts'
import { watchWorld } from './world.ts'

const { namespace } = lab
/** No admission: somebody may have written what is no time before there was any. */
const rules = () => []

/** The local copies are long behind: what a decision stands on then is what was asked for. */
const blind = { requestFaults: 0.02, lateEvents: 0.7, lateEventMs: 60_000, watchLifeMs: 300_000 }

let expired = 0

test('whatever dies, fails, comes late or is changed, a snapshot goes when it has expired, and never otherwise', {
  timeout: 900_000,
}, async () => {
  expired = 0
  await runSchedules(100, tell, rules)
  if (process.env.SCHEDULES === undefined) expect(expired).toBeGreaterThan(50)
})

test('a seed tells the same story twice', async () => {
  const { lines } = await live(11, tell, rules)
  expect(lines.length).toBeGreaterThan(6)
  expect((await live(11, tell, rules)).lines).toEqual(lines)
})

async function tell(simulation: Simulation): Promise<void> {
  const random = simulation.random.fork()
  const { time } = simulation
  const judge = new ExpiryJudge(simulation)
  await simulation.client.create(Namespace, objectOf(Namespace, { name: namespace }, {}))
  const names = ['snap', 'other', 'third'].slice(0, random.integer(1, 3))
  for (const name of names) await seed(simulation, name, random)
  simulation.setWeather(
    random.chance(0.3) ? blind : drawWeather(random),
    time.elapsedMs + random.pick([5_000, 40_000, 400_000]),
  )
  simulation.supervise((context) => [expiry({ ...context, now: judge.now })], drawDeaths(random, 2))
  simulation.plan([...drawDeeds(simulation, judge, random, names), ...drawLastMoments(simulation, random, names)])
  await simulation.run(simulation.calmAtMs)
  await simulation.finishDeeds()
  await simulation.run(time.elapsedMs + 120_000)
  await judge.expectEnd()
  expired += judge.expired
}

function expiry(context: ControllerContext): RunningController {
  const events = new EventRecorder(context.client, 'snapshot-controller', context.log)
  return expiryController({ context, world: watchWorld(context.informers), events })
}

function drawExpiresAt({ time }: Simulation, random: SeededRandom): string {
  const inMs = random.weighted([
    [1, -random.delayMs(100_000)],
    [5, random.delayMs(10_000)],
    [1, random.delayMs(3_000_000)],
    [1, random.delayMs(20_000_000)],
  ])
  return random.chance(0.1)
    ? random.pick(['soon', '', '2026-02-30T00:00:00Z'])
    : new Date(time.nowMs + inMs).toISOString()
}

/** A snapshot of one volume, taken or still being taken, without anybody who works on it. */
async function seed(simulation: Simulation, name: string, random: SeededRandom): Promise<void> {
  const { client } = simulation
  const annotations = random.chance(0.9) ? { [expiresAtAnnotation]: drawExpiresAt(simulation, random) } : {}
  const metadata = { name, namespace, finalizers: [snapshotFinalizer], annotations }
  const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: lab.name }
  const snapshot = await client.create(
    VirtualMachineSnapshot,
    objectOf(VirtualMachineSnapshot, metadata, { spec: { source } }),
  )
  const backup = {
    volumeName: 'root',
    persistentVolumeClaim: { metadata: { name: 'root-claim' } },
    volumeSnapshotName: volumeSnapshotName(uidOf(snapshot), 'root'),
  }
  await client.create(
    VirtualMachineSnapshotContent,
    objectOf(
      VirtualMachineSnapshotContent,
      { name: contentName(uidOf(snapshot)), namespace },
      { spec: { virtualMachineSnapshotName: name, source: {}, volumeBackups: [backup] } },
    ),
  )
  await setPhase(simulation, name, random.pick(['Succeeded', 'Succeeded', 'Failed', 'InProgress']))
}

const setPhase = ({ client }: Simulation, name: string, phase: string) =>
  client.patch(VirtualMachineSnapshot, { namespace, name }, { status: { phase } }, { subresource: 'status' })

/** What may save a snapshot, or end what saves it. */
function changesOf(simulation: Simulation, random: SeededRandom, name: string): [string, () => Promise<unknown>][] {
  const { client, api } = simulation
  const annotate = (key: string, value: string | null) =>
    client.patch(VirtualMachineSnapshot, { namespace, name }, { metadata: { annotations: { [key]: value } } })
  const unused = `use-${random.integer(0, 1_000_000)}`
  const of = { apiGroup: 'snapshot.kubevirt.io', kind: 'VirtualMachineSnapshot', name }
  const vm = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: unused }
  const metadata = { name: unused, namespace }
  return [
    [`${name} expires at another time`, () => annotate(expiresAtAnnotation, drawExpiresAt(simulation, random))],
    [`${name} expires no more`, () => annotate(expiresAtAnnotation, null)],
    [`${name} is locked`, () => annotate(lockedKey, 'true')],
    [
      `a restore of ${name} begins`,
      () => {
        const spec = { target: vm, virtualMachineSnapshotName: name, targetReadinessPolicy: 'WaitGracePeriod' as const }
        return client.create(VirtualMachineRestore, objectOf(VirtualMachineRestore, metadata, { spec }))
      },
    ],
    [
      `a clone of ${name} begins`,
      () => {
        const spec = { source: of, target: vm }
        return client.create(VirtualMachineClone, objectOf(VirtualMachineClone, metadata, { spec }))
      },
    ],
    [
      `a claim is to be filled from ${name}`,
      async () => {
        const snapshot = api.find(VirtualMachineSnapshot, { namespace, name })
        const member = snapshot && volumeSnapshotName(uidOf(snapshot), 'root')
        const dataSource = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: member ?? 'gone' }
        await client.create(PersistentVolumeClaim, objectOf(PersistentVolumeClaim, metadata, { spec: { dataSource } }))
      },
    ],
  ]
}

/** All that works with snapshots is through, in one way or another. */
async function endUses({ client, api }: Simulation, random: SeededRandom): Promise<void> {
  const asStatus = { subresource: 'status' } as const
  const failure = { conditions: [{ type: 'Failure', status: 'True', reason: 'why' }] }
  for (const restore of api.list(VirtualMachineRestore)) {
    const status = random.pick([{ complete: true }, failure, undefined])
    if (status === undefined) await client.delete(VirtualMachineRestore, refOf(restore))
    else await client.patch(VirtualMachineRestore, refOf(restore), { status }, asStatus)
  }
  for (const clone of api.list(VirtualMachineClone))
    await client.patch(VirtualMachineClone, refOf(clone), { status: { phase: 'Succeeded' } }, asStatus)
  for (const claim of api.list(PersistentVolumeClaim))
    await client.patch(PersistentVolumeClaim, refOf(claim), { status: { phase: 'Bound' } }, asStatus)
}

function drawDeeds(simulation: Simulation, judge: ExpiryJudge, random: SeededRandom, names: string[]): Deed[] {
  const { client, api } = simulation
  const draw = (): [string, () => Promise<unknown> | unknown] => {
    const name = random.pick(names)
    const ref = { namespace, name }
    const jumpMs = random.pick([-1, 1]) * random.delayMs(random.pick([1_000, 100_000, 10_000_000]))
    return random.weighted<[string, () => Promise<unknown> | unknown]>([
      ...changesOf(simulation, random, name).map((change) => [1, change] as const),
      [2, ['all that is done with snapshots ends', () => endUses(simulation, random)]],
      [
        2,
        [
          `${name} is unlocked`,
          () => client.patch(VirtualMachineSnapshot, ref, { metadata: { annotations: { [lockedKey]: null } } }),
        ],
      ],
      [2, [`${name} is finished`, () => setPhase(simulation, name, 'Succeeded')]],
      [2, [`the clock jumps by ${Math.round(jumpMs)} ms`, () => judge.jump(jumpMs)]],
      [1, ['the server forgets its history', () => api.compact()]],
      [
        0.5,
        [
          `${name} is deleted`,
          () => {
            judge.deleted.add(name)
            return client.delete(VirtualMachineSnapshot, ref)
          },
        ],
      ],
    ])
  }
  return [...drawDeedsFrom(random, 0, draw), ...drawDeedsFrom(random, 1, draw), ...drawDeedsFrom(random, 2, draw)]
}

/** Somebody changes his mind when a snapshot is just about to go. */
function drawLastMoments(simulation: Simulation, random: SeededRandom, names: string[]): Deed[] {
  const { api, time } = simulation
  return names.flatMap((name): Deed[] => {
    const expiresAt = api.find(VirtualMachineSnapshot, { namespace, name })?.metadata.annotations?.[expiresAtAnnotation]
    const leftMs = Date.parse(expiresAt ?? '') - time.nowMs
    if (Number.isNaN(leftMs) || random.chance(0.4)) return []
    const [what, run] = random.pick(changesOf(simulation, random, name))
    const delayMs = Math.max(0, leftMs + random.between(random.pick([-10, -30_000]), random.pick([10, 100, 10_000])))
    return [{ afterEffects: 0, delayMs, what: `at the last moment ${what}`, run: async () => void (await run()) }]
  })
}
