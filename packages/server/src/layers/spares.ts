import { blockNode, isNodeOf, nodeName } from './block-nodes.ts'
import type { Layer, VolumeRow } from './catalogue.ts'
import type { StoreContext } from './context.ts'
import type { Monitor } from './monitors.ts'
import { explain } from './refusal.ts'
import { dooming, removeLayers } from './removal.ts'

/**
 * The overlay the next cut of this volume will put on top: the file made and, where a QEMU has the volume open, added
 * to it. Made ahead of time because a cut may happen while a guest is frozen. The caller holds the volume.
 */
export async function ensureSpare(context: StoreContext, volume: VolumeRow, monitor?: Monitor): Promise<Layer> {
  const { catalogue, files, checkpoint } = context
  let spare = catalogue.spareOf(volume.id)
  if (spare && (spare.parent !== volume.top || spare.size !== volume.size)) {
    await dropSpare(context, volume, monitor)
    spare = undefined
  }
  spare ??= await makeSpare()
  if (monitor && !monitor.nodes.has(nodeName(volume, spare.id)))
    await monitor.add(blockNode(volume, spare, { backing: null, writable: true }, context))
  checkpoint('spare: added')
  return spare

  async function makeSpare(): Promise<Layer> {
    const id = `l${context.newId(7)}`
    const planned: Layer = {
      id,
      file: `${id}.qcow2`,
      parent: volume.top,
      // Never less than the layer below: QEMU would shrink the disk under its guest without a word.
      size: volume.size,
      state: 'planned',
      spareOf: volume.id,
    }
    const intent = catalogue.change(() => {
      catalogue.addLayer(planned)
      return catalogue.begin({ kind: 'spare', layer: id, volume: volume.id })
    })
    checkpoint('spare: journalled')
    try {
      await files.create(planned.file, planned.size, catalogue.layer(volume.top).file)
      checkpoint('spare: made')
    } catch (error) {
      await undoSpare(context, intent)
      throw error
    }
    catalogue.change(() => {
      catalogue.setLayer(id, { state: 'spare' })
      catalogue.end(intent)
    })
    checkpoint('spare: recorded')
    return { ...planned, state: 'spare' }
  }
}

/** Takes back a spare that was begun. */
export async function undoSpare(context: StoreContext, intent: { id: number; layer: string }) {
  context.checkpoint('spare: undoing')
  const removal = context.catalogue.change(() => {
    context.catalogue.end(intent)
    return dooming(context, [intent.layer])
  })
  await removeLayers(context, removal)
}

/** Removes the prepared overlay of a volume, also from the QEMU it was added to. */
export async function dropSpare(context: StoreContext, volume: VolumeRow, monitor?: Monitor): Promise<void> {
  const spare = context.catalogue.spareOf(volume.id)
  if (!spare) return
  const name = nodeName(volume, spare.id)
  if (monitor?.nodes.has(name)) await monitor.remove(name)
  context.checkpoint('spare: dropping')
  await removeLayers(
    context,
    context.catalogue.change(() => dooming(context, [spare.id])),
  )
}

/** Removes nodes of this volume that a crashed driver added to the QEMU and nothing refers to any more. */
export async function removeStrayNodes(context: StoreContext, volume: VolumeRow, monitor: Monitor): Promise<void> {
  const { catalogue, log } = context
  const spare = catalogue.spareOf(volume.id)
  const known = new Set(
    [...catalogue.chain(volume.top), ...(spare ? [spare] : [])].map(({ id }) => nodeName(volume, id)),
  )
  for (const { name, overlaid } of [...monitor.nodes.values()]) {
    if (!isNodeOf(volume, name) || name.endsWith('-f') || known.has(name) || overlaid) continue
    try {
      await monitor.remove(name)
      log.info({ volume: volume.id, node: name }, 'stray block node removed')
    } catch (error) {
      log.warn({ volume: volume.id, node: name, error: explain(error) }, 'stray block node stays')
    }
  }
}
