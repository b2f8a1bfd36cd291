import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { Event } from '@stillpoint/api/core/event'
import { objectOf } from '@stillpoint/api/schema/resource'
import { beforeRestoreAnnotation, expiresAtAnnotation, lockedKey } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Bench, type Process, startBench } from '../controller/testing/bench.ts'
import {
  type SeededVm,
  seedSnapshot,
  seedStorage,
  seedVm,
  startClone,
  startRestore,
} from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { snapshotControllers } from './controllers.ts'
import { contentRef } from './testing/scene.ts'

// A clock that a test sets, and a server without admission: what is no time may be stored there.

const due = '2026-08-03T12:00:00Z'
const dueMs = Date.parse(due)

let bench: Bench
let process: Process | undefined
let nowMs = dueMs

beforeAll(async () => {
  bench = await startBench()
  await seedStorage(bench)
})
afterAll(() => bench.close())
afterEach(async () => {
  await process?.stop()
  nowMs = dueMs
})

async function start(): Promise<Process> {
  process = await bench.run((context) => [snapshotControllers(context)], { now: () => new Date(nowMs) })
  return process
}

interface Seeded {
  source: SeededVm
  snapshot: VirtualMachineSnapshot
}

/** A finished snapshot that expires at `due`. */
async function seed(annotations: Record<string, string> = { [expiresAtAnnotation]: due }): Promise<Seeded> {
  const source = await seedVm(bench)
  const snapshot = await seedSnapshot(bench, source.vm)
  return {
    source,
    snapshot: await bench.client.patch(VirtualMachineSnapshot, refOf(snapshot), { metadata: { annotations } }),
  }
}

const annotate = ({ snapshot }: Seeded, annotations: Record<string, string | null>) =>
  bench.client.patch(VirtualMachineSnapshot, refOf(snapshot), { metadata: { annotations } })
const gone = ({ snapshot }: Seeded) =>
  bench.until(
    VirtualMachineSnapshot,
    { namespace: snapshot.metadata.namespace, name: 'snap' },
    (found) => found === undefined,
  )
const event = ({ source }: Seeded, text: string, on = 'VirtualMachineSnapshot') =>
  bench.untilAny(
    Event,
    source.namespace,
    ({ type, reason, message, involvedObject }) =>
      (involvedObject.kind === on && `${type} ${reason} ${message}`.includes(text)) || undefined,
  )

/** Waits until the controllers have nothing more to do, and makes sure that the snapshot is as it was. */
async function kept({ snapshot }: Seeded): Promise<void> {
  await process?.quiet()
  const found = await bench.client.get(VirtualMachineSnapshot, refOf(snapshot))
  expect(found.metadata.deletionTimestamp).toBeUndefined()
}

test('an expired snapshot is deleted with its content, and its VM tells where it has gone', async () => {
  const seeded = await seed()
  await start()
  await gone(seeded)
  await bench.until(VirtualMachineSnapshotContent, contentRef(seeded.snapshot), (found) => found === undefined)
  await event(
    seeded,
    'Normal Expired VirtualMachineSnapshot snap expired at 2026-08-03T12:00:00.000Z',
    'VirtualMachine',
  )
})

test('one that expires while the controllers run is deleted then, and not before', async () => {
  nowMs = dueMs - 1_500
  const beganMs = performance.now()
  const seeded = await seed()
  await start()
  await kept(seeded)
  nowMs = dueMs
  await gone(seeded)
  expect(performance.now() - beganMs).toBeGreaterThan(1_500)
})

test('one that failed expires as well', async () => {
  const seeded = await seed()
  const status = { phase: 'Failed', readyToUse: false }
  await bench.client.patch(VirtualMachineSnapshot, refOf(seeded.snapshot), { status }, { subresource: 'status' })
  await start()
  await gone(seeded)
})

test('a failed delete is not lost: two generations of controllers bring it to an end', async () => {
  const seeded = await seed()
  const doomed = await bench.run((context) => [snapshotControllers(context)], {
    writes: 1,
    now: () => new Date(nowMs),
  })
  await doomed.quiet()
  await doomed.stop()
  await start()
  await gone(seeded)
})

test('one without the annotation stays, and goes once it gets it', async () => {
  const seeded = await seed({})
  await start()
  await kept(seeded)
  await annotate(seeded, { [expiresAtAnnotation]: due })
  await gone(seeded)
})

test.each(['annotation', 'label'])('one that is locked by %s stays until it is unlocked', async (by) => {
  const seeded = await seed()
  const lock = (value: string | null) =>
    bench.client.patch(VirtualMachineSnapshot, refOf(seeded.snapshot), {
      metadata: by === 'label' ? { labels: { [lockedKey]: value } } : { annotations: { [lockedKey]: value } },
    })
  await lock('true')
  await start()
  await kept(seeded)
  await lock(null)
  await gone(seeded)
})

