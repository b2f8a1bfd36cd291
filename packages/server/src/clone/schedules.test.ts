import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { drawDeaths, drawWeather, live, runSchedules } from '../controller/testing/schedules.ts'
import type { SeededRandom } from '../controller/testing/seeded-random.ts'
import { SimulatedMachines } from '../controller/testing/simulated-machines.ts'
import {
  expectSoon,
  type Layout,
  lab,
  seedLab,
  seedTakenSnapshot,
  type World,
} from '../controller/testing/simulated-seeds.ts'
import { SimulatedStorage } from '../controller/testing/simulated-storage.ts'
import type { Simulation } from '../controller/testing/simulation.ts'
import { restoreControllers } from '../restore/controllers.ts'
import { snapshotControllers } from '../snapshot/controllers.ts'
import { cloneControllers } from './controllers.ts'
import { drawDeeds, type Source, startClone } from './testing/clone-deeds.ts'
import { CloneJudge } from './testing/clone-judge.ts'

/** Until the last deed that was still to be done is done. */
const lateDeedsMs = 300_000

test(
  'whatever dies, fails, comes late or is changed, every clone ends well and takes nothing from its source',
  { timeout: 900_000 },
  () => runSchedules(100, tell),
)

test('a seed tells the same story twice', async () => {
  const { lines } = await live(5, tell)
  expect(lines.length).toBeGreaterThan(10)
  expect((await live(5, tell)).lines).toEqual(lines)
})

async function tell(simulation: Simulation): Promise<void> {
  const random = simulation.random.fork()
  const machines = new SimulatedMachines(simulation, {
    agent: random.chance(0.8),
    windows: random.chance(0.1),
    agentFaults: random.pick([0, 0, 0.2]),
  })
  const groups = random.chance(0.7)
  const storage = new SimulatedStorage(simulation, machines, {
    groups,
    lateCuts: random.pick([0, 0, 0.2, 0.6]),
    failedCuts: random.pick([0, 0, 0.2]),
    lateData: random.pick([0, 0.2, 0.5]),
  })
  const world = { simulation, machines, storage }
  const layout = drawLayout(random)
  const source = random.weighted<Source>([
    [6, 'vm'],
    [2, 'taken snapshot'],
    [2, 'new snapshot'],
  ])
  await seedLab(world, layout)
  const judge = new CloneJudge(world, { groups, layout })
  await prepare(world, source, judge, random)
  simulation.setWeather(drawWeather(random), simulation.time.elapsedMs + random.pick([5_000, 40_000, 400_000, 900_000]))
  await startClone(simulation, 'clone', judge, source, random)
  simulation.supervise(
    (context) => [snapshotControllers(context), restoreControllers(context), cloneControllers(context)],
    drawDeaths(random, 45),
  )
  simulation.plan(drawDeeds(world, judge, source, random))
  await simulation.run(simulation.calmAtMs)
  await simulation.finishDeeds()
  await simulation.run(simulation.time.elapsedMs + lateDeedsMs)
  await judge.expectEnd()
}

function drawLayout(random: SeededRandom): Layout {
  const online = random.chance(0.5)
  return {
    disks: random.pick([['root'], ['root', 'data'], ['root', 'data']]),
    templated: random.pick([[], [], ['root']]),
    runStrategy: random.pick(online ? ['Manual', 'Always', 'RerunOnFailure'] : ['Manual', 'Halted']),
    state: random.chance(0.05),
    waitsForConsumer: random.chance(0.3),
    online,
    identified: random.chance(0.7),
  }
}

/** What is copied, as the clone will find it. */
async function prepare(world: World, source: Source, judge: CloneJudge, random: SeededRandom): Promise<void> {
  const { simulation } = world
  const { client, api, time } = simulation
  const vm = api.find(VirtualMachine, lab)
  if (source === 'vm' || vm === undefined) return
  if (source === 'new snapshot') {
    const of = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: lab.name }
    const metadata = { name: 'snap', namespace: lab.namespace }
    await client.create(VirtualMachineSnapshot, objectOf(VirtualMachineSnapshot, metadata, { spec: { source: of } }))
    return
  }
  await seedTakenSnapshot(world, vm)
  if (random.chance(0.7)) return
  judge.did.add('source deleted')
  await client.delete(VirtualMachine, lab)
  const gone = (): boolean =>
    api.find(VirtualMachine, lab) === undefined && api.find(VirtualMachineInstance, lab) === undefined
  await expectSoon(simulation, gone, 'the VM does not go')
  await simulation.run(time.elapsedMs + 2_000)
}
