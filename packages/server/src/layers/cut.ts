import { nodeName } from './block-nodes.ts'
import type { CutMember, Journalled, VolumeRow } from './catalogue.ts'
import type { StoreContext } from './context.ts'
import type { Monitor } from './monitors.ts'
import { announceTop, openness, refreshDescription } from './publications.ts'
import { explain, Refusal } from './refusal.ts'
import { ensureSpare } from './spares.ts'

// A cut of one or more volumes at one instant:
//
//   spares ready ─→ journalled ─→ cut in QEMU (one transaction) ─→ recorded
//                       │
//                       └ crash or failure: `settleCut` looks which tops QEMU really writes, or, where it is gone,
//                         which overlays hold data, and then records the cut or takes it back.
//
// A volume that nobody has open is cut by the record alone. An overlay is never thrown away once something may have
// been written to it.

type CutIntent = Extract<Journalled, { kind: 'cut' }>

export interface CutRequest {
  volumes: readonly VolumeRow[]
  /** Names what is made; null when only the layers below are wanted (a clone of a volume). */
  name: string | null
  group: string | null
}

interface Prepared {
  volume: VolumeRow
  member: CutMember
  monitor?: Monitor
}

/** Cuts the volumes. The caller holds all of them, and has settled what was left undone. */
export async function cutVolumes(context: StoreContext, { volumes, name, group }: CutRequest): Promise<void> {
  const { catalogue, checkpoint, log } = context
  const beganMicros = context.nowMicros()
  // All are waited for, also when one fails: the caller lets go of the volumes after that.
  const preparations = await Promise.allSettled(volumes.map((volume) => prepare(context, volume, name !== null)))
  const prepared = preparations.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
  const monitors = [...new Set(prepared.flatMap(({ monitor }) => monitor ?? []))]
  // No transaction spans two QEMUs: their guests stand still for as long as the cuts take.
  const resume = monitors.length > 1 ? (await whichRun(monitors)).map(({ socket }) => socket) : []

  const startedMicros = context.nowMicros()
  const members = prepared.map(({ member }) => member)
  const intent = catalogue.change(() =>
    catalogue.begin({ kind: 'cut', name, group, members, atMicros: startedMicros, resume }),
  )
  checkpoint('cut: journalled')
  let cut: { atMicros: number; skewMicros: number }
  try {
    await takeClosed(context, prepared)
    checkpoint('cut: closed ones taken')
    cut = await cutOpen(context, prepared, monitors, resume)
    checkpoint('cut: done')
  } catch (error) {
    checkpoint('cut: failed')
    log.warn({ name, volumes: volumes.map(({ id }) => id), error: explain(error) }, 'cut failed')
    if ((await settleCut(context, intent)) === 'recorded') return
    throw new Refusal('ABORTED', `cut ${volumes.map(({ id }) => id).join(', ')}: ${explain(error)}`, { cause: error })
  }
  record(context, intent, cut)
  checkpoint('cut: recorded')
  afterwards(context, members)
  log.info(
    {
      name,
      volumes: volumes.length,
      open: prepared.filter(({ monitor }) => monitor).length,
      ...cut,
      tookMicros: context.nowMicros() - beganMicros,
    },
    'cut',
  )
}

async function prepare(context: StoreContext, volume: VolumeRow, snapshot: boolean): Promise<Prepared> {
  const open = await openness(context, volume)
  if (open.state === 'filling')
    throw new Refusal(
      'FAILED_PRECONDITION',
      `volume ${volume.id} is being filled (${open.marker} exists) and cannot be cut; wait until the import has ended`,
    )
  if (open.state === 'unclear')
    throw new Refusal('UNAVAILABLE', `volume ${volume.id} cannot be cut now: ${open.reason}`)
  const monitor = open.state === 'open' ? open.monitor : undefined
  const above = await ensureSpare(context, volume, monitor)
  // What a killed QEMU left in the page cache belongs to the snapshot; where the cache is used at all, QEMU's own
  // flush inside the transaction would otherwise take the guest's time.
  if (!monitor || !context.directIo) await context.files.flush(context.catalogue.layer(volume.top).file)
  const member: CutMember = {
    volume: volume.id,
    below: volume.top,
    above: above.id,
    snapshot: snapshot ? `snap-${context.newId(10)}` : null,
    monitor: monitor?.socket ?? null,
  }
  return { volume, member, ...(monitor && { monitor }) }
}

/** Makes sure that nobody begins to write a closed volume's present top while the record is changed. */
async function takeClosed(context: StoreContext, prepared: readonly Prepared[]): Promise<void> {
  for (const { volume, member, monitor } of prepared)
    if (!monitor && (await announceTop(context, volume, member.above)) === 'taken')
      throw new Error(`volume ${volume.id} is being opened just now`)
}

async function whichRun(monitors: readonly Monitor[]): Promise<Monitor[]> {
  const running = await Promise.all(monitors.map((monitor) => monitor.running()))
  return monitors.filter((_, index) => running[index])
}

