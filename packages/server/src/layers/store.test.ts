import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Store } from './store.ts'
import { mismatches, quiet, readMarkers, temporaryFolder, writeMarker } from './testing/fixture.ts'

const mebibyte = 1024 ** 2
const blocks = 3

/** A store whose process can be killed between any two steps: from then on nothing more happens in it. */
class MortalStore {
  readonly #dataDir: string
  #stepsLeft = Number.POSITIVE_INFINITY
  store: Store
  private constructor(dataDir: string, store: Store) {
    this.#dataDir = dataDir
    this.store = store
  }

  static async open(dataDir: string): Promise<MortalStore> {
    const first = await Store.open({ dataDir, log: quiet })
    await first.close()
    const mortal = new MortalStore(dataDir, first)
    await mortal.#reopen()
    return mortal
  }

  async #reopen(): Promise<void> {
    this.#stepsLeft = Number.POSITIVE_INFINITY
    const checkpoint = () => {
      if (this.#stepsLeft <= 0) throw new Error('killed')
      this.#stepsLeft -= 1
    }
    this.store = await Store.open({ dataDir: this.#dataDir, log: quiet, checkpoint })
  }

  /** Does the work, dying after so many steps; then opens the store again and asks for the same once more. */
  async survive<T>(steps: number | null, work: (store: Store) => Promise<T>): Promise<T> {
    this.#stepsLeft = steps ?? Number.POSITIVE_INFINITY
    try {
      return await work(this.store)
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'killed') throw error
      await this.store.close()
      await this.#reopen()
      return await work(this.store)
    } finally {
      this.#stepsLeft = Number.POSITIVE_INFINITY
    }
  }
}

interface Model {
  volumes: Map<string, number[]>
  snapshots: Map<string, number[]>
}
interface Real {
  mortal: MortalStore
  volumes: Map<string, string>
  snapshots: Map<string, string>
  count: number
}

const pick = <T>(from: Iterable<T>, index: number): T | undefined => {
  const all = [...from]
  return all[index % all.length]
}

type Command =
  | { do: 'create' }
  | { do: 'write'; volume: number; block: number; marker: number }
  | { do: 'snapshot'; volume: number }
  | { do: 'group'; volumes: number[] }
  | { do: 'restore'; snapshot: number }
  | { do: 'clone'; volume: number }
  | { do: 'expand'; volume: number }
  | { do: 'delete volume'; volume: number }
  | { do: 'delete snapshot'; snapshot: number }

const index = fc.nat(20)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('create' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      volume: index,
      block: fc.nat(blocks - 1),
      marker: fc.integer({ min: 1, max: 255 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('snapshot' as const), volume: index }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('group' as const),
      volumes: fc.array(index, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('restore' as const), snapshot: index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('clone' as const), volume: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expand' as const), volume: index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete volume' as const), volume: index }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete snapshot' as const), snapshot: index }) },
)
const scenario = fc.array(fc.tuple(command, fc.option(fc.nat(8))), { minLength: 4, maxLength: 16 })

async function perform(what: Command, steps: number | null, model: Model, real: Real): Promise<void> {
  const { mortal } = real
  real.count += 1
  const name = `n${real.count}`
  const add = (id: string, markers: readonly number[]) => {
    model.volumes.set(name, [...markers])
    real.volumes.set(name, id)
  }
  switch (what.do) {
    case 'create': {
      const { id } = await mortal.survive(steps, (store) => store.createVolume({ name, requiredBytes: mebibyte }))
      return add(id, Array(blocks).fill(0))
    }
    case 'write': {
      const volume = pick(real.volumes.keys(), what.volume)
      if (volume === undefined) return
      const top = mortal.store.context.catalogue.volume(real.volumes.get(volume) ?? '')?.top ?? ''
      await writeMarker(mortal.store, top, what.block, what.marker)
      model.volumes.get(volume)?.splice(what.block, 1, what.marker)
      return
    }
    case 'snapshot': {
      const volume = pick(real.volumes.keys(), what.volume)
      if (volume === undefined) return
      const id = real.volumes.get(volume) ?? ''
      const snapshot = await mortal.survive(steps, (store) => store.createSnapshot(name, id))
      real.snapshots.set(name, snapshot.id)
      model.snapshots.set(name, [...(model.volumes.get(volume) ?? [])])
      return
    }
    case 'group': {
      const names = new Set(what.volumes.flatMap((at) => pick(real.volumes.keys(), at) ?? []))
      if (names.size === 0) return
      const ids = [...names].map((volume) => real.volumes.get(volume) ?? '')
      const { snapshots } = await mortal.survive(steps, (store) => store.createGroup(name, ids))
      expect(snapshots).toHaveLength(names.size)
      for (const volume of names) {
        const id = snapshots.find(({ sourceVolume }) => sourceVolume === real.volumes.get(volume))?.id ?? ''
        real.snapshots.set(`${name}-${volume}`, id)
        model.snapshots.set(`${name}-${volume}`, [...(model.volumes.get(volume) ?? [])])
      }
      return
    }
    case 'restore': {
      const snapshot = pick(real.snapshots.keys(), what.snapshot)
      if (snapshot === undefined) return
      const source = { snapshotId: real.snapshots.get(snapshot) ?? '' }
      const { id } = await mortal.survive(steps, (store) => store.createVolume({ name, source }))
      return add(id, model.snapshots.get(snapshot) ?? [])
    }
    case 'clone': {
      const volume = pick(real.volumes.keys(), what.volume)
      if (volume === undefined) return
      const source = { volumeId: real.volumes.get(volume) ?? '' }
      const { id } = await mortal.survive(steps, (store) => store.createVolume({ name, source }))
      return add(id, model.volumes.get(volume) ?? [])
    }
    case 'expand': {
      const id = pick(real.volumes.values(), what.volume)
      if (id === undefined) return
      const size = (mortal.store.context.catalogue.volume(id)?.size ?? 0) + mebibyte
      expect((await mortal.survive(steps, (store) => store.expandVolume(id, size))).size).toBe(size)
      return
    }
    case 'delete volume': {
      const volume = pick(real.volumes.keys(), what.volume)
      if (volume === undefined) return
      const id = real.volumes.get(volume) ?? ''
      await mortal.survive(steps, (store) => store.deleteVolume(id))
      real.volumes.delete(volume)
      model.volumes.delete(volume)
      return
    }
    case 'delete snapshot': {
      const snapshot = pick(real.snapshots.keys(), what.snapshot)
      if (snapshot === undefined) return
      const id = real.snapshots.get(snapshot) ?? ''
      await mortal.survive(steps, (store) => store.deleteSnapshot(id))
      real.snapshots.delete(snapshot)
      model.snapshots.delete(snapshot)
      return
    }
    default:
      what satisfies never
  }
}

async function expectSame({ mortal: { store }, ...real }: Real, model: Model): Promise<void> {
  const { catalogue } = store.context
  expect(await mismatches(store)).toEqual([])
  expect(catalogue.intents()).toEqual([])
  for (const [name, markers] of model.volumes)
    expect(await readMarkers(store, catalogue.volume(real.volumes.get(name) ?? '')?.top ?? '', blocks)).toEqual(markers)
  for (const [name, markers] of model.snapshots)
    expect(await readMarkers(store, catalogue.snapshot(real.snapshots.get(name) ?? '')?.layer ?? '', blocks)).toEqual(
      markers,
    )
  // Every layer is needed by something: a top, a spare, a snapshot's, or one that another stands on.
  const layers = catalogue.layers()
  const needed = new Set([
    ...catalogue.volumes().map(({ top }) => top),
    ...catalogue.snapshots().map(({ layer }) => layer),
    ...layers.flatMap(({ parent }) => parent ?? []),
    ...layers.filter(({ spareOf }) => spareOf !== null).map(({ id }) => id),
  ])
  expect(layers.filter(({ id }) => !needed.has(id))).toEqual([])
  const { storeBytes, volumes, snapshots } = await store.account()
  const unique = [...volumes, ...snapshots].reduce((sum, { uniqueBytes }) => sum + uniqueBytes, 0)
  expect(unique).toBeLessThanOrEqual(storeBytes)
}

let dir: string
let remove: () => Promise<void>
beforeEach(async () => {
  const folder = await temporaryFolder()
  dir = folder.dir
  remove = folder.remove
})
afterEach(() => remove())

test('whatever is done and wherever it is killed, contents are as in the model, nothing leaks and nothing needed goes', async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(scenario, async (steps) => {
      run += 1
      const mortal = await MortalStore.open(join(dir, String(run)))
      const model: Model = { volumes: new Map(), snapshots: new Map() }
      const real: Real = { mortal, volumes: new Map(), snapshots: new Map(), count: 0 }
      try {
        await perform({ do: 'create' }, null, model, real)
        for (const [what, dieAfter] of steps) {
          await perform(what, dieAfter, model, real)
          expect(await mismatches(mortal.store)).toEqual([])
        }
        await expectSame(real, model)
        for (let at = 0; real.volumes.size + real.snapshots.size > 0; at++) {
          await perform({ do: 'delete snapshot', snapshot: at }, null, model, real)
          await perform({ do: 'delete volume', volume: at }, at % 3, model, real)
        }
        expect(await mortal.store.account()).toEqual({ storeBytes: 0, volumes: [], snapshots: [] })
        expect(mortal.store.context.catalogue.layers()).toEqual([])
      } finally {
        await mortal.store.close()
      }
    }),
    { numRuns: Number(process.env.STORE_RUNS ?? 15) },
  )
}, 300_000)

