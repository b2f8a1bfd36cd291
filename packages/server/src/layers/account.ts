import { stat } from 'node:fs/promises'
import type { StoreContext } from './context.ts'

export interface Holder {
  id: string
  /** Bytes that would be free if this one were deleted. */
  uniqueBytes: number
  /** Bytes that others need as well. */
  sharedBytes: number
}

export interface Account {
  storeBytes: number
  volumes: Holder[]
  snapshots: Holder[]
}

/** Who holds how many bytes on disk: each layer's blocks, counted for everything that reaches it. */
export async function accountFor({ catalogue, files }: StoreContext): Promise<Account> {
  const layers = catalogue.layers()
  const reached = [
    ...catalogue.volumes().map(({ id, top }) => {
      const spare = catalogue.spareOf(id)
      return { kind: 'volume', id, layers: [...catalogue.chain(top), ...(spare ? [spare] : [])] }
    }),
    ...catalogue.snapshots().map(({ id, layer }) => ({ kind: 'snapshot', id, layers: catalogue.chain(layer) })),
  ]
  const holders = new Map<string, number>()
  for (const { layers } of reached) for (const { id } of layers) holders.set(id, (holders.get(id) ?? 0) + 1)

  const bytes = new Map<string, number>()
  for (const { id, file } of layers) bytes.set(id, await allocated(files.path(file)))
  const sum = (ids: readonly { id: string }[]) => ids.reduce((total, { id }) => total + (bytes.get(id) ?? 0), 0)
  const holdersOf = (kind: string): Holder[] =>
    reached
      .filter((one) => one.kind === kind)
      .map((one) => ({
        id: one.id,
        uniqueBytes: sum(one.layers.filter(({ id }) => holders.get(id) === 1)),
        sharedBytes: sum(one.layers.filter(({ id }) => (holders.get(id) ?? 0) > 1)),
      }))
  return { storeBytes: sum(layers), volumes: holdersOf('volume'), snapshots: holdersOf('snapshot') }
}

async function allocated(path: string): Promise<number> {
  try {
    return (await stat(path)).blocks * 512
  } catch (error) {
    // Being made, or being removed.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}
