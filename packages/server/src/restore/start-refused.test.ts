import { Event } from '@stillpoint/api/core/event'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { failure } from '@stillpoint/api/meta/status-error'
import { notStartedAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { live } from '../controller/testing/schedules.ts'
import { SimulatedMachines } from '../controller/testing/simulated-machines.ts'
import { lab, seedLab, seedTakenSnapshot } from '../controller/testing/simulated-seeds.ts'
import { SimulatedStorage } from '../controller/testing/simulated-storage.ts'
import type { Simulation } from '../controller/testing/simulation.ts'
import { restoreControllers } from './controllers.ts'
import { startRestore } from './testing/restore-deeds.ts'

const hourMs = 3_600_000
const layout = { disks: ['root'], templated: [], state: false, waitsForConsumer: false, online: false }

test('a start that is refused again and again is given up, with what to do', async () => {
  const askedMs: number[] = []
  const { problems } = await live(1, (simulation) => tell(simulation, askedMs))
  expect(problems).toEqual([])
  // Each time later, for two minutes.
  expect(askedMs.map((ms) => Math.round((ms - (askedMs[0] ?? 0)) / 1_000))).toEqual([0, 1, 3, 7, 15, 31, 63, 123])
})

async function tell(simulation: Simulation, askedMs: number[]): Promise<void> {
  const { api, time } = simulation
  const machines = new SimulatedMachines(simulation, { agent: true, windows: false, agentFaults: 0 })
  const storage = new SimulatedStorage(simulation, machines, { groups: true, lateCuts: 0, failedCuts: 0, lateData: 0 })
  const world = { simulation, machines, storage }
  await seedTakenSnapshot(world, await seedLab(world, { ...layout, runStrategy: 'Manual' }))
  api.subresources.set('subresources.kubevirt.io/virtualmachines/start', async () => {
    askedMs.push(time.elapsedMs)
    throw failure(403, 'Forbidden', 'no')
  })
  await startRestore(simulation, 'back', 'same', simulation.random, { restarts: true })
  simulation.supervise((context) => [restoreControllers(context)], [])
  await simulation.run(time.elapsedMs + hourMs)

  const why = 'no; the controllers need the rights of deploy/rbac.yaml'
  const restore = api.find(VirtualMachineRestore, { namespace: lab.namespace, name: 'back' })
  expect(restore?.status?.complete).toBe(true)
  expect(restore?.metadata.annotations?.[notStartedAnnotation]).toBe(why)
  expect(api.find(VirtualMachine, lab)?.spec.runStrategy).toBe('Manual')
  const said = `Warning RestoreTargetNotStarted VirtualMachine vm could not be started after VirtualMachineRestore back: ${why}`
  expect(
    api
      .list(Event)
      .filter(({ reason }) => reason === 'RestoreTargetNotStarted')
      .map(({ involvedObject, type, reason, message }) => `${involvedObject.kind} ${type} ${reason} ${message}`)
      .sort(),
  ).toEqual([
    `VirtualMachine ${said}; start it yourself, for example: virtctl start -n lab vm`,
    `VirtualMachineRestore ${said}; start it yourself, for example: virtctl start -n lab vm`,
    `VirtualMachineRestore ${said}; tried again`,
  ])
}
