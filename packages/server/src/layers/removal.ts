import type { Journalled } from './catalogue.ts'
import type { StoreContext } from './context.ts'

type Removal = Extract<Journalled, { kind: 'remove' }>

/**
 * Within a change of the catalogue: dooms each layer that nothing needs any more, with all below it that become
 * unneeded by that, and journals their removal.
 */
export function dooming({ catalogue }: StoreContext, tops: readonly string[]): Removal | undefined {
  const layers = tops.flatMap((top) => catalogue.doomFrom(top))
  if (layers.length === 0) return undefined
  return catalogue.begin({ kind: 'remove', layers })
}

/** Does what `dooming` journalled. Doing it twice is harmless. */
export async function removeLayers({ catalogue, files, checkpoint }: StoreContext, removal?: Removal): Promise<void> {
  if (!removal) return
  checkpoint('remove: journalled')
  await files.remove(removal.layers.map((id) => catalogue.layer(id).file))
  checkpoint('remove: removed')
  catalogue.change(() => {
    catalogue.dropLayers(removal.layers)
    catalogue.end(removal)
  })
  checkpoint('remove: recorded')
}
