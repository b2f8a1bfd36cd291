import { cloneAdmission } from '@stillpoint/api/clone/admission'
import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { claimOf, VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControllerContext } from '../controller/context.ts'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import { bootVm, FakeGuest, FakeStorage } from '../controller/testing/fake-guest.ts'
import { type SeededVm, seedStorage, seedVm, startClone } from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { restoreControllers } from '../restore/controllers.ts'
import { snapshotControllers } from '../snapshot/controllers.ts'
import { cloneControllers } from './controllers.ts'

// Stories side by side, each on a server of its own: a process that is to die must have no other's work to do.
const stages = 3
/** Several servers and their stories share the processors with other tests. */
const limitMs = 30_000
const benches: { bench: Bench; storage: FakeStorage }[] = []

beforeAll(async () => {
  const started = Array.from({ length: stages }, async () => {
    const bench = await startBench({ admission: [...snapshotAdmission, ...cloneAdmission(() => 'x7b2k')] })
    await seedStorage(bench)
    benches.push({ bench, storage: await new FakeStorage(bench).start() })
  })
  await Promise.all(started)
}, 60_000)
afterAll(async () => {
  for (const { bench, storage } of benches) {
    await storage.close()
    await bench.close()
  }
})

const controllers = (context: ControllerContext) => [
  snapshotControllers(context),
  restoreControllers(context),
  cloneControllers(context),
]

interface Story {
  online: boolean
  disks: readonly string[]
  templated: readonly string[]
  /** After how many writes all controllers die, time after time; the last ones live. */
  deaths: readonly number[]
  /** The user gives up after the first death. */
  deleted: boolean
}

/** Returns whether its first controllers lived to the end: then they had fewer writes to do. */
async function live({ bench, storage }: (typeof benches)[number], story: Story): Promise<boolean> {
  const { online, disks, templated, deaths, deleted } = story
  const guest = new FakeGuest(bench)
  storage.guest = guest
  const source = await seedVm(bench, { disks, templated })
  if (online) await bootVm(bench, source, { revision: source.revision })
  const created = await startClone(bench, source)
  let survived = false
  for (const [index, writes] of deaths.entries()) {
    const doomed = await bench.run(controllers, { writes })
    survived = await outlived(bench, doomed, created)
    await doomed.stop()
    if (index === 0 && deleted) await bench.client.delete(VirtualMachineClone, refOf(created))
  }
  const last = await bench.run(controllers)
  try {
    await bench.until(
      VirtualMachineClone,
      refOf(created),
      (clone) => (deleted ? clone === undefined : clone !== undefined && isDone(clone)),
      limitMs,
    )
    await bench.until(
      VirtualMachine,
      source,
      (vm) => !vm?.status?.snapshotInProgress && !vm?.metadata.finalizers?.length,
    )
    await nothingOnTheWay(bench, source)
    expect(guest.frozen).toBe(false)
    const { items } = await bench.client.list(VirtualMachine, { namespace: source.namespace })
    const copies = items.filter(({ metadata }) => metadata.name !== source.name)
    // One that was given up may have been finished already: then it is whole, otherwise nothing of it is there.
    if (!deleted) expect(copies.map(({ metadata }) => metadata.name)).toEqual(['copy'])
    await onlyDisks(bench, source, { copies, disks })
    expect((await bench.client.get(VirtualMachine, source)).spec).toEqual(source.vm.spec)
  } finally {
    await last.stop()
  }
  return survived
}

/** Waits until a process is dead, or has brought the clone to its end. */
async function outlived({ client }: Bench, doomed: Process, clone: VirtualMachineClone): Promise<boolean> {
  for (;;) {
    await doomed.quiet()
    if (doomed.dead) return false
    const found = await client.find(VirtualMachineClone, refOf(clone))
    if (found === undefined || isDone(found)) return true
  }
}

const isDone = ({ status, metadata }: VirtualMachineClone): boolean =>
  status?.phase === 'Succeeded' && !metadata.finalizers?.length

async function nothingOnTheWay(bench: Bench, { namespace }: SeededVm): Promise<void> {
  for (const definition of [
    VirtualMachineSnapshot,
    VirtualMachineSnapshotContent,
    VolumeSnapshot,
    VirtualMachineRestore,
  ])
    await expect
      .poll(async () => (await bench.client.list(definition, { namespace })).items, { timeout: limitMs })
      .toEqual([])
}

/** The disks of the source are there, and those of its copy, all bound; no other. */
async function onlyDisks(
  bench: Bench,
  { namespace }: SeededVm,
  { copies, disks }: { copies: readonly VirtualMachine[]; disks: readonly string[] },
): Promise<void> {
  const copied = copies
    .flatMap(({ spec }) => spec.template.spec.volumes ?? [])
    .flatMap((volume) => claimOf(volume) ?? [])
  expect(copied).toHaveLength(copies.length * disks.length)
  const claims = async () =>
    (await bench.client.list(PersistentVolumeClaim, { namespace })).items
      .map(({ metadata, status }) => `${metadata.name} ${status?.phase}`)
      .sort()
  const expected = [...disks.map((disk) => `${disk}-claim`), ...copied].map((name) => `${name} Bound`).sort()
  await expect.poll(claims, { timeout: limitMs }).toEqual(expected)
  const { items } = await bench.client.list(DataVolume, { namespace })
  const madeForCopies = items.map(({ metadata }) => metadata.name).filter((name) => !name.endsWith('-claim'))
  const templates = copies.flatMap(({ spec }) => spec.dataVolumeTemplates ?? []).map(({ metadata }) => metadata.name)
  expect(madeForCopies.sort()).toEqual(templates.sort())
}

test('dead after any single write, its successor ends well', { timeout: 300_000 }, async () => {
  let next = 1
  let survived = false
  await Promise.all(
    benches.map(async (stage) => {
      while (!survived) {
        const writes = next
        next += 1
        survived ||= await live(stage, {
          online: true,
          disks: ['root'],
          templated: [],
          deaths: [writes],
          deleted: false,
        })
      }
    }),
  )
  // Otherwise the whole way was not walked.
  expect(next).toBeGreaterThan(30)
})

test('whatever dies whenever, also while it is given up', { timeout: 300_000 }, async () => {
  const story = fc.record({
    online: fc.boolean(),
    disks: fc.constant(['data', 'root']),
    templated: fc.constantFrom([], ['data']),
    deaths: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
    deleted: fc.boolean(),
  })
  await Promise.all(
    benches.map((stage) =>
      fc.assert(
        fc.asyncProperty(story, async (given) => {
          await live(stage, given)
        }),
        { numRuns: 2, endOnFailure: true },
      ),
    ),
  )
})