async function cutOpen(
  context: StoreContext,
  prepared: readonly Prepared[],
  monitors: readonly Monitor[],
  resume: readonly string[],
): Promise<{ atMicros: number; skewMicros: number }> {
  const standing = monitors.filter(({ socket }) => resume.includes(socket))
  const cutIn = (monitor: Monitor) =>
    monitor.cut(
      prepared
        .filter((one) => one.monitor === monitor)
        .map(({ volume, member }) => ({
          node: nodeName(volume, member.below),
          overlay: nodeName(volume, member.above),
        })),
    )
  let failures: unknown[] = []
  let atMicros = context.nowMicros()
  let skewMicros = 0
  try {
    if (standing.length > 0) {
      failures = rejections(await Promise.allSettled(standing.map((monitor) => monitor.stop())))
      // From here on no guest of the set runs; when exactly each is cut makes no difference to any of them.
      if (failures.length === 0) atMicros = context.nowMicros()
    }
    if (failures.length === 0) {
      const began = context.nowMicros()
      failures = rejections(await Promise.allSettled(monitors.map(cutIn)))
      skewMicros = monitors.length > 1 ? context.nowMicros() - began : 0
    }
  } finally {
    failures.push(...rejections(await Promise.allSettled(standing.map((monitor) => monitor.resume()))))
  }
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1) throw new AggregateError(failures, failures.map(explain).join('; '))
  return { atMicros, skewMicros }
}

function rejections(results: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
}

function record(
  { catalogue }: StoreContext,
  intent: CutIntent,
  { atMicros, skewMicros }: { atMicros: number; skewMicros: number },
): void {
  const { members, name, group } = intent
  catalogue.change(() => {
    if (group !== null && name !== null) {
      const volumes = members.map(({ volume }) => volume).sort()
      catalogue.addGroup({ id: group, name, createdMicros: atMicros, skewMicros, volumes })
    }
    for (const member of members) {
      putOnTop(member)
      if (member.snapshot === null) continue
      catalogue.addSnapshot({
        id: member.snapshot,
        name: group === null ? name : null,
        sourceVolume: member.volume,
        layer: member.below,
        size: catalogue.layer(member.below).size,
        createdMicros: atMicros,
        groupId: group,
      })
    }
    catalogue.end(intent)
  })

  function putOnTop({ volume, below, above }: CutMember): void {
    catalogue.setLayer(below, { state: 'frozen' })
    catalogue.setLayer(above, { state: 'top', spareOf: null })
    catalogue.setVolume(volume, { top: above })
  }
}

function afterwards(context: StoreContext, members: Iterable<CutMember>): void {
  for (const { volume, below, monitor } of members) {
    const tidy = () => {
      context.files.freeze(context.catalogue.layer(below).file)
      refreshDescription(context, volume)
    }
    // Nobody reads the description of a volume that is open, and its guest may be frozen.
    if (monitor === null) tidy()
    else context.later(tidy)
  }
}

/**
 * Ends a cut that was journalled and not recorded, by what the world shows. Refuses with UNAVAILABLE, and leaves it as
 * it is, when that cannot be seen: a QEMU that does not answer may have cut or not.
 */
export async function settleCut(context: StoreContext, intent: CutIntent): Promise<'recorded' | 'undone'> {
  const { catalogue, checkpoint, log } = context
  const { members, resume, atMicros } = intent
  await resumeGuests(context, resume)
  const open = members.filter((member) => member.monitor !== null)
  const wereCut = new Set<CutMember>()
  for (const socket of new Set(open.map(({ monitor }) => monitor))) {
    // One QEMU cuts all or none, though after its end not every overlay it used need hold data.
    const together = open.filter(({ monitor }) => monitor === socket)
    const evidence: boolean[] = []
    for (const member of together) evidence.push(await wasCut(context, member))
    if (evidence.includes(true)) for (const member of together) wereCut.add(member)
  }
  checkpoint('cut: settling')
  const fields = { name: intent.name, volumes: members.map(({ volume }) => volume) }

  if (open.length > 0 && wereCut.size === open.length) {
    record(context, intent, { atMicros, skewMicros: 0 })
    afterwards(context, members)
    log.info(fields, 'interrupted cut recorded')
    return 'recorded'
  }
  // Some QEMUs of several have cut: not the instant that was asked for, so no snapshot comes of it, but what has been
  // written to their overlays since is theirs.
  catalogue.change(() => {
    for (const { volume, below, above } of wereCut) {
      catalogue.setLayer(below, { state: 'frozen' })
      catalogue.setLayer(above, { state: 'top', spareOf: null })
      catalogue.setVolume(volume, { top: above })
    }
    catalogue.end(intent)
  })
  checkpoint('cut: settled')
  afterwards(context, wereCut)
  for (const { volume } of members) refreshDescription(context, volume)
  log.info({ ...fields, layersKept: wereCut.size }, 'interrupted cut taken back')
  return 'undone'
}

/** Guests that were stopped for the cut go on first of all. */
async function resumeGuests({ monitors }: StoreContext, sockets: readonly string[]): Promise<void> {
  for (const socket of sockets) {
    const monitor = await monitors.reach(socket)
    if (monitor && !(await monitor.running())) await monitor.resume()
  }
}

async function wasCut(context: StoreContext, member: CutMember): Promise<boolean> {
  const { catalogue, files, monitors } = context
  const volume = catalogue.volume(member.volume)
  if (!volume || member.monitor === null) throw new Error(`the journal names no volume that was open: ${member.volume}`)
  const monitor = await monitors.reach(member.monitor)
  if (monitor) {
    const nodes = await monitor.look()
    const above = nodes.get(nodeName(volume, member.above))
    if (above?.overlaid) return true
    if (nodes.has(nodeName(volume, member.below))) return false
  }
  // That QEMU is gone. An overlay that holds nothing can be left away without loss, whether it was in use or not.
  for (const id of [member.above, member.below]) {
    const { file } = catalogue.layer(id)
    if (await files.openForWriting(file))
      throw new Refusal('UNAVAILABLE', `whether volume ${volume.id} was cut is not known: somebody writes ${file}`)
  }
  return !(await files.isEmpty(catalogue.layer(member.above).file))
}
