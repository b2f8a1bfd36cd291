import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { test } from 'vitest'
import { drawDeaths, drawWeather, runSchedules } from '../controller/testing/schedules.ts'
import type { SeededRandom } from '../controller/testing/seeded-random.ts'
import { SimulatedMachines } from '../controller/testing/simulated-machines.ts'
import {
  expectSoon,
  type Layout,
  lab,
  seedLab,
  seedTakenSnapshot,
  vmWith,
  type World,
} from '../controller/testing/simulated-seeds.ts'
import { SimulatedStorage } from '../controller/testing/simulated-storage.ts'
import type { Simulation } from '../controller/testing/simulation.ts'
import { snapshotControllers } from '../snapshot/controllers.ts'
import { restoreControllers } from './controllers.ts'
import { drawDeeds, startRestore, type Target } from './testing/restore-deeds.ts'
import { RestoreJudge } from './testing/restore-judge.ts'

test(
  'whatever dies, fails, comes late or is changed, every restore ends well and loses nothing',
  {
    timeout: 900_000,
  },
  () => runSchedules(300, tell),
)

async function tell(simulation: Simulation): Promise<void> {
  const random = simulation.random.fork()
  const machines = new SimulatedMachines(simulation, { agent: true, windows: false, agentFaults: 0 })
  const storage = new SimulatedStorage(simulation, machines, {
    groups: true,
    lateCuts: 0,
    failedCuts: 0,
    lateData: random.pick([0, 0.2, 0.5]),
  })
  const world = { simulation, machines, storage }
  const layout = drawLayout(random)
  const vm = await seedLab(world, layout)
  await seedTakenSnapshot(world, vm)
  const target = random.weighted<Target>([
    [5, 'same'],
    [layout.state ? 0 : 1, 'recreated'],
    [layout.state ? 0 : 1, 'deleted'],
    [layout.state ? 0 : 3, 'new'],
  ])
  await prepare(world, layout, target, random)
  const judge = new RestoreJudge(world)
  judge.waitsForConsumer = layout.waitsForConsumer
  simulation.setWeather(drawWeather(random), simulation.time.elapsedMs + random.pick([5_000, 40_000, 400_000, 900_000]))
  await startRestore(simulation, 'back', target, random)
  const both = random.chance(0.3)
  simulation.supervise(
    (context) => [restoreControllers(context), ...(both ? [snapshotControllers(context)] : [])],
    drawDeaths(random, 16),
  )
  simulation.plan(drawDeeds(world, judge, random, { target, both }))
  await simulation.run(simulation.calmAtMs)
  await simulation.finishDeeds()
  await judge.expectEnd()
}

function drawLayout(random: SeededRandom): Layout {
  const online = random.chance(0.4)
  return {
    disks: random.pick([['root'], ['root', 'data'], ['root', 'data']]),
    templated: random.chance(0.3) ? ['root'] : [],
    runStrategy: random.pick(online ? ['Manual', 'Always', 'RerunOnFailure'] : ['Manual', 'Halted']),
    state: random.chance(0.15),
    waitsForConsumer: random.chance(0.3),
    online,
  }
}

/** What has become of the VM between its snapshot and its restore. */
async function prepare({ simulation, machines }: World, layout: Layout, target: Target, random: SeededRandom) {
  const { client, api } = simulation
  if (layout.online && random.chance(0.5)) {
    await machines.stop(lab)
    const stopped = (): boolean => api.find(VirtualMachineInstance, lab) === undefined
    await expectSoon(simulation, stopped, 'the VM does not stop')
  }
  if (target === 'same' || target === 'new') return
  await client.delete(VirtualMachine, lab)
  const gone = (): boolean =>
    api.find(VirtualMachine, lab) === undefined && api.find(VirtualMachineInstance, lab) === undefined
  await expectSoon(simulation, gone, 'the VM does not go')
  await simulation.run(simulation.time.elapsedMs + 2_000)
  if (target === 'recreated') await client.create(VirtualMachine, vmWith(layout))
  await simulation.run(simulation.time.elapsedMs + 2_000)
}