describe('one store', () => {
  let store: Store
  beforeEach(async () => {
    store = await Store.open({ dataDir: join(dir, 'data'), log: quiet })
  })
  afterEach(() => store.close())

  test('is one driver’s alone', async () => {
    await expect(Store.open({ dataDir: join(dir, 'data'), log: quiet })).rejects.toThrow('in use by another driver')
  })

  test('answers a repeated request with what was made, and refuses the same name for something else', async () => {
    const volume = await store.createVolume({ name: 'a', requiredBytes: mebibyte })
    expect(await store.createVolume({ name: 'a', requiredBytes: mebibyte })).toEqual(volume)
    const other = await store.createVolume({ name: 'b', requiredBytes: mebibyte })
    await expect(store.createVolume({ name: 'a', requiredBytes: 2 * mebibyte })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    })
    const snapshot = await store.createSnapshot('s', volume.id)
    expect(await store.createSnapshot('s', volume.id)).toEqual(snapshot)
    await expect(store.createSnapshot('s', other.id)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    const group = await store.createGroup('g', [volume.id, other.id])
    expect(await store.createGroup('g', [other.id, volume.id])).toEqual(group)
    await expect(store.createGroup('g', [volume.id])).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    expect(store.context.catalogue.chain(store.context.catalogue.volume(volume.id)?.top ?? '')).toHaveLength(3)
  })

  test('counts a layer as unique to what alone reaches it, and as shared for all others', async () => {
    const { id, top } = await store.createVolume({ name: 'a', requiredBytes: 8 * mebibyte })
    await writeMarker(store, top, 0, 1)
    const snapshot = await store.createSnapshot('s', id)
    const before = await store.account()
    expect(before.snapshots).toMatchObject([{ id: snapshot.id, uniqueBytes: 0 }])
    expect(before.volumes[0]?.sharedBytes).toBe(before.snapshots[0]?.sharedBytes)
    await store.deleteVolume(id)
    const { storeBytes, snapshots } = await store.account()
    expect(snapshots).toEqual([{ id: snapshot.id, uniqueBytes: storeBytes, sharedBytes: 0 }])
    expect(storeBytes).toBeGreaterThanOrEqual(65536)
  })

  test('tells which layers could be merged: one child, no snapshot', async () => {
    const { id } = await store.createVolume({ name: 'a', requiredBytes: mebibyte })
    const first = await store.createSnapshot('s1', id)
    await store.createSnapshot('s2', id)
    expect(store.mergeableLayers()).toEqual([])
    await store.deleteSnapshot(first.id)
    expect(store.mergeableLayers()).toMatchObject([{ layer: first.layer }])
  })

  test.each([
    [{ requiredBytes: 1 }, mebibyte],
    [{ requiredBytes: mebibyte + 1 }, 2 * mebibyte],
    [{}, 1024 * mebibyte],
    [{ limitBytes: 5 * mebibyte }, 5 * mebibyte],
    [{ requiredBytes: mebibyte + 1, limitBytes: mebibyte + 2 }, 'OUT_OF_RANGE'],
    [{ requiredBytes: 3, limitBytes: 2 }, 'INVALID_ARGUMENT'],
    [{ requiredBytes: 2 ** 52 }, 'OUT_OF_RANGE'],
  ])('a volume of %o gets %s', async (range, expected) => {
    const made = store.createVolume({ name: 'a', ...range })
    if (typeof expected === 'number') expect((await made).size).toBe(expected)
    else await expect(made).rejects.toMatchObject({ code: expected })
  })
})