const restoreStatus = ({ source }: Seeded, status: object) =>
  bench.client.patch(
    VirtualMachineRestore,
    { namespace: source.namespace, name: 'back' },
    { status },
    { subresource: 'status' },
  )
const claimRef = ({ source }: Seeded) => ({ namespace: source.namespace, name: 'new-claim' })
async function seedUnfilledClaim(seeded: Seeded): Promise<unknown> {
  const name = `vmsnapshot-${seeded.snapshot.metadata.uid}-volume-root`
  const dataSource = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name }
  return await bench.client.create(
    PersistentVolumeClaim,
    objectOf(PersistentVolumeClaim, claimRef(seeded), { spec: { dataSource } }),
  )
}

interface Use {
  by: string
  begin: (seeded: Seeded) => Promise<unknown>
  end: (seeded: Seeded) => Promise<unknown>
}
const uses: Record<string, Use> = {
  'a restore works with it, until that is complete': {
    by: 'VirtualMachineRestore back',
    begin: ({ source }) => startRestore(bench, source),
    end: (seeded) => restoreStatus(seeded, { complete: true }),
  },
  'a restore works with it, until that fails': {
    by: 'VirtualMachineRestore back',
    begin: ({ source }) => startRestore(bench, source),
    end: (seeded) => restoreStatus(seeded, { conditions: [{ type: 'Failure', status: 'True', reason: 'why' }] }),
  },
  'a restore works with it, until that is deleted': {
    by: 'VirtualMachineRestore back',
    begin: ({ source }) => startRestore(bench, source),
    end: ({ source }) => bench.client.delete(VirtualMachineRestore, { namespace: source.namespace, name: 'back' }),
  },
  'a restore of another one may have to be undone with it': {
    by: 'VirtualMachineRestore back',
    begin: async ({ source }) => {
      const restore = await startRestore(bench, source, { from: 'other' })
      const metadata = { annotations: { [beforeRestoreAnnotation]: 'snap' } }
      await bench.client.patch(VirtualMachineRestore, refOf(restore), { metadata })
    },
    end: (seeded) => restoreStatus(seeded, { complete: true }),
  },
  'a clone is made of it': {
    by: 'VirtualMachineClone clone',
    begin: ({ source }) => startClone(bench, { namespace: source.namespace, snapshot: 'snap' }),
    end: ({ source }) =>
      bench.client.patch(
        VirtualMachineClone,
        { namespace: source.namespace, name: 'clone' },
        { status: { phase: 'Succeeded' } },
        { subresource: 'status' },
      ),
  },
  'a claim is still to be filled from it': {
    by: 'PersistentVolumeClaim new-claim',
    begin: seedUnfilledClaim,
    end: (seeded) =>
      bench.client.patch(
        PersistentVolumeClaim,
        claimRef(seeded),
        { status: { phase: 'Bound' } },
        { subresource: 'status' },
      ),
  },
}
test.each(Object.entries(uses))('it stays while %s', async (_, { by, begin, end }) => {
  const seeded = await seed()
  await begin(seeded)
  await start()
  await event(seeded, `Normal SnapshotInUse Expired; its deletion waits for ${by}`)
  await kept(seeded)
  await end(seeded)
  await gone(seeded)
})

test('what is no time is never a reason to delete; it is told once for each value', async () => {
  const seeded = await seed({ [expiresAtAnnotation]: 'tomorrow' })
  const { client } = bench
  await start()
  await event(seeded, 'Warning ExpiryInvalid Not deleted by itself: snapshot.stillpoint.dev/expires-at is not a time:')
  await client.patch(VirtualMachineSnapshot, refOf(seeded.snapshot), { metadata: { labels: { a: 'b' } } })
  await kept(seeded)
  await annotate(seeded, { [expiresAtAnnotation]: '2026-08-03' })
  await event(seeded, '"2026-08-03"; write RFC 3339, for example 2026-08-03T12:00:00Z, or remove the annotation')
  await kept(seeded)
  const { items } = await client.list(Event, { namespace: seeded.source.namespace })
  const told = items.filter(({ reason }) => reason === 'ExpiryInvalid')
  expect(told.map(({ count }) => count)).toEqual([1, 1])
  await annotate(seeded, { [expiresAtAnnotation]: due })
  await gone(seeded)
})

test('who has changed a snapshot since it was looked at saves it', async () => {
  const seeded = await seed()
  const { uid = '', resourceVersion } = seeded.snapshot.metadata
  await annotate(seeded, { [expiresAtAnnotation]: null })
  const asLookedAt = bench.client.delete(VirtualMachineSnapshot, refOf(seeded.snapshot), { uid, resourceVersion })
  await expect(asLookedAt).rejects.toMatchObject({ code: 409 })
  await start()
  await kept(seeded)
})
