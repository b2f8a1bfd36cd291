import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
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
  () => runSchedules(100, tell),
)

test('whatever dies around the start of a target, it is started once', { timeout: 900_000 }, () =>
  runSchedules(100, tellOfStart),
)

async function tell(simulation: Simulation): Promise<void> {
  const random = simulation.random.fork()
  const machines = new SimulatedMachines(simulation, { agent: true, windows: false, agentFaults: 0 })
  const storage = new SimulatedStorage(simulation, machines, {
    ...calmStorage,
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
  judge.starts.strategy = layout.runStrategy === 'Halted' ? 'Always' : layout.runStrategy
  simulation.setWeather(drawWeather(random), simulation.time.elapsedMs + random.pick([5_000, 40_000, 400_000, 900_000]))
  await startRestore(simulation, 'back', target, random)
  const both = random.chance(0.3)
  simulation.supervise(
    (context) => [restoreControllers(context), ...(both ? [snapshotControllers(context)] : [])],
    drawDeaths(random, 20),
  )
  simulation.plan(drawDeeds(world, judge, random, { target, both }))
  await simulation.run(simulation.calmAtMs)
  await simulation.finishDeeds()
  await judge.expectEnd()
}

/** A running VM goes back to a snapshot, and every process dies; whoever stops the VM meanwhile means it. */
async function tellOfStart(simulation: Simulation): Promise<void> {
  const random = simulation.random.fork()
  const machines = new SimulatedMachines(simulation, { agent: true, windows: false, agentFaults: 0 })
  const storage = new SimulatedStorage(simulation, machines, calmStorage)
  const world = { simulation, machines, storage }
  const runStrategy = random.pick(['Always', 'Once', 'Manual', 'RerunOnFailure'])
  const layout = { disks: ['root'], templated: [], runStrategy, state: false, waitsForConsumer: false, online: true }
  await seedTakenSnapshot(world, await seedLab(world, layout))
  // Times of creation are whole seconds: what was there before is told by them from what a restore makes.
  await simulation.run(simulation.time.elapsedMs + 1_000)
  const judge = new RestoreJudge(world)
  judge.starts.strategy = runStrategy
  simulation.setWeather(drawWeather(random), simulation.time.elapsedMs + 60_000)
  await startRestore(simulation, 'back', 'same', random, { restarts: true })
  // Right after a start, while nobody is there to see it.
  const stopAgain = random.chance(0.5)
  judge.starts.onStart = () => {
    if (!stopAgain) return
    judge.starts.meddled = true
    const stop = () => void machines.stop(lab).catch(() => {})
    simulation.time.as(undefined, () => simulation.time.after(random.between(1, 1_500), stop))
  }
  const deaths = Array.from({ length: random.integer(1, 3) }, (_, index) => ({
    at: { effect: random.integer(1, index === 0 ? 14 : 4), when: random.pick(['sent', 'done'] as const) },
    downMs: random.pick([100, 3_000]),
  }))
  simulation.supervise((context) => [restoreControllers(context)], deaths)
  if (random.chance(0.2))
    simulation.plan([
      {
        afterEffects: random.integer(1, 14),
        delayMs: random.delayMs(100),
        what: 'the restore is deleted',
        run: () => {
          judge.deleted = true
          return simulation.client.delete(VirtualMachineRestore, { namespace: lab.namespace, name: 'back' })
        },
      },
    ])
  await simulation.run(simulation.calmAtMs)
  await simulation.finishDeeds()
  await judge.expectEnd()
  if (!judge.deleted && judge.starts.starts === 0) simulation.violated('the VM was never started')
}

const calmStorage = { groups: true, lateCuts: 0, failedCuts: 0, lateData: 0 }

function drawLayout(random: SeededRandom): Layout {
  const online = random.chance(0.5)
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
  if (target === 'same' || target === 'new') return void (await simulation.run(simulation.time.elapsedMs + 1_000))
  await client.delete(VirtualMachine, lab)
  const gone = (): boolean =>
    api.find(VirtualMachine, lab) === undefined && api.find(VirtualMachineInstance, lab) === undefined
  await expectSoon(simulation, gone, 'the VM does not go')
  await simulation.run(simulation.time.elapsedMs + 2_000)
  if (target === 'recreated') await client.create(VirtualMachine, vmWith(layout))
  await simulation.run(simulation.time.elapsedMs + 2_000)
}
