import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bench, startBench } from '../controller/testing/bench.ts'
import { bootVm, FakeGuest, FakeStorage } from '../controller/testing/fake-guest.ts'
import { seedStorage, seedVm, takeSnapshot } from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { snapshotControllers } from './controllers.ts'

let bench: Bench
let storage: FakeStorage

beforeAll(async () => {
  bench = await startBench({ admission: snapshotAdmission })
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
})
afterAll(async () => {
  await storage.close()
  await bench.close()
})

interface Story {
  online: boolean
  disks: readonly string[]
  /** After how many writes each controller in turn dies; the last one lives. */
  deaths: number[]
  /** The user gives up after the first death. */
  deleted: boolean
}

async function live({ online, disks, deaths, deleted }: Story): Promise<void> {
  const guest = new FakeGuest(bench)
  storage.guest = guest
  const source = await seedVm(bench, { disks })
  if (online) await bootVm(bench, source, { revision: source.revision })
  const created = await takeSnapshot(bench, source)
  const ref = refOf(created)
  for (const [index, writes] of deaths.entries()) {
    const doomed = await bench.run((context) => [snapshotControllers(context)], { writes })
    await doomed.quiet()
    await doomed.stop()
    if (index === 0 && deleted) await bench.client.delete(VirtualMachineSnapshot, ref)
  }
  const last = await bench.run((context) => [snapshotControllers(context)])
  try {
    if (deleted) await bench.until(VirtualMachineSnapshot, ref, (snapshot) => snapshot === undefined)
    else await bench.until(VirtualMachineSnapshot, ref, (snapshot) => snapshot?.status?.readyToUse)
    const unlocked = (vm: VirtualMachine | undefined) =>
      !vm?.status?.snapshotInProgress && !vm?.metadata.finalizers?.length
    await bench.until(VirtualMachine, source, unlocked)
    expect(guest.frozen).toBe(false)
    // Never two thaws for one freeze, never a freeze without one: the guest's hooks count on it.
    expect(guest.thawHooks).toBe(
      guest.calls.filter((call, i) => call === 'freeze' && guest.calls[i + 1] !== 'freeze').length,
    )
    if (!deleted) {
      const snapshot = await bench.client.get(VirtualMachineSnapshot, ref)
      expect(snapshot.status).toMatchObject({ phase: 'Succeeded', sourceUID: source.vm.metadata.uid })
      // What nobody saw to the end is not claimed.
      const unseen = snapshot.status?.indications?.includes('QuiesceTimeout') ? ['QuiesceTimeout'] : []
      expect(snapshot.status?.indications ?? []).toEqual(online ? ['GuestAgent', 'Online', ...unseen] : [])
      const { items } = await bench.client.list(VolumeSnapshot, { namespace: source.namespace })
      expect(items.map(({ metadata }) => metadata.name).sort()).toEqual(
        disks.map((disk) => `vmsnapshot-${created.metadata.uid}-volume-${disk}`).sort(),
      )
      expect(new Set(items.map(({ metadata }) => metadata.annotations?.['snapshot.stillpoint.dev/cut-set'])).size).toBe(
        1,
      )
    } else {
      await bench.until(
        VirtualMachineSnapshotContent,
        { namespace: source.namespace, name: `vmsnapshot-content-${created.metadata.uid}` },
        (content) => content === undefined,
      )
      for (const disk of disks)
        await bench.until(
          VolumeSnapshot,
          { namespace: source.namespace, name: `vmsnapshot-${created.metadata.uid}-volume-${disk}` },
          (found) => found === undefined,
        )
    }
  } finally {
    await last.stop()
  }
}

test.each([
  ['online', true],
  ['offline', false],
])('%s: dead after any single write, its successor ends well', { timeout: 60_000 }, async (_, online) => {
  for (let writes = 1; writes <= (online ? 17 : 14); writes += 1)
    await live({ online, disks: ['root', 'data'], deaths: [writes], deleted: false })
})

test('whatever dies whenever, also while it is deleted', { timeout: 120_000 }, () =>
  fc.assert(
    fc.asyncProperty(
      fc.record({
        online: fc.boolean(),
        disks: fc.constantFrom(['root'], ['root', 'data']),
        deaths: fc.array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 3 }),
        deleted: fc.boolean(),
      }),
      live,
    ),
    { numRuns: 15, endOnFailure: true },
  ),
)
