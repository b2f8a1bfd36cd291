import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { consistencyAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { expect, test } from 'vitest'
import { drawDeaths, drawDeedsFrom, drawWeather, live, runSchedules } from '../controller/testing/schedules.ts'
import type { SeededRandom } from '../controller/testing/seeded-random.ts'
import { SimulatedMachines } from '../controller/testing/simulated-machines.ts'
import { type Layout, lab, seedLab, type World } from '../controller/testing/simulated-seeds.ts'
import { SimulatedStorage } from '../controller/testing/simulated-storage.ts'
import type { Deed, Simulation } from '../controller/testing/simulation.ts'
import { refOf } from '../kube/client.ts'
import { snapshotControllers } from './controllers.ts'
import { SnapshotJudge } from './testing/snapshot-judge.ts'

const { namespace } = lab

test('whatever dies, fails, comes late or is changed, every snapshot ends well', { timeout: 900_000 }, () =>
  runSchedules(100, tell),
)

test.each([3, 17, 42])('seed %i tells the same story twice', async (seed) => {
  const { lines } = await live(seed, tell)
  expect(lines.length).toBeGreaterThan(10)
  expect((await live(seed, tell)).lines).toEqual(lines)
})

async function tell(simulation: Simulation): Promise<void> {
  const random = simulation.random.fork()
  const machines = new SimulatedMachines(simulation, {
    agent: random.chance(0.8),
    windows: random.chance(0.1),
    agentFaults: random.pick([0, 0, 0.2, 0.5]),
  })
  const storage = new SimulatedStorage(simulation, machines, {
    groups: random.chance(0.7),
    lateCuts: random.pick([0, 0.2, 0.6]),
    failedCuts: random.pick([0, 0, 0.2]),
    lateData: random.pick([0, 0.2]),
  })
  const world = { simulation, machines, storage }
  await seedLab(world, drawLayout(random))
  const judge = new SnapshotJudge(world)
  simulation.setWeather(drawWeather(random), simulation.time.elapsedMs + random.pick([5_000, 40_000, 400_000, 900_000]))
  const names = random.chance(0.2) ? ['snap', 'other'] : ['snap']
  for (const name of names) await takeSnapshot(simulation, name, random)
  simulation.supervise((context) => [snapshotControllers(context)], drawDeaths(random, 20))
  simulation.plan(drawDeeds(world, judge, random, names))
  await simulation.run(simulation.calmAtMs)
  await simulation.finishDeeds()
  await judge.expectEnd()
}

function drawLayout(random: SeededRandom): Layout {
  const disks = random.pick([['root'], ['root', 'data'], ['root', 'data'], ['root', 'data', 'logs']])
  const online = random.chance(0.75)
  return {
    disks,
    templated: random.chance(0.3) ? ['root'] : [],
    runStrategy: random.pick(online ? ['Manual', 'Always', 'RerunOnFailure'] : ['Manual', 'Halted']),
    state: random.chance(0.15),
    waitsForConsumer: false,
    online,
  }
}

async function takeSnapshot({ client }: Simulation, name: string, random: SeededRandom): Promise<void> {
  const consistency = random.pick([undefined, undefined, undefined, 'Required', 'CrashConsistent'])
  const failureDeadline = random.pick([undefined, undefined, '10s', '60s', '0'])
  const deletionPolicy = random.pick([undefined, 'Delete', 'Retain'])
  const spec = {
    source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: lab.name },
    ...(failureDeadline === undefined ? {} : { failureDeadline }),
    ...(deletionPolicy === undefined ? {} : { deletionPolicy }),
  }
  const annotations = consistency === undefined ? {} : { [consistencyAnnotation]: consistency }
  await client.create(
    VirtualMachineSnapshot,
    objectOf(VirtualMachineSnapshot, { name, namespace, annotations }, { spec }),
  )
}

function drawDeeds(
  { simulation, machines }: World,
  judge: SnapshotJudge,
  random: SeededRandom,
  names: string[],
): Deed[] {
  const { api, client } = simulation
  const snapshot = { namespace, name: random.pick(names) }
  const content = () => {
    const found = api.find(VirtualMachineSnapshot, snapshot)
    return found === undefined ? undefined : { namespace, name: contentName(uidOf(found)) }
  }
  const wiped = async (definition: typeof VirtualMachineSnapshot | typeof VirtualMachineSnapshotContent, ref = {}) => {
    const { name } = { name: '', ...ref }
    if (name !== '') await client.patch(definition, { namespace, name }, { status: null }, { subresource: 'status' })
  }
  const label = { metadata: { labels: { seen: `${random.integer(0, 9)}` } } }
  const deeds: Record<string, () => Promise<void> | void> = {
    'the snapshot is deleted': () => {
      judge.deleted.add(snapshot.name)
      return client.delete(VirtualMachineSnapshot, snapshot)
    },
    'the snapshot gets a label': async () => void (await client.patch(VirtualMachineSnapshot, snapshot, label)),
    'the VM gets a label': async () => void (await client.patch(VirtualMachine, lab, label)),
    'the content gets a label': async () => {
      const ref = content()
      if (ref !== undefined) await client.patch(VirtualMachineSnapshotContent, ref, label)
    },
    'the status of the snapshot is wiped': () => wiped(VirtualMachineSnapshot, snapshot),
    'the status of the content is wiped': () => wiped(VirtualMachineSnapshotContent, content()),
    'a volume snapshot is deleted': async () => {
      const found = api.list(VolumeSnapshot)
      if (found.length === 0) return
      judge.robbed = true
      await client.delete(VolumeSnapshot, refOf(random.pick(found)))
    },
    'the content is deleted': async () => {
      const ref = content()
      judge.robbed = true
      if (ref !== undefined) await client.delete(VirtualMachineSnapshotContent, ref)
    },
    'the VM is deleted': () => client.delete(VirtualMachine, lab),
    'the VM is started': () => machines.start(lab),
    'the VM is stopped': () => machines.stop(lab),
    'the guest is paused': () => machines.change('pause'),
    'the guest is unpaused': () => machines.change('unpause'),
    'the guest agent goes': () => machines.change('agent-gone'),
    'the guest agent comes back': () => machines.change('agent-back'),
    'the guest dies': () => machines.change('die'),
    'the server forgets its history': () => api.compact(),
  }
  return drawDeedsFrom(random, 25, () => random.pick(Object.entries(deeds)))
}
